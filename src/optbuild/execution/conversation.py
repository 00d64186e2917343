"""The launcher process, and how one command passes through it. Not for choosing what runs when: `local` does."""

from __future__ import annotations

import contextlib
import errno
import marshal
import math
import os
import selectors
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from optbuild.errors import OptbuildError
from optbuild.events import Emit, Level, Notice
from optbuild.execution import launcher
from optbuild.execution.command import Command, Completed, OnLine, ProgramNotFoundError, Stream, Usage
from optbuild.execution.signals import SignalGate
from optbuild.execution.stopping import StopRequest
from optbuild.files import storage_error
from optbuild.text import last_lines
from optbuild.units import format_duration

_CHUNK_BYTES = 1 << 16
_PIPE_BYTES = 1 << 20  # what a pipe can hold, unless root allows more
_ENDING_TICK_S = 0.05  # how soon a second signal is noticed during a child's grace
_SLOW_SHARE = 0.5  # of the timeout, after which a notice says that it takes long
_WATCH_TICK_S = 1.0
_LAUNCH = "import sys; sys.path.append(sys.argv[1]); __import__(sys.argv[2]).serve(int(sys.argv[3]))"


class LauncherDiedError(Exception):
    """The launcher process ended, although nothing asked it to."""


def _launcher_argv(reply: int) -> list[str]:
    path = Path(launcher.__file__)
    options = ["-I", "-S", *(["-B"] if sys.dont_write_bytecode else [])]
    return [sys.executable, *options, "-c", _LAUNCH, str(path.parent), path.stem, str(reply)]


class LauncherProcess:
    """The launcher process and the pipes to it.

    Args:
        inherits: Descriptors that the programs it starts inherit under the same numbers.
    """

    def __init__(self, inherits: tuple[int, ...] = ()) -> None:
        self.reply, reply_writer = os.pipe()
        self.stdout, stdout_writer = os.pipe()
        self.stderr, stderr_writer = os.pipe()
        try:
            # A separate process group: Ctrl-C on the terminal reaches only optbuild, which then ends the launcher in
            # order.
            self.process = subprocess.Popen(
                _launcher_argv(reply_writer),
                stdin=subprocess.PIPE,
                stdout=stdout_writer,
                stderr=stderr_writer,
                pass_fds=(reply_writer, *inherits),
                process_group=0,
                bufsize=0,
            )
        finally:
            for descriptor in (reply_writer, stdout_writer, stderr_writer):
                os.close(descriptor)
        for descriptor in (self.reply, self.stdout, self.stderr):
            os.set_blocking(descriptor, False)

    def send(self, message: dict[str, Any]) -> None:
        """Write one message to the control pipe.

        Raises:
            LauncherDiedError: Nothing is left to read it.
        """
        body = marshal.dumps(message)
        data = memoryview(len(body).to_bytes(launcher.LENGTH_BYTES, "little") + body)
        assert self.process.stdin is not None  # noqa: S101 - for mypy: it is a pipe
        try:
            while data:
                data = data[self.process.stdin.write(data) :]
        except BrokenPipeError as error:
            raise LauncherDiedError from error

    def close(self) -> None:
        """Close the control pipe; the launcher then kills what still runs, and ends."""
        assert self.process.stdin is not None  # noqa: S101 - for mypy: it is a pipe
        self.process.stdin.close()
        self.process.wait()
        for descriptor in (self.reply, self.stdout, self.stderr):
            os.close(descriptor)


