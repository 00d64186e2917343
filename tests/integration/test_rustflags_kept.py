"""The user's own flags and compiler wrappers, wherever they come from, reach every build: they are added to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.integration.optbuild_program import Optbuild, ask_rustc, copy_crate, variant_of, write_script

pytestmark = pytest.mark.pgo

NEEDS_FLAG = '#[cfg(not(kept = "a b"))]\ncompile_error!("the flag of the user is lost");\n'
"""Compiles only under a flag with a blank in it."""

NEEDS_PLAIN_FLAG = '#[cfg(not(kept))]\ncompile_error!("the flag of the user is lost");\n'


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A place where flags stand.

    Attributes:
        config: The text of `.cargo/config.toml`.
        env: Variables.
        origin: What the plan calls it.
        check: What the program's source demands.
    """

    config: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    origin: str
    check: str = NEEDS_FLAG


LIST = """['--cfg', 'kept="a b"']"""
SOURCES = {
    "RUSTFLAGS": Source(env={"RUSTFLAGS": "--cfg kept"}, origin="RUSTFLAGS", check=NEEDS_PLAIN_FLAG),
    "CARGO_ENCODED_RUSTFLAGS": Source(
        env={"CARGO_ENCODED_RUSTFLAGS": '--cfg\x1fkept="a b"'}, origin="CARGO_ENCODED_RUSTFLAGS"
    ),
    "build.rustflags": Source(config=f"build.rustflags = {LIST}\n", origin="build.rustflags"),
    "target.<triple>": Source(config=f"target.{{host}}.rustflags = {LIST}\n", origin="rustflags"),
    "target.cfg": Source(config=f"target.'cfg(unix)'.rustflags = {LIST}\n", origin="rustflags"),
}


@pytest.mark.parametrize("name", SOURCES)
def test_flags_of_the_user_are_kept_in_every_build(optbuild: Optbuild, tmp_path: Path, name: str) -> None:
    """Baseline, instrumented and optimised build all compile a program that demands the flag, and PGO is applied."""
    source = SOURCES[name]
    directory = copy_crate("tally", tmp_path / "tally")
    main = directory / "src/main.rs"
    main.write_text(f"{main.read_text()}\n{source.check}")
    if source.config:
        (directory / ".cargo").mkdir()
        (directory / ".cargo/config.toml").write_text(source.config.format(host=_host()))

    ended = optbuild.run("build", "--json", cwd=directory, env=source.env).expect(0)
    assert variant_of(ended.document, "pgo")["pgo"]["applied"] is True

    planned = optbuild.run("plan", cwd=directory, env=source.env).expect(0).stdout
    note = next(line for line in planned.splitlines() if "rustflags kept in every build" in line)
    assert "--cfg kept" in note
    assert source.origin in note.rpartition("from")[2]


def test_a_wrapper_of_the_compiler_is_kept_and_shown(optbuild: Optbuild, tmp_path: Path) -> None:
    """RUSTC_WRAPPER goes on wrapping, in the instrumented and the optimised build too."""
    directory = copy_crate("tally", tmp_path / "tally")
    log = tmp_path / "calls"
    wrapper = write_script(tmp_path / "wrapper", f'echo "$*" >> \'{log}\'\nexec "$@"')
    env = {"RUSTC_WRAPPER": str(wrapper)}
    optbuild.run("build", cwd=directory, env=env).expect(0)
    compilations = [line for line in log.read_text().splitlines() if "--crate-name tally" in line]
    assert len(compilations) == 3
    assert sum(bool(re.search("-Cprofile.generate=", line)) for line in compilations) == 1
    assert sum(bool(re.search("-Cprofile.use=", line)) for line in compilations) == 1
    planned = optbuild.run("plan", cwd=directory, env=env).expect(0).stdout
    assert f"compiler wrapper kept: {wrapper} (from RUSTC_WRAPPER)" in planned


def test_flags_of_a_variant_are_added_to_those_of_the_user(optbuild: Optbuild, tmp_path: Path) -> None:
    """Neither replaces the other; the variant's stand last, so that they win."""
    directory = copy_crate("tally", tmp_path / "tally")
    main = directory / "src/main.rs"
    main.write_text(main.read_text() + NEEDS_PLAIN_FLAG + NEEDS_PLAIN_FLAG.replace("kept", "own"))
    (directory / "optbuild.toml").write_text(
        'schema = 1\n[variants.release]\nrustflags = ["--cfg", "own"]\ntarget-cpu = "native"\n'
    )
    env = {"RUSTFLAGS": "--cfg kept"}
    optbuild.run("build", cwd=directory, env=env).expect(0)
    planned = optbuild.run("plan", "--all", "--json", "--bench", "{bin} data/bench.txt", cwd=directory, env=env)
    (compilation, *_) = planned.expect(0).document["actions"]
    flags = compilation["env"]["CARGO_ENCODED_RUSTFLAGS"]
    assert flags == "--cfg kept -Ctarget-cpu=native --cfg own"


def test_flags_that_profile_already_are_refused(optbuild: Optbuild, tmp_path: Path) -> None:
    """Two profilers in one binary give no profile: the run stops before the build and names the flag."""
    directory = copy_crate("tally", tmp_path / "tally")
    ended = optbuild.run("pgo", "--json", cwd=directory, env={"RUSTFLAGS": "-Cinstrument-coverage"}).expect(2)
    assert "-Cinstrument-coverage" in ended.error["message"]
    assert not (directory / "target").exists()


def test_lto_by_the_linker_is_trained_unless_rustc_does_it_as_well(optbuild: Optbuild, tmp_path: Path) -> None:
    """Fat LTO beside it is refused at once, naming the flag, or skipped; thin LTO, or none, is trained."""
    directory = copy_crate("tally", tmp_path / "tally")
    env = {"RUSTFLAGS": "-Clinker-plugin-lto"}
    settings = (directory / "optbuild.toml").read_text()

    def with_lto(lto: str, pgo: str = "true") -> None:
        variant = f"[variants.pgo]\nlto = {lto}\ncodegen-units = 1\n"
        text = settings.replace("[variants.pgo]\n", variant).replace("pgo = true", f"pgo = {pgo}")
        (directory / "optbuild.toml").write_text(text)

    with_lto('"fat"')
    ended = optbuild.run("build", "--json", cwd=directory, env=env).expect(2)
    assert "-Clinker-plugin-lto" in ended.error["message"]
    assert not (directory / "target").exists()
    linked = optbuild.run("build", "release", cwd=directory, env=env)
    if linked.status == 10:
        pytest.skip("the linker does no LTO here")
    linked.expect(0)
    with_lto('"fat"', pgo='"auto"')
    skipped = variant_of(optbuild.run("build", "--json", cwd=directory, env=env).expect(0).document, "pgo")
    assert (skipped["status"], "-Clinker-plugin-lto" in skipped["reason"]) == ("skipped", True)
    for lto in ('"thin"', '"off"'):
        with_lto(lto)
        record = optbuild.run("build", "--json", cwd=directory, env=env).expect(0).document
        evidence = variant_of(record, "pgo")["pgo"]
        assert (evidence["applied"], evidence["mismatched_functions"]) == (True, 0)


def _host() -> str:
    lines = ask_rustc("-vV").splitlines()
    return next(line for line in lines if line.startswith("host: ")).removeprefix("host: ")
