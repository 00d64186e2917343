"""Ask which functions were inlined at addresses: argv out, the answer in.

LLVM's symbolizer and GNU addr2line answer in the same form; LLVM's knows all of what LLVM has written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = ("llvm-symbolizer", "llvm-addr2line", "addr2line")
"""By preference."""

_ADDRESS = re.compile(r"0x[0-9a-f]+")
_PLACE = re.compile(r"(?P<file>.*):(?P<line>\d+|\?)(?: \(discriminator \d+\))?")
_UNKNOWN = "??"


def make_argv(program: str, file: Path) -> tuple[str, ...]:
    """The argv that reads addresses from standard input, one a line, and says what is there.

    Sources:
        https://llvm.org/docs/CommandGuide/llvm-symbolizer.html, addr2line(1)
    """
    style = ("--output-style=GNU", "--no-demangle") if "symbolizer" in Path(program).name else ()
    return (program, *style, "-f", "-i", "-a", "-e", str(file))


def render_addresses(addresses: list[int]) -> str:
    """What it reads."""
    return "".join(f"{address:#x}\n" for address in addresses)


def parse_functions(text: str) -> Mapping[int, tuple[str, ...]]:
    """The functions at each address, the innermost first; the last one is the function that has been compiled."""
    return dict(_read(text.splitlines()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A function at an address, and where in the source that is.

    Attributes:
        symbol: As the file has it, mangled; empty if it is not known.
        file: Its source file; None if it is not known.
    """

    symbol: str
    file: str | None = None
    line: int | None = None


def parse_places(text: str) -> Mapping[int, tuple[Place, ...]]:
    """The functions at each address with their places in the source, the innermost first."""
    return {address: tuple(_pair(answer)) for address, answer in _group(text.splitlines())}


def _pair(answer: list[str]) -> Iterator[Place]:
    for name, place in zip(answer[::2], answer[1::2], strict=False):
        match = _PLACE.fullmatch(place)
        file = None if match is None or match["file"] == _UNKNOWN else match["file"]
        line = int(match["line"]) if match is not None and match["line"].isdigit() else 0
        yield Place(symbol="" if name == _UNKNOWN else name, file=file, line=line or None)


def _read(lines: list[str]) -> Iterator[tuple[int, tuple[str, ...]]]:
    for address, answer in _group(lines):
        # A function and its place in the source take turns.
        yield address, tuple(name for name in answer[::2] if name != _UNKNOWN)


def _group(lines: list[str]) -> Iterator[tuple[int, list[str]]]:
    """What is said of each address, line by line."""
    address, answer = None, list[str]()
    for line in [*lines, "0x0"]:
        if _ADDRESS.fullmatch(line) is None:
            answer.append(line)
            continue
        if address is not None:
            yield address, answer
        address, answer = int(line, 16), []
