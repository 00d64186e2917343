"""Run a workload once, and judge how it ended: the same rules for training, comparing and measuring.

Not for what a run is for: `build` trains and compares, `measure` measures.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from optbuild.errors import InterruptedRunError, OptbuildError, WorkloadError, WorkloadTimeoutError
from optbuild.execution.command import Command, Completed, Executor, ProgramNotFoundError, Stream, Usage
from optbuild.execution.signals import describe_ending
from optbuild.files import remove_below, tail_of, writing
from optbuild.text import last_lines, sanitize_line
from optbuild.units import format_duration
from optbuild.workloads.invocation import Invocation, Moment
from optbuild.workloads.words import Values

PROFILE_FILE = "LLVM_PROFILE_FILE"
"""The variable that tells an instrumented program where to write its counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a workload runs, and with which binaries.

    Attributes:
        root: The directory with our marker.
        binaries: By name.
        stdout: The file for its standard output.
        stderr: The same for standard error.
        extra_env: Added to its environment.
        arm: Whose binaries these are, where several take turns.
    """

    root: Path
    binaries: Mapping[str, Path]
    stdout: Path
    stderr: Path
    extra_env: Mapping[str, str]
    arm: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadRun:
    """One run of a workload.

    Attributes:
        usage: What is measured.
        beside_cpu_s: CPU seconds of what ran for its sake and is not in `usage`.
    """

    usage: Usage
    beside_cpu_s: float


def run_workload(executor: Executor, invocation: Invocation, place: Place) -> WorkloadRun:
    """Run a workload to its end, `prepare` before it and `conclude` after it.

    Raises:
        WorkloadError: It cannot be started, ended in another way than expected, or left processes behind.
        WorkloadTimeoutError: It took longer than its timeout.
        StorageError: Its output or its scratch directory cannot be written.
    """
    if Moment.SETUP not in invocation.beside:
        renew_scratch(place.root, invocation)
    beside_cpu_s = _run_beside(executor, invocation, place, Moment.PREPARE)
    command = invocation.make_command(
        place.binaries, extra_env=place.extra_env, stdout=place.stdout, stderr=place.stderr
    )
    completed = run_program(executor, command, invocation)
    check_ending(completed, invocation, stdout=place.stdout, stderr=place.stderr, arm=place.arm)
    beside_cpu_s += _run_beside(executor, invocation, place, Moment.CONCLUDE)
    return WorkloadRun(usage=completed.usage, beside_cpu_s=beside_cpu_s)


@contextmanager
def set_up(executor: Executor, invocation: Invocation, place: Place) -> Iterator[None]:
    """Run `setup` before all runs of a workload and `cleanup` after them, also where one of them failed.

    Raises:
        WorkloadError: One of the two failed.
        StorageError: The scratch directory cannot be written.
    """
    if Moment.SETUP in invocation.beside:
        renew_scratch(place.root, invocation)
    try:
        _run_beside(executor, invocation, place, Moment.SETUP)
        yield
    except InterruptedRunError:
        raise  # whoever interrupts waits for nothing more
    except OptbuildError:
        with suppress(WorkloadError):  # the first error is the one to tell
            _run_beside(executor, invocation, place, Moment.CLEANUP)
        raise
    _run_beside(executor, invocation, place, Moment.CLEANUP)


def _run_beside(executor: Executor, invocation: Invocation, place: Place, moment: Moment) -> float:
    """Run a command that is not timed, if the workload has one for this moment; its CPU seconds."""
    words = invocation.beside.get(moment)
    if words is None:
        return 0.0
    stderr = place.stderr.with_name(f"{place.stderr.name}.{moment}")
    unprofiled = {PROFILE_FILE: os.devnull} if PROFILE_FILE in place.extra_env else {}
    command = Command(
        argv=Values(binaries=place.binaries, ports={}).fill_all(words),
        cwd=invocation.cwd,
        env={**invocation.env, **unprofiled},  # what it does is not the work to train on
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
            help="run it by hand to see why: it has to succeed, and to end everything that it starts",
            location=str(stderr),
            detail=last_lines(tail_of(stderr)),
        )
    return completed.usage.user_s + completed.usage.system_s


def renew_scratch(root: Path, invocation: Invocation) -> None:
    """Make a workload's scratch directory anew, empty.

    Args:
        root: The directory with our marker, which it lies below.
        invocation: Whose directory it is.

    Raises:
        StorageError: It cannot be deleted or made.
    """
    remove_below(root, invocation.scratch)
    with writing(invocation.scratch):
        invocation.scratch.mkdir(parents=True)


def run_program(executor: Executor, command: Command, invocation: Invocation, key: str = "command") -> Completed:
    """Run one of a workload's commands, that of a given key.

    Raises:
        WorkloadError: It cannot be started.
        StorageError: A file for its output cannot be opened.
    """
    try:
        return executor.run(command)
    except ProgramNotFoundError as error:
        raise WorkloadError(
            f"workload {invocation.name!r}: cannot start {sanitize_line(str(error))}",
            help=f"check `{key}` and `cwd` in the build profile; a program is looked for in PATH, or relative to cwd",
            location=str(invocation.cwd),
        ) from error


def check_ending(
    completed: Completed, invocation: Invocation, *, stdout: Path, stderr: Path, arm: str | None = None
) -> None:
    """Accept only a workload that ended by itself, as expected, and took everything it started with it.

    Args:
        completed: How it ended.
        invocation: What was run.
        stdout: The file that holds its standard output.
        stderr: The file that holds its standard error.
        arm: Whose binaries it ran, where several take turns.

    Raises:
        WorkloadError: It did not.
        WorkloadTimeoutError: It had to be stopped.
    """
    name = repr(sanitize_line(invocation.name)) + ("" if arm is None else f", measuring {arm},")
    tail = last_lines(tail_of(stderr)) or last_lines(tail_of(stdout))
    if completed.timed_out:
        raise WorkloadTimeoutError(
            f"workload {name} was stopped after its timeout of {format_duration(invocation.timeout_s)}",
            help='give it more time (`timeout = "30m"` in its [[workloads]] table) or less to do',
            location=str(stderr),
            detail=tail,
        )
    if completed.exit_code != invocation.expect_exit:
        raise WorkloadError(
            f"workload {name} ended with {describe_ending(completed.exit_code)}, "
            f"expected {describe_ending(invocation.expect_exit)}",
            help="run its command by hand to see why; set `expect-exit` if that is its normal exit code,"
            ' and `pass-env = ["HOME"]` if it misses a variable',
            location=str(stderr),
            detail=tail,
        )
    if completed.survivors:
        raise WorkloadError(
            f"workload {name} left processes running; they were ended: "
            + ", ".join(map(sanitize_line, completed.survivors)),
            help="a workload has to end everything it starts; start a daemon in the foreground",
            location=str(stderr),
            detail=tail,
        )
