"""One program of a workload: where it runs, how it is started, and which endings are accepted.

Not for the order in which a workload's programs run: `running` and the module of each kind know that.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from optbuild.errors import WorkloadError, WorkloadTimeoutError
from optbuild.execution.command import Command, Completed, Executor, ProgramNotFoundError, Usage
from optbuild.execution.signals import describe_ending
from optbuild.files import remove_below, tail_of, writing
from optbuild.profile.cargo_words import CargoCall
from optbuild.text import last_lines, sanitize_line
from optbuild.units import format_duration
from optbuild.workloads.cargo_build import CargoBuild
from optbuild.workloads.invocation import Invocation

PROFILE_FILE = "LLVM_PROFILE_FILE"
"""The variable that names the file into which an instrumented program writes its counts."""
_NOT_STARTED = 127
_MISSING_LIBRARY = "error while loading shared libraries"  # glibc
_LIMITS = {
    -signal.SIGXFSZ: "a limit on the size of files (`ulimit -f`, or the program's own RLIMIT_FSIZE) ended it",
    -signal.SIGSYS: "a sandbox (seccomp) ended it at a system call that it forbids",
}
"""Signals that also end an instrumented program which may not write its counts, and no other variant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a workload runs, and with which binaries.

    Attributes:
        root: The directory with optbuild's marker.
        binaries: By name.
        stdout: The file for its standard output.
        stderr: The same for standard error.
        extra_env: Added to its environment.
        arm: Whose binaries these are, if several take turns.
        cargo_build: What cargo would run with them, for a workload of that kind.
    """

    root: Path
    binaries: Mapping[str, Path]
    stdout: Path
    stderr: Path
    extra_env: Mapping[str, str]
    arm: str | None = None
    cargo_build: CargoBuild | None = None

    @property
    def server_output(self) -> tuple[Path, Path]:
        """The files for a server's output, separate from its load's."""
        stdout, stderr = (path.with_name(f"{path.name}.server") for path in (self.stdout, self.stderr))
        return stdout, stderr

    def remove_output(self) -> None:
        """Remove the output of the last run, which may be large."""
        for path in (self.stdout, self.stderr, *self.server_output):
            path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadRun:
    """One run of a workload.

    Attributes:
        usage: What is measured.
        beside_cpu_s: CPU seconds of what ran for its sake and is not in `usage`.
        load: What a load generator says of its requests, by name; units are in the names.
        benchmarks: Seconds per iteration of the benchmarks that it has measured itself, or per request, by name; where
            there are any, they are what is measured, and not the run as a whole.
        instructions: How many of them each benchmark takes that counts them itself, by name.
    """

    usage: Usage
    beside_cpu_s: float = 0.0
    load: Mapping[str, float] = field(default_factory=dict)
    benchmarks: Mapping[str, float] = field(default_factory=dict)
    instructions: Mapping[str, int] = field(default_factory=dict)


def renew_scratch(root: Path, invocation: Invocation) -> None:
    """Recreate a workload's scratch directory, empty.

    Args:
        root: The directory with optbuild's marker, which it is below.
        invocation: The workload of the directory.

    Raises:
        StorageError: It cannot be deleted or created.
    """
    remove_below(root, invocation.scratch)
    with writing(invocation.scratch):
        invocation.scratch.mkdir(parents=True)


def run_program(executor: Executor, command: Command, invocation: Invocation, key: str = "command") -> Completed:
    """Run the command of a workload with a given key.

    Raises:
        WorkloadError: It cannot be started.
        StorageError: A file for its output cannot be opened.
    """
    try:
        return executor.run(command)
    except ProgramNotFoundError as error:
        raise WorkloadError(
            f"workload {invocation.name!r}: cannot start {sanitize_line(str(error))}",
            help=f"check `{key}` and `cwd` in the build profile; programs are searched in PATH, or relative to cwd",
            location=str(invocation.cwd),
        ) from error


def _why_it_failed(completed: Completed, invocation: Invocation, tail: str) -> str:
    if completed.exit_code == _NOT_STARTED and _MISSING_LIBRARY in tail and invocation.call is None:
        return (
            '`cargo run` tells a program where its shared libraries are: write cargo = ["run", …] instead of `command` '
            "in its [[workloads]] table, or name their directory: env = { LD_LIBRARY_PATH = … }"
        )
    if completed.exit_code in _LIMITS:
        return (
            f"{_LIMITS[completed.exit_code]}; in training a program also writes a file with its counts when it ends: "
            "let it do without that limit there (`env` in its [[workloads]] table can say so)"
        )
    return (
        "run its command by hand to see why; set `expect-exit` if that is its normal exit code, and "
        '`pass-env = ["HOME"]` if it needs a variable' + _how_to_choose(invocation.call)
    )


def _how_to_choose(call: CargoCall | None) -> str:
    """The remedy if one of the programs that cargo finds refuses an option that is meant for another."""
    if call is None or call.targets or not any(word.startswith("-") for word in call.arguments):
        return ""
    return f'; if it refuses an option that is not for it, name the programs it is for: "--{call.verb}", "NAME"'


def check_ending(
    completed: Completed, invocation: Invocation, *, stdout: Path, stderr: Path, arm: str | None = None
) -> None:
    """Accept only a workload that ended by itself and as expected, and that left no process running.

    Args:
        completed: How it ended.
        invocation: What was run.
        stdout: The file that holds its standard output.
        stderr: The file that holds its standard error.
        arm: Whose binaries it ran, if several take turns.

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
        expected = describe_ending(invocation.expect_exit)
        raise WorkloadError(
            f"workload {name} ended with {describe_ending(completed.exit_code)}, expected {expected}",
            help=_why_it_failed(completed, invocation, tail) + _remedy_beside(invocation),
            location=str(stderr),
            detail=tail,
        )
    if completed.survivors:
        raise WorkloadError(
            f"workload {name} left processes running; they were ended: "
            + ", ".join(map(sanitize_line, completed.survivors)),
            help="a workload must end everything it starts; start a daemon in the foreground",
            location=str(stderr),
            detail=tail,
        )


def _remedy_beside(invocation: Invocation) -> str:
    """The remedy for a program that misses another one in its directory, if one is not built."""
    if not invocation.bins or not invocation.not_built:
        return ""
    names = ", ".join(map(sanitize_line, invocation.not_built))
    return (
        f"; not built, so not in its directory: {names} (add the programs that it starts to `bins` under [project], "
        "with their features)"
    )
