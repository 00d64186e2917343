"""How the driver learns from cargo what it would run, and keeps it."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from optbuild.errors import BuildError
from optbuild.making.cargo.driver import CargoDriver
from optbuild.making.cargo.kept import find_cargo_build, find_kept
from optbuild.plan.draft import make_compile
from optbuild.plan.kinds.compile import Compile, Recipe, Role
from optbuild.plan.results import Compiled
from optbuild.profile.cargo_words import parse_cargo_words
from optbuild.testing import TARGET, Reply, ScriptedExecutor, make_plan_inputs, make_project
from optbuild.workloads.cargo_build import CargoProgram
from optbuild.workloads.harness import Harness

GIVEN = {"PATH": "/bin", "HOME": "/h", "API_TOKEN": "5713"}


@dataclass
class Site:
    """A project whose cargo has built the bench `speed` and the binary `demo`."""

    directory: Path

    @property
    def home(self) -> Path:
        return self.directory / f"target/optbuild/cargo/{TARGET}/release"

    @property
    def action(self) -> Compile:
        call = parse_cargo_words(("bench",))
        recipe = Recipe(packages=("demo",), target=TARGET, cargo_profile="release", call=call)
        inputs = make_plan_inputs(project=make_project(directory=self.directory))
        return make_compile(recipe, inputs, role=Role.INSTRUMENT, label="pgo: build for benches")

    def unit(self, path: Path, kind: str, *, test: bool = False) -> bytes:
        message = {
            "reason": "compiler-artifact",
            "package_id": "path+file:///p#demo@0.1.0",
            "target": {"name": "demo", "kind": [kind]},
            "profile": {"opt_level": "3", "test": test},
            "fresh": False,
            "filenames": [str(path)],
            "executable": str(path),
        }
        return json.dumps(message).encode() + b"\n"

    def told(self, path: Path, *arguments: str, **env: str) -> bytes:
        program = {"argv": [str(path), *arguments], "cwd": str(self.directory), "env": {**GIVEN, **env}}
        return json.dumps({"optbuild-program": program}).encode() + b"\n"

    def build(self, *lines: bytes) -> Compiled:
        reply = Reply(
            stdout=b"".join(lines),
            writes={
                self.home / "demo": b"binary",
                self.home / "deps/demo-5713": b"The FILTER string is tested against the name of all tests",
                self.home / "deps/speed-5713": b"This executable is a Criterion.rs benchmark.",
            },
        )
        driver = CargoDriver(executor=ScriptedExecutor([reply]), environ=GIVEN, emit=lambda _: None)
        return driver.compile(self.action, {}, self.log)

    @property
    def log(self) -> Path:
        return self.directory / "logs/build.log"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A project in a test's directory."""
    return Site(tmp_path)


def build_benches(site: Site) -> Compiled:
    """What `cargo bench` gives for a package with a library, a binary and a bench."""
    added = {"PATH": "/cargo/bin:/bin", "RUSTUP_TOOLCHAIN": "stable", "RUST_RECURSION_COUNT": "1", "OUT_DIR": "/out"}
    return site.build(
        site.unit(site.home / "demo", "bin"),
        site.unit(site.home / "deps/demo-5713", "bin", test=True),
        site.unit(site.home / "deps/speed-5713", "bench", test=True),
        site.told(site.home / "deps/demo-5713", "--bench"),
        site.told(site.home / "deps/speed-5713", "large", "--bench", **added),
    )


def test_programs_are_what_cargo_would_have_run(site: Site) -> None:
    """In its order, with arguments, directory, what it adds to the environment, and who runs what is in them."""
    build = build_benches(site).cargo_build
    assert build is not None
    assert build.programs == (
        CargoProgram(name="demo-5713", arguments=("--bench",), cwd=site.directory, env={}, harness=Harness.LIBTEST),
        CargoProgram(
            name="speed-5713",
            arguments=("large", "--bench"),
            cwd=site.directory,
            env={"OUT_DIR": "/out"},
            harness=Harness.CRITERION,
        ),
    )


def test_programs_and_the_binaries_that_they_may_start_are_kept(site: Site) -> None:
    """By their files' names; where cargo had put the binary is known as well."""
    compiled = build_benches(site)
    assert {name: artifact.path.read_bytes()[:4] for name, artifact in compiled.artifacts.items()} == {
        "demo": b"bina",
        "demo-5713": b"The ",
        "speed-5713": b"This",
    }
    assert {artifact.path.parent for artifact in compiled.artifacts.values()} == {site.action.directory}
    assert compiled.cargo_build is not None
    assert compiled.cargo_build.started == {"demo": site.home / "demo"}


def test_their_sources_are_watched(site: Site) -> None:
    """Cargo's lists of sources lie beside what it has built."""
    assert set(build_benches(site).executables) == {
        site.home / "demo",
        site.home / "deps/demo-5713",
        site.home / "deps/speed-5713",
    }


def test_the_environment_that_cargo_was_given_is_kept_nowhere(site: Site) -> None:
    """It may hold secrets; a log shows only what cargo and rustc say."""
    compiled = build_benches(site)
    assert "5713" not in site.log.read_text()
    assert compiled.cargo_build is not None
    assert all("API_TOKEN" not in program.env for program in compiled.cargo_build.programs)


def test_a_build_after_which_nothing_would_run_is_an_error(site: Site) -> None:
    """Cargo itself is content with that: there would be nothing to learn from."""
    with pytest.raises(BuildError, match="pgo: build for benches: cargo bench would run nothing") as caught:
        site.build(site.unit(site.home / "demo", "bin"))
    assert caught.value.location == str(site.log)
    assert "correct `cargo`" in caught.value.help


def test_what_cargo_would_run_is_known_before_it_is_asked_again(site: Site) -> None:
    """For a plan that says what it expects; a file that was cut short is as good as none."""
    assert find_kept(site.action) is None
    compiled = build_benches(site)
    assert find_kept(site.action) == compiled.artifacts
    assert find_cargo_build(site.action) == compiled.cargo_build
    kept = site.action.directory / "cargo-build.json"
    kept.write_bytes(kept.read_bytes()[:100])
    assert find_kept(site.action) is None


def test_a_value_need_not_be_text(site: Site) -> None:
    """Bytes of the environment that are no UTF-8 come back as they were."""
    line = site.told(site.home / "deps/speed-5713", ODD="\xff")  # as the runner tells bytes: in Latin-1
    build = site.build(line).cargo_build
    assert build is not None
    assert build.programs[0].env["ODD"] == os.fsdecode(b"\xff")
    assert find_cargo_build(site.action) == build


def test_programs_of_an_earlier_build_are_deleted(site: Site) -> None:
    """Their names hold a hash that changes with their dependencies, so that none would ever be written over."""
    directory = site.action.directory
    directory.mkdir(parents=True)
    (directory / "speed-1111").write_bytes(b"old")
    build_benches(site)
    names = {path.name for path in directory.iterdir()}
    assert names == {"demo", "demo-5713", "speed-5713", "cargo-build.json"}
    assert find_cargo_build(site.action) is not None
