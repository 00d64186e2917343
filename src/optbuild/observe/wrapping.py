"""Run a workload with its program wrapped by a tool that observes it: a command becomes another command.

Of a command that is its command, of a server the server; whatever else a workload runs is left alone.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from optbuild.execution.command import Command, Completed, ConcurrentExecutor, OnLine, RunningProgram
from optbuild.execution.stopping import StopRequest
from optbuild.workloads.invocation import Invocation, Kind
from optbuild.workloads.programs import Place

Wrap = Callable[[Command], Command]


@dataclass(frozen=True, slots=True, kw_only=True)
class WrappingExecutor:
    """Wraps the program of a workload, which is known by the file that its output goes to.

    Attributes:
        wrap: Makes of a command the one that observes it.
        place: Where the workload runs.
        kind: Of the workload.
    """

    executor: ConcurrentExecutor
    wrap: Wrap
    place: Place
    kind: Kind

    def run(self, command: Command, *, on_stdout: OnLine | None = None, on_stderr: OnLine | None = None) -> Completed:
        """Run a command and wait for its end; see `Executor.run`."""
        if self.kind is Kind.COMMAND and command.stdout == self.place.stdout:
            command = self.wrap(command)
        return self.executor.run(command, on_stdout=on_stdout, on_stderr=on_stderr)

    def start(self, command: Command) -> AbstractContextManager[RunningProgram]:
        """Start a program alongside; see `ConcurrentExecutor.start`."""
        if self.kind is Kind.SERVER and command.stdout == self.place.server_output[0]:
            command = self.wrap(command)
        return self.executor.start(command)

    def stoppable(self, stop: StopRequest) -> AbstractContextManager[None]:
        """Make this thread's programs stoppable by a request; see `ConcurrentExecutor.stoppable`."""
        return self.executor.stoppable(stop)


def with_patience(workload: Invocation, slowdown: float) -> Invocation:
    """The same workload, with as much more time as its program needs when it is observed."""
    server = workload.server
    if server is not None:
        server = replace(server, ready=replace(server.ready, within_s=server.ready.within_s * slowdown))
    return replace(
        workload, server=server, timeout_s=workload.timeout_s * slowdown, grace_s=workload.grace_s * slowdown
    )
