"""heaptrack, which logs the allocations of a program while the CPU itself runs it: its parts, and its data file.

The data file is read, and not what `heaptrack_print` says of it: that text is for people, has the largest sites only,
and no sum of bytes; the stacks that it writes for flame graphs have neither files nor lines. The file has a version,
and heaptrack's own viewers read earlier ones.

Sources:
    heaptrack's `src/analyze/accumulatedtracedata.cpp`, which reads the file, and
    `src/interpret/heaptrack_interpret.cpp`, which writes it, https://invent.kde.org/sdk/heaptrack
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from optbuild.tools.heap_frame import Frame

PROGRAM = "heaptrack"
_VERSIONS = frozenset({2, 3})
_SIZED_STRINGS = 3
"""From this version on the length of a text stands before it."""
_RAW = frozenset({b"x", b"m"})
_LIBRARY = re.compile(r"\.so(?:\.[\d.]+)?$|^linux-vdso|^linux-gate")
_CXX_DEMANGLED = re.compile(r".*::h[0-9a-f]{16}")
_RELATIVE = re.compile(r'^(LIB|LIBEXEC)_REL_PATH="([^"$]+)"$', re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heaptrack:
    """The parts of an installed heaptrack.

    Attributes:
        library: What is loaded into a program and logs its allocations.
        interpreter: What gives that log the names of functions.
    """

    library: Path
    interpreter: Path


def parse_script(text: str, directory: Path) -> Heaptrack | None:
    """Where the parts are, by the script `heaptrack`; None if it does not say so.

    The script itself is of no use for a workload: it prints on the program's standard output, and a signal to it does
    not reach the program.

    Args:
        text: What is in the script.
        directory: Where it is.
    """
    found = {match[1]: directory / match[2] for match in _RELATIVE.finditer(text)}
    if found.keys() != {"LIB", "LIBEXEC"}:
        return None
    return Heaptrack(
        library=found["LIB"] / "libheaptrack_preload.so", interpreter=found["LIBEXEC"] / "heaptrack_interpret"
    )


def make_variables(heaptrack: Heaptrack, output: Path, env: Mapping[str, str]) -> dict[str, str]:
    """The environment in which a program logs its allocations; what it starts does not.

    Args:
        heaptrack: Where its parts are.
        output: Where the log is written.
        env: The program's own environment.
    """
    preloaded = ":".join(filter(None, (str(heaptrack.library), env.get("LD_PRELOAD"))))
    return {**env, "LD_PRELOAD": preloaded, "DUMP_HEAPTRACK_OUTPUT": str(output)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """All blocks that were allocated with the same stack.

    Attributes:
        temporary: Blocks that were freed before another one was allocated.
        peak_bytes: At the moment when the whole program had most bytes.
        frames: The innermost first, inlined functions included.
    """

    total_bytes: int
    blocks: int
    temporary: int
    peak_bytes: int
    peak_blocks: int
    end_bytes: int
    frames: tuple[Frame, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaptrackProfile:
    """What one process has allocated.

    Attributes:
        command: What was run.
    """

    command: str
    traces: tuple[Trace, ...]


def parse_profile(lines: Iterable[bytes]) -> HeaptrackProfile:
    """Read a data file of heaptrack, uncompressed.

    Raises:
        ValueError: It is something else, or is damaged; the message says which.
    """
    reader = _Reader()
    allocate, free = reader.tally.allocate, reader.tally.free
    try:
        for line in lines:
            mode, rest = line[:1], line[2:]
            if mode == b"+":
                allocate(int(rest, 16))
            elif mode == b"-":
                free(int(rest, 16))
            else:
                reader.read(mode, rest.rstrip(b"\n"))
    except _UnusableError:
        raise
    except (IndexError, ValueError) as error:  # a number that is none, a table's row that is missing
        raise ValueError("it is damaged, or cut short") from error
    if reader.version is None:
        raise ValueError("it is not a data file of heaptrack")
    return HeaptrackProfile(command=reader.command, traces=tuple(reader.traces_with_names()))


class _UnusableError(ValueError):
    """The file is sound, but of another kind."""


@dataclass(slots=True)
class _Tally:
    """Counts what is allocated and freed, by kinds of blocks: those of one size and one stack."""

    sizes: list[int] = field(default_factory=list)
    blocks: list[int] = field(default_factory=list)
    freed: list[int] = field(default_factory=list)
    temporary: list[int] = field(default_factory=list)
    at_peak: list[int] = field(default_factory=list)
    since_peak: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    live_bytes: int = 0
    peak_bytes: int = 0
    last: int | None = None

    def add_kind(self, size: int) -> None:
        self.sizes.append(size)
        for counts in (self.blocks, self.freed, self.temporary, self.at_peak):
            counts.append(0)

    def allocate(self, kind: int) -> None:
        self.blocks[kind] += 1
        self.since_peak[kind] += 1
        self.last = kind
        self.live_bytes += self.sizes[kind]
        if self.live_bytes > self.peak_bytes:
            self.peak_bytes = self.live_bytes
            for each, more in self.since_peak.items():
                self.at_peak[each] += more
            self.since_peak.clear()

    def free(self, kind: int) -> None:
        self.freed[kind] += 1
        self.since_peak[kind] -= 1
        self.live_bytes -= self.sizes[kind]
        if self.last == kind:
            self.temporary[kind] += 1
        self.last = None


@dataclass(slots=True)
class _Reader:
    """Remembers the tables of a file; numbers of their rows begin with one, and zero is none."""

    version: int | None = None
    command: str = ""
    strings: list[str] = field(default_factory=lambda: [""])
    places: list[tuple[Frame, ...]] = field(default_factory=lambda: [()])
    calls: list[tuple[int, int]] = field(default_factory=lambda: [(0, 0)])
    stacks: list[int] = field(default_factory=list)
    tally: _Tally = field(default_factory=_Tally)

    def read(self, mode: bytes, rest: bytes) -> None:
        if self.version is None and mode != b"v":
            raise _UnusableError("it is not a data file of heaptrack")
        if mode in _RAW:
            raise _UnusableError("it is raw, without names of functions: write it without heaptrack's option --raw")
        if (reading := _READING.get(mode)) is not None:
            reading(self, rest)

    def read_version(self, rest: bytes) -> None:
        version = int(rest.split()[1], 16)
        if version not in _VERSIONS:
            raise _UnusableError(f"it has version {version} of heaptrack's format, and only 2 and 3 are known")
        self.version = version

    def read_command(self, rest: bytes) -> None:
        self.command = rest.decode("utf-8", "replace")

    def read_string(self, rest: bytes) -> None:
        text = rest if self.version != _SIZED_STRINGS else rest.partition(b" ")[2]
        self.strings.append(text.decode("utf-8", "replace"))

    def read_place(self, rest: bytes) -> None:
        address, module, *functions = (int(word, 16) for word in rest.split())
        if len(functions) == 1:
            functions += (0, 0)  # a name without a place
        where = self.strings[module]
        is_library = _LIBRARY.search(PurePosixPath(where).name) is not None
        self.places.append(
            tuple(
                Frame(
                    address=address,
                    function=_as_mangled(self.strings[function]),
                    file=self.strings[file] or None,
                    line=line or None,
                    object=where if is_library or not function else None,
                )
                for function, file, line in zip(*[iter(functions)] * 3, strict=True)
            )
        )

    def read_call(self, rest: bytes) -> None:
        place, parent = rest.split()
        self.calls.append((int(place, 16), int(parent, 16)))

    def read_kind(self, rest: bytes) -> None:
        size, call = rest.split()
        self.tally.add_kind(int(size, 16))
        self.stacks.append(int(call, 16))

    def traces_with_names(self) -> Iterable[Trace]:
        """What was counted, by stack."""
        of_stack: dict[int, list[int]] = defaultdict(list)
        for kind, call in enumerate(self.stacks):
            of_stack[call].append(kind)
        count = self.tally
        for call, kinds in of_stack.items():
            yield Trace(
                total_bytes=sum(count.sizes[kind] * count.blocks[kind] for kind in kinds),
                blocks=sum(count.blocks[kind] for kind in kinds),
                temporary=sum(count.temporary[kind] for kind in kinds),
                peak_bytes=sum(count.sizes[kind] * count.at_peak[kind] for kind in kinds),
                peak_blocks=sum(count.at_peak[kind] for kind in kinds),
                end_bytes=sum(count.sizes[kind] * (count.blocks[kind] - count.freed[kind]) for kind in kinds),
                frames=tuple(self._frames_of(call)),
            )

    def _frames_of(self, call: int) -> Iterable[Frame]:
        while call:
            place, call = self.calls[call]
            yield from self.places[place]


_READING: Mapping[bytes, Callable[[_Reader, bytes], None]] = {
    b"v": _Reader.read_version,
    b"X": _Reader.read_command,
    b"s": _Reader.read_string,
    b"i": _Reader.read_place,
    b"t": _Reader.read_call,
    b"a": _Reader.read_kind,
}


def _as_mangled(name: str) -> str:
    """Undo what heaptrack does to legacy names of rustc: it reads them as names of C++, `$LT$` and all."""
    if _CXX_DEMANGLED.fullmatch(name) is None:
        return name
    return "_ZN" + "".join(f"{len(part)}{part}" for part in name.split("::")) + "E"
