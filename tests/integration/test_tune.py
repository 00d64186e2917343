"""A search with real tools: what is built and shared, what a failing candidate and `kill -9` mean for the rest."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import jsonschema
import pytest

from tests.integration.optbuild_program import Optbuild, Running, copy_crate, variant_of

pytestmark = pytest.mark.pgo

SCHEMA = Path(__file__).resolve().parents[2] / "schemas" / "optbuild-record.schema.json"
SEARCH = """
[tune]
budget = "30m"

[tune.factors]
opt-level = ["default", 0]
pgo = [false, true]
hot-count = ["default", "p95"]
rustflags = [[], ["-Cnone"]]
"""
"""Unoptimised code is so much slower that it leaves at a look, and promises nothing in combinations; `-Cnone`
is no option of rustc."""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A crate whose benchmark takes long enough to be timed: by its CPU time, which other programs change less."""
    directory = copy_crate("tally", tmp_path / "tally")
    (directory / "data" / "bench.txt").write_text("60000\n")
    profile = directory / "optbuild.toml"
    rough = 'metric = "cpu"\nmin-effect = "20%"\nprecision = "20%"\nmax-time = "10m"'
    profile.write_text(profile.read_text().replace('max-time = "1s"', rough) + SEARCH)
    return directory


def rounds_kept(project: Path) -> int:
    """How many rounds of the race are on disk, its head aside."""
    path = project / "target" / "optbuild" / "search" / "screening.rounds"
    return len(path.read_bytes().splitlines()) - 1 if path.is_file() else 0


def test_a_killed_search_goes_on_and_a_failed_candidate_does_not_end_it(optbuild: Optbuild, project: Path) -> None:
    """Nothing is built or measured twice, and every candidate has its place in the record."""
    shown = json.loads(optbuild.run("tune", "--dry-run", "--json", cwd=project).expect(0).stdout)
    assert len(shown["candidates"]) == 11
    assert sum(each["waits"] for each in shown["candidates"]) == 7
    assert shown["trainings"] < 4, "flags and hot counts need none of their own"
    running: Running
    with optbuild.start("tune", "--progress", "plain", cwd=project) as running:
        running.await_that(lambda: rounds_kept(project) >= 3, "three rounds are kept")
        running.send(signal.SIGKILL)
        assert running.end().status == 128 + signal.SIGKILL
    optbuild.await_no_children()
    kept = rounds_kept(project)

    record = optbuild.run("tune", "--json", cwd=project).expect(0).document
    jsonschema.validate(record, json.loads(SCHEMA.read_text()))
    search = record["search"]
    candidates = {each["variant"]: each for each in search["candidates"]}
    assert search["screening"]["resumed_rounds"] >= kept >= 3
    assert [name for name in candidates if variant_of(record, name)["status"] == "failed"] == ["pgo-none"]
    refused = {each["variant"] for each in shown["candidates"] if each["waits"]}
    assert {name for name, each in candidates.items() if (each["reason"] or "").startswith("not built: ")} == refused
    assert {variant_of(record, name)["status"] for name in refused} == {"skipped"}
    assert "opt-level = 0 alone brought nothing" in candidates["o0-pgo-hot-p95"]["reason"]
    assert {candidates[name]["build_s"] for name in refused} == {None}
    assert candidates["o0-pgo"]["dropped_after"] in search["screening"]["looks"]
    assert candidates["o0-pgo"]["change"] > 0
    assert search["race"] is None, "no combination promises anything"
    assert {variant_of(record, name)["status"] for name in ("release", "pgo", "o0-pgo")} == {"reused"}
    assert variant_of(record, "pgo-hot-p95")["pgo"]["profdata"] == variant_of(record, "pgo")["pgo"]["profdata"]
    hot = " ".join(variant_of(record, "pgo-hot-p95")["steps"][-1]["argv"])
    assert "cargo" in hot
    assert search["winner"] in {"release", *candidates}
    screening, confirmed, left = search["screening"], search["confirmation"], project / "target/optbuild/search"
    would_go_on = screening["undecided"] and screening["rounds"] < screening["looks"][-1]
    is_open = bool(would_go_on or (confirmed and confirmed["verdict"] == "inconclusive"))
    assert left.exists() == is_open, "more time could decide more"
    assert [*left.glob("*")] == ([left / "screening.rounds"] if is_open else [])
    effects = {(each["factor"], str(each["level"])): each for each in search["factors"]}
    assert effects["opt-level", "0"]["change"] > 0, "by its estimate: the interval depends on the machine"
    assert effects["rustflags", "['-Cnone']"]["change"] is None

    again = optbuild.run("tune", "--json", cwd=project).expect(0)
    is_kept = record["result_key"] is not None  # not where a copy of the baseline differed, on a noisy machine
    assert (again.document["run_id"] == record["run_id"]) == is_kept
    assert ("nothing has changed since search" in again.stderr) == is_kept
    page = optbuild.run("report", "--format", "markdown", cwd=project).expect(0).stdout
    assert "The race (estimates, no results)" in page
    optbuild.run("runs", cwd=project).expect(0)


