"""`optbuild fleet` on real projects: shards, what is kept, what fails, and one report."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.integration.fleet_cases import write_fleet, write_hung_fleet
from tests.integration.optbuild_program import Optbuild

pytestmark = [pytest.mark.cargo]


@pytest.fixture(scope="module")
def optbuild(shared_optbuild: Optbuild) -> Optbuild:
    """The program, with a home for all tests here."""
    return shared_optbuild


@pytest.fixture(scope="module")
def fleet(optbuild: Optbuild, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a fleet of three projects, one of which does not compile."""
    return write_fleet(tmp_path_factory.mktemp("fleet"), optbuild).parent


@pytest.fixture(scope="module")
def shards(optbuild: Optbuild, fleet: Path) -> dict[str, dict[str, Any]]:
    """Both shards of the fleet, each with a directory of its own, and their documents."""
    found = {}
    for name in ("1", "2"):
        ended = optbuild.run("fleet", "run", "--shard", f"{name}/2", "--out", f"out-{name}", "--json", cwd=fleet)
        found[name] = ended.document
        assert ended.status == found[name]["exit_code"]
    return found


def _units(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {unit["project"]: unit for unit in document["units"]}


def test_each_shard_does_its_part_and_a_failure_ends_no_other(shards: dict[str, dict[str, Any]]) -> None:
    """Together they have done every project once; the broken one says why."""
    done = [unit["project"] for document in shards.values() for unit in document["units"]]
    assert sorted(done) == ["app", "broken", "repository v1"]
    units = {name: unit for document in shards.values() for name, unit in _units(document).items()}
    assert {name: unit["status"] for name, unit in units.items()} == {
        "app": "complete",
        "broken": "failed",
        "repository v1": "complete",
    }
    assert units["broken"]["error"]["code"] == "build"
    assert sorted(document["exit_code"] for document in shards.values()) == [0, 10]


def test_a_merge_is_one_report_of_all(optbuild: Optbuild, fleet: Path, shards: dict[str, dict[str, Any]]) -> None:
    """The same units as in the shards, and the same figures; a copy counts once."""
    merged = optbuild.run("fleet", "merge", "FLEET.toml", "out-1", "out-2", "--out", "all", "--json", cwd=fleet)
    document = merged.expect(10).document
    assert document["missing"] == []
    assert _units(document) == {name: unit for shard in shards.values() for name, unit in _units(shard).items()}
    shutil.copytree(fleet / "out-1", fleet / "copy")
    again = optbuild.run("fleet", "merge", "out-1", "copy", "out-2", "--json", cwd=fleet).expect(10).document
    assert again["units"] == document["units"]
    assert set(again["duplicates"]) == {unit["id"] for unit in shards["1"]["units"]}
    page = fleet / "page.html"
    optbuild.run("fleet", "report", "all", "--format", "html", "-o", page, cwd=fleet).expect(0)
    assert "repository v1" in page.read_text()


def test_a_merge_of_a_part_names_what_is_missing(
    optbuild: Optbuild, fleet: Path, shards: dict[str, dict[str, Any]]
) -> None:
    """By the project, with an exit code that is not 0."""
    ended = optbuild.run("fleet", "merge", "out-1", cwd=fleet)
    assert ended.status in {1, 10}
    for unit in shards["2"]["units"]:
        assert unit["project"] in ended.stdout
    assert "Without a result: " in ended.stdout


def test_what_is_done_is_kept_until_its_files_change(
    optbuild: Optbuild, fleet: Path, shards: dict[str, dict[str, Any]]
) -> None:
    """A unit that failed is tried again; a finished one only where the files of its path are others."""
    whole = fleet / "whole"
    optbuild.run("fleet", "merge", "out-1", "out-2", "--out", whole, cwd=fleet)
    before = {path: path.read_bytes() for path in (whole / "units").iterdir()}
    ended = optbuild.run("fleet", "run", "--out", whole, cwd=fleet).expect(10)
    kept = {path for path, data in before.items() if path.read_bytes() == data}
    ids = {unit["project"]: unit["id"] for shard in shards.values() for unit in shard["units"]}
    assert {path.stem for path in kept} == {ids["app"], ids["repository v1"]}
    assert ended.stderr.count("it was done before") == 2

    source = fleet / "app" / "src" / "main.rs"
    text = source.read_text()
    source.write_text(text + "// another\n")
    ended = optbuild.run("fleet", "run", "--out", whole, cwd=fleet).expect(10)
    assert ended.stderr.count("it was done before") == 1
    source.write_text(text)


def test_a_cluster_gives_the_same_results(
    optbuild: Optbuild, fleet: Path, shards: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    """Built by one worker and measured by another, of files that have travelled; what failed says the same."""
    options = ("--workers", "1", "--idle-within", "1ms", "--out", tmp_path / "out", "--json")
    ended = optbuild.run("fleet", "run", *options, cwd=fleet).expect(10)
    assert "Dask's dashboard of this cluster: http://" in ended.stderr

    def facts(document: dict[str, Any]) -> dict[str, Any]:
        return {
            unit["id"]: (
                unit["project"],
                unit["status"],
                unit["source_identity"],
                unit["target"],
                unit["exit_code"],
                unit["error"] and unit["error"]["code"],
            )
            for unit in document["units"]
        }

    assert facts(ended.document) == facts(shards["1"]) | facts(shards["2"])
    results = [json.loads(path.read_text()) for path in (tmp_path / "out" / "units").iterdir()]
    built = {result["unit"]["project"]: result["record"] for result in results}
    for name in ("app", "repository v1"):
        assert [variant["status"] for variant in built[name]["variants"]] == ["built", "built"]
        assert built[name]["measure"]["max_time_s"] == 0.3, "it was measured"
        assert {output["equal"] for output in built[name]["outputs"]} == {True}
    (log,) = (tmp_path / "out" / "logs").iterdir()
    assert "could not compile" in log.read_text(), "the compiler's words have travelled"
    optbuild.await_no_children()


def test_a_signal_ends_it_and_keeps_what_is_finished(optbuild: Optbuild, fleet: Path) -> None:
    """Nothing is left running, and the next run goes on."""
    with optbuild.start("fleet", "run", "--out", "stopped", "--fresh", cwd=fleet) as running:
        running.await_saying("unit 2 of 3")
        running.process.send_signal(signal.SIGINT)
        running.process.wait()
        assert running.process.returncode == 130
    optbuild.await_no_children()
    units = [json.loads(path.read_text()) for path in (fleet / "stopped" / "units").iterdir()]
    assert [unit["unit"]["project"] for unit in units] == ["app"]


@pytest.mark.parametrize("where", [(), ("--workers", "1", "--idle-within", "1ms")], ids=["here", "cluster"])
def test_a_unit_that_takes_too_long_is_ended_and_the_next_is_done(
    optbuild: Optbuild, tmp_path: Path, where: tuple[str, ...]
) -> None:
    """Whatever it waits for, here a build script; nothing of it is left running."""
    write_hung_fleet(tmp_path)
    ended = optbuild.run("fleet", "run", *where, "--json", cwd=tmp_path).expect(12)
    units = _units(ended.document)
    assert {name: unit["status"] for name, unit in units.items()} == {"hung": "failed", "app": "complete"}
    error = units["hung"]["error"]
    assert (error["code"], error["message"]) == (
        "unit-timeout",
        "hung took longer than its timeout of 3 s; what it ran was ended",
    )
    assert "`timeout`" in error["help"]
    optbuild.await_no_children()


def test_a_plan_is_a_matrix_and_runs_nothing(optbuild: Optbuild, fleet: Path) -> None:
    """Each of its jobs names a shard; without cargo and git it is the same."""
    planned = optbuild.run("fleet", "plan", "--json", cwd=fleet, env={"PATH": "/nonexistent"}).expect(0).document
    assert [job["shard"] for job in planned["include"]] == ["1/3", "2/3", "3/3"]
    assert [job["units"][0]["project"] for job in planned["include"]] == ["app", "broken", "repository v1"]
    halves = optbuild.run("fleet", "plan", "--shards", "2", "--json", cwd=fleet).expect(0).document
    assert [job["shard"] for job in halves["include"]] == ["1/2", "2/2"]


def test_an_unknown_revision_fails_its_unit_alone(optbuild: Optbuild, fleet: Path, tmp_path: Path) -> None:
    """With what git has instead."""
    text = 'schema = 1\n[[projects]]\ngit = "repository"\nrev = "v11"\nbuild-profile = "fast.toml"\n'
    (fleet / "other.toml").write_text(text)
    ended = optbuild.run("fleet", "run", "other.toml", "--out", tmp_path / "out", "--json", cwd=fleet).expect(2)
    (unit,) = ended.document["units"]
    assert "knows no revision 'v11'" in unit["error"]["message"]
    assert "did you mean v1?" in unit["error"]["help"]
