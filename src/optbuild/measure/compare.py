"""Judge the measurements: series of superblocks in, verdicts with their intervals out.

Pure. During measuring it decides only how many rounds are needed after a pilot. `schedule` orders the runs, `sampling`
takes them, and `statistics` has the formulas.

Inside, effects are differences of logarithms; at the surface they are changes, e^θ − 1. A margin of 1% is ln 1.01 on
both sides of zero, so swapping baseline and candidate reverses every verdict.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from optbuild.measure import statistics
from optbuild.measure.model import (
    A_PRIME,
    AaCheck,
    AaVerdict,
    Analysis,
    Comparison,
    CrossCheck,
    Series,
    Superblock,
    Verdict,
)
from optbuild.measure.schedule import PILOT_ROUNDS
from optbuild.measure.statistics import Floats, Interval
from optbuild.measure.stopping import Levels, needed_superblocks
from optbuild.measure.stopping import look_again as again
from optbuild.measure.warnings import ResultWarning, WarningKind

_AA_WARNING_ALPHA = 0.05
_AA_INVALID_ALPHA = 0.002
_SHAPE_ALPHA = 0.01
# Values that are equal in exact arithmetic must be tied in the ranks: logarithms differ by a few 1e-16.
_DECIMALS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """The judging of one sequence of superblock differences; without a workload, of the suite."""

    workload: str | None
    metric: str
    baseline: str
    candidate: str
    d: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """The criteria for judging a comparison.

    Attributes:
        alpha: The error rate of its own interval.
        confidence: Of all intervals of the report together.
        margin: On the scale of logarithms.
    """

    alpha: float
    confidence: float
    margin: float


def analyse(  # noqa: PLR0913 - all that one analysis is given, by name
    series: Sequence[Series],
    *,
    baseline: str,
    candidates: Sequence[str],
    confidence: float,
    min_effect: float,
    aa: AaCheck | None = None,
    silent: Collection[str] = (),
) -> Analysis:
    """Compare every candidate with the baseline, over all workloads and on each.

    Only complete rounds count; for a candidate that left early, those in which it took part. A candidate
    that lacks a value, or has one that is not above zero, gets no ratio on that workload and none over all, with a
    warning.

    Args:
        series: One per workload.
        baseline: The arm the changes refer to.
        candidates: The other arms, without the baseline's copy.
        confidence: Of all intervals together.
        min_effect: The smallest change that matters, as a ratio.
        aa: The check of the harness, if these are not all series of the session; None computes it.
        silent: Workloads whose times prove nothing: they get no verdict, and neither does the whole suite.

    Raises:
        ValueError: Two series belong to the same workload.
    """
    complete = complete_rounds(series)
    rounds = len(complete[0].rounds) if complete else 0
    aa = aa or check_harness(suite_differences(complete, baseline, A_PRIME), min_effect=min_effect)
    if not rounds or not candidates:
        return Analysis(comparisons=(), aa=aa, warnings=tuple(_aa_warnings(aa)), half_width=None, rounds=rounds)
    margin = math.log1p(aa.margin)
    levels = Levels.of(len(candidates), len(complete), confidence)
    suite_rule = _Rule(alpha=levels.suite, confidence=confidence, margin=margin)
    cell_rule = _Rule(alpha=levels.cell, confidence=confidence, margin=margin)
    suite = _suite_questions(complete, baseline, candidates)
    cells = _cell_questions(complete, baseline, candidates)
    invalid = aa.verdict is AaVerdict.INVALID
    is_silent = any(one.workload in silent for one in complete)
    comparisons = (
        *(_compare(question, suite_rule, invalid=invalid or is_silent) for question in suite),
        *(_compare(question, cell_rule, invalid=invalid or question.workload in silent) for question in cells),
    )
    warnings = (
        *_aa_warnings(aa),
        *_missing_warnings(complete, candidates, cells),
        *(warning for one in comparisons for warning in one.warnings),
    )
    half_width = _widest_half_width(suite, suite_rule.alpha) if len(suite) == len(candidates) else None
    return Analysis(
        comparisons=comparisons,
        aa=aa,
        warnings=warnings,
        half_width=None if half_width is None else math.expm1(half_width),
        rounds=rounds,
    )


def needed_rounds(
    pilot: Sequence[Series],
    *,
    baseline: str,
    candidates: Sequence[str],
    confidence: float,
    precision: float | None,
) -> int:
    """Give the number of rounds after which every suite interval should be as narrow as requested.

    It uses the scatter of the differences and, for the automatic precision, their size, but never their significance:
    stopping by that would invalidate the level.

    Args:
        pilot: The first rounds; they stay in the final data.
        baseline: The arm the changes refer to.
        candidates: The other arms, without the baseline's copy.
        confidence: Of all intervals together.
        precision: The requested half-width, as a ratio above zero; None for the automatic one.

    Raises:
        ValueError: The pilot has fewer than two complete rounds, or two series of one workload.
    """
    complete = complete_rounds(pilot)
    done = len(complete[0].rounds) if complete else 0
    if done < 2:  # noqa: PLR2004 - one difference has no spread
        raise ValueError("a pilot has at least two complete rounds")
    if not candidates:
        return done
    levels = Levels.of(len(candidates), len(complete), confidence)
    suite = _suite_questions(complete, baseline, candidates)
    needed = (needed_superblocks(question.d, levels.suite, precision) for question in suite)
    return max(done, levels.least_rounds, *needed)


def look_again(
    series: Sequence[Series], *, baseline: str, candidates: Sequence[str], precision: float | None = None
) -> int:
    """Give the number of rounds that the automatic precision takes, after those that the pilot requested.

    A precision that was set is not reconsidered.

    Args:
        series: All rounds so far.
        baseline: The arm the changes refer to.
        candidates: The other arms, without the baseline's copy.
        precision: As in `needed_rounds`.
    """
    complete = complete_rounds(series)
    done = len(complete[0].rounds)
    if precision is not None:
        return done
    suite = _suite_questions(complete, baseline, candidates)
    return max([done, *(again(question.d, pilot=PILOT_ROUNDS) for question in suite)])


def interval_so_far(
    series: Sequence[Series], *, baseline: str, candidates: Sequence[str], confidence: float
) -> tuple[str, float, float] | None:
    """Give the suite's widest interval so far, as a candidate and the ends of its change; None if there is none yet."""
    complete = complete_rounds(series)
    alpha = Levels.of(len(candidates), len(complete), confidence).suite
    questions = _suite_questions(complete, baseline, candidates)
    known = [(q.candidate, found) for q in questions if (found := statistics.signed_rank_interval(q.d, alpha))]
    if not known:
        return None
    candidate, (low, high) = max(known, key=lambda item: item[1][1] - item[1][0])
    return candidate, math.expm1(low), math.expm1(high)


