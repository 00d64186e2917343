"""Lay out a linked program anew with LLVM's BOLT: argv out, its log in.

Sources:
    The options: https://github.com/llvm/llvm-project/blob/main/bolt/docs/CommandLineArgumentReference.md
    Which of them pay for programs of rustc: https://github.com/rust-lang/rust, `src/tools/opt-dist/src/bolt.rs`
    What the log says: `DynoStats` in https://github.com/llvm/llvm-project/blob/main/bolt/include/bolt/Core/DynoStats.def
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

EMIT_RELOCATIONS: Final = "-Clink-arg=-Wl,--emit-relocs"
"""BOLT moves functions by the relocations that the linker otherwise drops."""
KEEP_SYMBOLS: Final = "-Cstrip=none"
"""BOLT finds functions by their symbols.

Cargo's own `strip` would do the same, but is hashed into every mangled name: a PGO profile would fit no more.
"""
COUNTS_SUFFIX: Final = ".fdata"

_VERSION = re.compile(r"LLVM version (?P<version>(?P<major>\d+)\S*)")
_PROFILED = re.compile(
    r"BOLT-INFO: (?P<counted>\d+) out of (?P<all>\d+) functions in the binary .* non-empty execution"
)
_UNUSED = re.compile(r"BOLT-INFO: (?P<count>\d+) functions? with profile could not be optimized")
_STALE = re.compile(r"BOLT-WARNING: (?P<count>\d+) .*functions have invalid \(possibly stale\) profile")
_FIGURE = re.compile(r"^\s*(?P<number>\d+) : (?P<name>taken branches|executed instructions)\b", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class BoltFacts:
    """What BOLT reports about one program.

    Attributes:
        functions: Functions in the program.
        functions_with_counts: Those that training ran.
        unused_functions: Those with counts that it could not move.
        stale_functions: Those whose counts do not fit their code.
        taken_branches: How many branches training takes: before, and after by the same counts; None if not reported.
        instructions: How many instructions it executes, likewise.
    """

    functions: int
    functions_with_counts: int
    unused_functions: int = 0
    stale_functions: int = 0
    taken_branches: tuple[int, int] | None = None
    instructions: tuple[int, int] | None = None


def version_argv(tool: Path) -> tuple[str, ...]:
    """The argv that makes it print its version."""
    return (str(tool), "--version")


def parse_version(text: str) -> tuple[str, int]:
    """Read the version of its LLVM, and the major.

    Raises:
        ValueError: There is no LLVM version in it.
    """
    match = _VERSION.search(text)
    if match is None or "BOLT" not in text:
        raise ValueError("its output does not name BOLT and its LLVM")
    return match["version"], int(match["major"])


def instrument_argv(tool: Path, *, program: Path, output: Path, counts: Path) -> tuple[str, ...]:
    """The argv that makes a program count where it goes.

    Args:
        tool: The program `llvm-bolt`.
        program: With relocations and symbols.
        output: The instrumented program.
        counts: Where it writes when it ends: this path, with its process ID and `.fdata` appended.
    """
    return (
        str(tool),
        str(program),
        "-o",
        str(output),
        "-instrument",
        f"--instrumentation-file={counts}",
        "--instrumentation-file-append-pid",
    )


def optimise_argv(
    tool: Path, *, program: Path, output: Path, counts: Path, is_aarch64: bool, keeps_debug: bool
) -> tuple[str, ...]:
    """The argv that lays out a program by its counts.

    Not with pages of 2 MiB, which align the code to them in the file: one of 0.5 MB becomes one of 6 MB.

    Args:
        tool: The program `llvm-bolt`.
        program: The one that was instrumented.
        output: The program to make.
        counts: Merged counts.
        is_aarch64: It is for that architecture, for which BOLT cannot split functions in three.
        keeps_debug: Let its debug information follow the moved code; otherwise that is dropped.
    """
    return (
        str(tool),
        str(program),
        "-o",
        str(output),
        f"-data={counts}",
        "-reorder-blocks=ext-tsp",
        "-reorder-functions=cdsort",
        "-split-functions",
        f"-split-strategy={'profile2' if is_aarch64 else 'cdsplit'}",
        "-split-all-cold",
        "-jump-tables=move",
        "-icf=all",
        "--no-huge-pages",
        "-dyno-stats",
        *(("-update-debug-sections",) if keeps_debug else ()),
    )


def parse_facts(log: str) -> BoltFacts:
    """Read what BOLT reports when it has laid out a program.

    Raises:
        ValueError: It does not say how many functions have counts.
    """
    profiled = _PROFILED.search(log)
    if profiled is None:
        raise ValueError("it does not say how many functions have counts")
    return BoltFacts(
        functions=int(profiled["all"]),
        functions_with_counts=int(profiled["counted"]),
        unused_functions=_count(_UNUSED, log),
        stale_functions=_count(_STALE, log),
        taken_branches=_before_and_after("taken branches", log),
        instructions=_before_and_after("executed instructions", log),
    )


def _count(pattern: re.Pattern[str], log: str) -> int:
    match = pattern.search(log)
    return 0 if match is None else int(match["count"])


def _before_and_after(name: str, log: str) -> tuple[int, int] | None:
    """The first and the last table of the whole program; where nothing changed there is one."""
    found = [int(match["number"]) for match in _FIGURE.finditer(log) if match["name"] == name]
    return (found[0], found[-1]) if found else None
