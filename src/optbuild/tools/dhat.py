"""Valgrind's DHAT, which counts the allocations of a program: argv out, its file in; also files of the crate `dhat`.

Not for what the frames of a file mean: `observe/sites` decides which one names an allocation.

Sources:
    Valgrind manual, "DHAT: a dynamic heap analysis tool", https://valgrind.org/docs/manual/dh-manual.html
    The format is described in a comment of valgrind's `dhat/dh_main.c`, https://sourceware.org/git/?p=valgrind.git
    The crate `dhat`, https://docs.rs/dhat
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field, ValidationError

from optbuild.adapters import adapter_of
from optbuild.tools.heap_frame import Frame

SHORT_LIVED_INSTRUCTIONS = 500
"""Valgrind's own limit, which it also writes into its files."""

_FORMAT_VERSION = 2
_LOADER = 0x4000000
"""Where valgrind puts the dynamic loader on Linux: the program lies below, shared libraries above.

Sources: valgrind's `coregrind/m_ume/elf.c` and `m_aspacemgr`, https://sourceware.org/git/?p=valgrind.git
"""
_HEAP_MODES = frozenset({"heap", "rust-heap"})
_CALLERS = 48
"""How many frames valgrind keeps of a stack; twelve, its default, end within a chain of iterators."""
_FRAME = re.compile(r"(?P<address>0x[0-9A-Fa-f]+): (?P<function>.*) \((?P<place>[^()]*|in .*)\)")
_PLACE = re.compile(r"(?P<file>.*?):(?P<line>\d+)(?::\d+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramPoint:
    """All blocks that were allocated with the same stack.

    Attributes:
        lifetime: The lifetimes of all its blocks together, in the file's unit of time.
        peak_bytes: At the moment when the whole program had most bytes.
        frames: Places in the file's table of frames, the innermost first.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="ignore")

    total_bytes: Annotated[int, Field(alias="tb", ge=0)]
    blocks: Annotated[int, Field(alias="tbk", ge=0)]
    lifetime: Annotated[int, Field(alias="tl", ge=0)] = 0
    peak_bytes: Annotated[int, Field(alias="gb", ge=0)] = 0
    peak_blocks: Annotated[int, Field(alias="gbk", ge=0)] = 0
    end_bytes: Annotated[int, Field(alias="eb", ge=0)] = 0
    frames: Annotated[tuple[int, ...], Field(alias="fs")] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DhatProfile:
    """What one process has allocated.

    Attributes:
        mode: `heap` of valgrind, or `rust-heap` of the crate.
        knows_lifetimes: How long blocks lived is known.
        time_unit: Of lifetimes: `instrs`, or `µs`.
        short_lived: Blocks that live no longer than this are short-lived, in that unit.
        command: What was run.
        frames: What the places in `points` stand for.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="ignore")

    version: Annotated[int, Field(alias="dhatFileVersion")]
    mode: str
    knows_lifetimes: Annotated[bool, Field(alias="bklt")] = False
    time_unit: Annotated[str, Field(alias="tu")] = ""
    short_lived: Annotated[int, Field(alias="tuth")] = 0
    command: Annotated[str, Field(alias="cmd")] = ""
    points: Annotated[tuple[ProgramPoint, ...], Field(alias="pps")]
    frames: Annotated[tuple[str, ...], Field(alias="ftbl")]


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationTotal:
    """All allocations of a process.

    Attributes:
        own_blocks: Those that the program itself has asked for, and not a shared library.
    """

    blocks: int
    bytes: int
    own_blocks: int


def total_of_process(profile: DhatProfile) -> AllocationTotal:
    """Add up what a process has allocated."""
    addresses = [int(frame[2:].partition(":")[0], 16) if frame.startswith("0x") else 0 for frame in profile.frames]
    own = sum(
        point.blocks
        for point in profile.points
        # The first frame is valgrind's malloc, the second one what called it.
        if any(0 < addresses[place] < _LOADER for place in point.frames[1:2])
    )
    return AllocationTotal(
        blocks=sum(point.blocks for point in profile.points),
        bytes=sum(point.total_bytes for point in profile.points),
        own_blocks=own,
    )


def make_count_argv(valgrind: str, output: Path, argv: tuple[str, ...]) -> tuple[str, ...]:
    """The argv that counts allocations where it does not matter whose they are; one file for each process."""
    quick = ("--quiet", "--tool=dhat", "--trace-children=yes", "--num-callers=2", "--read-inline-info=no")
    return (valgrind, *quick, f"--dhat-out-file={output}.%p", *argv)


def make_heap_argv(
    valgrind: str, output: Path, argv: tuple[str, ...], *, names_inlined: bool = True
) -> tuple[str, ...]:
    """The argv that runs a program and what it starts below DHAT; one file for each process.

    Args:
        valgrind: The program.
        output: The beginning of the files' names.
        argv: What to run.
        names_inlined: Let valgrind name inlined functions; not needed where another tool names them.
    """
    return (
        valgrind,
        "--quiet",
        "--tool=dhat",
        "--trace-children=yes",
        f"--num-callers={_CALLERS}",
        "--demangle=no",
        f"--read-inline-info={'yes' if names_inlined else 'no'}",
        f"--dhat-out-file={output}.%p",
        *argv,
    )


def parse_profile(text: bytes) -> DhatProfile:
    """Read a file of DHAT or of the crate `dhat`.

    Raises:
        ValueError: It is something else, is damaged, or counts no allocations; the message says which.
    """
    try:
        found = adapter_of(DhatProfile).validate_json(text)
    except ValidationError as error:
        raise ValueError("it is not a file of DHAT, or it is cut short") from error
    if found.version != _FORMAT_VERSION:
        raise ValueError(f"it has version {found.version} of DHAT's format, and only {_FORMAT_VERSION} is known")
    if found.mode not in _HEAP_MODES:
        raise ValueError(f"it counts no allocations: its mode is {found.mode!r}")
    if any(place >= len(found.frames) or place < 0 for point in found.points for place in point.frames):
        raise ValueError("it is damaged: a stack names a frame that is not there")
    return found


def parse_frame(text: str) -> Frame | None:
    """Read a frame of the table; None for the root, which stands for no function."""
    match = _FRAME.fullmatch(text)
    if match is None:
        number, colon, name = text.partition(": ")
        return Frame(address=int(number, 16), function=name) if colon and number.startswith("0x") else None
    address, function, place = int(match["address"], 16), match["function"], match["place"]
    if place.startswith("in "):
        return Frame(address=address, function=function, object=place.removeprefix("in "))
    if (at := _PLACE.fullmatch(place)) is not None:
        return Frame(address=address, function=function, file=at["file"], line=int(at["line"]))
    return Frame(address=address, function=function, file=place or None)