WORK = """
fn main() {
    let mut left: u64 = 60_000_000;
    if cfg!(feature = "half") { left /= 2; }
    if cfg!(halved) { left /= 2; }
    let mut state = 1u64;
    for step in 0..left {
        state = std::hint::black_box(state ^ step).rotate_left(5);
    }
    std::hint::black_box(state);
    println!("done");
}
"""
"""A program with two settings, each of which halves its work."""


@pytest.fixture
def halves(tmp_path: Path) -> Path:
    """A project to search for settings that add up."""
    directory = tmp_path / "halves"
    (directory / "src").mkdir(parents=True)
    (directory / "src" / "main.rs").write_text(WORK)
    (directory / "Cargo.toml").write_text(
        '[package]\nname = "halves"\nversion = "0.1.0"\nedition = "2021"\n[features]\nhalf = []\n'
    )
    (directory / "optbuild.toml").write_text(
        """
schema = 1
[variants.release]
[[workloads]]
name = "work"
command = ["{bin}"]
use = ["bench"]
[measure]
metric = "cpu"
max-time = "10m"
min-effect = "20%"
precision = "20%"
[tune.factors]
features = [[], ["half"]]
rustflags = [[], ["--cfg=halved"], ["-Cdebuginfo=0"]]
"""
    )
    return directory


def test_the_combination_of_all_that_pays_is_built_and_wins(optbuild: Optbuild, halves: Path) -> None:
    """One with a flag that changes nothing is not built: release builds have no debug information anyway."""
    record = optbuild.run("tune", "--json", cwd=halves).expect(0).document
    jsonschema.validate(record, json.loads(SCHEMA.read_text()))
    search = record["search"]
    built = {each["variant"] for each in search["candidates"] if each["size_bytes"] is not None}
    assert built == {"half", "cfg-halved", "debuginfo-0", "half-cfg-halved"}
    (refused,) = (each["reason"] for each in search["candidates"] if each["variant"] not in built)
    assert refused == "not built: rustflags = -Cdebuginfo=0 alone brought nothing (0.0%)"
    assert search["winner"] == "half-cfg-halved"
    assert search["confirmation"]["verdict"] == "faster"
    assert search["race"]["rounds"] > 0
    assert variant_of(record, "half-debuginfo-0")["status"] == "skipped"
    assert variant_of(record, "half-cfg-halved")["status"] == "built"
    again = optbuild.run("tune", "--json", cwd=halves).expect(0)
    assert (again.document["run_id"] == record["run_id"]) == (record["result_key"] is not None)


def test_a_search_that_proves_nothing_answers_no_in_one_document(optbuild: Optbuild, halves: Path) -> None:
    """With `--write` the answer follows the record, which is all that standard output holds."""
    profile = halves / "optbuild.toml"
    factors = '[tune.factors]\nopt-level = [3]\nrustflags = [["-Cdebuginfo=0"]]\n'
    profile.write_text(profile.read_text().partition("[tune.factors]")[0] + factors)
    before = profile.read_bytes()
    ended = optbuild.run("tune", "--write", "--yes", "--json", cwd=halves).expect(1)
    assert ended.document["search"]["winner"] == "release"
    assert ended.document["exit_code"] == 0, "the search went well"
    assert "nothing was written: no candidate is better than release" in ended.stderr
    assert profile.read_bytes() == before


