"""The order in which functions first ran, as a merged profile has it: argv out, printed text in.

Sources: LLVM, llvm-profdata show --temporal-profile-traces, https://llvm.org/docs/CommandGuide/llvm-profdata.html
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

_INDENT = "    "
_HEADING = "  Temporal Profile Trace "


def traces_argv(tool: Path, profile: Path) -> tuple[str, ...]:
    """The argv that prints the traces of a profile."""
    return (str(tool), "show", "--temporal-profile-traces", str(profile))


def parse_traces(lines: Iterable[str]) -> tuple[tuple[str, ...], ...]:
    """For each run, the mangled names of its functions in the order in which they first ran."""
    traces: list[list[str]] = []
    for line in lines:
        text = line.rstrip("\n")
        if text.startswith(_HEADING):
            traces.append([])
        elif traces and text.startswith(_INDENT):
            # A local function's name follows that of its codegen unit.
            traces[-1].append(text.strip().rpartition(";")[2])
    return tuple(map(tuple, traces))
