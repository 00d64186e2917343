"""Who runs what is in a test or bench program, and how that is told to be brief in training.

A bench decides by itself how often it repeats what it measures. In training one second of each is enough.
"""

from __future__ import annotations

import mmap
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path


class Harness(StrEnum):
    """What reads a program's arguments and runs its tests or benches."""

    CRITERION = "criterion"
    LIBTEST = "libtest"
    OTHER = "other"


# From the help texts: cargo does not tell, and a program that is asked may as well run all it has.
_MARKS: Mapping[Harness, bytes] = {
    Harness.CRITERION: b"This executable is a Criterion.rs benchmark",
    Harness.LIBTEST: b"The FILTER string is tested against the name of all tests",
}
_BENCH = "--bench"
# https://bheisler.github.io/criterion.rs/book/user_guide/profiling.html
_BRIEF = ("--profile-time", "1")
_OTHER_MODES = ("--profile-time", "--list", "--test", "--load-baseline")

CRITERION_HOME = "CRITERION_HOME"
"""The variable that names the directory in which Criterion keeps its results."""


def find_harness(program: Path) -> Harness:
    """Look into a program for what runs its tests or benches."""
    with program.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return next((harness for harness, mark in _MARKS.items() if content.find(mark) >= 0), Harness.OTHER)


def training_arguments(harness: Harness, arguments: tuple[str, ...]) -> tuple[str, ...]:
    """What to add to a program's arguments in training, so that it neither measures nor takes long."""
    is_chosen = any(word.partition("=")[0] in _OTHER_MODES for word in arguments)
    is_measuring = harness is Harness.CRITERION and _BENCH in arguments
    return _BRIEF if is_measuring and not is_chosen else ()
