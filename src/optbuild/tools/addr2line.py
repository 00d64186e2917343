"""Ask which functions were inlined at addresses: argv out, the answer in.

LLVM's symbolizer and GNU addr2line answer in the same form; LLVM's knows all of what LLVM has written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

PROGRAMS = ("llvm-symbolizer", "llvm-addr2line", "addr2line")
"""By preference."""

_ADDRESS = re.compile(r"0x[0-9a-f]+")
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


def _read(lines: list[str]) -> Iterator[tuple[int, tuple[str, ...]]]:
    address, answer = None, list[str]()
    for line in [*lines, "0x0"]:
        if _ADDRESS.fullmatch(line) is None:
            answer.append(line)
            continue
        if address is not None:
            # A function and its place in the source take turns.
            yield address, tuple(name for name in answer[::2] if name != _UNKNOWN)
        address, answer = int(line, 16), []
