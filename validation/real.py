"""Ask real reports how often they are wrong: a program against its copy, and against itself with a known slowdown.

Every report is one `optbuild bench` of some seconds on a small Rust program that computes for a few hundredths of a
second. The program does its work and then a share more, which it reads from the end of its own file: the code is the
same to the byte. Each report is appended to a file of raw results at once, so that a run can be stopped and taken up.
Where hyperfine is installed, it is asked about the same two files right after each A/A report.

Usage: python -m validation.real [--reports 200] [--injected 100] [--seconds 12]
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from scipy import stats

ROOT = Path(__file__).resolve().parents[1]
RAW = ROOT / "docs" / "measurement" / "real.jsonl"
PAGE = ROOT / "docs" / "measurement" / "validation-real.md"
OPTBUILD = Path(sys.executable).with_name("optbuild")
SHARES = (0.005, 0.01, 0.02, 0.05, 0.1)
MARK = b"share="
PROGRAM = """
use std::hint::black_box;
fn work(rounds: u64) -> u64 {
    let mut x = 0x9e3779b97f4a7c15u64;
    for _ in 0..rounds { x ^= x << 13; x ^= x >> 7; x ^= x << 17; }
    x
}
fn main() {
    let file = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    let tail = &file[file.len() - 32..];
    let mark = tail.windows(6).position(|w| w == b"share=").unwrap();
    let share: f64 = std::str::from_utf8(&tail[mark + 6..]).unwrap().trim().parse().unwrap();
    let rounds = 20_000_000u64;
    let done = work(black_box(rounds));
    black_box(work(black_box((rounds as f64 * share) as u64)));
    println!("{done}");
}
"""


def main() -> None:
    """Take the reports that are still missing, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--reports", type=int, default=200)
    parser.add_argument("--injected", type=int, default=100)
    parser.add_argument("--seconds", type=int, default=12)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="optbuild-real-") as directory:
        program = compile_program(Path(directory))
        for share, wanted in ((0.0, options.reports), *((share, options.injected) for share in SHARES)):
            done = sum(item["share"] == share for item in load())
            for number in range(done, wanted):
                append(take_report(program, share, options.seconds))
                print(f"share {share:.1%}: {number + 1} of {wanted}", flush=True)
    PAGE.write_text(render(load()))


def compile_program(directory: Path) -> Path:
    """Build the program."""
    source = directory / "real.rs"
    source.write_text(PROGRAM)
    program = directory / "real"
    subprocess.run(["rustc", "-O", str(source), "-o", str(program)], check=True)
    return program


def take_report(program: Path, share: float, seconds: int) -> dict[str, Any]:
    """One report: the program against a copy that does a share more."""
    paths = {}
    for name, more in (("base", 0.0), ("other", share)):
        paths[name] = program.with_name(name)
        paths[name].write_bytes(program.read_bytes() + MARK + f"{more:<20}".encode())
        paths[name].chmod(0o755)
    argv: list[str | Path] = [OPTBUILD, "bench", *(f"{name}={path}" for name, path in paths.items())]
    argv += ["--json", "--max-time", f"{seconds}s", "--progress", "none", "--quiet", "--", "{bin}"]
    completed = subprocess.run(argv, check=True, stdout=subprocess.PIPE, cwd=program.parent)
    peer = ask_hyperfine(paths) if share == 0.0 else None
    record = json.loads(completed.stdout)
    suite = next(item for item in record["comparisons"] if item["workload"] is None)
    kept = ("change", "ci_low", "ci_high", "verdict", "rounds", "mde", "p_value")
    return {
        "share": share,
        "seconds": seconds,
        **{name: suite[name] for name in kept},
        "aa": record["noise"]["aa"]["verdict"],
        "steal_ratio": record["noise"]["steal_ratio"],
        "noisy": record["noise"]["noisy"],
        "seed": record["measure"]["seed"],
        "host": record["host"],
        "hyperfine": peer,
    }


def ask_hyperfine(paths: Mapping[str, Path]) -> dict[str, Any] | None:
    """What hyperfine measures of the same files: mean, standard deviation and runs of each; None where it is absent."""
    if shutil.which("hyperfine") is None:
        return None
    with tempfile.NamedTemporaryFile(suffix=".json") as export:
        argv = ["hyperfine", "-N", "--warmup", "2", "--runs", "15", "--style", "none", "--export-json", export.name]
        subprocess.run([*argv, *map(str, paths.values())], check=True, stdout=subprocess.DEVNULL)
        results = json.loads(Path(export.name).read_text())["results"]
    return {name: {"times_s": item["times"]} for name, item in zip(paths, results, strict=True)}


def load() -> list[dict[str, Any]]:
    """The reports so far."""
    return [json.loads(line) for line in RAW.read_text().splitlines()] if RAW.is_file() else []


def append(report: Mapping[str, Any]) -> None:
    """Keep a report."""
    RAW.parent.mkdir(parents=True, exist_ok=True)
    with RAW.open("a") as stream:
        stream.write(json.dumps(report) + "\n")


def upper_bound(count: int, of: int) -> float:
    """The one-sided 95% Clopper-Pearson bound of a proportion."""
    return 1.0 if count == of else float(stats.beta.ppf(0.95, count + 1, of - count))


def render(reports: Iterable[Mapping[str, Any]]) -> str:
    """The page, with what was reached and what was not."""
    reports = list(reports)
    same = [item for item in reports if item["share"] == 0.0]
    false = sum(item["verdict"] in {"faster", "slower"} for item in same)
    lines = [
        "# Real reports",
        "",
        "Written by `nox -s validate-real` from [real.jsonl](real.jsonl), which holds every report.",
        "",
        f"In {len(same)} A/A reports, {false} false verdicts (95% upper bound {upper_bound(false, len(same)):.1%}).",
        "",
    ]
    if len(same) < 200:  # noqa: PLR2004 - what the claim needs
        lines += [
            f"The target, at most 4 false verdicts in 200 reports, is not judged yet: {len(same)} have been taken.",
            "",
        ]
    host, seconds = reports[0]["host"], reports[0]["seconds"]
    rounds = statistics.median(item["rounds"] for item in same)
    noisy = sum(item["noisy"] for item in reports)
    lines += [
        f"Machine: {host['cpu']}, {host['cores']} cores, {host['kernel']}.",
        f"{seconds} s a report, {rounds:.0f} rounds in the median.",
        f"By their own account {noisy} of {len(reports)} reports were taken on a noisy machine.",
        "",
        "| share of extra work | reports | interval holds it | called slower | printed detectable effect (median) |",
        "| :-- | --: | --: | --: | --: |",
    ]
    for share in (0.0, *SHARES):
        group = [item for item in reports if item["share"] == share]
        known = [item for item in group if item["ci_low"] is not None]
        if not known:
            continue
        held = sum(item["ci_low"] <= share <= item["ci_high"] for item in known)
        called = sum(item["verdict"] == "slower" for item in group)
        effect = statistics.median(item["mde"] for item in known)
        lines.append(f"| {share:.1%} | {len(group)} | {held} of {len(known)} | {called} | {effect:.1%} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
