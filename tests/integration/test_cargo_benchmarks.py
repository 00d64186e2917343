"""Measuring on what `cargo bench`, `cargo test` and `cargo run` would run, with real tools."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.integration.optbuild_program import MEASURE, VARIANTS, Optbuild, copy_crate, edit, steps_of, tree, variant_of

pytestmark = pytest.mark.pgo

# What a Criterion bench does as far as anyone can see: told by its help text, it measures, and leaves its samples.
CRITERION = """
use std::hint::black_box;
use std::time::Instant;

const HELP: &str = "This executable is a Criterion.rs benchmark.";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    assert!(!arguments.contains(&"--help".into()), "{HELP}");
    let text = abacus::sample(200);
    let names: &[&str] = if cfg!(feature = "more") { &["sum", "more"] } else { &["sum"] };
    let trained = arguments.contains(&"--profile-time".into());
    for name in names {
        let samples: Vec<(f64, f64)> = (1..=10).map(|count| (count as f64, time(count, &text))).collect();
        let list = |values: Vec<f64>| values.iter().map(f64::to_string).collect::<Vec<_>>().join(",");
        let (iters, times) = samples.into_iter().unzip();
        println!("abacus/{name} time: {times:?}");
        let home = std::env::var("CRITERION_HOME").unwrap();
        let directory = std::path::Path::new(&home).join("abacus").join(name).join("new");
        assert!(!directory.exists(), "an earlier run is there to be compared with");
        if !trained {
            std::fs::create_dir_all(&directory).unwrap();
            let sample = format!("{{\\"iters\\": [{}], \\"times\\": [{}]}}", list(iters), list(times));
            std::fs::write(directory.join("sample.json"), sample).unwrap();
            let benchmark = format!("{{\\"full_id\\": \\"abacus/{name}\\"}}");
            std::fs::write(directory.join("benchmark.json"), benchmark).unwrap();
        }
    }
}

fn time(count: usize, text: &str) -> f64 {
    let start = Instant::now();
    for _ in 0..count * 100 {
        black_box(abacus::evaluate(black_box(text)));
    }
    start.elapsed().as_nanos() as f64
}
"""
LIBTEST = """
#![feature(test)]
extern crate test;

#[bench]
fn evaluates(bencher: &mut test::Bencher) {
    let text = abacus::sample(20);
    bencher.iter(|| abacus::evaluate(test::black_box(&text)));
}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A crate with a library, a program, a test that runs the program, a bench of its own making and an example."""
    return copy_crate("abacus", tmp_path / "abacus")


def write_profile(project: Path, cargo: str, *, variants: str = VARIANTS, more: str = "") -> None:
    """Write a build profile that trains and measures on what cargo would run."""
    workload = f'[[workloads]]\nname = "cargo"\ncargo = {cargo}\n'
    (project / "optbuild.toml").write_text(f"schema = 1\n{variants}{workload}{more}{MEASURE}")


def measure(optbuild: Optbuild, project: Path, *options: str, **env: str) -> dict[str, Any]:
    """Build, train and measure; the record."""
    return optbuild.run("run", "--json", *options, cwd=project, env=env).expect(0).document


def cells_of(record: dict[str, Any]) -> dict[str, set[str]]:
    """What was measured, with the metrics that are known of each."""
    cells: dict[str, set[str]] = {}
    for item in record["benchmarks"]:
        cells.setdefault(item["workload"], set()).add(item["metric"])
    return cells


def test_a_bench_of_its_own_making_is_measured_as_a_whole(optbuild: Optbuild, project: Path) -> None:
    """Each variant's own executable; with LTO there are two ways to train, and the one that is taken is measured."""
    before = tree(project)
    write_profile(project, '["bench", "--bench", "speed"]', variants=VARIANTS + 'lto = "fat"\ncodegen-units = 1\n')
    record = measure(optbuild, project)
    assert cells_of(record) == {"cargo": {"wall", "cpu"}}
    assert [item["equal"] for item in record["outputs"]] == [True, True]
    assert [(item["name"], item["in_sample"]) for item in record["workloads"]] == [("cargo", True)]
    pgo = variant_of(record, "pgo")
    assert pgo["pgo"]["attempt"] == "lto-free"
    built = {step["action"]: step for step in record["checks"] if step["kind"] == "compile"}
    assert len(built) == 2, "one for each variant, the instrumented one apart, which the training needs"
    assert {step["argv"][step["argv"].index("--profile") + 1] for step in built.values()} == {"release"}
    assert not {*built} & {*steps_of(record)}
    plan = optbuild.run("plan", "--json", cwd=project).expect(0).document
    expected = {a["forecast"]["expectation"] for a in plan["actions"] if a["kind"] in {"train", "merge", "probe"}}
    assert expected <= {"reused", "only if"}
    again = optbuild.run("run", "--json", cwd=project).expect(0)
    assert again.document["run_id"] == record["run_id"], "nothing has changed"
    assert tree(project, without=project / "target").keys() - before.keys() == set()


