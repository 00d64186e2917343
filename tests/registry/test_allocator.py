"""Mimalloc, compiled from the registry and linked into programs that know nothing of it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.integration.optbuild_program import Optbuild, copy_crate, variant_of

pytestmark = [pytest.mark.pgo, pytest.mark.registry]

VARIANTS = """
[variants.release]

[variants.pgo]
inherits = "release"
pgo = true

[variants.mimalloc]
inherits = "pgo"
allocator = "mimalloc"
"""


def test_a_program_gets_it_without_knowing(optbuild: Optbuild, tmp_path: Path) -> None:
    """It shares the training, does the same, and asks mimalloc for memory; the next run reuses all of it."""
    project = copy_crate("tally", tmp_path / "tally")
    profile = project / "optbuild.toml"
    head, _, tail = profile.read_text().partition("[variants")
    profile.write_text(f"{head}{VARIANTS}\n[[workloads]]{tail.partition('[[workloads]]')[2]}")
    record = optbuild.run("run", "--json", cwd=project).expect(0).document
    assert variant_of(record, "mimalloc")["pgo"]["shared_with"] == "pgo"
    assert {item["equal"] for item in record["outputs"]} == {True}
    programs = project / "target" / "optbuild" / "artifacts"
    for variant, has_it in (("pgo", False), ("mimalloc", True)):
        told = subprocess.run(
            [programs / variant / "tally", "10"], env={"MIMALLOC_VERBOSE": "1"}, capture_output=True, check=False
        ).stderr
        assert (b"mimalloc: process init" in told) is has_it
    again = optbuild.run("build", "--json", cwd=project).expect(0).document
    assert {variant["status"] for variant in again["variants"]} == {"reused"}
    seen = optbuild.run("heap", "mimalloc", "--json", cwd=project).expect(0).document
    assert seen["allocator"] is None
    assert seen["workloads"][0]["sites"], "what it would hide is seen in a program without it"
