"""Training on what `cargo test`, `cargo bench` and `cargo run` would run, with real tools."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.integration.optbuild_program import VARIANTS, Optbuild, copy_crate, steps_of, tree, variant_of

pytestmark = pytest.mark.pgo


def write_profile(project: Path, cargo: str, more: str = "") -> None:
    """Write a build profile that trains on what cargo would run."""
    (project / "optbuild.toml").write_text(
        f'schema = 1\n{VARIANTS}[[workloads]]\nname = "cargo"\ncargo = {cargo}\nuse = ["train"]\n{more}'
        '[[workloads]]\nname = "use"\ncommand = ["{bin}", "+ 1 2"]\nuse = ["bench"]\n'
    )


def build(optbuild: Optbuild, project: Path) -> dict[str, Any]:
    """Build and train; the record."""
    return optbuild.run("build", "--json", cwd=project).expect(0).document


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A crate with a library, a program, a test that runs the program, a bench of its own making and an example."""
    return copy_crate("abacus", tmp_path / "abacus")


def test_tests_train_the_program_that_they_run(optbuild: Optbuild, project: Path) -> None:
    """The test starts the instrumented program by the path that cargo compiled into it: none of its code is missing."""
    write_profile(project, '["test", "--test", "cli"]')
    before = tree(project)
    pgo = variant_of(build(optbuild, project), "pgo")["pgo"]
    assert pgo["applied"]
    assert pgo["raw_profiles"] == 2
    assert (pgo["missing_functions"], pgo["mismatched_functions"]) == (0, 0)
    actions = optbuild.run("plan", "--json", cwd=project).expect(0).document["actions"]
    assert {a["forecast"]["expectation"] for a in actions if a["kind"] == "train"} == {"reused", "only if"}
    again = build(optbuild, project)
    assert all(steps_of(again).values())
    assert tree(project, without=project / "target").keys() == before.keys()


@pytest.mark.parametrize("cargo", ['["bench", "--bench", "speed"]', '["test", "--lib"]'])
def test_benches_and_unit_tests_train_the_library(optbuild: Optbuild, project: Path, cargo: str) -> None:
    """A development dependency's feature, and compiling for testing, change every function's name, and not its path."""
    write_profile(project, cargo)
    record = build(optbuild, project)
    pgo = variant_of(record, "pgo")["pgo"]
    assert pgo["applied"]
    assert pgo["renamed_functions"] > 3
    assert (pgo["strange_functions"], pgo["mismatched_functions"]) == (0, 0)
    tool, profile = record["toolchain"]["llvm_profdata"]["path"], pgo["profdata"]["path"]
    known = subprocess.check_output([tool, "show", "--all-functions", profile], text=True)
    assert "6digits6number" in known
    assert "4test" not in known
    argv = next(step["argv"] for step in variant_of(record, "pgo")["steps"] if step["argv"][1] in cargo)
    assert argv[argv.index("--profile") + 1] == "release"


def test_examples_and_programs_are_run_with_their_arguments(optbuild: Optbuild, project: Path) -> None:
    """As `cargo run` would; here the library is trained by an example."""
    write_profile(project, '["run", "--example", "table"]')
    assert variant_of(build(optbuild, project), "pgo")["pgo"]["functions_with_counts"] > 3
    write_profile(project, '["run", "--", "--repeat", "10"]')
    assert variant_of(build(optbuild, project), "pgo")["pgo"]["missing_functions"] == 0


def test_a_test_that_fails_ends_the_run_and_nothing_is_learnt(optbuild: Optbuild, project: Path) -> None:
    """With its name and its words; the profile of a failing suite would teach something else than was meant."""
    write_profile(project, '["test"]', 'env = { ABACUS_FAILS = "1" }\n')
    ended = optbuild.run("build", "--json", cwd=project).expect(11)
    assert "workload 'cargo: cli' ended with exit code 101, expected exit code 0" in ended.error["message"]
    assert "fails_where_it_is_told_to" in ended.stderr
    assert not (project / "target/optbuild/artifacts/pgo").exists()


def test_what_does_not_exist_is_refused_before_anything_is_built(optbuild: Optbuild, project: Path) -> None:
    """Cargo's metadata knows all targets."""
    write_profile(project, '["bench", "--bench", "sped"]')
    error = optbuild.run("build", "--json", cwd=project).expect(2).error
    assert error["message"] == "workload 'cargo': there is no bench `sped` in `abacus`; there is `speed`"
    assert error["help"] == "did you mean `speed`?"
    assert not (project / "target").exists()


def test_another_package_of_the_workspace_trains_the_program_that_uses_it(optbuild: Optbuild, tmp_path: Path) -> None:
    """Its tests know the code of the library only; features unify with those of the program, as it is built.

    A test of the same name in the program's own package is built beside it, and is not run.
    """
    project = copy_crate("suite", tmp_path / "suite")
    (project / "left/tests").mkdir()
    (project / "left/tests/lengths.rs").write_text('#[test]\nfn fails() { panic!("nobody asked for this one") }\n')
    (project / "optbuild.toml").write_text(
        f'schema = 1\n[project]\npackage = "left"\nbins = ["left"]\n{VARIANTS}[[workloads]]\nname = "library"\n'
        'cargo = ["test", "-p", "common", "--test", "lengths"]\nuse = ["train"]\n'
    )
    pgo = variant_of(build(optbuild, project), "pgo")["pgo"]
    assert pgo["applied"]
    assert pgo["functions_with_counts"] >= 1
    (crate,) = (crate for crate in pgo["crates"] if crate["name"] == "common")
    assert crate["total_count"] > 1000
