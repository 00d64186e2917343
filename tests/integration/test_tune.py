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
"""Unoptimised code is so much slower that it leaves at the first look, and promises nothing in combinations; `-Cnone`
is no option of rustc."""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A crate whose benchmark takes long enough to be timed."""
    directory = copy_crate("tally", tmp_path / "tally")
    (directory / "data" / "bench.txt").write_text("60000\n")
    profile = directory / "optbuild.toml"
    profile.write_text(profile.read_text().replace("max-time", 'min-effect = "20%"\nmax-time') + SEARCH)
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
    assert "alone could not be measured" in candidates["pgo-hot-p95-none"]["reason"]
    assert "opt-level = 0 alone brought nothing" in candidates["o0-pgo-hot-p95"]["reason"]
    assert [each for each in candidates.values() if each["build_s"] is not None and "not built" in each["reason"]] == []
    assert candidates["o0-pgo"]["dropped_after"] == search["screening"]["looks"][0]
    assert candidates["o0-pgo"]["change"] > 0
    assert search["race"] is None, "no combination promises anything"
    assert {variant_of(record, name)["status"] for name in ("release", "pgo", "o0-pgo")} == {"reused"}
    assert variant_of(record, "pgo-hot-p95")["pgo"]["profdata"] == variant_of(record, "pgo")["pgo"]["profdata"]
    hot = " ".join(variant_of(record, "pgo-hot-p95")["steps"][-1]["argv"])
    assert "cargo" in hot
    assert search["winner"] in {"release", *candidates}
    assert not (project / "target" / "optbuild" / "search").exists()
    effects = {(each["factor"], str(each["level"])): each for each in search["factors"]}
    assert effects["opt-level", "0"]["ci_low"] > 0
    assert effects["rustflags", "['-Cnone']"]["change"] is None

    again = optbuild.run("tune", "--json", cwd=project).expect(0)
    assert again.document["run_id"] == record["run_id"]
    assert "nothing has changed since search" in again.stderr
    page = optbuild.run("report", "--format", "markdown", cwd=project).expect(0).stdout
    assert "The race (estimates, no results)" in page
    optbuild.run("runs", cwd=project).expect(0)


@pytest.mark.parametrize(
    ("tune", "words"),
    [
        ('factors = { hot-count = ["default", "p95"] }', "has an effect only with PGO"),
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