def test_criterion_is_measured_by_its_own_samples(optbuild: Optbuild, project: Path) -> None:
    """By its benchmarks' names, and compiled with counts that are theirs."""
    (project / "benches/speed.rs").write_text(CRITERION)
    write_profile(project, '["bench", "--bench", "speed"]')
    record = measure(optbuild, project, "--max-time", "15s")
    assert cells_of(record) == {"cargo/abacus/sum": {"wall"}}
    medians = {item["variant"]: item["median_s"] for item in record["resources"]}
    assert medians.keys() == {"release", "pgo"}
    assert all(1e-7 < median < 0.1 for median in medians.values()), "time for one iteration"
    assert record["workloads"] == [
        {"name": "cargo/abacus/sum", "in_sample": True, "shared_with": ["cargo"], "part_of": "cargo"}
    ]
    assert [item["equal"] for item in record["outputs"]] == [True, True]
    logs = [Path(step["log"]).read_text() for step in record["checks"] if step["kind"] == "compile"]
    (log,) = (text for text in logs if "profile_use" in text)
    assert not re.search("no profile data available for function .*(8evaluate|6number)17h", log)
    for kind in ("terminal", "markdown", "html", "csv", "json"):
        assert "cargo/abacus/sum" in optbuild.run("report", "--format", kind, cwd=project).expect(0).stdout
    assert not (project / "target/criterion").exists()


def test_options_of_criterion_are_not_refused_by_the_harness_of_the_library(optbuild: Optbuild, project: Path) -> None:
    """Cargo gives them to the library and the program as well, which have no benchmark and do not know them."""
    (project / "benches/speed.rs").write_text(CRITERION)
    write_profile(project, '["bench", "--", "--measurement-time", "0.2"]')
    record = optbuild.run("build", "--json", cwd=project).expect(0).document
    assert variant_of(record, "pgo")["pgo"]["applied"] is True


def test_benchmarks_that_differ_between_variants_are_told_before_anything_is_timed(
    optbuild: Optbuild, project: Path
) -> None:
    """A feature of one variant adds one."""
    (project / "benches/speed.rs").write_text(CRITERION)
    edit(project / "Cargo.toml", "[dependencies]", "[features]\nmore = []\n\n[dependencies]")
    write_profile(
        project, '["bench", "--bench", "speed"]', variants='[variants.release]\n[variants.more]\nfeatures = ["more"]\n'
    )
    error = optbuild.run("run", "--json", cwd=project).expect(15).error
    assert "more: outputs of cargo: not what the baseline prints" in error["message"]
    assert "benchmark abacus/" in error["message"]


def test_benchmarks_of_libtest_are_known_by_what_they_print(optbuild: Optbuild, project: Path) -> None:
    """Without its times, which never are the same twice. One run takes seconds: there is no time for a round."""
    (project / "benches/micro.rs").write_text(LIBTEST)
    write_profile(project, '["bench", "--bench", "micro", "--lib"]')
    record = measure(optbuild, project, RUSTC_BOOTSTRAP="1")
    assert [item["equal"] for item in record["outputs"]] == [True, True]
    (kept,) = (project / "target/optbuild/outputs").iterdir()
    assert kept.read_text() == "test tests::products_come_first ... ignored\ntest evaluates ... bench\n"


@pytest.mark.parametrize("cargo", ['["test"]', '["run", "--", "--repeat", "200"]'])
def test_tests_and_programs_are_measured_by_their_wall_time(optbuild: Optbuild, project: Path, cargo: str) -> None:
    """A test that starts the program starts that of its own variant."""
    write_profile(project, cargo)
    record = measure(optbuild, project)
    assert cells_of(record) == {"cargo": {"wall", "cpu"}}
    assert [item["equal"] for item in record["outputs"]] == [True, True]
    assert {item["workload"] for item in record["comparisons"]} <= {"cargo", None}
    assert variant_of(record, "pgo")["pgo"]["applied"]


def test_what_was_not_trained_on_is_compiled_with_the_counts_of_what_was(optbuild: Optbuild, project: Path) -> None:
    """By another build that tells its functions; and it is no in-sample measurement."""
    training = '[[workloads]]\nname = "use"\ncommand = ["{bin}", "--repeat", "200"]\nuse = ["train"]\n'
    write_profile(project, '["bench", "--bench", "speed"]', more='use = ["bench"]\n' + training)
    record = measure(optbuild, project)
    assert [item["in_sample"] for item in record["workloads"]] == [None]
    merged = [step for step in record["checks"] if step["kind"] == "merge"]
    assert len(merged) == 1


def test_a_bench_that_fails_is_named_with_its_words(optbuild: Optbuild, project: Path) -> None:
    """Before anything is timed."""
    write_profile(
        project, '["test"]', more='use = ["bench"]\nenv = { ABACUS_FAILS = "1" }\n', variants="[variants.release]\n"
    )
    ended = optbuild.run("run", "--json", cwd=project).expect(11)
    assert "workload 'cargo: cli' ended with exit code 101" in ended.error["message"]
    assert "fails_where_it_is_told_to" in ended.stderr