class Conversation:
    """The passage of one command through the launcher."""

    def __init__(
        self,
        launcher: LauncherProcess,
        command: Command,
        on_stdout: OnLine | None,
        on_stderr: OnLine | None,
        emit: Emit,
        stops: tuple[StopRequest, ...] = (),
    ) -> None:
        self._launcher = launcher
        self._command = command
        self._emit = emit
        self._stops = stops
        self._lines = {launcher.stdout: _Lines(on_stdout), launcher.stderr: _Lines(on_stderr)}
        self._reply = b""
        self._started = False
        self._is_expected_end = False

    def start(self, program: str) -> None:
        """Send the command, with the path of its program."""
        command = self._command
        self._launcher.send(
            {
                "run": {
                    "argv": [program, *command.argv[1:]],
                    "cwd": str(command.cwd.absolute()),
                    "env": dict(command.env),
                    "streams": [
                        os.devnull if command.stdin is None else str(command.stdin),
                        _stream_path(command.stdout),
                        _stream_path(command.stderr),
                    ],
                    "timeout_s": command.timeout_s,
                    "stop_signal": int(command.stop_signal),
                    "grace_s": command.grace_s,
                    "sweep": command.sweep,
                }
            }
        )
        self._started = True

    def await_reply(self) -> dict[str, Any]:
        """Pump output until the launcher reports the program's end."""
        watch, timeout_s = self._command.watch, self._command.timeout_s
        now = time.monotonic()
        slow_at = math.inf if timeout_s is None else now + timeout_s * _SLOW_SHARE
        watch_at = math.inf if watch is None else now + _WATCH_TICK_S
        while True:
            due = min(slow_at, watch_at)
            reply = self._pump(None if due == math.inf else due - time.monotonic())
            if reply is not None:
                return reply
            now = time.monotonic()
            if now >= slow_at:
                slow_at = math.inf
                self._emit_slow()
            if watch is not None and now >= watch_at:
                watch()
                watch_at = time.monotonic() + _WATCH_TICK_S

    def glance(self, wait_s: float) -> dict[str, Any] | None:
        """The reply, if it has arrived by then."""
        try:
            return self._pump(wait_s)
        except LauncherDiedError as error:
            raise self.launcher_died() from error

    def judge(self, reply: dict[str, Any]) -> Completed:
        """Turn a reply into a result.

        Raises:
            ProgramNotFoundError: The program could not be started.
            StorageError: A file for its output could not be opened.
        """
        if "error" in reply:
            raise _start_error(self._command, reply)
        return self.completed(reply)

    def stop(self, signals: SignalGate) -> dict[str, Any]:
        """End a program after its timeout, and take the reply."""
        self._is_expected_end = True
        reply = self.end(signals)
        if reply is None:
            raise self.launcher_died()
        return reply

    def end(self, signals: SignalGate) -> dict[str, Any] | None:
        """Stop the program: its stop signal, its grace, then SIGKILL; at once if a second signal arrives."""
        if not self._started:  # it may hold half a message: closing it is all that can be done
            return None
        self._stops = ()
        self._lines = dict.fromkeys(self._lines, _Lines(_ignore))  # an error in a callback must not repeat
        with contextlib.suppress(LauncherDiedError):  # with nothing left to end, the launcher ends itself
            self._launcher.send({"end": 1})
            killed = False
            while (reply := self._pump(_ENDING_TICK_S)) is None:
                if signals.forced and not killed:
                    killed = True
                    self._launcher.send({"kill": 1})
            return reply
        return None

    def completed(self, reply: dict[str, Any]) -> Completed:
        """A reply as data."""
        usage = Usage(**{name: reply[name] for name in Usage.__slots__})
        return Completed(
            command=self._command,
            exit_code=reply["exit_code"],
            stdout=bytes(self._lines[self._launcher.stdout].kept),
            stderr=bytes(self._lines[self._launcher.stderr].kept),
            usage=usage,
            timed_out=reply["timed_out"],
            survivors=tuple(reply["survivors"]),
        )

    def _pump(self, timeout_s: float | None) -> dict[str, Any] | None:
        """Take what has arrived; return the final reply once it and all output have arrived."""
        with selectors.DefaultSelector() as selector:
            for descriptor in (self._launcher.reply, *self._lines):
                selector.register(descriptor, selectors.EVENT_READ)
            for stop in self._stops:
                selector.register(stop, selectors.EVENT_READ)
            wait_s = None if timeout_s is None else min(max(0.0, timeout_s), launcher.LONGEST_WAIT_S)
            ready = [key.fd for key, _ in selector.select(wait_s)]
        for stop in self._stops:
            if stop.fileno() in ready:
                raise stop.error()
        for descriptor, lines in self._lines.items():
            if descriptor in ready and self._launcher.reply not in ready:
                lines.feed(_read(descriptor))
        if self._launcher.reply not in ready:
            return None
        piece = _read(self._launcher.reply)
        if piece == b"":
            raise LauncherDiedError
        self._reply += piece or b""
        return self._take_message()

    def _take_message(self) -> dict[str, Any] | None:
        while len(self._reply) >= launcher.LENGTH_BYTES:
            end = launcher.LENGTH_BYTES + int.from_bytes(self._reply[: launcher.LENGTH_BYTES], "little")
            if len(self._reply) < end:
                return None
            message: dict[str, Any] = marshal.loads(self._reply[launcher.LENGTH_BYTES : end])  # noqa: S302 - our own child wrote it
            self._reply = self._reply[end:]
            if "stopping" not in message:
                self._drain()
                return message
            if not self._is_expected_end:
                self._emit_stopping(message["stopping"])
        return None

    def _drain(self) -> None:
        """The program has ended: all that it wrote is in the pipes already."""
        for descriptor, lines in self._lines.items():
            for _ in range(_PIPE_BYTES // _CHUNK_BYTES):  # processes that it left running may write for ever
                if not (piece := _read(descriptor)):
                    break
                lines.feed(piece)
            lines.finish()

    def launcher_died(self) -> OptbuildError:
        """The error for a launcher that died while it ran this command."""
        self._drain()
        return OptbuildError(
            f"optbuild's launcher process ended while {_program_name(self._command)} was running",
            help="run the same command again; if nobody killed it, please report this as a bug in optbuild",
            detail=last_lines(bytes(self._lines[self._launcher.stderr].kept)),
        )

    def _emit_slow(self) -> None:
        timeout_s = self._command.timeout_s or 0.0
        self._emit(
            Notice(
                level=Level.INFO,
                code="slow",
                message=f"{_program_name(self._command)} is still running after "
                f"{format_duration(timeout_s * _SLOW_SHARE)} of its {format_duration(timeout_s)} timeout",
            )
        )

    def _emit_stopping(self, number: int) -> None:
        self._emit(
            Notice(
                level=Level.INFO,
                code="stopping",
                message=f"stopping {_program_name(self._command)} with {signal.Signals(number).name}; "
                f"it has {format_duration(self._command.grace_s)} to end before it is killed",
            )
        )


class _Lines:
    """Splits a stream into lines for a callback, or keeps it whole."""

    def __init__(self, on_line: OnLine | None) -> None:
        self._on_line = on_line
        self.kept = bytearray()

    def feed(self, piece: bytes | None) -> None:
        self.kept += piece or b""
        if self._on_line is None or not piece or b"\n" not in piece:
            return
        *lines, rest = self.kept.split(b"\n")
        self.kept = rest
        for line in lines:
            self._on_line(bytes(line) + b"\n")

    def finish(self) -> None:
        if self._on_line is not None and self.kept:
            self._on_line(bytes(self.kept))
            self.kept.clear()


def _read(descriptor: int) -> bytes | None:
    """What can be read now; `b""` at the end, None if there is nothing yet."""
    try:
        return os.read(descriptor, _CHUNK_BYTES)
    except BlockingIOError:
        return None


def _ignore(_line: bytes) -> None:
    """Stop calling the callback."""


def _stream_path(stream: Path | Stream) -> str | None:
    if isinstance(stream, Path):
        return str(stream)
    return os.devnull if stream is Stream.NULL else None


def _start_error(command: Command, reply: dict[str, Any]) -> Exception:
    """Say which of the files that a program needs to start is missing."""
    reason = str(reply["reason"])
    match reply["failed"]:
        case "cwd":
            reason = f"cannot enter its directory {command.cwd.absolute()}: {reason}"
        case "stdin":
            reason = f"cannot open {command.stdin}: {reason}"
        case "stdout" | "stderr" as name:
            path = command.stdout if name == "stdout" else command.stderr
            if isinstance(path, Path):
                return storage_error(path, OSError(reply["error"], reason))
        case _ if reply["error"] == errno.ENOENT:
            reason = "it exists, but the interpreter or loader that it names does not"
    return ProgramNotFoundError(command.argv[0], reason)


def _program_name(command: Command) -> str:
    return Path(command.argv[0]).name
