from __future__ import annotations

from pathlib import Path

import pytest

from optbuild.workloads.harness import (
    Harness,
    find_harness,
    measures_itself,
    measuring_arguments,
    training_arguments,
    without_criterions_options,
)

_HELP = {
    Harness.CRITERION: b"\nThis executable is a Criterion.rs benchmark.\nSee https://",
    Harness.DIVAN: b"sample-countDIVAN_SAMPLE_COUNTNSet the number of sampling iterations",
    Harness.LIBTEST: b"The FILTER string is tested against the name of all tests, and only those",
    Harness.GUNGRAUN: b"iai-callgrind-runnerfailed to run benchmarks: Is iai-callgrind-runner installed?",
    Harness.VALGRIND: b"valgrind--tool=callgrind--callgrind-out-file=",
    Harness.OTHER: b"usage: speed [OPTIONS]",
}


@pytest.mark.parametrize("harness", Harness)
def test_a_harness_is_known_by_its_help(harness: Harness, tmp_path: Path) -> None:
    """The text lies somewhere in the program; nothing is run to find out."""
    program = tmp_path / "speed"
    program.write_bytes(b"\x7fELF" + bytes(5000) + _HELP[harness] + bytes(300))
    assert find_harness(program) is harness


def test_options_of_criterion_are_not_for_libtest() -> None:
    """Neither they nor their values; a filter, and what both know, is left."""
    given = ("large", "--measurement-time", "0.2", "--sample-size=10", "-n", "--color", "never", "--quick", "--bench")
    assert without_criterions_options(given) == ("large", "--color", "never", "--bench")
    assert without_criterions_options(("--bench", "--warm-up-time")) == ("--bench",)


def test_criterion_is_brief_in_training() -> None:
    """One second of each bench, without the analysis that would be trained on as well."""
    assert training_arguments(Harness.CRITERION, ("--bench",)) == ("--profile-time", "1")
    assert training_arguments(Harness.CRITERION, ("large", "--bench")) == ("--profile-time", "1")


@pytest.mark.parametrize("chosen", ["--profile-time=3", "--test", "--list"])
def test_whoever_chooses_how_criterion_runs_is_left_alone(chosen: str) -> None:
    """What stands in the build profile wins; Criterion would refuse both together."""
    assert training_arguments(Harness.CRITERION, (chosen, "--bench")) == ()


def test_criterion_that_only_tests_its_benches_is_brief_as_it_is() -> None:
    """`cargo test --benches` runs each once."""
    assert training_arguments(Harness.CRITERION, ()) == ()


@pytest.mark.parametrize("harness", [Harness.LIBTEST, Harness.OTHER])
def test_other_harnesses_run_as_cargo_runs_them(harness: Harness) -> None:
    """What they would take is not known, or they are brief."""
    assert training_arguments(harness, ("--bench",)) == ()


def test_criterion_is_short_when_it_is_measured() -> None:
    """Many short runs that take turns say more than a long one; and nobody looks at its analysis or plots."""
    short = measuring_arguments(Harness.CRITERION, ("large", "--bench"))
    assert short == (
        *("--warm-up-time", "0.05", "--measurement-time", "0.1", "--sample-size", "10", "--nresamples", "1000"),
        "--noplot",
    )


def test_what_stands_in_the_build_profile_is_not_shortened() -> None:
    """Criterion refuses an option that stands twice, and a sample size beside its quick mode."""
    short = measuring_arguments(Harness.CRITERION, ("--measurement-time=2", "--noplot", "--quick", "--bench"))
    assert short == ("--warm-up-time", "0.05", "--nresamples", "1000")
    assert "--noplot" not in measuring_arguments(Harness.CRITERION, ("-n", "--bench"))


@pytest.mark.parametrize(
    ("harness", "arguments", "measures"),
    [
        (Harness.CRITERION, ("--bench",), True),
        (Harness.CRITERION, (), False),
        (Harness.CRITERION, ("--test", "--bench"), False),
        (Harness.CRITERION, ("--profile-time=3", "--bench"), False),
        (Harness.LIBTEST, ("--bench",), True),
        (Harness.LIBTEST, (), False),
        (Harness.OTHER, ("--bench",), False),
        (Harness.VALGRIND, ("--bench",), False),
    ],
)
def test_only_benches_of_a_known_kind_measure_themselves(
    harness: Harness,
    arguments: tuple[str, ...],
    measures: bool,  # noqa: FBT001 - a column of the table
) -> None:
    """Others are measured by their wall time, with the arguments that cargo gives them."""
    assert measures_itself(harness, arguments) is measures
    if not measures or harness is Harness.LIBTEST:
        assert measuring_arguments(harness, arguments) == ()


def test_divan_is_brief_in_training_and_short_when_it_is_measured() -> None:
    """By its own options, but for those that are given."""
    assert training_arguments(Harness.DIVAN, ("--bench",)) == ("--max-time", "1")
    assert training_arguments(Harness.DIVAN, ("--max-time=3", "--bench")) == ()
    assert training_arguments(Harness.DIVAN, ("--test", "--bench")) == ()
    assert measuring_arguments(Harness.DIVAN, ("parse", "--sample-count", "9", "--bench")) == (
        *("--max-time", "0.2"),
        *("--color", "never"),
    )
    assert measuring_arguments(Harness.DIVAN, ()) == ()
