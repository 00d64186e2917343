"""Criterion itself: benches train the program, and are measured by their own samples."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.integration.optbuild_program import Optbuild, variant_of
from tests.registry.crates_here import CRATES

pytestmark = [pytest.mark.pgo, pytest.mark.registry]


def test_criterion_benches_train_and_are_measured_by_their_names(optbuild: Optbuild, tmp_path: Path) -> None:
    """Beside a command, in one suite; and nothing is written where the owner compares results."""
    project = shutil.copytree(CRATES / "prose", tmp_path / "prose")
    record = optbuild.run("pgo", "--json", cwd=project).expect(0).document
    pgo = variant_of(record, "pgo")["pgo"]
    assert pgo["applied"]
    assert pgo["renamed_functions"] > 5
    assert (pgo["missing_functions"], pgo["mismatched_functions"]) == (0, 0)
    names = {"benches/count/10", "benches/count/1000", "benches/vowels"}
    assert {item["name"] for item in record["workloads"]} == {*names, "text"}
    assert {item["part_of"] for item in record["workloads"] if item["name"] in names} == {"benches"}
    metrics = {(item["workload"], item["metric"]) for item in record["benchmarks"]}
    assert metrics == {*((name, "wall") for name in names), ("text", "wall"), ("text", "cpu")}
    assert all(item["rounds"] for item in record["benchmarks"])
    medians = {(item["workload"], item["variant"]): item["median_s"] for item in record["resources"]}
    for variant in ("release", "pgo"):
        short, long = (medians[f"benches/count/{words}", variant] for words in (10, 1000))
        assert 1e-9 < 5 * short < long < 0.01, "seconds for one iteration"
    assert {item["equal"] for item in record["outputs"]} == {True}
    assert not (project / "target/criterion").exists()
    logs = [Path(step["log"]).read_text() for step in record["checks"] if step["kind"] == "compile"]
    (optimised,) = (log for log in logs if "profile_use" in log)
    assert "no profile data available for function _ZN5prose5count" not in optimised
