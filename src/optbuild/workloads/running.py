"""Run a workload's command once, and judge how it ended: the same rules for training, comparing and measuring.

Not for what a run is for: `build` trains and compares, `measure` measures.
"""

from __future__ import annotations

import signal
from pathlib import Path

from optbuild.errors import WorkloadError, WorkloadTimeoutError
from optbuild.execution.command import Command, Completed, Executor, ProgramNotFoundError
from optbuild.files import remove_below, writing
from optbuild.text import last_lines, sanitize_line
from optbuild.units import format_duration
from optbuild.workloads.invocation import Invocation

_TAIL_BYTES = 1 << 16


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


def run_program(executor: Executor, command: Command, invocation: Invocation) -> Completed:
    """Run a workload's command.

    Raises:
        WorkloadError: It cannot be started.
        StorageError: A file for its output cannot be opened.
    """
    try:
        return executor.run(command)
    except ProgramNotFoundError as error:
        raise WorkloadError(
            f"workload {invocation.name!r}: cannot start {sanitize_line(str(error))}",
            help="check `command` and `cwd` in the build profile; a program is looked for in PATH, or relative to cwd",
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
    tail = _tail(stderr) or _tail(stdout)
    if completed.timed_out:
        raise WorkloadTimeoutError(
            f"workload {name} was stopped after its timeout of {format_duration(invocation.timeout_s)}",
            help='give it more time (`timeout = "30m"` in its [[workloads]] table) or less to do',
            location=str(stderr),
            detail=tail,
        )
    if completed.exit_code != invocation.expect_exit:
        raise WorkloadError(
            f"workload {name} ended with {_ending(completed.exit_code)}, expected {_ending(invocation.expect_exit)}",
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


def _ending(exit_code: int) -> str:
    if exit_code >= 0:
        return f"exit code {exit_code}"
    known = {int(item): item.name for item in signal.Signals}
    name = known.get(-exit_code)  # most real-time signals have none
    return f"signal {-exit_code}" + (f" ({name})" if name else "")


def _tail(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            size = stream.seek(0, 2)
            stream.seek(max(0, size - _TAIL_BYTES))
            return last_lines(stream.read())
    except FileNotFoundError:
        return ""
