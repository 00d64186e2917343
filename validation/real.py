"""Ask real reports how often they are wrong: a program against its copy, and against itself with a known slowdown.

Every report is one `optbuild bench` of some seconds on a small Rust program that computes for a few hundredths of a
second. The program does its work and then a share more, which it reads from the end of its own file: the code is the
same to the byte. Each report is appended to a file of raw results at once, so that a run can be stopped and taken up;
one that turns out to be taken in another way than it should gets the reason as `set_aside`, and does not count. Where
hyperfine is installed, it is asked about the same two files right after each A/A report.

Usage: python -m validation.real [--reports 200] [--injected 100] [--seconds 12], or --page to write the page alone
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from validation.real_page import SHARES, WHOLE, Report, is_counted, render

ROOT = Path(__file__).resolve().parents[1]
RAW = ROOT / "docs" / "measurement" / "real.jsonl"
PAGE = ROOT / "docs" / "measurement" / "validation-real.md"
OPTBUILD = Path(sys.executable).with_name("optbuild")
MARK = b"share="
_WHOLE_REPORTS = 20
VERSION = 2
"""Of the program. The first one read the whole of its file to find its end, which took a tenth of its time."""
PROGRAM = """
use std::hint::black_box;
use std::io::{Read, Seek, SeekFrom};
fn work(rounds: u64) -> u64 {
    let mut x = 0x9e3779b97f4a7c15u64;
    for _ in 0..rounds { x ^= x << 13; x ^= x >> 7; x ^= x << 17; }
    x
}
fn main() {
    let mut file = std::fs::File::open(std::env::current_exe().unwrap()).unwrap();
    file.seek(SeekFrom::End(-32)).unwrap();
    let mut tail = [0; 32];
    file.read_exact(&mut tail).unwrap();
    let mark = tail.windows(6).position(|w| w == b"share=").unwrap();
    let share: f64 = std::str::from_utf8(&tail[mark + 6..]).unwrap().trim().parse().unwrap();
    let rounds = 20_000_000u64;
    let done = work(black_box(rounds));
    black_box(work(black_box((rounds as f64 * share) as u64)));
    println!("{done}");
}
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Take the reports that are still missing, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--reports", type=int, default=200)
    parser.add_argument("--injected", type=int, default=100)
    parser.add_argument("--seconds", type=int, default=12)
    parser.add_argument("--page", action="store_true", help="take no report, and write the page of those there are")
    options = parser.parse_args(arguments)
    if not options.page:
        take_missing(options.reports, options.injected, options.seconds)
    reports = load()
    if not any(is_counted(report) for report in reports):
        parser.error("there is no report yet")
    PAGE.write_text(render(reports))


def take_missing(reports: int, injected: int, seconds: int) -> None:
    """Take so many A/A reports, and so many of each share, less those that there are."""
    with tempfile.TemporaryDirectory(prefix="optbuild-real-") as directory:
        program = compile_program(Path(directory))
        for share, wanted in ((0.0, reports), (WHOLE, _WHOLE_REPORTS), *((share, injected) for share in SHARES)):
            done = sum(item["share"] == share for item in load() if is_counted(item))
            for number in range(done, wanted):
                append(take_report(program, share, seconds))
                print(f"share {share:.1%}: {number + 1} of {wanted}", flush=True)


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
        "program": VERSION,
        **{name: suite[name] for name in kept},
        "aa": record["noise"]["aa"]["verdict"],
        "margin": record["noise"]["aa"]["margin"],
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


def load() -> list[Report]:
    """The reports so far."""
    return [json.loads(line) for line in RAW.read_text().splitlines()] if RAW.is_file() else []


def append(report: Report) -> None:
    """Keep a report."""
    RAW.parent.mkdir(parents=True, exist_ok=True)
    with RAW.open("a") as stream:
        stream.write(json.dumps(report) + "\n")


if __name__ == "__main__":
    main()
