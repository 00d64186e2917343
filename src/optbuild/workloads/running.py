"""Run a workload once, for training, for its output, or for its time.

A kind of workload is a function in its own module, and a line in `WORKLOADS`. Not for the purpose of a run: `making`
trains and compares, `measure` measures.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import replace

from optbuild.errors import InterruptedRunError, OptbuildError, WorkloadError
from optbuild.execution.command import Command, ConcurrentExecutor, Stream
from optbuild.execution.signals import describe_ending
from optbuild.files import tail_of
from optbuild.text import last_lines, sanitize_line
from optbuild.workloads.cargo import run_cargo
from optbuild.workloads.command import run_command
from optbuild.workloads.invocation import Invocation, Kind, Moment
from optbuild.workloads.ports import choose_ports
from optbuild.workloads.programs import (
    PROFILE_FILE,
    Place,
    WorkloadRun,
    renew_scratch,
    run_program,
)
from optbuild.workloads.server import run_server
from optbuild.workloads.words import Values

RunKind = Callable[[ConcurrentExecutor, Invocation, Place, Values], WorkloadRun]

WORKLOADS: Mapping[Kind, RunKind] = {
    Kind.COMMAND: run_command,
    Kind.SERVER: run_server,
    Kind.CARGO: run_cargo,
}


def run_workload(
    executor: ConcurrentExecutor,
    invocation: Invocation,
    place: Place,
    *,
    watched: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> WorkloadRun:
    """Run a workload to its end, `prepare` before it and `conclude` after it.

    Args:
        executor: What runs its commands.
        invocation: What to run.
        place: Where, and with which binaries.
        watched: Called between `prepare` and `conclude`, before and after the run itself.

    Raises:
        WorkloadError: It cannot be started, did not end as expected, or left processes behind.
        WorkloadTimeoutError: It took longer than its timeout.
        StorageError: Its output or its scratch directory cannot be written.
    """
    if Moment.SETUP not in invocation.beside:
        renew_scratch(place.root, invocation)
    values = Values(binaries=place.binaries, ports=choose_ports(invocation.ports))
    before_cpu_s = _run_beside(executor, invocation, place, values, Moment.PREPARE)
    with watched():
        run = WORKLOADS[invocation.kind](executor, invocation, place, values)
    after_cpu_s = _run_beside(executor, invocation, place, values, Moment.CONCLUDE)
    return replace(run, beside_cpu_s=run.beside_cpu_s + before_cpu_s + after_cpu_s)


@contextmanager
def set_up(executor: ConcurrentExecutor, invocation: Invocation, place: Place) -> Iterator[None]:
    """Run `setup` before all runs of a workload and `cleanup` after them, even if one of them failed.

    Raises:
        WorkloadError: One of the two failed.
        StorageError: The scratch directory cannot be written.
    """
    values = Values(binaries=place.binaries)
    if Moment.SETUP in invocation.beside:
        renew_scratch(place.root, invocation)
    try:
        _run_beside(executor, invocation, place, values, Moment.SETUP)
        yield
    except InterruptedRunError:
        raise  # an interrupt waits for nothing more
    except OptbuildError:
        with suppress(WorkloadError):  # the first error is the one to report
            _run_beside(executor, invocation, place, values, Moment.CLEANUP)
        raise
    _run_beside(executor, invocation, place, values, Moment.CLEANUP)


def _run_beside(
    executor: ConcurrentExecutor, invocation: Invocation, place: Place, values: Values, moment: Moment
) -> float:
    """Run a command that is not timed, if the workload has one for this moment; its CPU seconds."""
    words = invocation.beside.get(moment)
    if words is None:
        return 0.0
    stderr = place.stderr.with_name(f"{place.stderr.name}.{moment}")
    unprofiled = {PROFILE_FILE: os.devnull} if PROFILE_FILE in place.extra_env else {}
    command = Command(
        argv=values.fill_all(words),
        cwd=invocation.cwd,
        env={**invocation.env_with(values), **unprofiled},  # its work is not for training
        stdout=Stream.NULL,
        stderr=stderr,
        timeout_s=invocation.timeout_s,
        stop_signal=invocation.stop_signal,
        grace_s=invocation.grace_s,
    )
    completed = run_program(executor, command, invocation, moment)
    if completed.exit_code != 0 or completed.timed_out or completed.survivors:
        how = f"ended with {describe_ending(completed.exit_code)}"
        if completed.timed_out or completed.survivors:
            how = "was stopped after its timeout" if completed.timed_out else "left processes running"
        raise WorkloadError(
            f"`{moment}` of workload {sanitize_line(invocation.name)!r} {how}: {sanitize_line(command.argv[0])}",
            help="run it by hand to see why: it must succeed, and end everything that it starts",
            location=str(stderr),
            detail=last_lines(tail_of(stderr)),
        )
    return completed.usage.user_s + completed.usage.system_s
