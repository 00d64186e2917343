"""Name the functions at the addresses of a program, inlined ones included: llvm-symbolizer or addr2line.

Both print the same: an address, then for each function, the innermost first, its name and its place.

Sources:
    llvm-symbolizer, "--output-style=GNU", https://llvm.org/docs/CommandGuide/llvm-symbolizer.html
    addr2line, https://sourceware.org/binutils/docs/binutils/addr2line.html
    rustc's escapes in legacy names: `compiler/rustc_symbol_mangling/src/legacy.rs`, https://github.com/rust-lang/rust
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_LLVM = "llvm-symbolizer"
_PLACE = re.compile(r"(?P<file>.*):(?P<line>\d+|\?)(?: \(discriminator \d+\))?")
_HASH = re.compile(r"::h[0-9a-f]{16}(?=$|\.)")
_SUFFIX = re.compile(r"\.(?:llvm|lto_priv|cold|part|constprop|warm)\b[.\w]*$")
_ESCAPE = re.compile(r"\$(?:u([0-9a-f]+)|(\w+))\$")
_ESCAPES = {"SP": "@", "BP": "*", "RF": "&", "LT": "<", "GT": ">", "LP": "(", "RP": ")", "C": ","}
_BEFORE_ESCAPE = re.compile(r"(^|::)_(?=\$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedFunction:
    """A function at an address.

    Attributes:
        function: Its path without hashes; empty if it is not known.
        file: Its source file, if that is known.
    """

    function: str
    file: str | None
    line: int | None


def list_programs(llvm_major: int | None) -> tuple[str, ...]:
    """The programs that can do it, the best first: addr2line takes much longer for a large program."""
    versioned = () if llvm_major is None else (f"{_LLVM}-{llvm_major}",)
    return (_LLVM, *versioned, "addr2line")


def make_argv(program: Path, binary: Path) -> tuple[str, ...]:
    """The argv that reads addresses from standard input, one a line."""
    style = ("--output-style=GNU",) if program.name.startswith(_LLVM) else ()
    return (str(program), *style, "--addresses", "--functions", "--inlines", "--demangle", f"--exe={binary}")


def parse_names(text: str) -> Mapping[int, tuple[NamedFunction, ...]]:
    """The functions at each address, the innermost first."""
    found: dict[int, tuple[NamedFunction, ...]] = {}
    names: list[NamedFunction] = []
    lines = iter(text.splitlines())
    for line in lines:
        if line.startswith("0x"):
            names = []
            address = int(line, 16)
        elif line:
            names.append(_parse_function(line, next(lines, "")))
            found[address] = tuple(names)
    return found


def _parse_function(name: str, place: str) -> NamedFunction:
    match = _PLACE.fullmatch(place)
    file = None if match is None or match["file"] == "??" else match["file"]
    line = int(match["line"]) if match is not None and match["line"].isdigit() else None
    return NamedFunction(function="" if name == "??" else readable_path(name), file=file, line=line or None)


def readable_path(name: str) -> str:
    """A function's path as Rust writes it, without the hash and the suffixes that differ between two builds.

    A demangler for C++ leaves rustc's escapes in a legacy name: `_$LT$T$u20$as$u20$core..fmt..Debug$GT$::fmt`.
    """
    name = _SUFFIX.sub("", _HASH.sub("", _SUFFIX.sub("", name)))
    if _ESCAPE.search(name) is None:
        return name
    name = _BEFORE_ESCAPE.sub(r"\1", name)
    return _ESCAPE.sub(_unescape, name).replace("..", "::")


def _unescape(match: re.Match[str]) -> str:
    if match[1] is not None:
        return chr(int(match[1], 16))
    return _ESCAPES.get(match[2], match[0])