def check_harness(d: Floats | None, *, min_effect: float) -> AaCheck:
    """Judge the differences between two identical copies of the baseline; None where they were not measured."""
    if d is None or not d.size:
        return AaCheck(change=None, ci_low=None, ci_high=None, verdict=AaVerdict.UNCHECKED, margin=min_effect)
    theta = statistics.hodges_lehmann(d)
    interval = statistics.signed_rank_interval(d, _AA_WARNING_ALPHA)
    wide = statistics.signed_rank_interval(d, _AA_INVALID_ALPHA)
    verdict, margin = AaVerdict.OK, min_effect
    if d.size < PILOT_ROUNDS or interval is None or wide is None:
        verdict = AaVerdict.UNCHECKED
    elif verdict_of(wide, math.log1p(min_effect)) in {Verdict.FASTER, Verdict.SLOWER}:
        verdict = AaVerdict.INVALID
    elif not interval[0] <= 0 <= interval[1]:
        verdict, margin = AaVerdict.WARNING, max(min_effect, math.expm1(abs(theta)))
    low, high = _changes(interval)
    return AaCheck(change=math.expm1(theta), ci_low=low, ci_high=high, verdict=verdict, margin=margin)


def verdict_of(interval: Interval | None, margin: float) -> Verdict:
    """Give the verdict that an interval proves.

    Args:
        interval: On the scale of logarithms.
        margin: On the same scale.
    """
    if interval is None:
        return Verdict.INCONCLUSIVE
    low, high = interval
    if high < -margin:
        return Verdict.FASTER
    if low > margin:
        return Verdict.SLOWER
    if -margin <= low and high <= margin:
        return Verdict.SAME
    return Verdict.INCONCLUSIVE


def _compare(question: _Question, rule: _Rule, *, invalid: bool) -> Comparison:
    d = question.d
    theta = statistics.hodges_lehmann(d)
    interval = statistics.signed_rank_interval(d, rule.alpha)
    verdict = verdict_of(interval, rule.margin)
    p_value = statistics.signed_rank_p(d)
    low, high = _changes(interval)
    cross_checks = () if interval is None else tuple(_cross_checks(d, rule))
    fragile = not invalid and any(check.verdict is not verdict for check in cross_checks)
    warnings = list(_shape_warnings(question, _SHAPE_ALPHA * rule.alpha / (1 - rule.confidence)))
    if fragile:
        warnings.append(
            ResultWarning(
                kind=WarningKind.FRAGILE,
                candidate=question.candidate,
                workload=question.workload,
                words={"verdict": str(verdict)},
            )
        )
    mde = None
    if interval is not None:
        reach = max(interval[1] - theta, theta - interval[0])
        mde = math.expm1(statistics.detectable_effect(reach, d.size, rule.margin, rule.alpha))
    return Comparison(
        workload=question.workload,
        metric=question.metric,
        baseline=question.baseline,
        candidate=question.candidate,
        change=math.expm1(theta),
        ci_low=low,
        ci_high=high,
        confidence=rule.confidence,
        p_value=p_value,
        p_adjusted=min(1.0, (1 - rule.confidence) / rule.alpha * p_value),
        verdict=Verdict.INVALID if invalid else verdict,
        rounds=d.size,
        mde=mde,
        fragile=fragile,
        cross_checks=cross_checks,
        warnings=tuple(warnings),
    )


