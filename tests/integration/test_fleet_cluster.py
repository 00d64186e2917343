"""A cluster whose parts die: each unit is done once in the end. Builds and measurements are stand-ins."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import optbuild
from optbuild.errors import ToolchainError
from optbuild.events import Event, Notice
from optbuild.fleet.actions import Action
from optbuild.fleet.cluster import connected, find_crew
from optbuild.fleet.dispatch import Site, Work, dispatch
from optbuild.fleet.results import UnitResult, UnitStatus
from optbuild.fleet.units import Unit
from tests.integration import fleet_stand_ins as stand_ins
from tests.integration.optbuild_program import await_that, program
from tests.unit.fleet_cases import make_unit

ROOT = Path(__file__).resolve().parents[2]


@dataclass(slots=True)
class Cluster:
    """A scheduler and workers as users start them, each a process of its own.

    Attributes:
        place: What the stand-ins note what they do in; the workers' TMPDIR.
    """

    place: Path
    stack: ExitStack
    port: int
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)

    @property
    def address(self) -> str:
        """The scheduler's."""
        return f"tcp://127.0.0.1:{self.port}"

    def start(self, name: str, *argv: str | Path, sources: Path = ROOT) -> None:
        """Start a process, which is killed in the end; `sources` are looked at before what is installed."""
        environ = {**os.environ, "TMPDIR": str(self.place), "PYTHONPATH": str(sources)}
        log = self.stack.enter_context((self.place / f"{name}.log").open("wb"))
        process = subprocess.Popen(list(map(str, argv)), env=environ, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        self.processes[name] = process
        self.stack.callback(self.kill, name)

    def start_scheduler(self) -> None:
        """Start the scheduler, or another one in its place."""
        options = ("--host", "127.0.0.1", "--port", str(self.port), "--no-dashboard", "--no-show")
        self.start("scheduler", sys.executable, "-m", "distributed.cli.dask_scheduler", *options)
        await_that(self.listens, "the scheduler listens")

    def listens(self) -> bool:
        """Whether the scheduler can be connected to: on a busy machine that may take a while."""
        with socket.socket() as connecting:
            return connecting.connect_ex(("127.0.0.1", self.port)) == 0

    def start_worker(self, name: str, *options: str, sources: Path = ROOT) -> None:
        """Start a worker, or another one in its place."""
        words = ("worker", self.address, "--name", name, "--out", str(self.place / name), *options)
        self.start(name, program("optbuild"), *words, sources=sources)

    def kill(self, name: str) -> None:
        """Kill a process."""
        self.processes[name].kill()
        self.processes[name].wait()

    def await_crew(self, builders: int, benches: int) -> None:
        """Wait until the scheduler knows so many workers."""
        with connected(self.address) as client:

            def is_whole() -> bool:
                crew = find_crew(client)
                return (len(crew.builders), len(crew.benches)) == (builders, benches)

            await_that(is_whole, f"{builders} builders and {benches} benchmark workers")

    def do(self, *names: str, patience_s: float = 120.0) -> Iterator[UnitResult]:
        """Have units done whose names say what happens to them."""

        def emit(event: Event) -> None:
            if isinstance(event, Notice):
                self.said.append(event.message)

        work = Work(build=stand_ins.build, measure=stand_ins.measure)
        site = Site(address=self.address, connect=connected, work=work, emit=emit, patience_s=patience_s)
        return dispatch(tuple(map(make_unit, names)), _prepare, site)

    def done(self, what: str) -> list[str]:
        """The units that were built or measured so far."""
        return stand_ins.done(self.place, what)


def _prepare(unit: Unit) -> tuple[Action, dict[str, bytes]]:
    return Action(unit=unit), {"source": b"fn main() {}"}


@contextmanager
def _cluster(place: Path) -> Iterator[Cluster]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
    with ExitStack() as stack:
        yield Cluster(place=place, stack=stack, port=port)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A scheduler, two builders and a benchmark worker."""
    with _cluster(tmp_path) as started:
        started.start_scheduler()
        for name in ("one", "two"):
            started.start_worker(name)
        started.start_worker("bench", "--bench")
        started.await_crew(2, 1)
        yield started


def _names(results: list[UnitResult]) -> list[str]:
    return sorted(result.unit.project for result in results)


def test_each_unit_is_done_once_whatever_dies(cluster: Cluster) -> None:
    """A builder is killed while it builds, the disk of a worker is full: others do it, and nothing counts twice."""
    results = [*cluster.do("a", "full-disk", "b"), *cluster.do("c", "kill-builder", "d")]
    assert _names(results) == ["a", "b", "c", "d", "full-disk", "kill-builder"]
    assert {result.status for result in results} == {UnitStatus.COMPLETE}
    assert [cluster.done("build").count(name) for name in ("kill-builder", "full-disk")] == [2, 2]
    assert cluster.processes["one"].poll() is not None or cluster.processes["two"].poll() is not None


def test_a_unit_is_not_bound_to_workers_that_are_gone(cluster: Cluster) -> None:
    """One builder fails at it, the only other one dies with it: the first tries again, and nothing waits for ever."""
    (result,) = cluster.do("stranded")
    assert result.status is UnitStatus.COMPLETE
    assert cluster.done("build") == ["stranded"] * 3


def test_a_measurement_that_was_done_twice_counts_once(cluster: Cluster) -> None:
    """The benchmark worker dies after it has measured; another one takes its place."""

    def replace_it() -> None:
        await_that(lambda: cluster.processes["bench"].poll() is not None, "the benchmark worker dies")
        cluster.start_worker("bench-2", "--bench")

    replacing = threading.Thread(target=replace_it)
    replacing.start()
    results = list(cluster.do("kill-bench", "after"))
    replacing.join()
    assert _names(results) == ["after", "kill-bench"]
    assert cluster.done("measure").count("kill-bench") == 2


def test_a_scheduler_that_restarts_gets_everything_again(cluster: Cluster) -> None:
    """What it knew is gone; its workers come back by themselves, and nothing is lost."""

    def restart() -> None:
        await_that(lambda: any("wait" in name for name in cluster.done("measure")), "a measurement begins")
        cluster.kill("scheduler")
        cluster.start_scheduler()
        (cluster.place / "go").touch()

    restarting = threading.Thread(target=restart)
    restarting.start()
    results = list(cluster.do("first", "wait-1", "wait-2"))
    restarting.join()
    assert _names(results) == ["first", "wait-1", "wait-2"]
    assert [line for line in cluster.said if "is gone; waiting for it to come back" in line]


def test_a_worker_that_is_told_to_end_ends(cluster: Cluster) -> None:
    """By the signal, with the exit code that shells know; the cluster goes on without it."""
    cluster.processes["one"].send_signal(signal.SIGTERM)
    assert cluster.processes["one"].wait(120) == 128 + signal.SIGTERM
    cluster.await_crew(1, 1)
    assert _names(list(cluster.do("a", "b"))) == ["a", "b"]


def test_a_cluster_without_a_benchmark_worker_is_refused(tmp_path: Path) -> None:
    """At once, and with the command that starts one; a second one on one machine is refused as well."""
    with _cluster(tmp_path) as cluster:
        cluster.start_scheduler()
        cluster.start_worker("one")
        cluster.await_crew(1, 0)
        with pytest.raises(ToolchainError, match="lacks a benchmark worker") as caught:
            list(cluster.do("a"))
        assert f"optbuild worker --bench {cluster.address}" in caught.value.help
        assert cluster.done("build") == []
        cluster.start_worker("bench", "--bench")
        cluster.await_crew(1, 1)
        cluster.start_worker("second", "--bench")
        assert cluster.processes["second"].wait(120) == 16


def other_version(directory: Path) -> Path:
    """The sources of another version of optbuild."""
    shutil.copytree(Path(optbuild.__file__).parent, directory / "optbuild")
    file = directory / "optbuild/__init__.py"
    text = file.read_text()
    assert f'"{optbuild.__version__}"' in text
    file.write_text(text.replace(f'"{optbuild.__version__}"', '"9.9.9"'))
    return directory


def test_a_worker_of_another_version_gets_nothing_to_do(tmp_path: Path) -> None:
    """Alone it is refused, with both versions; beside others it is named, and they do everything."""
    sources = other_version(tmp_path / "sources")
    with _cluster(tmp_path) as cluster:
        cluster.start_scheduler()
        cluster.start_worker("stranger", sources=sources)
        cluster.start_worker("bench", "--bench")
        with connected(cluster.address) as client:

            def are_there() -> bool:
                crew = find_crew(client)
                return bool(crew.strangers) and bool(crew.benches)

            await_that(are_there, "a worker of another version, and a benchmark worker")
        with pytest.raises(ToolchainError, match="lacks a builder") as caught:
            list(cluster.do("a"))
        assert caught.value.message.endswith(
            f"of optbuild {optbuild.__version__}; of another version: stranger (optbuild 9.9.9)"
        )
        cluster.start_worker("one")
        cluster.await_crew(1, 1)
        assert _names(list(cluster.do("a", "b", "c"))) == ["a", "b", "c"]
        warning = "the worker stranger (optbuild 9.9.9) gets nothing to do: it has another version"
        assert warning in cluster.said
        assert len(cluster.done("build")) == 3


def test_an_address_where_nobody_answers_is_refused() -> None:
    """With how a scheduler is started."""
    with pytest.raises(ToolchainError, match="no scheduler answers") as caught, connected("tcp://127.0.0.1:9"):
        pass
    assert "dask scheduler" in caught.value.help
