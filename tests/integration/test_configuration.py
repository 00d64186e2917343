"""Configuration as it is found in the wild: each project is built, trained and proved as it is."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.integration.optbuild_program import (
    Optbuild,
    ask_rustc,
    copy_crate,
    edit,
    variant_of,
    write_script,
)

pytestmark = pytest.mark.pgo

HOST = next((line for line in ask_rustc("-vV").splitlines() if line.startswith("host: ")), "").removeprefix("host: ")
PACKAGE = '[package]\nname = "{}"\nversion = "1.0.0"\nedition = "2021"\n'
DEMANDS = """
#[cfg(not({0}))]
compile_error!("{0} is not set");
"""
"""Code that compiles only where a condition holds."""


def no_files(_: Path) -> None:
    """A check of nothing beyond the build."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A project of the wild: the crate `tally`, with what makes it special.

    Attributes:
        files: More files, by their paths in the project.
        manifest: What stands at the end of its Cargo.toml.
        profile: What stands under `[project]` in optbuild.toml.
        code: What stands at the end of its `main.rs`.
        env: Variables of the caller.
        check: Looks at the project after the build.
    """

    files: Mapping[str, str] = field(default_factory=dict)
    manifest: str = ""
    profile: str = ""
    code: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    check: Callable[[Path], None] = no_files


def _built_by_linker(project: Path) -> None:
    calls = (project / "linked").read_text().splitlines()
    assert len(calls) >= 3, "each variant and the instrumented program are linked by it"


def _is_stripped(project: Path) -> None:
    program = (project / "target/optbuild/artifacts/pgo/tally").read_bytes()
    assert b".symtab" not in program


def _built_below(name: str) -> Callable[[Path], None]:
    def check(project: Path) -> None:
        assert (project / name / "optbuild/artifacts/pgo/tally").is_file()
        assert not (project / "target").exists()
        assert not (project / "build").exists()

    return check


PROJECTS = {
    "[env] of Cargo's configuration": Project(
        files={".cargo/config.toml": '[env]\nGREETING = "hello"\nPLACE = { value = "data", relative = true }\n'},
        code='const _: &str = env!("GREETING");\nconst _: &str = env!("PLACE");\n',
    ),
    "target-dir and build-dir": Project(
        files={".cargo/config.toml": '[build]\ntarget-dir = "out"\nbuild-dir = "build"\n'}, check=_built_below("out")
    ),
    "config includes": Project(
        files={
            ".cargo/config.toml": 'include = ["flags.toml"]\n',
            ".cargo/flags.toml": 'build.rustflags = ["--cfg", "included"]\n',
        },
        code=DEMANDS.format("included"),
    ),
    "features": Project(
        manifest='[features]\nfast = ["dep"]\ndep = []\nslow = []\ndefault = ["slow"]\n',
        profile='features = ["fast"]\nno-default-features = true\n',
        code=DEMANDS.format('all(feature = "fast", feature = "dep", not(feature = "slow"))'),
    ),
    'panic = "abort" and strip': Project(
        manifest='[profile.release]\npanic = "abort"\nstrip = true\n',
        code=DEMANDS.format('panic = "abort"'),
        check=_is_stripped,
    ),
    "a Cargo profile of its own": Project(
        manifest='[profile.dist]\ninherits = "release"\nlto = "thin"\ncodegen-units = 1\ndebug-assertions = true\n',
        profile='cargo-profile = "dist"\n',
        code=DEMANDS.format("debug_assertions"),
    ),
    "cargo-args": Project(profile='cargo-args = ["--config", "build.incremental=false", "--offline"]\n'),
    "a dependency by path, patched": Project(
        manifest='[dependencies]\nnothing = "1"\n[patch.crates-io]\nnothing = { path = "nothing" }\n',
        files={"nothing/Cargo.toml": PACKAGE.format("nothing"), "nothing/src/lib.rs": "pub const NOTHING: u8 = 0;\n"},
        code="const _: u8 = nothing::NOTHING;\n",
    ),
    "vendored sources": Project(
        manifest='[dependencies]\nnothing = "1"\n',
        files={
            ".cargo/config.toml": '[source.crates-io]\nreplace-with = "vendored-sources"\n'
            '[source.vendored-sources]\ndirectory = "vendor"\n',
            "vendor/nothing/Cargo.toml": PACKAGE.format("nothing"),
            "vendor/nothing/src/lib.rs": "pub const NOTHING: u8 = 0;\n",
            "vendor/nothing/.cargo-checksum.json": '{"files":{}}',
        },
        code="const _: u8 = nothing::NOTHING;\n",
    ),
    "edition 2024 with resolver 3": Project(),
    "a build script that reads rustflags": Project(
        files={
            "build.rs": "fn main() {\n"
            '    let flags = std::env::var("CARGO_ENCODED_RUSTFLAGS").unwrap();\n'
            '    assert!(flags.split(\'\\x1f\').any(|flag| flag == "-Cforce-frame-pointers=yes"), "lost: {flags}");\n'
            '    println!("cargo::rustc-check-cfg=cfg(flagged)\\ncargo::rustc-cfg=flagged");\n}\n',
        },
        code=DEMANDS.format("flagged"),
        env={"RUSTFLAGS": "-Cforce-frame-pointers=yes"},
    ),
    "a linker of its own": Project(
        files={
            ".cargo/config.toml": f"[target.{HOST}]\nlinker = 'linker'\n",
        },
        check=_built_by_linker,
    ),
    "a linker with a path": Project(
        files={".cargo/config.toml": f"[target.{HOST}]\nlinker = 'tools/our-cc'\n"}, check=_built_by_linker
    ),
    "lints that deny warnings": Project(
        manifest='[lints.rust]\nwarnings = "deny"\n',
    ),
    "RUSTFLAGS that deny warnings": Project(env={"RUSTFLAGS": "-D warnings"}),
    "colour, progress and silence in the environment": Project(
        env={
            **dict.fromkeys(("CARGO_TERM_COLOR", "CARGO_TERM_PROGRESS_WHEN"), "always"),
            **dict.fromkeys(("CARGO_TERM_QUIET", "CARGO_TERM_HYPERLINKS", "CARGO_TERM_UNICODE"), "true"),
            "CARGO_TERM_PROGRESS_WIDTH": "80",
            "CLICOLOR_FORCE": "1",
            "CARGO_LOG": "info",
            "RUSTC_LOG": "info",
        },
    ),
    "colour and progress in Cargo's configuration": Project(
        files={
            ".cargo/config.toml": '[term]\ncolor = "always"\nverbose = true\n'
            'progress = { when = "always", width = 80 }\n'
        },
    ),
    "a build script that calls cargo": Project(
        files={
            "tool/Cargo.toml": PACKAGE.format("tool") + "[workspace]\n",
            "tool/src/main.rs": 'fn main() { println!("made"); }\n',
            "build.rs": """use std::{env, process::Command};
