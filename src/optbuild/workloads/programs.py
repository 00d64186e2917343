"""One program of a workload: where it runs, how it is started, and which endings are accepted.

Not for the order in which a workload's programs run: `running` knows that, and the module of each kind.
"""

from __future__ import annotations

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
_NOT_STARTED = 127
_MISSING_LIBRARY = "error while loading shared libraries"  # glibc
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
        """The files for what a server prints, which its load does not."""
        stdout, stderr = (path.with_name(f"{path.name}.server") for path in (self.stdout, self.stderr))
        return stdout, stderr

    def remove_output(self) -> None:
        """Remove what the last run has printed here, which may be large."""
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
    """

    usage: Usage
    beside_cpu_s: float = 0.0
    load: Mapping[str, float] = field(default_factory=dict)
    benchmarks: Mapping[str, float] = field(default_factory=dict)


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


def _why_it_failed(completed: Completed, invocation: Invocation, tail: str) -> str:
    if completed.exit_code == _NOT_STARTED and _MISSING_LIBRARY in tail and invocation.call is None:
        return (
            '`cargo run` tells a program where its build has put shared libraries: write cargo = ["run", …] in the'
            " place of `command` in its [[workloads]] table, or name their directory: env = { LD_LIBRARY_PATH = … }"
        )
    return (
        "run its command by hand to see why; set `expect-exit` if that is its normal exit code,"
        ' and `pass-env = ["HOME"]` if it misses a variable' + _how_to_choose(invocation.call)
    )


def _how_to_choose(call: CargoCall | None) -> str:
    """What helps where one of all programs that cargo finds refuses an option that is meant for another."""
    if call is None or call.targets or not any(word.startswith("-") for word in call.arguments):
        return ""
    return f'; if it refuses an option that is not for it, name those that are meant: "--{call.verb}", "NAME"'


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
            help="a workload has to end everything it starts; start a daemon in the foreground",
            location=str(stderr),
            detail=tail,
        )


def _remedy_beside(invocation: Invocation) -> str:
    """What mends a program that misses the one beside it, where there is one that is not built."""
    if not invocation.bins or not invocation.not_built:
        return ""
    names = ", ".join(map(sanitize_line, invocation.not_built))
    return (
        f"; not built, and so not beside it: {names} (add to `bins` under [project] what it starts, and its features)"
    )
