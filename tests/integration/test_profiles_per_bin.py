"""Programs that are each optimised with a PGO profile of their own, with real tools."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.integration.optbuild_program import TOLERANT, Optbuild, copy_crate, steps_of, variant_of

pytestmark = pytest.mark.pgo

VARIANTS = """
[variants.release]
[variants.pgo]
inherits = "release"
pgo = true
[variants.each]
inherits = "pgo"
profiles = "per-bin"
"""


def write_profile(project: Path, head: str, **commands: str) -> None:
    """Write a build profile with a workload for each program, and the variants merged and per program."""
    workloads = [f'[[workloads]]\nname = "{name}"\ncommand = {command}\n' for name, command in commands.items()]
    (project / "optbuild.toml").write_text(
        f'schema = 1\n{head}\n{VARIANTS}{"".join(workloads)}[measure]\nmax-time = "10s"\n{TOLERANT}'
    )


def ran(record: dict[str, Any], program: str) -> set[str]:
    """Which functions have counts in the profile of a program, of those that are asked for here."""
    profile = variant_of(record, "each")["pgo_by_bin"][program]["profdata"]["path"]
    tool = record["toolchain"]["llvm_profdata"]["path"]
    shown = subprocess.check_output([tool, "show", "--all-functions", "--counts", profile], text=True)
    blocks = re.split(r"^  (?=\S.*:$)", shown, flags=re.MULTILINE)
    known = {name: block for name in ("5steps2up", "5steps4down") for block in blocks if name in block}
    return {name for name, block in known.items() if re.search(r"counts: \[.*[1-9]", block)}


def test_each_program_of_a_package_learns_from_what_runs_it(optbuild: Optbuild, tmp_path: Path) -> None:
    """Both ways of training are variants of one plan, measured against each other, and instrumented once."""
    project = copy_crate("workspace", tmp_path / "workspace")
    write_profile(
        project,
        '[project]\npackage = "app"',
        north='["{bin:north}", "20000"]',
        south='["{bin:south}", "20000"]',
    )
    record = optbuild.run("pgo", "--json", cwd=project).expect(0).document
    each = variant_of(record, "each")
    assert [*each["pgo_by_bin"]] == ["north", "south"]
    for pgo in each["pgo_by_bin"].values():
        assert pgo["applied"]
        assert (pgo["missing_functions"], pgo["mismatched_functions"]) == (0, 0)
    assert ran(record, "north") == {"5steps2up"}
    assert ran(record, "south") == {"5steps4down"}
    actions = optbuild.run("plan", "--json", cwd=project).expect(0).document["actions"]
    instrumented = {action["id"] for action in actions if "profile_generate" in json.dumps(action.get("env", {}))}
    assert len(instrumented & {*steps_of(record)}) == 1
    programs = [project / "target/optbuild/artifacts/each" / name for name in ("north", "south")]
    outputs = [subprocess.check_output([program, "100"], text=True).split()[0] for program in programs]
    assert outputs == ["north", "south"]
    assert {item["candidate"] for item in record["comparisons"]} == {"pgo", "each"}
    page = optbuild.run("report", "--evidence", cwd=project).expect(0).stdout
    assert "each: south: training" in page
    again = optbuild.run("pgo", "--json", cwd=project).expect(0).document
    assert again["run_id"] == record["run_id"], "nothing has changed"


def test_features_of_a_workspace_unify_for_each_program_as_for_all(optbuild: Optbuild, tmp_path: Path) -> None:
    """Two packages, of which one enables a feature of what both use: without it, functions have other names."""
    project = copy_crate("suite", tmp_path / "suite")
    write_profile(
        project,
        '[project]\npackage = ["left", "right"]\nbins = ["left", "right"]',
        left='["{bin:left}", "20000"]',
        right='["{bin:right}", "20000"]',
    )
    record = optbuild.run("build", "--json", cwd=project).expect(0).document
    found = variant_of(record, "each")["pgo_by_bin"]
    assert {name: pgo["missing_functions"] for name, pgo in found.items()} == {"left": 0, "right": 0}
    left = project / "target/optbuild/artifacts/each/left"
    assert subprocess.check_output([left, "10"], text=True).endswith("!\n"), "the feature is on"


def test_a_program_without_training_is_told_before_anything_is_built(optbuild: Optbuild, tmp_path: Path) -> None:
    """It would have no profile."""
    project = copy_crate("workspace", tmp_path / "workspace")
    write_profile(project, '[project]\npackage = "app"', north='["{bin:north}", "20000"]')
    error = optbuild.run("pgo", "--json", cwd=project).expect(2).error
    assert "no training workload runs south" in error["message"]
    assert "{bin:south}" in error["help"]
    assert not (project / "target").exists()
