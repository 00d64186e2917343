"""Run a workload once for its effects (training, its output), and judge how it ended."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from optbuild.errors import UsageError, WorkloadError, WorkloadTimeoutError
from optbuild.execution.command import Command, Completed, Executor, ProgramNotFoundError
from optbuild.files import remove_below, sha256_of, storage_error
from optbuild.text import last_lines, sanitize_line
from optbuild.units import format_duration
from optbuild.workloads.invocation import Invocation

_TAIL_BYTES = 1 << 16


@dataclass(slots=True, kw_only=True)
class WorkloadRunner:
    """Runs invocations from one and the same path, so that a program that prints its own name always prints the same.

    Attributes:
        root: The directory with our marker.
        stage: Where the binaries stand while they run.
        logs: Where output is kept.
    """

    executor: Executor
    root: Path
    stage: Path
    logs: Path

    def run(
        self, invocation: Invocation, binaries: Mapping[str, Path], *, log_name: str, extra_env: Mapping[str, str]
    ) -> tuple[Completed, Path]:
        """Run a workload to its end; also the file that holds its standard output.

        Raises:
            WorkloadError: It cannot be started, ended in another way than expected, or left processes behind.
            WorkloadTimeoutError: It took longer than its timeout.
        """
        self.logs.mkdir(parents=True, exist_ok=True)
        stdout, stderr = self.logs / f"{log_name}.stdout", self.logs / f"{log_name}.stderr"
        renew_scratch(self.root, invocation)
        command = invocation.make_command(
            self._put_on_stage(binaries), extra_env=extra_env, stdout=stdout, stderr=stderr
        )
        completed = run_program(self.executor, command, invocation)
        check_ending(completed, invocation, stdout=stdout, stderr=stderr)
        return completed, stdout

    def _put_on_stage(self, binaries: Mapping[str, Path]) -> dict[str, Path]:
        try:
            self.stage.mkdir(parents=True, exist_ok=True)
            staged = {}
            for name, path in binaries.items():
                staged[name] = self.stage / name
                staged[name].unlink(missing_ok=True)
                staged[name].hardlink_to(path)
        except OSError as error:
            raise storage_error(self.stage, error) from error
        return staged


def run_program(executor: Executor, command: Command, invocation: Invocation) -> Completed:
    """Run a workload's command.

    Raises:
        WorkloadError: It cannot be started.
    """
    try:
        return executor.run(command)
    except ProgramNotFoundError as error:
        raise WorkloadError(
            f"workload {invocation.name!r}: cannot start {sanitize_line(str(error))}",
            help="check `command` and `cwd` in the build profile; a program is looked for in PATH, or relative to cwd",
            location=str(invocation.cwd),
        ) from error


def renew_scratch(root: Path, invocation: Invocation) -> None:
    """Make a workload's scratch directory anew, empty."""
    remove_below(root, invocation.scratch)
    try:
        invocation.scratch.mkdir(parents=True)
    except OSError as error:
        raise storage_error(invocation.scratch, error) from error


def check_ending(completed: Completed, invocation: Invocation, *, stdout: Path, stderr: Path) -> None:
    """Accept only a workload that ended by itself, as expected, and took everything it started with it.

    Raises:
        WorkloadError: It did not.
        WorkloadTimeoutError: It had to be stopped.
    """
    name = sanitize_line(invocation.name)
    tail = _tail(stderr) or _tail(stdout)
    if completed.timed_out:
        raise WorkloadTimeoutError(
            f"workload {name!r} was stopped after its timeout of {format_duration(invocation.timeout_s)}",
            help='give it more time (`timeout = "30m"` in its [[workloads]] table) or less to do',
            location=str(stderr),
            detail=tail,
        )
    if completed.exit_code != invocation.expect_exit:
        raise WorkloadError(
            f"workload {name!r} ended with {_ending(completed.exit_code)}, expected {_ending(invocation.expect_exit)}",
            help="run its command by hand to see why; set `expect-exit` if that is its normal exit code,"
            ' and `pass-env = ["HOME"]` if it misses a variable',
            location=str(stderr),
            detail=tail,
        )
    if completed.survivors:
        raise WorkloadError(
            f"workload {name!r} left processes running; they were ended: "
            + ", ".join(map(sanitize_line, completed.survivors)),
            help="a workload has to end everything it starts; start a daemon in the foreground",
            location=str(stderr),
            detail=tail,
        )


def _ending(exit_code: int) -> str:
    if exit_code < 0:
        return f"signal {-exit_code} ({signal.Signals(-exit_code).name})"
    return f"exit code {exit_code}"


def _tail(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            size = stream.seek(0, 2)
            stream.seek(max(0, size - _TAIL_BYTES))
            return last_lines(stream.read())
    except FileNotFoundError:
        return ""


class InputHashes:
    """Hashes of the files that workloads read, each computed once a run."""

    def __init__(self) -> None:
        self._known: dict[Path, str] = {}

    def of(self, path: Path) -> str:
        """The SHA-256 of an input.

        Raises:
            UsageError: It cannot be read.
        """
        if path not in self._known:
            try:
                self._known[path] = sha256_of(path)
            except OSError as error:
                raise UsageError(
                    f"cannot read the input {path}: {error.strerror}",
                    help="make the file first, or correct `inputs` or `stdin` of the workload",
                    location=str(path),
                ) from error
        return self._known[path]

    def resolve(self, invocation: Invocation) -> dict[str, str]:
        """What decides the result of a run besides the recipe: contents of inputs, values of passed variables."""
        return {
            **{f"input {path}": self.of(path) for path in invocation.inputs},
            **{f"env {name}": invocation.env.get(name, "") for name in invocation.passed_env},
        }


def check_before_building(invocation: Invocation, hashes: InputHashes) -> None:
    """Find out before the first long build what would stop a workload.

    Raises:
        WorkloadError: Its program is missing, or its directory.
        UsageError: One of its inputs is missing.
    """
    if not invocation.cwd.is_dir():
        raise WorkloadError(
            f"workload {invocation.name!r}: there is no directory {invocation.cwd}",
            help="correct `cwd`, or make the directory",
            location=str(invocation.cwd),
        )
    program = invocation.argv[0]
    if len(program) == 1 and isinstance(program[0], str):
        name = program[0]
        path = str(invocation.cwd / name) if "/" in name else name
        if shutil.which(path, path=invocation.env.get("PATH", "")) is None:
            raise WorkloadError(
                f"workload {invocation.name!r}: {sanitize_line(name)} is missing or not executable",
                help="install it, or correct `command`; a program is looked for in PATH, or relative to cwd",
                location=str(invocation.cwd),
            )
    for input_file in invocation.inputs:
        hashes.of(input_file)
