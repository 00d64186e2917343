"""Benches that count their own instructions, with valgrind itself."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.integration.optbuild_program import MEASURE, VARIANTS, Optbuild, variant_of

pytestmark = pytest.mark.pgo

FILES = {
    "Cargo.toml": """
[package]
name = "tally"
version = "0.1.0"
edition = "2021"

[[bench]]
name = "speed"
harness = false
""",
    "src/main.rs": 'fn main() { println!("{}", tally::total(300_000)); }',
    "src/lib.rs": """
#[inline(never)]
pub fn total(upto: u64) -> u64 {
    (0..upto).filter(|number| number.count_ones() % 3 == 0).sum()
}
""",
    "benches/speed.rs": r"""
//! Counts below callgrind, and prints what it counts as Gungraun does, whose runner is `gungraun-runner`.
use std::process::Command;

fn main() {
    let words: Vec<String> = std::env::args().collect();
    if std::env::var("GUNGRAUN_TEST").is_ok() || words.iter().any(|word| word == "--inner") {
        std::hint::black_box(tally::total(std::hint::black_box(20_000)));
        return;
    }
    let argv = ["--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=*total*", &words[0], "--inner"];
    let output = Command::new("valgrind").args(argv).env_clear().output().expect("valgrind");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let count = text.lines().find_map(|line| line.split("Collected : ").nth(1)).expect(&text);
    println!("speed::sums::total long:20_000\n  Instructions:  {}|N/A  (*********)", count.trim());
    assert!(!words.contains(&"gungraun-runner".to_string())); // the name by which such a bench is known
}
""",
    "optbuild.toml": f"""
schema = 1
{VARIANTS}
[[workloads]]
name = "benches"
cargo = ["bench", "--bench", "speed"]
{MEASURE}""",
}


def test_counts_of_a_bench_are_what_is_measured(optbuild: Optbuild, tmp_path: Path) -> None:
    """Each variant's own, without a verdict by valgrind's time; and the bench trains."""
    if shutil.which("valgrind") is None:
        pytest.skip("valgrind is not installed")
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    record = optbuild.run("pgo", "--json", cwd=tmp_path).expect(0).document
    assert variant_of(record, "pgo")["pgo"]["applied"]
    counts = {(item["workload"], item["variant"]): item["count"] for item in record["instructions"]}
    assert {*counts} == {("benches/sums::total/long", variant) for variant in ("release", "pgo")}
    assert all(count > 20_000 for count in counts.values())
    assert (record["comparisons"], record["benchmarks"]) == ([], [])
    assert {item["equal"] for item in record["outputs"]} == {True}
