"""Divan itself: benches train the program, and are measured by the medians that they print."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.integration.optbuild_program import Optbuild, variant_of
from tests.registry.crates_here import CRATES

pytestmark = [pytest.mark.pgo, pytest.mark.registry]


def test_divans_benches_train_and_are_measured_by_their_names(optbuild: Optbuild, tmp_path: Path) -> None:
    """Each argument by itself, by the way to it in the tree; values are seconds for one iteration."""
    project = shutil.copytree(CRATES / "timed", tmp_path / "timed")
    record = optbuild.run("pgo", "--json", cwd=project).expect(0).document
    pgo = variant_of(record, "pgo")["pgo"]
    assert pgo["applied"]
    assert pgo["renamed_functions"] > 0
    assert pgo["mismatched_functions"] == 0
    short, long = "benches/vowels/10", "benches/vowels/1000"
    names = {short, long, "benches/making/sample"}
    assert {(item["workload"], item["metric"]) for item in record["benchmarks"]} == {(name, "wall") for name in names}
    assert all(item["rounds"] for item in record["benchmarks"])
    medians = {(item["workload"], item["variant"]): item["median_s"] for item in record["resources"]}
    for variant in ("release", "pgo"):
        assert 1e-9 < medians[short, variant] < medians[long, variant] < 0.01, "seconds for one iteration"
    assert {item["equal"] for item in record["outputs"]} == {True}
