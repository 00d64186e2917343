"""Counts that are scaled once they are merged, with real tools: those of a training, and committed ones."""

from __future__ import annotations

import math
import subprocess
from pathlib import Path
from typing import Any

import pytest

from optbuild.tools.profile_text import read_records
from tests.integration.optbuild_program import Optbuild, copy_crate, find_profdata, variant_of

pytestmark = pytest.mark.pgo

BUILD_PROFILE = """\
schema = 1

[variants.release]
[variants.pgo]
pgo = true
[variants.scaled]
inherits = "pgo"
count-scale = 0.01
[variants.startup]
inherits = "scaled"
layout = "startup"

[[workloads]]
name = "training"
command = ["{bin}", "data/train.txt"]
use = ["train", "bench"]

[profile-data]
path = "tally.pgodata"
"""


def counts_in(project: Path, optbuild: Optbuild, pgo: dict[str, Any]) -> dict[tuple[str, int], list[int]]:
    """The counters of each function in the profile of a variant, as `llvm-profdata` writes them."""
    text = project / "counts.proftext"
    tool = find_profdata(optbuild, project)
    subprocess.run([tool, "merge", "--text", f"--output={text}", pgo["profdata"]["path"]], check=True)
    found = {}
    for record in read_records(text.read_text().splitlines()):
        _, length, *rest = (int(line) for line in record.lines if line.isdigit())
        found[record.name, record.hash] = rest[:length]
    return found


def scaled(counts: dict[tuple[str, int], list[int]]) -> dict[tuple[str, int], list[int]]:
    """A hundredth of each count, but 1 at least of one that is not 0."""
    return {key: [count and max(1, math.floor(count / 100 + 0.5)) for count in each] for key, each in counts.items()}


def test_counts_are_scaled_after_a_training_that_is_shared(optbuild: Optbuild, tmp_path: Path) -> None:
    """The evidence is that of all counts, the order of a start survives, and committed counts are not scaled twice."""
    project = copy_crate("tally", tmp_path / "tally")
    (project / "optbuild.toml").write_text(BUILD_PROFILE)
    plan = optbuild.run("plan", cwd=project).expect(0).stdout
    (row,) = (line for line in plan.splitlines() if line.startswith("scaled "))
    assert "pgo, count-scale = 0.01" in row
    assert "1 build, shares the training of pgo" in row

    record = optbuild.run("build", "--json", cwd=project).expect(0).document
    pgo, small, startup = (variant_of(record, name)["pgo"] for name in ("pgo", "scaled", "startup"))
    assert (small["attempt"], small["shared_with"], small["rejected_attempts"]) == ("shared", "pgo", [])
    assert small["applied"]
    assert small["functions_with_counts"] == pgo["functions_with_counts"]
    assert small["total_count"] < pgo["total_count"] / 50
    trained = counts_in(project, optbuild, pgo)
    assert counts_in(project, optbuild, small) == scaled(trained)
    assert max(map(max, trained.values())) > 1000
    assert all(check["passed"] for check in startup["checks"])
    assert "the profile has the order in which functions first ran" in {check["name"] for check in startup["checks"]}

    optbuild.run("train", "--variant", "scaled", cwd=project).expect(0)
    record = optbuild.run("build", "pgo", "scaled", "--json", cwd=project).expect(0).document
    pgo, small = (variant_of(record, name)["pgo"] for name in ("pgo", "scaled"))
    assert (pgo["source"], small["source"]) != ("trained", "trained")
    committed = counts_in(project, optbuild, pgo)
    assert max(map(max, committed.values())) == max(map(max, trained.values())), "as they were counted"
    assert counts_in(project, optbuild, small) == scaled(committed)
