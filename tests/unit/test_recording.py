from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from optbuild.errors import WorkloadError
from optbuild.execution.command import Command
from optbuild.files import claim_directory
from optbuild.observe.recording import record
from optbuild.testing import Answer, Reply, ScriptedExecutor, make_invocation
from optbuild.workloads.invocation import Invocation, Moment, Ready, Server
from optbuild.workloads.programs import Place
from optbuild.workloads.readiness import ReadyKind


@dataclass(frozen=True)
class Watcher:
    """An observer that yields what was written to its file."""

    name: str = "watcher"
    slowdown: float = 10.0
    stop_signals: frozenset[int] = frozenset({2, 15})

    def wrap(self, command: Command, output: Path) -> Command:
        return replace(command, argv=("watch", str(output), *command.argv))

    def read(self, output: Path) -> str:
        return output.read_text()


def answering(command: Command) -> Answer:
    """What a watched program leaves behind."""
    if command.argv[0] == "watch":
        return Reply(stdout=b"listening", writes={Path(command.argv[1]): command.argv[2].encode()})
    return Reply()


def record_on(
    invocation: Invocation,
    root: Path,
    script: Callable[[Command], Answer] = answering,
    observer: Watcher | None = None,
) -> tuple[tuple[str, ...], list[Command]]:
    """Record a workload; what was read, and all commands."""
    claim_directory(root)
    executor = ScriptedExecutor(script)
    place = Place(root=root, binaries={"demo": root / "demo"}, stdout=root / "out", stderr=root / "err", extra_env={})
    found = record(executor, observer or Watcher(), invocation, place, root / "observing")
    assert not (root / "observing").exists()
    return found.programs, executor.commands


def test_only_the_command_is_watched(tmp_path: Path) -> None:
    """What runs before and after each run is not; the watched one has more time."""
    beside = {Moment.PREPARE: (("before",),), Moment.CONCLUDE: (("after",),)}
    invocation = make_invocation(directory=tmp_path, scratch=tmp_path / "scratch", beside=beside, timeout_s=2.0)
    programs, commands = record_on(invocation, tmp_path)
    assert programs == (str(tmp_path / "demo"),)
    assert [command.argv[0] for command in commands] == ["before", "watch", "after"]
    assert commands[1].timeout_s == 20.0


def test_a_server_is_watched_and_its_load_is_not(tmp_path: Path) -> None:
    """It has more time to be ready, and is stopped by a signal that the observer bears."""
    server = Server(
        argv=((str(tmp_path / "demo"),),), ready=Ready(kind=ReadyKind.STDOUT, value=("listening",), within_s=5.0)
    )
    invocation = make_invocation("load", directory=tmp_path, scratch=tmp_path / "s", server=server, stop_signal=1)
    programs, commands = record_on(invocation, tmp_path)
    assert programs == (str(tmp_path / "demo"),)
    by_name = {command.argv[0]: command for command in commands}
    assert by_name.keys() == {"watch", "load"}
    assert by_name["watch"].stop_signal == 15


def test_a_program_that_fails_is_an_error_as_ever(tmp_path: Path) -> None:
    """A profile of a crash would be no profile of the work."""

    def crashing(command: Command) -> Answer:
        return Reply(exit_code=-11, stderr=b"oh no")

    invocation = make_invocation(directory=tmp_path, scratch=tmp_path / "scratch")
    with pytest.raises(WorkloadError, match="SIGSEGV"):
        record_on(invocation, tmp_path, crashing)
    assert not (tmp_path / "observing").exists()


@pytest.mark.parametrize(("bears", "expected"), [({2, 15}, 2), ({15}, 15)])
def test_a_server_keeps_its_stop_signal_where_the_observer_bears_it(
    tmp_path: Path, bears: set[int], expected: int
) -> None:
    """Perf, told to stop, ends its program by SIGTERM, whatever the program was doing about another signal."""
    server = Server(
        argv=((str(tmp_path / "demo"),),), ready=Ready(kind=ReadyKind.STDOUT, value=("listening",), within_s=5.0)
    )
    invocation = make_invocation("load", directory=tmp_path, scratch=tmp_path / "s", server=server, stop_signal=2)
    _, commands = record_on(invocation, tmp_path, observer=Watcher(stop_signals=frozenset(bears)))
    assert {command.argv[0]: command.stop_signal for command in commands}["watch"] == expected
