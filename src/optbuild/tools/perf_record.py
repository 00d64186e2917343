"""`perf record` and `perf script`: argv out, the text of a recording in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

KERNEL = "[kernel]"
_KERNEL_MODULES = ("[kernel", "[guest.kernel")
_KERNEL_HALF = 1 << 63
_OBSERVER = "perf-exec"  # perf itself, before it has become the program

_FIELDS = "comm,pid,tid,period,event,ip,sym,symoff,dso"
_SAMPLE = re.compile(r"(?P<thread>.*?)\s+-?\d+/-?\d+\s+(?P<period>\d+)\s+(?P<event>\S+):\s*$")
_FRAME = re.compile(r"\s+(?P<ip>[0-9a-f]+) (?P<symbol>.+?)(?:\+0x[0-9a-f]+)? \((?P<module>.*)\)\s*$")
_LOST = re.compile(r"PERF_RECORD_LOST(?:_SAMPLES)?\s+lost\s+(\d+)")


class CallGraph(StrEnum):
    """How the callers of a sampled instruction are found."""

    FRAME_POINTERS = "fp"
    """By the chain of frame pointers, which the program must have been built with."""
    DWARF = "dwarf"
    """By unwinding a copy of the stack afterwards: for any program, but slow, and cut where the copy ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PerfFrame:
    """A frame as perf shows it.

    Attributes:
        offset: Where the instruction is in its module's file; for the kernel, its address.
        symbol: Mangled; `[unknown]` without one.
        module: The path of a file, or a name in brackets.
    """

    offset: int
    symbol: str
    module: str

    @property
    def is_kernel(self) -> bool:
        """Whether it is in the kernel."""
        return self.module.startswith(_KERNEL_MODULES) or self.offset >= _KERNEL_HALF


@dataclass(frozen=True, slots=True, kw_only=True)
class PerfSample:
    """A sample as perf shows it.

    Attributes:
        thread: The name of the thread.
        period: What the event counted since the sample before; for `cpu-clock`, nanoseconds.
        frames: From the innermost to the outermost, as perf writes them.
    """

    thread: str
    event: str
    period: int
    frames: tuple[PerfFrame, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """Samples that perf could not keep."""

    count: int


def make_record_argv(
    perf: str, output: Path, argv: tuple[str, ...], *, event: str, frequency_hz: int, call_graph: CallGraph
) -> tuple[str, ...]:
    """The argv that runs a program and everything that it starts, and samples their stacks.

    Sources:
        perf-record(1), https://man7.org/linux/man-pages/man1/perf-record.1.html
    """
    graph = "dwarf,16384" if call_graph is CallGraph.DWARF else str(call_graph)
    options = ("--quiet", "--event", event, "--freq", str(frequency_hz), "--call-graph", graph)
    quick = ("--no-buildid", "--no-buildid-cache")  # collecting them takes as long as a short program
    return (perf, "record", *options, *quick, "--output", str(output), "--", *argv)


def make_script_argv(perf: str, recording: Path) -> tuple[str, ...]:
    """The argv that writes a recording as text.

    Names stay mangled, so that they can be read apart from perf's version; inlined functions are found afterwards,
    because perf asks for each of them separately.

    Sources:
        perf-script(1), https://man7.org/linux/man-pages/man1/perf-script.1.html
    """
    shown = ("--no-demangle", "--no-inline", "--show-lost-events", "--fields", _FIELDS)
    return (perf, "script", "--input", str(recording), "--force", *shown)


def read_script(lines: Iterable[str]) -> Iterator[PerfSample | Lost]:
    """Read what `perf script` writes; whatever is not a sample is skipped.

    Args:
        lines: Its output. It may be large, so it is read as it comes.

    Sources:
        `sample__fprintf_callchain` and `perf_event__fprintf_lost` in Linux's tools/perf/util: the address of a frame
        outside the kernel is its offset in the file.
    """
    begun: re.Match[str] | None = None
    frames: list[PerfFrame] = []
    for line in lines:
        if begun is not None and (frame := _FRAME.match(line)) is not None:
            frames.append(_read_frame(frame))
            continue
        if begun is not None:
            yield from _finish(begun, frames)
            begun, frames = None, []
        if (lost := _LOST.search(line)) is not None:
            yield Lost(count=int(lost[1]))
            continue
        begun = _SAMPLE.match(line)
    if begun is not None:
        yield from _finish(begun, frames)


def _read_frame(match: re.Match[str]) -> PerfFrame:
    return PerfFrame(offset=int(match["ip"], 16), symbol=match["symbol"], module=match["module"])


def _finish(begun: re.Match[str], frames: list[PerfFrame]) -> Iterator[PerfSample]:
    thread = begun["thread"].strip()
    if thread != _OBSERVER:
        yield PerfSample(thread=thread, event=begun["event"], period=int(begun["period"]), frames=tuple(frames))
