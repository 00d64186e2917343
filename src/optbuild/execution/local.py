"""Run commands on this machine through the launcher: streamed output, timeouts, nothing left behind at the end."""

from __future__ import annotations

import errno
import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

from optbuild.events import Emit
from optbuild.execution.command import (
    Command,
    Completed,
    OnLine,
    ProgramNotFoundError,
    RunningProgram,
)
from optbuild.execution.conversation import Conversation, LauncherDiedError, LauncherProcess
from optbuild.execution.signals import SignalGate
from optbuild.execution.stopping import StopRequest


class _Own(threading.local):
    """The state of one thread: its launcher, and the request that ends what it runs."""

    launcher: LauncherProcess | None = None
    stop: StopRequest | None = None


class LocalExecutor:
    """Runs the commands of each thread one at a time through one launcher process, which is started when first needed.

    Use it as a context manager: leaving it ends the launcher, and with it anything that still runs. Threads other than
    the main one use it within `stoppable`, which leaves theirs to the next thread.
    """

    def __init__(self, emit: Emit, signals: SignalGate | None = None) -> None:
        self._emit = emit
        self._signals = signals or SignalGate()
        self._own = _Own()
        self._idle: list[LauncherProcess] = []
        self._stops: tuple[StopRequest, ...] = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End this thread's launcher, and those that no thread uses any longer."""
        self._close_own()
        while (launcher_process := self._take_idle()) is not None:
            launcher_process.close()

    def _close_own(self) -> None:
        launcher_process, self._own.launcher = self._own.launcher, None
        if launcher_process is not None:
            launcher_process.close()

    def _take_idle(self) -> LauncherProcess | None:
        try:
            return self._idle.pop()
        except IndexError:  # not asked for before: another thread may take the last one meanwhile
            return None

    @contextmanager
    def stoppable(self, stop: StopRequest) -> Iterator[None]:
        """Let a request end what this thread runs; see `ConcurrentExecutor.stoppable`."""
        self._own.stop = stop
        try:
            yield
        finally:
            self._own.stop = None
            if self._own.launcher is not None:
                self._idle.append(self._own.launcher)
                self._own.launcher = None

    @contextmanager
    def until(self, stop: StopRequest) -> Iterator[None]:
        """Let a request end what any thread runs; see `ConcurrentExecutor.until`."""
        outer, self._stops = self._stops, (*self._stops, stop)
        try:
            yield
        finally:
            self._stops = outer

    def _all_stops(self) -> tuple[StopRequest, ...]:
        return self._stops if self._own.stop is None else (*self._stops, self._own.stop)

    def run(self, command: Command, *, on_stdout: OnLine | None = None, on_stderr: OnLine | None = None) -> Completed:
        """Run a command and wait for its end; see `Executor.run`."""
        program = _find_program(command)
        launcher_process = self._living_launcher(command.inherits)
        conversation = Conversation(launcher_process, command, on_stdout, on_stderr, self._emit, self._all_stops())
        try:
            conversation.start(program)
            reply = conversation.await_reply()
        except LauncherDiedError as error:
            died = conversation.launcher_died()
            self._close_own()
            raise died from error
        except BaseException:
            try:
                conversation.end(self._signals)
            finally:
                self._close_own()  # what is still in its pipes belongs to this command
            raise
        if command.inherits or not command.sweep:
            # processes that the command left running keep its pipes, and are not the next command's survivors
            self._close_own()
        return conversation.judge(reply)

    @contextmanager
    def start(self, command: Command) -> Iterator[RunningProgram]:
        """Start a program through a separate launcher; see `Executor.start`."""
        launcher_process = LauncherProcess(command.inherits)
        try:
            conversation = Conversation(launcher_process, command, None, None, self._emit, self._all_stops())
            program = _Running(conversation, self._signals)
            program.begin(_find_program(command))
            try:
                yield program
            finally:
                program.end()
        finally:
            launcher_process.close()

    def _living_launcher(self, inherits: tuple[int, ...]) -> LauncherProcess:
        if self._own.launcher is None and not inherits:
            self._own.launcher = self._take_idle()
        found = self._own.launcher
        if found is not None and (inherits or found.process.poll() is not None):
            self._close_own()
        if self._own.launcher is None:
            self._own.launcher = LauncherProcess(inherits)
        return self._own.launcher


class _Running:
    """A program that runs alongside others; see `RunningProgram`."""

    def __init__(self, conversation: Conversation, signals: SignalGate) -> None:
        self._conversation = conversation
        self._signals = signals
        self._reply: dict[str, Any] | None = None

    def begin(self, program: str) -> None:
        self._conversation.start(program)

    def poll(self, wait_s: float = 0.0) -> Completed | None:
        deadline = time.monotonic() + wait_s
        while self._reply is None:
            self._reply = self._conversation.glance(max(0.0, deadline - time.monotonic()))
            if time.monotonic() >= deadline:
                break
        return None if self._reply is None else self._conversation.judge(self._reply)

    def stop(self) -> Completed:
        if self._reply is None:
            self._reply = self._conversation.stop(self._signals)
        return self._conversation.judge(self._reply)

    def end(self) -> None:
        if self._reply is None:
            self._conversation.end(self._signals)


def _find_program(command: Command) -> str:
    """Find the absolute path of a command's program, as `execvp` would in the command's directory and PATH."""
    name = command.argv[0]
    cwd = command.cwd.absolute()
    if "/" not in name:
        places = command.env.get("PATH", os.defpath).split(os.pathsep)
        found = shutil.which(name, path=os.pathsep.join(str(cwd / place) for place in places))
        if found is None:
            raise ProgramNotFoundError(name, "not found in PATH")
        return found
    path = str(cwd / name)
    if not (os.path.isfile(path) and os.access(path, os.X_OK)):  # noqa: PTH113 - Path.is_file may raise
        missing = not os.path.exists(path)  # noqa: PTH110 - the same
        raise ProgramNotFoundError(path, os.strerror(errno.ENOENT) if missing else "not an executable file")
    return path
