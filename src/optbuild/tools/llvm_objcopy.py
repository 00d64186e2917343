"""Rename symbols of a linked program, and strip it, with LLVM's tools: argv out.

Never with GNU's: what its `strip` makes of a program that BOLT has laid out dies of a segmentation fault.

Sources: https://llvm.org/docs/CommandGuide/llvm-objcopy.html, https://llvm.org/docs/CommandGuide/llvm-strip.html
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path

LONGEST_NAME = 1000
"""How long a symbol's name may be in a program that BOLT instruments.

A line of counts has two names. LLVM 22 writes it from a buffer of 10,240 bytes, and aborts the program if it is larger;
generic code of Rust has names of more than 11,000.
"""


class Keep(StrEnum):
    """What a program keeps of its symbols, in the order of what is left."""

    ALL = "all"
    NO_DEBUG = "no-debug"
    NONE = "none"


SHORT = "optbuild_long_"
"""What the other names of such symbols begin with."""


def short_names(names: Iterable[str]) -> dict[str, str]:
    """Another name for each one that is too long, the same in every program."""
    long = (name for name in names if len(name) > LONGEST_NAME)
    return {name: f"{SHORT}{hashlib.sha256(name.encode()).hexdigest()[:24]}" for name in long}


def long_names(short: Iterable[str], names: Mapping[str, str]) -> dict[str, str]:
    """The names that symbols had, with what BOLT has appended for their parts.

    Args:
        short: Names in a program that BOLT has laid out.
        names: From `short_names`.
    """
    old = {new: name for name, new in names.items()}
    length = len(next(iter(old), ""))
    return {name: old[name[:length]] + name[length:] for name in short if name[:length] in old}


def render_renamings(names: Mapping[str, str]) -> str:
    """The file that `--redefine-syms` reads."""
    return "".join(f"{old} {new}\n" for old, new in sorted(names.items()))


def rename_argv(tool: Path, *, renamings: Path, program: Path, output: Path) -> tuple[str, ...]:
    """The argv that renames symbols."""
    return (str(tool), f"--redefine-syms={renamings}", str(program), str(output))


def strip_argv(tool: Path, *, keep: Keep, relocations: Iterable[str], program: Path, output: Path) -> tuple[str, ...]:
    """The argv that removes what a program need not keep.

    Args:
        tool: The program `llvm-strip`.
        keep: What it keeps.
        relocations: Sections with relocations that only BOLT has read.
        program: What to strip.
        output: What is left.
    """
    what = {Keep.ALL: "--no-strip-all", Keep.NO_DEBUG: "--strip-debug", Keep.NONE: "--strip-all"}[keep]
    removed = (f"--remove-section={section}" for section in relocations)
    return (str(tool), what, *removed, "-o", str(output), str(program))
