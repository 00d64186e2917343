"""Faults that are told before anything is built: build profiles, directories, packages, toolchains."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from optbuild.files import MARKER
from tests.integration.optbuild_program import (
    Optbuild,
    ask_rustc,
    copy_crate,
    edit,
    fail,
    tree,
    write_script,
)

pytestmark = pytest.mark.pgo

LLVM_OF_NOBODY = 99
"""An LLVM that no machine has."""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of its own for one test."""
    return copy_crate("tally", tmp_path / "tally")


BAD_PROFILES: dict[str, tuple[str | bytes, str, list[str]]] = {
    "syntax": ("schema = 1\n[variants.release\n", "build-profile", ["optbuild.toml:2:", "[variants.release", "^"]),
    "unknown key": (
        'schema = 1\n[variants.release]\ncodegen-unit = 1\n[measure]\nmetrik = "wall"\n',
        "build-profile",
        ["optbuild.toml:3", "variants.release.codegen-unit", "codegen-units", "optbuild.toml:5", "metric"],
    ),
    "wrong type": (
        'schema = 1\n[variants.release]\ncodegen-units = "one"\n[variants.lto]\nlto = "thick"\n',
        "build-profile",
        ["optbuild.toml:3", "codegen-units", "optbuild.toml:5", "lto", "thin"],
    ),
    "not UTF-8": (b"schema = 1\n# \xff\xfe\n", "build-profile", ["UTF-8"]),
    "too large": (b"#" * (1 << 20) + b"\n", "build-profile", ["1"]),
    "too deep": (b"x = " + b"[" * 1000 + b"]" * 1000 + b"\n", "build-profile", ["optbuild.toml:1"]),
    "newer schema": ("schema = 2\n", "build-profile", ["optbuild.toml:1", "schema", "upgrade"]),
    "inherits in a circle": (
        'schema = 1\n[variants.release]\n[variants.a]\ninherits = "b"\n[variants.b]\ninherits = "a"\n',
        "build-profile",
        ["a -> b -> a"],
    ),
    "unknown variant": (
        'schema = 1\n[variants.release]\n[variants.pgo]\ninherits = "relase"\n',
        "build-profile",
        ["optbuild.toml:4", "relase", "release"],
    ),
    "extends itself": ('schema = 1\nextends = "optbuild.toml"\n', "build-profile", ["optbuild.toml -> "]),
    "unknown preset": ('schema = 1\nextends = "preset:pog"\n', "build-profile", ["pog", "pgo"]),
    "outside, relative": (
        'schema = 1\n[[workloads]]\nname = "w"\ncommand = ["{bin}"]\ncwd = "../.."\n',
        "build-profile",
        ["optbuild.toml:5", "cwd"],
    ),
    "outside, absolute": (
        'schema = 1\n[project]\nmanifest = "/etc/Cargo.toml"\n',
        "build-profile",
        ["/etc/Cargo.toml"],
    ),
    "outside, by a symlink": (
        'schema = 1\n[[workloads]]\nname = "w"\ncommand = ["{bin}"]\ncwd = "way-out"\n',
        "build-profile",
        ["way-out", "elsewhere"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_PROFILES)
def test_a_bad_build_profile_is_refused_before_anything_runs(optbuild: Optbuild, project: Path, name: str) -> None:
    """All that is wrong is told at once, each with its place, and nothing is built or rewritten."""
    text, code, words = BAD_PROFILES[name]
    (project.parent / "elsewhere").mkdir()
    (project / "way-out").symlink_to(project.parent / "elsewhere")
    (project / "optbuild.toml").write_bytes(text if isinstance(text, bytes) else text.encode())
    before = tree(project)
    fail(optbuild, project, 2, code, *words)
    assert tree(project) == before


def test_without_a_workload_the_paths_searched_are_told(optbuild: Optbuild, project: Path) -> None:
    """No build profile and no command: every place that was looked at, and two ways to go on."""
    (project / "optbuild.toml").unlink()
    ended = fail(optbuild, project, 2, "usage", f"{project}/optbuild.toml", f"{project.parent}/optbuild.toml", "--")
    assert "optbuild init" in ended.error["help"]
    assert not (project / "target").exists()


# Directories and packages


def test_a_directory_that_is_not_ours_is_left_alone(optbuild: Optbuild, project: Path) -> None:
    """Neither `target/optbuild` nor `--out` is touched when somebody else's files are in it."""
    for directory, options in ((project / "target/optbuild", ()), (project.parent / "out", ("--out", "../out"))):
        directory.mkdir(parents=True)
        (directory / "precious").write_text("mine")
        fail(optbuild, project, 2, "usage", str(directory), "not made by optbuild", options=options)
        assert tree(directory).keys() == {"precious"}
        shutil.rmtree(directory)


def test_clean_deletes_only_below_the_marker(optbuild: Optbuild, project: Path) -> None:
    """`optbuild clean` refuses a directory without the marker, and a symlink to one that has it."""
    own = project / "target/optbuild"
    own.mkdir(parents=True)
    (own / "precious").write_text("mine")
    (own / "lock.pid").write_text("theirs")
    assert "not made by optbuild" in optbuild.run("clean", cwd=project).expect(2).stderr
    assert tree(own).keys() == {"precious", "lock.pid"}
    assert (own / "lock.pid").read_text() == "theirs"
    (own / MARKER).write_text("")
    elsewhere = own.rename(project.parent / "elsewhere")
    own.symlink_to(elsewhere)
    optbuild.run("clean", cwd=project).expect(2)
    assert tree(elsewhere).keys() == {"precious", "lock.pid", MARKER}
    own.unlink()
    own.mkdir()
    optbuild.run("clean", cwd=project).expect(0)
    assert tree(own) == {}


def test_a_missing_package_or_binary_is_answered_by_what_there_is(optbuild: Optbuild, tmp_path: Path) -> None:
    """A wrong name, a library, and a workspace with several programs each get a list to choose from."""
    workspace = copy_crate("workspace", tmp_path / "workspace")
    profile = workspace / "optbuild.toml"
    edit(profile, 'package = "app"', 'package = "ap"')
    fail(optbuild, workspace, 2, "usage", "`ap`", "`app`", "`steps`")
    edit(profile, 'package = "ap"', 'package = "app"\nbins = ["nort"]')
    fail(optbuild, workspace, 2, "usage", "`nort`", "`north`", "`south`")
    edit(profile, 'package = "app"\nbins = ["nort"]', 'package = "steps"')
    fail(optbuild, workspace, 2, "usage", "library only", "`app`")
    edit(profile, 'package = "steps"', "")
    edit(profile, '"{bin:north}", "{bin:south}"', '"{bin}"')
    (workspace / "steps/src/main.rs").write_text("fn main() {}\n")
    fail(optbuild, workspace, 2, "usage", "several packages", "`app`", "`steps`")


def test_an_ambiguous_binary_is_answered_by_what_to_write(optbuild: Optbuild, tmp_path: Path) -> None:
    """`{bin}` with two binaries and no default-run is refused before anything is built."""
    workspace = copy_crate("workspace", tmp_path / "workspace")
    edit(workspace / "app/Cargo.toml", 'default-run = "north"\n', "")
    fail(optbuild, workspace, 2, "usage", "{bin:north}", "{bin:south}", options=("--bench", "{bin}"))
    assert not (workspace / "target").exists()


def test_a_percent_sign_in_the_target_directory_is_refused(optbuild: Optbuild, project: Path, tmp_path: Path) -> None:
    """The profiler's runtime reads it as a pattern and would write elsewhere, into the project for instance."""
    env = {"CARGO_TARGET_DIR": str(tmp_path / "100%m")}
    ended = fail(optbuild, project, 2, "usage", "percent sign", f"{tmp_path}/100%m", env=env)
    assert "CARGO_TARGET_DIR" in ended.error["help"]


@pytest.mark.parametrize(("name", "shown"), [("a\nb", "a line break"), ("a\x1fb", "0x1f"), ("a:b", "contains `:`")])
def test_a_directory_that_no_tool_can_bear_is_refused_early(
    optbuild: Optbuild, project: Path, tmp_path: Path, name: str, shown: str
) -> None:
    """What lists of files, of flags or of directories cannot express would fail after the first build or training."""
    env = {"CARGO_TARGET_DIR": str(tmp_path / name)}
    ended = fail(optbuild, project, 2, "usage", shown, env=env)
    assert "CARGO_TARGET_DIR" in ended.error["help"]
    assert not (tmp_path / name).exists()


# Toolchain


@pytest.mark.parametrize("name", ["cargo", "rustc"])
def test_a_missing_program_of_the_toolchain_is_named(
    optbuild: Optbuild, project: Path, tmp_path: Path, name: str
) -> None:
    """Without cargo or rustc on PATH there is a command to get it, and nothing is installed."""
    programs = tmp_path / "programs"
    programs.mkdir()
    other = {"cargo": "rustc", "rustc": "cargo"}[name]
    found = shutil.which(other)
    assert found is not None
    write_script(programs / other, f"exec '{found}' \"$@\"")
    fail(optbuild, project, 3, "toolchain", name, "not found on PATH", env={"PATH": str(programs)})


def test_a_rustc_that_is_too_old_for_the_project_is_told(optbuild: Optbuild, project: Path) -> None:
    """Both versions are named before anything is built, unless cargo is to pass over that as well."""
    edit(project / "Cargo.toml", "[package]", '[package]\nrust-version = "1.999"')
    ended = fail(optbuild, project, 3, "toolchain", "rust-version = 1.999", f"rustc {ask_rustc('-V').split()[1]}")
    assert "RUSTUP_TOOLCHAIN" in ended.error["help"]
    assert not (project / "target").exists()
    edit(
        project / "optbuild.toml",
        "[variants.release]",
        '[project]\ncargo-args = ["--ignore-rust-version"]\n[variants.release]',
    )
    optbuild.run("build", "release", cwd=project).expect(0)


def test_a_pinned_toolchain_that_is_missing_is_not_installed(optbuild: Optbuild, project: Path) -> None:
    """The command that installs it is shown, and not run."""
    if shutil.which("rustup") is None:
        pytest.skip("rustup is not installed")
    (project / "rust-toolchain.toml").write_text('[toolchain]\nchannel = "1.0.0"\n')
    ended = fail(optbuild, project, 3, "toolchain", "1.0.0", env={"RUSTUP_TOOLCHAIN": "", "RUSTUP_AUTO_INSTALL": "1"})
    assert ended.error["help"].startswith("rustup toolchain install 1.0.0")


def _rustc_that_says(directory: Path, substitution: str) -> str:
    """A compiler whose answers about itself are edited by sed; it compiles as the real one does."""
    real = shutil.which("rustc")
    script = f'case "$*" in *-vV*|*--print*) \'{real}\' "$@" | sed "{substitution}";; *) exec \'{real}\' "$@";; esac'
    return str(write_script(directory / "rustc", script))


def test_without_any_profdata_every_place_is_named(optbuild: Optbuild, project: Path, tmp_path: Path) -> None:
    """The search is told place by place, with a command that installs the tool, before the first build."""
    sysroot, bare = ask_rustc("--print", "sysroot"), tmp_path / "bare"
    lies = rf"s|LLVM version: .*|LLVM version: {LLVM_OF_NOBODY}.1.0|; s|^{sysroot}$|{bare}|"
    rustc = _rustc_that_says(tmp_path, lies)
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("cargo", "sh", "sed"):
        (programs / name).symlink_to(str(shutil.which(name)))
    env = {"RUSTC": rustc, "PATH": str(programs)}
    words = (
        "none was found",
        "searched:",
        f"{bare}/lib/rustlib/",
        f"llvm-profdata-{LLVM_OF_NOBODY}: not on PATH",
        f"/usr/lib/llvm-{LLVM_OF_NOBODY}/bin/llvm-profdata: not there",
    )
    ended = fail(optbuild, project, 3, "toolchain", *words, env=env)
    assert "llvm" in ended.error["help"]
    assert not (project / "target").exists()


def test_a_profdata_of_another_llvm_is_refused_before_the_build(
    optbuild: Optbuild, project: Path, tmp_path: Path
) -> None:
    """Both versions are told; nothing has been built by then."""
    rustc = _rustc_that_says(tmp_path, rf"s|LLVM version: .*|LLVM version: {LLVM_OF_NOBODY}.1.0|")
    old = write_script(tmp_path / "llvm-profdata", "echo 'LLVM (http://llvm.org/):'; echo '  LLVM version 14.0.6'")
    env = {"RUSTC": rustc, "LLVM_PROFDATA": str(old)}
    fail(optbuild, project, 3, "toolchain", f"LLVM {LLVM_OF_NOBODY}", f"{old} of LLVM 14", env=env)
    assert not (project / "target").exists()


def test_a_missing_profiler_runtime_is_named(optbuild: Optbuild, project: Path, tmp_path: Path) -> None:
    """A target without `libprofiler_builtins` cannot be instrumented, and that is said before the build."""
    real, bare = Path(ask_rustc("--print", "target-libdir")), tmp_path / "lib"
    bare.mkdir()
    for path in real.glob("libcore-*.rlib"):
        (bare / path.name).symlink_to(path)
    rustc = _rustc_that_says(tmp_path, f"s|^{real}$|{bare}|")
    fail(optbuild, project, 3, "toolchain", "libprofiler_builtins", real.parent.name, env={"RUSTC": rustc})
    assert not (project / "target").exists()


@pytest.mark.skipif("nightly" in ask_rustc("--version"), reason="a nightly accepts it")
def test_an_option_of_nightly_is_told_before_the_build(optbuild: Optbuild, project: Path) -> None:
    """A stable rustc refuses it, which cargo would tell after builds have begun; a variable makes rustc accept it."""
    env = {"RUSTFLAGS": "-Zthreads=2"}
    ended = fail(optbuild, project, 3, "toolchain", "-Zthreads=2 needs a nightly toolchain", env=env)
    assert "RUSTUP_TOOLCHAIN=nightly" in ended.error["help"]
    assert not (project / "target").exists()
    optbuild.run("build", "release", cwd=project, env={**env, "RUSTC_BOOTSTRAP": "1"}).expect(0)