def _cross_checks(d: Floats, rule: _Rule) -> Iterator[CrossCheck]:
    for method, interval_of in (("t", statistics.t_interval), ("bca", statistics.bca_interval)):
        low, high = interval_of(d, rule.alpha)
        yield CrossCheck(
            method=method,
            ci_low=math.expm1(low),
            ci_high=math.expm1(high),
            verdict=verdict_of((low, high), rule.margin),
        )


def complete_rounds(series: Sequence[Series]) -> tuple[Series, ...]:
    """The rounds that every workload has.

    Raises:
        ValueError: Two series belong to the same workload.
    """
    if len({one.workload for one in series}) != len(series):
        raise ValueError("one series per workload")
    rounds = min((len(one.rounds) for one in series), default=0)
    return tuple(
        Series(workload=one.workload, metric=one.metric, unit=one.unit, rounds=one.rounds[:rounds]) for one in series
    )


def _suite_questions(series: Sequence[Series], baseline: str, candidates: Sequence[str]) -> tuple[_Question, ...]:
    metric = "+".join(sorted({one.metric for one in series}))
    return tuple(
        _Question(workload=None, metric=metric, baseline=baseline, candidate=candidate, d=d)
        for candidate in candidates
        if (d := suite_differences(series, baseline, candidate)) is not None
    )


def _cell_questions(series: Sequence[Series], baseline: str, candidates: Sequence[str]) -> tuple[_Question, ...]:
    return tuple(
        _Question(workload=one.workload, metric=one.metric, baseline=baseline, candidate=candidate, d=d)
        for candidate in candidates
        for one in series
        if (d := _differences(one, baseline, candidate)) is not None
    )


def suite_differences(series: Sequence[Series], baseline: str, candidate: str) -> Floats | None:
    """Average over the workloads of each round, which gives the geometric mean separate differences."""
    taking_part = [{index for index, block in enumerate(one.rounds) if candidate in block.order} for one in series]
    rounds = sorted(set.intersection(*taking_part)) if taking_part else []
    each = [_differences(one, baseline, candidate, rounds) for one in series]
    known = [d for d in each if d is not None]
    if not rounds or len(known) < len(each):
        return None
    return _rounded(np.mean(known, axis=0))


def _differences(series: Series, baseline: str, candidate: str, rounds: Iterable[int] | None = None) -> Floats | None:
    """The differences of some rounds, by default of all in which the candidate took part: it may have left since."""
    chosen = (
        [b for b in series.rounds if candidate in b.order] if rounds is None else [series.rounds[i] for i in rounds]
    )
    differences = [_difference(block, baseline, candidate) for block in chosen]
    known = [d for d in differences if d is not None]
    return None if not known or len(known) < len(chosen) else _rounded(np.array(known, dtype=np.float64))


def _difference(block: Superblock, baseline: str, candidate: str) -> float | None:
    """Both arms run equally often in a superblock, so the mean over its passes is the difference of the means."""
    arms = [block.values.get(arm, ()) for arm in (baseline, candidate)]
    if not all(values and all(0 < value < math.inf for value in values) for values in arms):
        return None
    reference, other = (math.fsum(map(math.log, values)) / len(values) for values in arms)
    return other - reference


def _rounded(d: Floats) -> Floats:
    return np.round(d, _DECIMALS) + 0.0  # no minus zero


def _changes(interval: Interval | None) -> tuple[float, float] | tuple[None, None]:
    return (None, None) if interval is None else (math.expm1(interval[0]), math.expm1(interval[1]))


def _widest_half_width(questions: Iterable[_Question], alpha: float) -> float | None:
    intervals = [statistics.signed_rank_interval(question.d, alpha) for question in questions]
    return max(((high - low) / 2 for low, high in filter(None, intervals)), default=None)


def _aa_warnings(aa: AaCheck) -> Iterator[ResultWarning]:
    kinds = {AaVerdict.INVALID: WarningKind.HARNESS_INVALID, AaVerdict.WARNING: WarningKind.HARNESS_DIFFERS}
    if kind := kinds.get(aa.verdict):
        yield ResultWarning(kind=kind, figures={"change": aa.change or 0.0, "margin": aa.margin})


def _missing_warnings(
    series: Sequence[Series], candidates: Sequence[str], cells: Sequence[_Question]
) -> Iterator[ResultWarning]:
    answered = {(cell.candidate, cell.workload) for cell in cells}
    for candidate in candidates:
        for one in series:
            if (candidate, one.workload) not in answered:
                yield ResultWarning(kind=WarningKind.NO_RATIO, candidate=candidate, workload=one.workload)


def _shape_warnings(question: _Question, alpha: float) -> Iterator[ResultWarning]:
    """The warnings about the order of a suite's differences."""
    if question.d.size < PILOT_ROUNDS or question.workload is not None:
        return
    for kind, p in (
        (WarningKind.TREND, statistics.trend_p(question.d)),
        (WarningKind.AUTOCORRELATION, statistics.serial_p(question.d)),
    ):
        if p < alpha:
            words = {"baseline": question.baseline}
            yield ResultWarning(kind=kind, candidate=question.candidate, figures={"p": p}, words=words)