fn main() {
    println!("cargo::rerun-if-changed=tool");
    let directory = env::var("OUT_DIR").unwrap() + "/tool";
    let cargo = env::var("CARGO").unwrap();
    for at in [["--target-dir", &directory], ["--config", "build.jobs=1"]] {
        let mut call = Command::new(&cargo);
        call.args(["build", "--offline", "--manifest-path", "tool/Cargo.toml"]).args(at);
        assert!(call.env("CARGO_TARGET_DIR", &directory).status().unwrap().success());
    }
    let made = Command::new(directory + "/debug/tool").output().unwrap().stdout;
    assert_eq!(made, b"made\n");
    println!("cargo::rustc-check-cfg=cfg(made)\ncargo::rustc-cfg=made");
}
""",
        },
        code=DEMANDS.format("made"),
    ),
}


@pytest.mark.parametrize("name", PROJECTS)
def test_a_project_is_built_and_trained_as_it_is(optbuild: Optbuild, tmp_path: Path, name: str) -> None:
    """Baseline, instrumented and optimised build keep what is special, and the profile is shown to be used."""
    project = PROJECTS[name]
    directory = copy_crate("tally", tmp_path / "tally")
    for path, text in project.files.items():
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_text(text)
    for place in ("linker", "tools/our-cc"):
        write_script(directory / place, f'echo "$1" >> \'{directory}/linked\'\nexec cc "$@"')
    if "2024" in name:
        edit(directory / "Cargo.toml", '"2021"', '"2024"')
    for path, text in (("Cargo.toml", project.manifest), ("src/main.rs", project.code)):
        (directory / path).write_text(f"{(directory / path).read_text()}\n{text}")
    (directory / "Cargo.lock").unlink()
    edit(directory / "optbuild.toml", "[variants.release]", f"[project]\n{project.profile}[variants.release]")
    env = {**project.env, "PATH": f"{directory}:{optbuild.environ['PATH']}"}
    record = optbuild.run("build", "--json", cwd=directory, env=env).expect(0).document
    evidence = variant_of(record, "pgo")["pgo"]
    assert (evidence["applied"], evidence["missing_functions"] < 50) == (True, True)
    project.check(directory)


@pytest.mark.parametrize("name", ["{work}", "a}b"])
def test_a_directory_with_braces_is_built_in(optbuild: Optbuild, tmp_path: Path, name: str) -> None:
    """Cargo would take braces in `build-dir` for a variable; where that is set, the directory is named at once."""
    directory = copy_crate("tally", tmp_path / name / "tally")
    env = {"CARGO_BUILD_BUILD_DIR": str(tmp_path / "builds")}
    ended = optbuild.run("build", "--json", cwd=directory, env=env).expect(2)
    assert (str(directory) in ended.error["message"], "CARGO_BUILD_BUILD_DIR" in ended.error["help"]) == (True, True)
    assert not (directory / "target").exists()
    record = optbuild.run("build", "--json", cwd=directory).expect(0).document
    assert variant_of(record, "pgo")["pgo"]["applied"] is True


def test_a_directory_with_unusual_characters_is_built_in(optbuild: Optbuild, tmp_path: Path) -> None:
    """What shells, linkers, TOML and lists of flags take for their own, and what looks like an option."""
    directory = copy_crate("tally", tmp_path / "-a b'q\"" / "c,o=m#$x*[y ü")
    record = optbuild.run("build", "--json", cwd=directory).expect(0).document
    assert variant_of(record, "pgo")["pgo"]["applied"] is True


CACHE = '''#!{python}
"""A compiler wrapper that keeps results by the compiler's arguments alone, and does not know what a profile holds."""

