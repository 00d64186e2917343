"""Valgrind's callgrind, for instruction counts on machines without counters: argv out, its file in."""

from __future__ import annotations

import re
from pathlib import Path


def make_count_argv(valgrind: str, output: Path, argv: tuple[str, ...]) -> tuple[str, ...]:
    """The argv that runs a program and what it starts on callgrind's simulated CPU; one file for each process.

    Sources:
        Valgrind manual, "Core Command-line Options" (--trace-children, %p), https://valgrind.org/docs/manual/
    """
    options = ("--quiet", "--trace-children=yes", "--tool=callgrind", f"--callgrind-out-file={output}.%p")
    return (valgrind, *options, *argv)


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
