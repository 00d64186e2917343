"""Executors that start nothing, and the commands and replies that they are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from optbuild.adapters import adapter_of
from optbuild.execution.command import Command, Completed, OnLine, Stream, Usage
from optbuild.execution.stopping import StopRequest

_RAW_MAGIC = b"\x81rforpl\xff"
_RAW_VERSION = (10 | 1 << 56).to_bytes(8, "little")  # the format of LLVM 22, instrumented by `-C profile-generate`

_INDEXED_MAGIC = b"\xfflprofi\x81"
_INDEXED_VERSION = (13 | 1 << 56).to_bytes(8, "little")


def make_usage(*, wall_s: float = 0.25, **changes: Any) -> Usage:  # noqa: ANN401 - fields of Usage
    """What a run cost: mostly CPU time in user mode, 8 MiB of memory."""
    usage = Usage(
        wall_s=wall_s,
        user_s=wall_s * 0.9,
        system_s=wall_s * 0.1,
        peak_rss_bytes=8 << 20,
        peak_rss_floor_bytes=4 << 20,
        major_faults=0,
        involuntary_switches=0,
    )
    return replace(usage, **changes)


def make_command(*argv: str, **changes: Any) -> Command:  # noqa: ANN401 - fields of Command
    """A command, run in `/p` with an empty environment."""
    return replace(Command(argv=argv or ("program",), cwd=Path("/p")), **changes)


def make_completed(command: Command | None = None, **changes: Any) -> Completed:  # noqa: ANN401 - fields of Completed
    """A program that has ended well and said nothing."""
    return replace(Completed(command=command or make_command(), exit_code=0, usage=make_usage()), **changes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """How a program in a script ends, and what it leaves behind.

    Attributes:
        stdout: What it prints; goes where the command says, as with a real program.
        writes: Files that it writes by their paths, which may be relative to the command's directory.
    """

    exit_code: int = 0
    stdout: bytes = b""
    stderr: bytes = b""
    usage: Usage = field(default_factory=make_usage)
    timed_out: bool = False
    survivors: tuple[str, ...] = ()
    writes: Mapping[Path, bytes] = field(default_factory=dict)


Answer = Reply | Exception


class ScriptedExecutor:
    """An executor that starts nothing: it answers with the replies of a script.

    Args:
        script: The replies in order, or a function that gives the reply to a command. An exception in the place of a
            reply is raised.

    Attributes:
        commands: All commands so far.
    """

    def __init__(self, script: Iterable[Answer] | Callable[[Command], Answer] = ()) -> None:
        self.commands: list[Command] = []
        self._answer = script if callable(script) else _in_order(iter(script))

    def run(self, command: Command, *, on_stdout: OnLine | None = None, on_stderr: OnLine | None = None) -> Completed:
        """Answer a command; what watches it looks once, when its files are written.

        Raises:
            LookupError: The script is at its end.
        """
        self.commands.append(command)
        answer = self._answer(command)
        if isinstance(answer, Exception):
            raise answer
        for path, content in answer.writes.items():
            target = command.cwd / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        if command.watch is not None:
            command.watch()
        return Completed(
            command=command,
            exit_code=answer.exit_code,
            stdout=_deliver(answer.stdout, command.stdout, on_stdout),
            stderr=_deliver(answer.stderr, command.stderr, on_stderr),
            usage=answer.usage,
            timed_out=answer.timed_out,
            survivors=answer.survivors,
        )

    @contextmanager
    def start(self, command: Command) -> Iterator[ScriptedProgram]:
        """Start a program that runs until it is stopped, and then ends as its answer says.

        One whose exit code is neither zero nor a stop or kill signal's has ended at once: it crashed.

        Raises:
            LookupError: The script is at its end.
        """
        yield ScriptedProgram(command, partial(self.run, command))

    @contextmanager
    def stoppable(self, stop: StopRequest) -> Iterator[None]:  # noqa: ARG002 - a script takes no time
        """Let what this thread runs be ended by a request."""
        yield

    @contextmanager
    def until(self, stop: StopRequest) -> Iterator[None]:  # noqa: ARG002 - the same
        """Let what any thread runs be ended by a request."""
        yield


class ScriptedProgram:
    """A program of a script that runs alongside others.

    Attributes:
        stopped: Whether it was stopped.
    """

    def __init__(self, command: Command, answer: Callable[[], Completed]) -> None:
        self.completed = answer()
        self._crashed = self.completed.exit_code not in {0, -command.stop_signal, 128 + command.stop_signal, -9}
        self.stopped = False

    def poll(self, wait_s: float = 0.0) -> Completed | None:  # noqa: ARG002 - a script takes no time
        """How it has ended; None while it runs."""
        return self.completed if self._crashed or self.stopped else None

    def stop(self) -> Completed:
        """End it."""
        self.stopped = True
        return self.completed


def _in_order(answers: Iterator[Answer]) -> Callable[[Command], Answer]:
    def answer(command: Command) -> Answer:
        found = next(answers, None)
        if found is None:
            raise LookupError(f"the script has no reply to {command.argv}")
        return found

    return answer


def _deliver(data: bytes, stream: Path | Stream, on_line: OnLine | None) -> bytes:
    """Put a program's output where its command says; what is left to be captured."""
    if isinstance(stream, Path):
        stream.write_bytes(data)
        return b""
    if stream is Stream.NULL:
        return b""
    if on_line is None:
        return data
    for line in data.splitlines(keepends=True):
        on_line(line)
    return b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What a real program was asked once, and how it answered.

    Attributes:
        stdout: Its lines, without line ends.
        writes: Files that it wrote, with stand-ins for their contents.
    """

    argv: tuple[str, ...]
    exit_code: int
    stdout: tuple[str, ...]
    stderr: tuple[str, ...]
    writes: Mapping[str, str]


def load_recording(path: Path) -> Recording:
    """Read a recording, a JSON file.

    Raises:
        ValueError: The file is not a recording.
    """
    return adapter_of(Recording).validate_json(path.read_bytes())


class RecordedExecutor(ScriptedExecutor):
    """An executor that starts nothing: it answers a command with the recording of the same argv.

    Args:
        recordings: Of those with one and the same argv, each is used once in order, and the last one again.
        places: Paths of the recordings, and what they are in this test.
    """

    def __init__(self, recordings: Iterable[Recording], places: Mapping[str, Path] | None = None) -> None:
        super().__init__(self._find)
        self._places = {old: str(new) for old, new in (places or {}).items()}
        self._recordings = [(tuple(map(self._moved, recording.argv)), recording) for recording in recordings]

    def _find(self, command: Command) -> Reply:
        found = [item for item in self._recordings if item[0] == command.argv]
        if not found:
            known = "\n".join(" ".join(argv) for argv, _ in self._recordings)
            raise LookupError(f"no recording of: {' '.join(command.argv)}\nrecorded:\n{known}")
        if len(found) > 1:
            self._recordings.remove(found[0])
        recording = found[0][1]
        return Reply(
            exit_code=recording.exit_code,
            stdout=self._text(recording.stdout),
            stderr=self._text(recording.stderr),
            writes={Path(self._moved(path)): content.encode() for path, content in recording.writes.items()},
        )

    def _text(self, lines: Iterable[str]) -> bytes:
        return "".join(f"{self._moved(line)}\n" for line in lines).encode()

    def _moved(self, text: str) -> str:
        for old, new in self._places.items():
            text = text.replace(old, new)
        return text


def make_raw_profile(content: bytes = b"") -> bytes:
    """Bytes that begin as a raw profile does; no tool could merge them."""
    return _RAW_MAGIC + _RAW_VERSION + content


def make_indexed_profile(content: bytes = b"") -> bytes:
    """Bytes that begin as a merged profile of IR level does."""
    return _INDEXED_MAGIC + _INDEXED_VERSION + content


def raw_profile_path(command: Command, *, process: int = 1) -> Path:
    """Where a process of an instrumented program would write its raw profile, by the command's LLVM_PROFILE_FILE."""
    pattern = command.env["LLVM_PROFILE_FILE"]
    return Path(pattern.replace("%4m", "5713_1").replace("%m", "5713").replace("%p", str(process)))
