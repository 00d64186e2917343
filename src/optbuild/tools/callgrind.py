"""Valgrind's callgrind for instruction counts where the machine has no counters: argv out, its file in."""

from __future__ import annotations

import re
from pathlib import Path


def make_count_argv(valgrind: str, output: Path, argv: tuple[str, ...]) -> tuple[str, ...]:
    """The argv that runs a program on callgrind's simulated CPU; children are not followed."""
    return (valgrind, "--quiet", "--tool=callgrind", f"--callgrind-out-file={output}", *argv)


def parse_count(text: str) -> int:
    """Read the count of instructions (`Ir`) from a callgrind output file.

    Raises:
        ValueError: There is none: the program crashed, or uses instructions that valgrind does not know.

    Sources:
        Valgrind, "Callgrind Format Specification", https://valgrind.org/docs/manual/cl-format.html
    """
    match = re.search(r"^(?:totals|summary): (\d+)", text, re.MULTILINE)
    if match is None:
        raise ValueError("callgrind counted no instructions")
    return int(match[1])
