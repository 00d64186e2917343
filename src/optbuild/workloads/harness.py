"""Recognise the harness of a test or bench program, and the options that make it brief.

A bench decides itself how often it repeats what it measures. In training, one second of each is enough. In measuring,
many short runs in turns say more than one long run, whose analysis nobody reads.
"""

from __future__ import annotations

import mmap
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from optbuild.profile.cargo_words import CargoCall, CargoVerb


class Harness(StrEnum):
    """What reads a program's arguments and runs its tests or benches.

    One for valgrind counts instructions; its duration says nothing about the program.
    """

    CRITERION = "criterion"
    LIBTEST = "libtest"
    VALGRIND = "valgrind"
    OTHER = "other"


# From the help texts: cargo does not say, and a program that is asked might run everything instead.
_MARKS: Mapping[Harness, bytes] = {
    Harness.CRITERION: b"This executable is a Criterion.rs benchmark",
    Harness.LIBTEST: b"The FILTER string is tested against the name of all tests",
}
# What starts itself under valgrind, or has a runner do so whose name says for which crate.
_VALGRIND = (b"--tool=callgrind", b"--tool=cachegrind", b"iai-callgrind-runner", b"gungraun-runner")
_BENCH = "--bench"
# https://bheisler.github.io/criterion.rs/book/user_guide/profiling.html
_BRIEF = ("--profile-time", "1")
_OTHER_MODES = ("--profile-time", "--list", "--test", "--load-baseline")
# https://bheisler.github.io/criterion.rs/book/user_guide/command_line_options.html; 10 is the smallest sample that it
# accepts
_SHORT: Mapping[str, tuple[str, ...]] = {
    "--warm-up-time": ("0.05",),
    "--measurement-time": ("0.1",),
    "--sample-size": ("10",),
    "--nresamples": ("1000",),
    "--noplot": (),
}
_QUICK = "--quick"  # which excludes a sample size

# Those that libtest does not know. Criterion 0.8, `configure_from_args`: https://docs.rs/criterion
_ALONE = ("-n", "--noplot", "-v", "--verbose", "--discard-baseline", _QUICK)
_WITH_VALUE = (
    *("-s", "--save-baseline", "-b", "--baseline", "--baseline-lenient", "--load-baseline"),
    *("--sample-size", "--warm-up-time", "--measurement-time", "--nresamples", "--noise-threshold"),
    *("--confidence-level", "--significance-level", "--profile-time", "--plotting-backend", "--output-format"),
    *("--colour",),
)

# Those with which it looks for results of earlier runs, or keeps none.
_OF_EARLIER_RUNS = ("--baseline", "-b", "--baseline-lenient", "--load-baseline", "--discard-baseline")


def find_harness(program: Path) -> Harness:
    """Find the harness in a program."""
    with program.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        marks = (*_MARKS.items(), *((Harness.VALGRIND, mark) for mark in _VALGRIND))
        return next((harness for harness, mark in marks if content.find(mark) >= 0), Harness.OTHER)


def find_option_of_criterion(call: CargoCall) -> str | None:
    """An option of Criterion's that cannot work, because each run keeps its results separate."""
    words = (word.partition("=")[0] for word in call.arguments)
    return next((word for word in words if word in _OF_EARLIER_RUNS), None) if call.verb is CargoVerb.BENCH else None


def without_criterions_options(arguments: tuple[str, ...]) -> tuple[str, ...]:
    """The arguments for Criterion that libtest may get as well: it refuses unknown options."""
    kept = []
    rest = iter(arguments)
    for word in rest:
        option, equals, _ = word.partition("=")
        if option in _WITH_VALUE:
            if not equals:
                next(rest, None)
        elif word not in _ALONE:
            kept.append(word)
    return tuple(kept)


def training_arguments(harness: Harness, arguments: tuple[str, ...]) -> tuple[str, ...]:
    """The arguments to add in training: the program should neither measure nor take long."""
    return _BRIEF if harness is Harness.CRITERION and measures_itself(harness, arguments) else ()


def measuring_arguments(harness: Harness, arguments: tuple[str, ...]) -> tuple[str, ...]:
    """The arguments to add in measuring: the program should take no longer than necessary."""
    if harness is not Harness.CRITERION or not measures_itself(harness, arguments):
        return ()
    given = {word.partition("=")[0] for word in arguments}
    given |= {"--sample-size"} if _QUICK in given else set()
    given |= {"--noplot"} if "-n" in given else set()
    return tuple(word for option, value in _SHORT.items() if option not in given for word in (option, *value))


def measures_itself(harness: Harness, arguments: tuple[str, ...]) -> bool:
    """Whether a program is asked to measure benchmarks, and reports their times in a known format."""
    if harness in {Harness.VALGRIND, Harness.OTHER} or _BENCH not in arguments:
        return False
    is_other_mode = any(word.partition("=")[0] in _OTHER_MODES for word in arguments)
    return not is_other_mode or harness is Harness.LIBTEST
