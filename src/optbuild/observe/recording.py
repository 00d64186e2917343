"""Run a workload once while an observer watches its programs.

What is watched is what is measured: the command, the server while it is under load, or the programs that cargo would
run. What a workload does besides (`prepare`, a load generator) is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from signal import SIGTERM
from typing import Generic, TypeVar

from optbuild.errors import WorkloadError
from optbuild.execution.command import Command, Completed, ConcurrentExecutor, OnLine, RunningProgram
from optbuild.execution.stopping import StopRequest
from optbuild.files import remove_below, writing
from optbuild.observe.observer import Observer
from optbuild.text import sanitize_line
from optbuild.workloads.invocation import Invocation
from optbuild.workloads.programs import Place, WorkloadRun
from optbuild.workloads.running import run_workload

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording(Generic[T]):
    """One observed run.

    Attributes:
        programs: What the observer saw, of each program that ran one after another: one, except for cargo's.
        run: What the run cost, slowed down by the observer.
    """

    programs: tuple[T, ...]
    run: WorkloadRun


def record(
    executor: ConcurrentExecutor, observer: Observer[T], invocation: Invocation, place: Place, directory: Path
) -> Recording[T]:
    """Run a workload to its end under an observer. Its `setup` has run before: see `set_up`.

    Args:
        executor: What runs its commands.
        observer: What watches its programs.
        invocation: What to run.
        place: Where, and with which binaries; below a directory with optbuild's marker.
        directory: Where the observer writes, below it as well; what is there is deleted before and after.

    Raises:
        WorkloadError: It failed, or nothing was recorded.
        WorkloadTimeoutError: It took longer than its timeout, which the observer's slowdown extends.
        StorageError: A file cannot be written.
    """
    remove_below(place.root, directory)
    with writing(directory):
        directory.mkdir(parents=True)
    observing = _ObservingExecutor(
        executor=executor,
        observer=observer,
        stdout=place.stdout if invocation.server is None else place.server_output[0],
        directory=directory,
    )
    try:
        run = run_workload(observing, _with_patience(invocation, observer), place)
        if not observing.outputs:
            raise WorkloadError(
                f"workload {sanitize_line(invocation.name)!r} started no program that {observer.name} could watch",
                help="see that its command starts the program: optbuild plan -v",
            )
        return Recording(programs=tuple(map(observer.read, observing.outputs)), run=run)
    finally:
        remove_below(place.root, directory)


def _with_patience(invocation: Invocation, observer: Observer[T]) -> Invocation:
    """The same with more time, and a server that is stopped by a signal that the observer bears."""
    slowdown = observer.slowdown
    longer = replace(
        invocation,
        timeout_s=invocation.timeout_s * slowdown,
        grace_s=invocation.grace_s * slowdown,
        stop_signal=invocation.stop_signal if invocation.stop_signal in observer.stop_signals else SIGTERM,
    )
    server = invocation.server
    if server is None:
        return longer
    ready = replace(server.ready, within_s=server.ready.within_s * slowdown)
    return replace(longer, server=replace(server, ready=ready))


@dataclass(slots=True, kw_only=True)
class _ObservingExecutor(Generic[T]):
    """Wraps an executor: the programs that write to a file are watched, each with its own file.

    Attributes:
        stdout: The file that identifies them.
        outputs: Where the observer wrote about each.
    """

    executor: ConcurrentExecutor
    observer: Observer[T]
    stdout: Path
    directory: Path
    outputs: list[Path] = field(default_factory=list)

    def run(self, command: Command, *, on_stdout: OnLine | None = None, on_stderr: OnLine | None = None) -> Completed:
        """Run a command and wait for its end; see `Executor.run`."""
        return self.executor.run(self._observed(command), on_stdout=on_stdout, on_stderr=on_stderr)

    @contextmanager
    def start(self, command: Command) -> Iterator[RunningProgram]:
        """Start a program alongside others; see `ConcurrentExecutor.start`."""
        with self.executor.start(self._observed(command)) as program:
            yield program

    def stoppable(self, stop: StopRequest) -> AbstractContextManager[None]:
        """Make this thread's programs stoppable by a request; see `ConcurrentExecutor.stoppable`."""
        return self.executor.stoppable(stop)

    def until(self, stop: StopRequest) -> AbstractContextManager[None]:
        """Make the programs of all threads stoppable by a request; see `ConcurrentExecutor.until`."""
        return self.executor.until(stop)

    def _observed(self, command: Command) -> Command:
        if command.stdout != self.stdout:
            return command
        output = self.directory / f"{len(self.outputs):03d}"
        self.outputs.append(output)
        return self.observer.wrap(command, output)