import hashlib, os, shutil, subprocess, sys
from pathlib import Path

cache, arguments = Path({cache!r}), sys.argv[1:]
options = dict(zip(arguments, arguments[1:]))
out, suffix = options.get("--out-dir"), next((a for a in arguments if a.startswith("extra-filename=")), None)
if out is None or suffix is None:
    sys.exit(subprocess.run(arguments).returncode)
name = suffix.partition("=")[2]
kept = cache / hashlib.sha256("\\0".join(arguments).encode()).hexdigest()
hit = kept.is_dir()
with open(cache / "log", "a") as log:
    print("hit" if hit else "miss", options["--crate-name"], *(a for a in arguments if "profile" in a), file=log)
if not hit:
    ended = subprocess.run(arguments, capture_output=True)
    if ended.returncode:
        sys.stderr.buffer.write(ended.stderr)
        sys.exit(ended.returncode)
    kept.mkdir(parents=True)
    (kept / "stderr").write_bytes(ended.stderr)
    for path in Path(out).iterdir():
        if name in path.name:
            shutil.copy2(path, kept / path.name)
for path in kept.iterdir():
    if path.name != "stderr":
        shutil.copy2(path, Path(out) / path.name)
sys.stderr.buffer.write((kept / "stderr").read_bytes())
'''


def test_a_wrapper_that_caches_gives_no_stale_binary(optbuild: Optbuild, tmp_path: Path) -> None:
    """A new profile has a new name, so that even a cache which does not look into it compiles anew; an old one hits."""
    directory = copy_crate("tally", tmp_path / "tally")
    cache = tmp_path / "cache"
    cache.mkdir()
    wrapper = tmp_path / "wrapper"
    wrapper.write_text(CACHE.format(python=sys.executable, cache=str(cache)))
    wrapper.chmod(0o755)
    env = {"RUSTC_WRAPPER": str(wrapper)}
    first = (directory / "data/train.txt").read_text()

    def build(training: str) -> tuple[str, list[str]]:
        """The optimised binary's hash, and what the cache said; nothing of an earlier build is left."""
        shutil.rmtree(directory / "target", ignore_errors=True)
        (directory / "data/train.txt").write_text(training)
        (cache / "log").unlink(missing_ok=True)
        record = optbuild.run("build", "--json", cwd=directory, env=env).expect(0).document
        variant = variant_of(record, "pgo")
        assert variant["pgo"]["applied"] is True
        return variant["artifacts"][0]["sha256"], (cache / "log").read_text().splitlines()

    before, said = build(first)
    assert [line.split()[:2] for line in said] == [["miss", "tally"]] * 3
    other, said = build("1\n1\n1\n")
    assert sorted(line.split()[0] for line in said) == ["hit", "hit", "miss"]
    assert other != before
    again, said = build(first)
    assert [line.split()[0] for line in said] == ["hit"] * 3
    assert again == before


def test_a_pinned_toolchain_is_the_one_that_builds(optbuild: Optbuild, tmp_path: Path) -> None:
    """`rust-toolchain.toml` decides, for looking as well as for building."""
    rustup = shutil.which("rustup")
    release = ask_rustc("-vV").split("release: ")[1].split()[0]
    if rustup is None or release not in subprocess.check_output([rustup, "toolchain", "list"], text=True):
        pytest.skip(f"needs a toolchain of rustup that is called {release}")
    directory = copy_crate("tally", tmp_path / "tally")
    (directory / "rust-toolchain.toml").write_text(f'[toolchain]\nchannel = "{release}"\n')
    planned = optbuild.run("plan", "--json", cwd=directory).expect(0).document
    assert {action["argv"][0] for action in planned["actions"] if action["kind"] == "compile"}
    record = optbuild.run("build", "--json", cwd=directory).expect(0).document
    assert record["toolchain"]["rustc"] == release
    assert variant_of(record, "pgo")["pgo"]["applied"] is True
    (directory / "rust-toolchain.toml").write_text('[toolchain]\nchannel = "1.2.3"\n')
    error = optbuild.run("build", "--json", cwd=directory).expect(3).error
    assert "rustup toolchain install 1.2.3" in error["help"]
