"""Threads that count in the same place at the same time: counts that get lost, and counters that lose none."""

from __future__ import annotations

import platform
import re
import subprocess
from pathlib import Path

import pytest

from tests.integration.optbuild_program import Optbuild, copy_crate, find_profdata, first_build, variant_of

pytestmark = pytest.mark.pgo

THREADS, CALLS = 4, 3_000_000
BUILD_PROFILE = f"""\
schema = 1
[variants.release]
[variants.pgo]
inherits = "release"
pgo = true
counters = "single"
[variants.atomic]
inherits = "pgo"
counters = "atomic"
[variants.heir]
inherits = "atomic"
panic = "abort"
[[workloads]]
name = "racing"
command = ["{{bin}}", "{THREADS}", "{CALLS}"]
use = ["train", "bench"]
"""
LOCKED_INCREMENT = b"\xf0\x48\xff\x05"  # `lock incq` of a static variable on x86-64


def ticks(tool: str, profdata: str) -> int:
    """How often the function ran that all threads call, as a profile has it."""
    argv = [tool, "show", "--counts", "--function=tick", profdata]
    shown = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    (counts,) = re.findall(r"Block counts: \[(\d+)", shown)
    return int(counts)


def test_atomic_counters_lose_nothing(optbuild: Optbuild, tmp_path: Path) -> None:
    """Exact, inherited, in plan and record; single ones hold at most as much, for they may lose some."""
    project = copy_crate("racing", tmp_path / "racing")
    (project / "optbuild.toml").write_text(BUILD_PROFILE)
    record = optbuild.run("build", "--json", cwd=project).expect(0).document
    tool = find_profdata(optbuild, project)
    evidence = {name: variant_of(record, name)["pgo"] for name in ("pgo", "atomic", "heir")}
    assert {name: item["counters"] for name, item in evidence.items()} == {
        "pgo": "single",
        "atomic": "atomic",
        "heir": "atomic",
    }
    counted = {name: ticks(tool, item["profdata"]["path"]) for name, item in evidence.items()}
    assert counted["atomic"] == counted["heir"] == THREADS * CALLS
    # How many are lost is up to the machine: none where the threads never really ran at the same time.
    assert 0 < counted["pgo"] <= THREADS * CALLS

    if platform.machine() == "x86_64":
        instrumented = {name: first_build(record, name) for name in ("pgo", "atomic")}
        locks = {
            name: (project / "target/optbuild/binaries" / action / "racing").read_bytes().count(LOCKED_INCREMENT)
            for name, action in instrumented.items()
        }
        assert locks["atomic"] > locks["pgo"]
    shown = optbuild.run("report", "--format", "markdown", cwd=project).expect(0).stdout
    assert "atomic counters" in shown
    plan = optbuild.run("plan", "-v", "--all", cwd=project).expect(0).stdout
    assert "atomic: build instrumented, atomic counters" in plan
    assert plan.count("-instrprof-atomic-counter-update-all") == 2
