"""How long a search of twelve variants with PGO takes, over one variant with PGO, both from clean; ratios within a run.

For each program, in turns, and each time in a directory of its own:

* one: `optbuild run fat`, the baseline and one variant with PGO: built, trained, proved and measured;
* search: `optbuild tune` over twelve variants with PGO: thin and fat LTO, two CPUs, three hot counts.

`build_wall_s` is what building, training and comparing outputs took, as the records say; `wall_s` is everything, with
measuring. The programs are two of this repository, and crates of the registry, which come by `cargo fetch`.
Figures are printed and written as JSON, none is asserted: machines are shared and noisy.

Usage: python -m benchmarks.search --work DIR [--only PROGRAM] [--budget TIME] [--out benchmarks/search.json]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.registry_sources import copy_sources

OPTBUILD = Path(sys.executable).with_name("optbuild")
ROOT = Path(__file__).parent.parent
OURS = {"tally": ROOT / "tests" / "crates" / "tally", "calc-vm": ROOT / "examples" / "calc-vm"}
CRATES = {"choose": "1.3.7"}
PROGRAMS = (*OURS, *CRATES)
SETTINGS = """
[variants.release]

[variants.fat]
inherits = "release"
lto = "fat"
codegen-units = 1
pgo = true

[measure]
baseline = "release"
max-time = "20s"

[tune.factors]
lto = ["thin", "fat"]
codegen-units = [1]
pgo = [true]
target-cpu = ["default", "x86-64-v3"]
hot-count = ["default", "p95", "p90"]
"""
WORDS = ("lo", "ipsum", "dolor", "sit", "amet", "co", "sed", "do")
WORKLOADS = {
    "choose": """
[[workloads]]
name = "fields"
command = ["{bin}", "-i", "train.txt", "0", "2:4", "-1"]
use = ["train"]

[[workloads]]
name = "separator"
command = ["{bin}", "-f", "o+", "-i", "train.txt", "1:3"]
use = ["train"]

[[workloads]]
name = "held-out"
command = ["{bin}", "-i", "bench.txt", "1", "3:5", "-2"]
use = ["bench"]
""",
}


def main() -> None:
    """Measure, print, and write what was asked for."""
    options = _parser().parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    found: dict[str, Any] = json.loads(options.out.read_text()) if options.out and options.out.is_file() else {}
    for name in options.only or PROGRAMS:
        found[name] = measure(name, options.work.resolve(), options.budget)
        print(name, json.dumps(found[name]["ratios"]))
        if options.out:
            options.out.write_text(json.dumps(found, indent=1) + "\n")


def measure(name: str, work: Path, budget: str) -> dict[str, Any]:
    """Time both ways from clean."""
    one = run(prepare(name, work / f"{name}-one"), "run", "fat")
    search = run(prepare(name, work / f"{name}-search"), "tune", "--budget", budget)
    ratios = {key: search[key] / one[key] for key in ("build_wall_s", "wall_s", "cpu_s")}
    return {"load": os.getloadavg(), "one": one, "search": search, "ratios": ratios}


def prepare(name: str, directory: Path) -> Path:
    """A clean copy of a program, with a build profile that has what is compared."""
    shutil.rmtree(directory, ignore_errors=True)
    if name in OURS:
        shutil.copytree(OURS[name], directory, ignore=shutil.ignore_patterns("target"))
        if name == "tally":
            (directory / "data" / "bench.txt").write_text("60000\n")  # long enough to be timed
        profile = (directory / "optbuild.toml").read_text()
        kept = "[[workloads]]" + profile.partition("[[workloads]]")[2].partition("[measure]")[0]
        (directory / "optbuild.toml").write_text(f"schema = 1\n{SETTINGS}\n{kept}")
        return directory
    copy_sources(name, CRATES[name], directory, work=directory.parent)
    (directory / "optbuild.toml").write_text(f"schema = 1\n{SETTINGS}\n{WORKLOADS[name]}")
    for seed, file in enumerate(("train.txt", "bench.txt")):
        generator = random.Random(seed)  # noqa: S311 - input of a benchmark
        lines = (" ".join(generator.choice(WORDS) for _ in range(12)) for _ in range(200_000))
        (directory / file).write_text("\n".join(lines) + "\n")
    return directory


def run(directory: Path, *arguments: str) -> dict[str, Any]:
    """Run optbuild; give its times, and what its record says of variants and trainings."""
    before, began_s = os.times(), time.monotonic()
    completed = subprocess.run(
        [str(OPTBUILD), *arguments, "--json", "--progress", "none"], cwd=directory, capture_output=True, check=False
    )
    wall_s, after = time.monotonic() - began_s, os.times()
    if completed.returncode != 0:
        sys.exit(completed.stderr.decode())
    record = json.loads(completed.stdout)
    steps = {step["action"]: step for variant in record["variants"] for step in variant["steps"]}
    compiled = [step["duration_s"] for step in steps.values() if step["kind"] == "compile"]
    search = record["search"]
    return {
        "wall_s": wall_s,
        "build_wall_s": record["build_wall_s"],
        "cpu_s": after.children_user + after.children_system - before.children_user - before.children_system,
        "variants_with_pgo": sum(bool(each["pgo"] and each["artifacts"]) for each in record["variants"]),
        "trained": sorted({step["action"] for step in steps.values() if step["kind"] == "train"}),
        "compilations": len(compiled),
        "median_compilation_s": statistics.median(compiled),
        "winner": search and search["winner"],
        "races": search and [_describe_race(search[key]) for key in ("screening", "race") if search[key]],
        "confirmed": search and search["confirmation"] and search["confirmation"]["change"],
    }


def _describe_race(race: dict[str, Any]) -> dict[str, Any]:
    """How long a race took, and what it left open."""
    return {key: race[key] for key in ("rounds", "duration_s", "undecided", "detectable")}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="where programs are built, from clean")
    parser.add_argument("--only", action="append", choices=PROGRAMS)
    parser.add_argument("--budget", default="15m", help="of the search (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="a JSON file to write")
    return parser


if __name__ == "__main__":
    main()
