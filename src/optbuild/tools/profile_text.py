"""A merged profile as text: the functions' records, one after another.

Pure: `build` runs the tool that writes and reads it.

Sources:
    LLVM, llvm-profdata merge --text: https://llvm.org/docs/CommandGuide/llvm-profdata.html; the format is that of
    `TextInstrProfReader` in LLVM's lib/ProfileData/InstrProfReader.cpp
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionRecord:
    """The record of one function in a profile.

    Attributes:
        hash: Of its control flow.
        lines: The whole record after its name: hash, counters, and the recorded values.
    """

    name: str
    hash: int
    lines: tuple[str, ...]


_TRACES = ":temporal_prof_traces"
"""Begins the order in which functions first ran: the last part of the header, up to a blank line."""


def read_header(lines: Iterable[str]) -> Iterator[str]:
    """The lines before the first record that say how the program was instrumented."""
    for line in lines:
        if not line.startswith(("#", ":")) or line.rstrip() == _TRACES:
            return
        yield line


def read_records(lines: Iterable[str]) -> Iterator[FunctionRecord]:
    """The records of a profile.

    Raises:
        ValueError: A record is not as expected.
    """
    block: list[str] = []
    is_trace = False
    for line in chain(lines, ("",)):
        is_trace = line.rstrip() == _TRACES or (is_trace and bool(line.strip()))
        if is_trace:
            continue
        if line.strip():
            # Text before the first record's name is the header of the file.
            block += [] if not block and line.startswith(("#", ":")) else [line.rstrip("\n")]
        elif block:
            name, *rest = block
            numbers = (line for line in rest if not line.startswith("#"))
            yield FunctionRecord(name=name, hash=int(next(numbers, "")), lines=tuple(rest))
            block = []


def write_record(name: str, record: FunctionRecord) -> str:
    """A record's text under a given name."""
    return "\n".join((name, *record.lines, "", ""))


def map_records(lines: Iterable[str], change: Callable[[FunctionRecord], FunctionRecord]) -> Iterator[str]:
    """The text of a profile with other records; what stands before the first one stays as it is.

    Raises:
        ValueError: A record is not as expected.
    """
    lines, is_trace = iter(lines), False
    for line in lines:
        is_trace = line.rstrip() == _TRACES or (is_trace and bool(line.strip()))
        if not is_trace and line.strip() and not line.startswith(("#", ":")):
            for record in map(change, read_records(chain((line,), lines))):
                yield write_record(record.name, record)
            return
        yield line
