from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from optbuild.errors import LockHeldError, ToolchainError, UsageError
from optbuild.files import claim_directory
from optbuild.fleet.actions import (
    Action,
    Built,
    Outcome,
    parse_action,
    parse_built,
    parse_outcome,
    render_action,
    render_built,
    render_outcome,
)
from optbuild.fleet.cluster import Crew, resource_of
from optbuild.fleet.parcels import Listing, pack, unpack
from optbuild.fleet.results import ResultStore
from optbuild.fleet.trees import Tree, TreeFile, find_all_files
from optbuild.fleet.turns import HostTurns
from tests.unit.fleet_cases import make_failure, make_result, make_unit

APP = make_unit("app")


def _worker(name: str, *resources: str) -> dict[str, object]:
    return {"name": name, "resources": dict.fromkeys(resources, 1)}


def test_documents_come_back_equal() -> None:
    """What machines tell each other survives the way as JSON."""
    action = Action(unit=APP, sources=Listing(files={"a": TreeFile(sha256="0" * 64)}), max_time_s=1.0)
    assert parse_action(render_action(action)) == action
    built = Built(worker="tcp://1", record=make_result(APP, -0.1).record, variants={"pgo": {"app": "pgo/app"}})
    assert parse_built(render_built(built)) == built
    outcome = Outcome(result=make_failure(APP), worker="tcp://1")
    assert parse_outcome(render_outcome(outcome)) == outcome


def test_a_crew_is_sorted_by_role_and_version() -> None:
    """A plain worker of Dask is none of ours; one of another version is named."""
    crew = Crew.of(
        {
            "tcp://1": _worker("one", resource_of("build")),
            "tcp://2": _worker("two", resource_of("bench")),
            "tcp://3": _worker("old", resource_of("bench", "0.0.9")),
            "tcp://4": _worker("plain", "GPU"),
            "tcp://5": _worker("nothing"),
        }
    )
    assert crew == Crew(builders=("tcp://1",), benches=("tcp://2",), strangers=("old (optbuild 0.0.9)",))
    crew.require("tcp://s")


@pytest.mark.parametrize(
    ("workers", "said", "helps"),
    [
        ({}, "lacks a builder and a benchmark worker", "optbuild worker tcp://s; optbuild worker --bench tcp://s"),
        ({"tcp://1": _worker("one", resource_of("build"))}, "lacks a benchmark worker", "optbuild worker --bench"),
        ({"tcp://1": _worker("one", resource_of("bench"))}, "lacks a builder of optbuild", "optbuild worker tcp://s"),
        (
            {"tcp://1": _worker("b", resource_of("build")), "tcp://2": _worker("old", resource_of("bench", "0.0.9"))},
            "lacks a benchmark worker of optbuild 0.1.0; of another version: old (optbuild 0.0.9)",
            "optbuild worker --bench",
        ),
    ],
)
def test_a_cluster_that_lacks_a_kind_of_worker_is_refused(
    workers: dict[str, dict[str, object]], said: str, helps: str
) -> None:
    """Dask would wait for ever for a worker that can take a task."""
    with pytest.raises(ToolchainError) as caught:
        Crew.of(workers).require("tcp://s")
    assert said in caught.value.message
    assert helps in caught.value.help


def _tree(directory: Path) -> Tree:
    (directory / "src").mkdir(parents=True)
    (directory / "Cargo.toml").write_text("same")
    (directory / "src" / "main.rs").write_text("same")
    (directory / "run.sh").write_text("#!/bin/sh\n")
    (directory / "run.sh").chmod(0o755)
    (directory / "link").symlink_to("src/main.rs")
    return find_all_files(directory, start=directory / "src")


def test_files_arrive_as_they_were(tmp_path: Path) -> None:
    """With their permissions and links; a content that two files have travels once."""
    tree = _tree(tmp_path / "from")
    contents = pack(tree)
    assert len(contents) == 2
    owned = tmp_path / "to"
    claim_directory(owned)
    start = unpack(Listing.of(tree), contents, owned / "files", owned=owned)
    assert start == owned / "files" / "src"
    again = find_all_files(owned / "files", start=start)
    assert again.id == tree.id


def test_a_damaged_content_is_refused(tmp_path: Path) -> None:
    """Each is checked by its hash where it arrives."""
    tree = _tree(tmp_path / "from")
    contents = {key: data + b"!" for key, data in pack(tree).items()}
    claim_directory(tmp_path / "to")
    with pytest.raises(ToolchainError, match="arrived damaged"):
        unpack(Listing.of(tree), contents, tmp_path / "to" / "files", owned=tmp_path / "to")


@pytest.mark.parametrize("name", ["../out", "/etc/out", "a/../../out"])
def test_no_file_is_written_outside_of_its_directory(tmp_path: Path, name: str) -> None:
    """Whatever a list says."""
    claim_directory(tmp_path / "to")
    listing = Listing(files={name: TreeFile(sha256="0" * 64)})
    with pytest.raises(ToolchainError, match="outside of its directory"):
        unpack(listing, {}, tmp_path / "to" / "files", owned=tmp_path / "to")


def test_too_much_to_send_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what else can be done."""
    monkeypatch.setattr("optbuild.fleet.parcels.MOST_BYTES", 5)
    with pytest.raises(UsageError, match="too much to send") as caught:
        pack(_tree(tmp_path / "from"))
    assert "--shard" in caught.value.help


def test_the_log_of_a_failure_elsewhere_is_kept_here(tmp_path: Path) -> None:
    """The error names that file in the place of one that is gone."""
    store = ResultStore(directory=tmp_path)
    store.save(replace(make_failure(APP), log="error[E0308]: mismatched types\n"))
    found = store.find(APP.id)
    assert found is not None
    assert found.error is not None
    assert found.error.location == str(tmp_path / "logs" / "id-app.log")
    assert Path(found.error.location).read_text() == "error[E0308]: mismatched types\n"


def test_builders_work_beside_each_other_and_a_measurement_alone(tmp_path: Path) -> None:
    """Who measures waits for all builds; who builds afterwards waits for it."""
    turns = HostTurns(directory=tmp_path)
    order: list[str] = []
    measuring, done = threading.Event(), threading.Event()

    def measure() -> None:
        with turns.measuring():
            order.append("measuring")
            measuring.set()
            assert done.wait(60)
            order.append("measured")

    def build() -> None:
        with turns.building():
            order.append("built")

    with turns.building(), turns.building():
        first = threading.Thread(target=measure)
        first.start()
        order.append("two builds")
    assert measuring.wait(60)
    second = threading.Thread(target=build)
    second.start()
    done.set()
    first.join()
    second.join()
    assert order == ["two builds", "measuring", "measured", "built"]


def test_a_machine_has_one_benchmark_worker(tmp_path: Path) -> None:
    """Two would take turns, and think that they are alone."""
    turns = HostTurns(directory=tmp_path)
    with turns.only_benchmark_worker(), pytest.raises(LockHeldError), turns.only_benchmark_worker():
        pass
    with turns.only_benchmark_worker():
        pass
