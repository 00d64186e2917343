"""Commands and their results as data, and the Protocol for everything that runs programs."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import Protocol

from optbuild.execution.stopping import StopRequest


class Stream(Enum):
    """Where a program's output goes if not to a file."""

    CAPTURE = "capture"
    NULL = "null"


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A program to run.

    Attributes:
        argv: The program and its arguments; never a shell string. `argv[0]` is an absolute path or is looked up in the
            `PATH` of `env`.
        cwd: The directory it runs in.
        env: Its whole environment.
        stdin: A file to read from; None means an empty input.
        stdout: A file to write to, or another destination.
        stderr: The same for standard error.
        timeout_s: Seconds after which it is stopped; None means never.
        stop_signal: The signal that asks it to end, on a timeout or when optbuild is interrupted.
        grace_s: Seconds between that signal and SIGKILL.
        sweep: When it ends, kill and report the processes that it leaves running.
        watch: Called about once a second while it runs. An exception from it ends the program, and the executor raises
            it.
        inherits: Descriptors that it inherits under the same numbers.
    """

    argv: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str] = field(default_factory=dict)
    stdin: Path | None = None
    stdout: Path | Stream = Stream.CAPTURE
    stderr: Path | Stream = Stream.CAPTURE
    timeout_s: float | None = None
    stop_signal: int = signal.SIGTERM
    grace_s: float = 10.0
    sweep: bool = True
    watch: Callable[[], None] | None = field(default=None, compare=False, repr=False)
    inherits: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What one run of a program cost, as `wait4` gives it.

    Attributes:
        wall_s: Seconds from just before the spawn to just after the wait.
        user_s: CPU seconds in user mode, waited-for descendants included.
        system_s: CPU seconds in the kernel.
        peak_rss_bytes: Peak resident set size. At or below `peak_rss_floor_bytes` it means only "at most the floor".
        peak_rss_floor_bytes: The launcher's own peak, which the kernel includes in its children's.
        major_faults: Page faults that needed the disk.
        minor_faults: Those that did not: each page that the program touches for the first time.
        involuntary_switches: Times the kernel took the CPU away.
    """

    wall_s: float
    user_s: float
    system_s: float
    peak_rss_bytes: int
    peak_rss_floor_bytes: int
    major_faults: int
    involuntary_switches: int
    minor_faults: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """A program that has ended.

    Attributes:
        command: What was run.
        exit_code: Its exit code; −n if signal n ended it.
        stdout: What it printed, if captured.
        stderr: The same for standard error.
        usage: What it cost.
        timed_out: It was stopped because its timeout passed.
        survivors: Names and pids of processes that it left behind, which were killed.
    """

    command: Command
    exit_code: int
    stdout: bytes = b""
    stderr: bytes = b""
    usage: Usage
    timed_out: bool = False
    survivors: tuple[str, ...] = ()


class ProgramNotFoundError(Exception):
    """The program of a command does not exist or may not be executed.

    Callers know what the program was for, and turn this into an error with a remedy.
    """

    def __init__(self, program: str, reason: str) -> None:
        super().__init__(f"{program}: {reason}")
        self.program = program
        self.reason = reason


OnLine = Callable[[bytes], None]


class Executor(Protocol):
    """Runs commands, those of each thread one at a time."""

    def run(self, command: Command, *, on_stdout: OnLine | None = None, on_stderr: OnLine | None = None) -> Completed:
        """Run a command and wait for its end.

        Args:
            command: What to run.
            on_stdout: Called with each captured line of standard output as it arrives, its newline included. The
                line is then not kept in `Completed.stdout`.
            on_stderr: The same for standard error.

        Raises:
            ProgramNotFoundError: The program cannot be started.
            StorageError: A file for its output cannot be opened.
            InterruptedRunError: A signal arrived; the program has been ended first.
        """
        ...


class RunningProgram(Protocol):
    """A started program that runs alongside others."""

    def poll(self, wait_s: float = 0.0) -> Completed | None:
        """How it ended; None if it still runs after waiting this long.

        Raises:
            ProgramNotFoundError: It could not be started.
            StorageError: A file for its output could not be opened.
        """
        ...

    def stop(self) -> Completed:
        """Send its stop signal, kill it after its grace, and say how it ended. Raises as `poll`."""
        ...


class ConcurrentExecutor(Executor, Protocol):
    """An executor that also starts programs that run alongside others."""

    def start(self, command: Command) -> AbstractContextManager[RunningProgram]:
        """Start a program; leaving the context, in whatever way, ends it.

        Args:
            command: What to start. Its output must go to files.

        Raises:
            ProgramNotFoundError: The program cannot be started.
        """
        ...

    def stoppable(self, stop: StopRequest) -> AbstractContextManager[None]:
        """Let a request end what this thread runs within the context; the request's error is then raised there."""
        ...

    def until(self, stop: StopRequest) -> AbstractContextManager[None]:
        """Let a request end what any thread runs within the context; its error is raised in each of them."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedExecutor:
    """An executor that watches all programs of another one with the same function.

    Attributes:
        watch: Called while a program runs, unless it was started alongside others.
        ended: Called when one has ended.
    """

    executor: ConcurrentExecutor
    watch: Callable[[], None]
    ended: Callable[[Command], None] = lambda _: None

    def run(self, command: Command, *, on_stdout: OnLine | None = None, on_stderr: OnLine | None = None) -> Completed:
        """Run a command and wait for its end; see `Executor.run`."""
        watched = replace(command, watch=self.watch)
        completed = self.executor.run(watched, on_stdout=on_stdout, on_stderr=on_stderr)
        self.ended(command)
        return completed

    @contextmanager
    def start(self, command: Command) -> Iterator[RunningProgram]:
        """Start a program alongside the watched ones; see `ConcurrentExecutor.start`."""
        with self.executor.start(command) as program:
            yield program
        self.ended(command)

    def stoppable(self, stop: StopRequest) -> AbstractContextManager[None]:
        """Let a request end what this thread runs; see `ConcurrentExecutor.stoppable`."""
        return self.executor.stoppable(stop)

    def until(self, stop: StopRequest) -> AbstractContextManager[None]:
        """Let a request end what any thread runs; see `ConcurrentExecutor.until`."""
        return self.executor.until(stop)
