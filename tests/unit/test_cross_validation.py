from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest

from optbuild.measure.compare import check_harness
from optbuild.measure.cross_validation import cross_validate
from optbuild.measure.families import folds_of
from optbuild.measure.model import AaVerdict, Comparison, CrossValidation, Series, Verdict, held_out_arm
from tests.unit.test_compare import analysis_of, make_series

HELD_OUT = held_out_arm("pgo")
OK = check_harness(None, min_effect=0.01)


def fold(workload: str, *, trained: float = -0.25, held_out: float = -0.10, **more: float) -> Series:
    """A workload on which PGO saves so much, trained on it and not."""
    effects = {"pgo": math.log1p(trained), HELD_OUT: math.log1p(held_out), **more}
    return make_series(effects, workload=workload)


def show(series: Sequence[Series], *variants: str) -> CrossValidation:
    """The cross-validation of `pgo`, or of the named variants."""
    shown = cross_validate(
        series, baseline="release", variants=variants or ("pgo",), confidence=0.95, min_effect=0.01, aa=OK
    )
    assert shown is not None
    return shown


def by_workload(comparisons: Sequence[Comparison]) -> dict[str | None, Comparison]:
    """The comparisons of one candidate."""
    return {item.workload: item for item in comparisons}


def test_what_was_not_trained_on_stands_beside_what_was() -> None:
    """Over all folds and on each: the gain that was learnt, the one that is left elsewhere, and what that costs."""
    shown = show([fold("books"), fold("logs", held_out=-0.2)])
    assert shown.workloads == ("books", "logs")
    trained, held_out = by_workload(shown.trained), by_workload(shown.held_out)
    optimism = by_workload(shown.optimism)
    assert trained.keys() == held_out.keys() == optimism.keys() == {None, "books", "logs"}
    assert held_out["books"].change == pytest.approx(-0.1, abs=0.005)
    assert held_out["logs"].change == pytest.approx(-0.2, abs=0.005)
    assert held_out[None].change == pytest.approx(math.sqrt(0.9 * 0.8) - 1, abs=0.005)
    assert trained[None].change == pytest.approx(-0.25, abs=0.005)
    assert (optimism["books"].baseline, optimism["books"].candidate) == ("pgo", HELD_OUT)
    assert optimism["books"].change == pytest.approx(0.9 / 0.75 - 1, abs=0.01)
    assert [optimism[name].verdict for name in (None, "books", "logs")] == [Verdict.SLOWER] * 3


def test_the_folds_are_a_family_of_their_own() -> None:
    """Their intervals are those of a session in which nothing else was asked."""
    series = [fold("books", lto=-0.02), fold("logs", lto=-0.02)]
    shown = show(series)
    assert shown.held_out == analysis_of(series, [HELD_OUT]).comparisons
    one_of_three = [c for c in analysis_of(series, ["lto", "pgo", HELD_OUT]).comparisons if c.candidate == HELD_OUT]
    assert all(alone.p_adjusted < shared.p_adjusted for alone, shared in zip(shown.held_out, one_of_three, strict=True))


def test_a_workload_that_was_not_left_out_is_no_fold() -> None:
    """It is measured, and counts neither for the one nor for the other."""
    measured = make_series({"pgo": -0.5}, workload="held out")
    shown = show([measured, fold("books"), fold("logs")])
    assert shown.workloads == ("books", "logs")
    assert show([fold("books"), fold("logs")]) == shown


def test_several_variants_are_compared_over_the_same_folds() -> None:
    """Where one of them lacks a fold, the mean over it would be another one's mean."""
    other = held_out_arm("small")
    both = fold("books", small=-0.1, **{other: -0.05})
    one = fold("logs", small=-0.1)
    assert [series.workload for series in folds_of([both, one], ("pgo", "small"))] == ["books"]
    assert {item.candidate for item in show([both, one], "pgo", "small").held_out} == {HELD_OUT, other}


def test_without_folds_there_is_nothing_to_say() -> None:
    """No variant was tried so, or no round was taken."""
    nothing = {"baseline": "release", "confidence": 0.95, "min_effect": 0.01, "aa": OK}
    assert cross_validate([fold("books")], variants=(), **nothing) is None  # type: ignore[arg-type]
    empty = replace(fold("books"), rounds=())
    assert cross_validate([empty], variants=("pgo",), **nothing) is None  # type: ignore[arg-type]


def test_the_harness_is_checked_once_for_the_whole_session() -> None:
    """Where two identical copies differed, no fold has a verdict either; the margin is the session's."""
    invalid = replace(OK, verdict=AaVerdict.INVALID)
    shown = cross_validate(
        [fold("books")], baseline="release", variants=("pgo",), confidence=0.95, min_effect=0.01, aa=invalid
    )
    assert shown is not None
    comparisons = (*shown.trained, *shown.held_out, *shown.optimism)
    assert {item.verdict for item in comparisons} == {Verdict.INVALID}
    wide = cross_validate(
        [fold("books")],
        baseline="release",
        variants=("pgo",),
        confidence=0.95,
        min_effect=0.01,
        aa=replace(OK, margin=0.5),
    )
    assert wide is not None
    assert {item.verdict for item in wide.held_out} == {Verdict.SAME}


def test_warnings_are_about_what_was_left_out() -> None:
    """What concerns the variants themselves is said once, by the analysis of all."""
    noisy = make_series({"pgo": -0.2, HELD_OUT: -0.012}, workload="books", noise=0.01)
    shown = show([noisy])
    assert all(warning.candidate == HELD_OUT for warning in shown.warnings)


def test_an_arm_that_stands_for_what_was_left_out_is_no_variant() -> None:
    """Names of variants have no blank."""
    assert held_out_arm("pgo") == "pgo held-out"
