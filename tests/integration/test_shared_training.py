"""Variants whose names of functions differ, with real cargo: one training for those that it fits."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.optbuild_program import Optbuild, copy_crate, variant_of

pytestmark = pytest.mark.pgo

BUILD_PROFILE = """\
schema = 1

[variants.release]
[variants.fat]
lto = "fat"
codegen-units = 1
pgo = true
[variants.thin]
inherits = "fat"
lto = "thin"
[variants.flags]
inherits = "thin"
rustflags = ["-Cllvm-args=-inline-threshold=400"]
[variants.abort]
inherits = "fat"
panic = "abort"

[[workloads]]
name = "training"
command = ["{bin}", "data/train.txt"]
use = ["train", "bench"]
"""


def test_counts_are_translated_where_they_fit_and_trained_where_they_do_not(optbuild: Optbuild, tmp_path: Path) -> None:
    """Link-time optimisation changes names and no control flow; landing pads change control flow."""
    project = copy_crate("tally", tmp_path / "tally")
    (project / "optbuild.toml").write_text(BUILD_PROFILE)
    optbuild.compile_quickly()
    plan = optbuild.run("plan", cwd=project).expect(0).stdout
    assert "2 builds, shares the training of fat" in plan
    record = optbuild.run("build", "--json", cwd=project).expect(0).document
    found = {variant["name"]: variant["pgo"] for variant in record["variants"]}
    assert {name: pgo and (pgo["attempt"], pgo["shared_with"], pgo["source"]) for name, pgo in found.items()} == {
        "release": None,
        "fat": ("lto-free", None, "trained"),
        "thin": ("translated", "fat", "trained"),
        "flags": ("translated", "fat", "trained"),
        "abort": ("lto-free", None, "trained"),
    }
    thin, flags, abort = found["thin"], found["flags"], found["abort"]
    assert (thin["matched_ratio"], thin["missing_functions"], thin["mismatched_functions"]) == (1.0, 0, 0)
    assert thin["total_count"] == found["fat"]["total_count"]
    assert thin["applied"]
    assert flags["profdata"] == thin["profdata"]
    ((name, reason),) = ((each["name"], each["reason"]) for each in abort["rejected_attempts"])
    assert name == "translated"
    assert "find a function with the same control flow" in reason
    kinds = {step["action"]: step["kind"] for variant in record["variants"] for step in variant["steps"]}
    assert [*kinds.values()].count("train") == 2
    assert [*kinds.values()].count("compile") == 8
    again = optbuild.run("build", "--json", cwd=project).expect(0).document
    reused = [step["reused"] for variant in again["variants"] for step in variant["steps"] if step["kind"] == "train"]
    assert all(reused)


PROGRAMS_PROFILE = """\
schema = 1

[project]
bins = ["north", "south"]

[variants.release]
[variants.each]
pgo = true
profiles = "per-bin"
[variants.debug]
inherits = "each"
debug = "line-tables-only"

[[workloads]]
name = "north"
command = ["{bin:north}", "1000"]
use = ["train"]

[[workloads]]
name = "south"
command = ["{bin:south}", "1000"]
use = ["train"]
"""
PROGRAM = """\
#[inline(never)]
fn NAME_work(n: u64) -> u64 {
    (0..n).filter(|i| i % 3 == 0).map(|i| i ^ 7).sum()
}

fn main() {
    let n: u64 = std::env::args().nth(1).unwrap().parse().unwrap();
    println!("{:?}", (0..50).map(|k| NAME_work(n + k)).max());
}
"""


def test_each_program_with_its_own_profile_takes_the_counts_of_the_same_program(
    optbuild: Optbuild, tmp_path: Path
) -> None:
    """The build that lends the names has all programs, and the profile the functions of one."""
    (tmp_path / "src" / "bin").mkdir(parents=True)
    for name in ("north", "south"):
        (tmp_path / "src" / "bin" / f"{name}.rs").write_text(PROGRAM.replace("NAME", name))
    manifest = '[package]\nname = "winds"\nversion = "0.1.0"\nedition = "2021"\n\n[workspace]\n'
    (tmp_path / "Cargo.toml").write_text(manifest)
    (tmp_path / "optbuild.toml").write_text(PROGRAMS_PROFILE)
    record = optbuild.run("build", "--json", cwd=tmp_path).expect(0).document
    found = variant_of(record, "debug")["pgo_by_bin"]
    assert {name: (pgo["attempt"], pgo["shared_with"], pgo["matched_ratio"]) for name, pgo in found.items()} == {
        "north": ("translated", "each", 1.0),
        "south": ("translated", "each", 1.0),
    }
    assert all(pgo["applied"] for pgo in found.values())