def test_sizes_promise_combinations_without_a_round(optbuild: Optbuild, halves: Path) -> None:
    """They are exact. Everything is built where that was asked for."""
    profile = halves / "optbuild.toml"
    text = profile.read_text().replace("10m", "1s").partition("[tune.factors]")[0]
    profile.write_text(f'{text}[tune.factors]\nstrip = ["default", "symbols"]\nopt-level = ["default", 0]\n')
    record = optbuild.run("tune", "--objective", "size", "--json", cwd=halves).expect(0).document
    reasons = {each["variant"]: each["reason"] for each in record["search"]["candidates"]}
    assert record["search"]["winner"] == "symbols"
    assert "opt-level = 0 alone brought nothing" in reasons["symbols-o0"]
    profile.write_text(profile.read_text().replace("[tune.factors]", '[tune]\ncombinations = "all"\n[tune.factors]'))
    record = optbuild.run("tune", "--objective", "size", "--json", cwd=halves).expect(0).document
    assert all(each["size_bytes"] for each in record["search"]["candidates"])


@pytest.mark.parametrize(
    ("tune", "words"),
    [
        ('factors = { hot-count = ["default", "p95"] }', "has an effect only with PGO"),
        ('factors = { count-scale = ["default", 0.1] }', "`tune.factors.count-scale` has an effect only with PGO"),
        ('factors = { lto = ["default"] }', "there is nothing to search"),
        ('factors = { target-cpu = ["default", "x86-64-v9"] }', "x86-64-v9"),
    ],
)
def test_a_search_of_nothing_is_refused_before_anything_is_built(
    optbuild: Optbuild, project: Path, tune: str, words: str
) -> None:
    """With the line that has to change."""
    profile = project / "optbuild.toml"
    profile.write_text(profile.read_text().replace(SEARCH, f"\n[tune]\n{tune}\n"))
    error = optbuild.run("tune", "--json", cwd=project).expect(2).error
    assert words in error["message"]
    assert "optbuild.toml:" in error["location"]
    assert not (project / "target" / "optbuild").exists()


def test_a_single_candidate_without_a_round_is_no_winner(optbuild: Optbuild, tmp_path: Path) -> None:
    """It had nobody to race against, and there was no time to measure it: nothing speaks for it."""
    project = copy_crate("tally", tmp_path / "tally")
    (project / "src" / "main.rs").write_text("fn main() { std::thread::sleep(std::time::Duration::from_secs(1)) }")
    profile = project / "optbuild.toml"
    one = '\n[tune.factors]\ncodegen-units = ["default", 1]\n'
    profile.write_text(profile.read_text().replace('max-time = "1s"', 'max-time = "1ms"') + one)
    ended = optbuild.run("tune", "--json", cwd=project).expect(0)
    search = ended.document["search"]
    assert (search["winner"], search["confirmation"], len(search["candidates"])) == ("release", None, 1)
    assert "no time for a single round" in " ".join(each["message"] for each in ended.document["warnings"])


def test_a_space_leaves_out_what_cannot_be_linked_here(optbuild: Optbuild, project: Path) -> None:
    """A program that brings mimalloc is searched without a second one, and told so; levels that are written are not."""
    search = ("tune", "--space", "thorough", "--dry-run", "--json")
    shown = json.loads(optbuild.run(*search, cwd=project).expect(0).stdout)
    assert any("allocator" in each["settings"] for each in shown["candidates"])
    lock = project / "Cargo.lock"
    lock.write_text(f'{lock.read_text()}\n[[package]]\nname = "libmimalloc-sys"\nversion = "0.1.49"\n')
    shown = json.loads(optbuild.run(*search, cwd=project).expect(0).stdout)
    assert not any("allocator" in each["settings"] for each in shown["candidates"])
    (left_out,) = (each for each in shown["left_out"] if each["variant"] == "allocator = mimalloc")
    assert "Cargo.lock has libmimalloc-sys" in left_out["reason"]
    profile = project / "optbuild.toml"
    written = '\n[tune.factors]\nallocator = ["mimalloc"]\n'
    profile.write_text(profile.read_text().replace(SEARCH, written))
    error = optbuild.run("tune", "--dry-run", "--json", cwd=project).expect(2).error
    assert 'allocator = "mimalloc", but the project\'s Cargo.lock has libmimalloc-sys' in error["message"]
