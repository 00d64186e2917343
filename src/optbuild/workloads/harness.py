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

    Gungraun, formerly iai-callgrind, and what else starts valgrind count instructions; their duration says nothing
    about the program.
    """

    CRITERION = "criterion"
    DIVAN = "divan"
    LIBTEST = "libtest"
    GUNGRAUN = "gungraun"
    VALGRIND = "valgrind"
    OTHER = "other"


# From the help texts, or the variables that they name: cargo does not tell, and a program that is asked may run all it
# has.
_MARKS: Mapping[Harness, bytes] = {
    Harness.CRITERION: b"This executable is a Criterion.rs benchmark",
    Harness.DIVAN: b"DIVAN_SAMPLE_COUNT",
    Harness.LIBTEST: b"The FILTER string is tested against the name of all tests",
}
# The runner that starts valgrind for such a bench, and the options of one that does it itself.
_RUNNERS = (b"gungraun-runner", b"iai-callgrind-runner")
_VALGRIND = (b"--tool=callgrind", b"--tool=cachegrind")
_BENCH = "--bench"
# https://bheisler.github.io/criterion.rs/book/user_guide/profiling.html; of Divan, what its `--help` says
_BRIEF: Mapping[Harness, Mapping[str, tuple[str, ...]]] = {
    Harness.CRITERION: {"--profile-time": ("1",)},
    Harness.DIVAN: {"--max-time": ("1",)},
}
_OTHER_MODES = ("--profile-time", "--list", "--test", "--load-baseline")
# https://bheisler.github.io/criterion.rs/book/user_guide/command_line_options.html; 10 is the smallest sample it takes
_SHORT: Mapping[Harness, Mapping[str, tuple[str, ...]]] = {
    Harness.CRITERION: {
        "--warm-up-time": ("0.05",),
        "--measurement-time": ("0.1",),
        "--sample-size": ("10",),
        "--nresamples": ("1000",),
        "--noplot": (),
    },
    Harness.DIVAN: {"--max-time": ("0.2",), "--sample-count": ("50",), "--color": ("never",)},
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
        marks = (
            *_MARKS.items(),
            *((Harness.GUNGRAUN, mark) for mark in _RUNNERS),
            *((Harness.VALGRIND, mark) for mark in _VALGRIND),
        )
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
    """What to add to a program's arguments in training, so that it neither measures nor takes long."""
    return _added(_BRIEF, harness, arguments)


def measuring_arguments(harness: Harness, arguments: tuple[str, ...]) -> tuple[str, ...]:
    """What to add to a program's arguments when it is measured, so that it takes no longer than it has to."""
    return _added(_SHORT, harness, arguments)


def _added(
    options: Mapping[Harness, Mapping[str, tuple[str, ...]]], harness: Harness, arguments: tuple[str, ...]
) -> tuple[str, ...]:
    """Those options of a harness that are not given."""
    if not measures_itself(harness, arguments):
        return ()
    given = {word.partition("=")[0] for word in arguments}
    given |= {"--sample-size"} if _QUICK in given else set()
    given |= {"--noplot"} if "-n" in given else set()
    own = options.get(harness, {})
    return tuple(word for option, value in own.items() if option not in given for word in (option, *value))


def measures_itself(harness: Harness, arguments: tuple[str, ...]) -> bool:
    """Whether a program is asked to measure benchmarks, and reports their times in a known format."""
    if harness in {Harness.GUNGRAUN, Harness.VALGRIND, Harness.OTHER} or _BENCH not in arguments:
        return False
    is_other_mode = any(word.partition("=")[0] in _OTHER_MODES for word in arguments)
    return not is_other_mode or harness is Harness.LIBTEST


def counts_itself(harness: Harness, arguments: tuple[str, ...]) -> bool:
    """Whether a program is asked to run benchmarks, and reports their instructions in a known format."""
    return harness is Harness.GUNGRAUN and _BENCH in arguments
