"""What a record says of a search, however far it got. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optbuild.making.built import Built
from optbuild.measure.model import Series
from optbuild.measure.race import Effect, Leaver, RaceRule, estimate_effect, find_pareto, repeated_interval
from optbuild.measure.statistics import Floats, hodges_lehmann
from optbuild.profile.candidates import Candidate
from optbuild.profile.tune import DEFAULT_LEVEL, Levels
from optbuild.record.history import History
from optbuild.record.search import CandidateRecord, FactorRecord, ScreeningRecord
from optbuild.units import format_percent


@dataclass(frozen=True, slots=True, kw_only=True)
class RaceFindings:
    """A race as far as it got.

    Attributes:
        series: The rounds.
        differences: Of each arm from the baseline, in the rounds in which it took part.
        first_rounds: Of the arms that took part in each round up to the first look.
        leavers: By name.
        resumed_rounds: How many rounds an earlier run had taken.
        undecided: Arms that had not left at the end, besides the winner.
        detectable: The difference from the winner that might have gone unseen there, as a ratio; None if there were too
            few rounds to say.
    """

    rule: RaceRule
    series: tuple[Series, ...]
    rounds: int
    differences: Mapping[str, Floats]
    first_rounds: Mapping[str, Floats]
    leavers: Mapping[str, Leaver]
    resumed_rounds: int
    duration_s: float
    undecided: tuple[str, ...] = ()
    detectable: float | None = None


def describe_candidates(
    candidates: Sequence[Candidate],
    built: Built,
    history: History,
    races: Sequence[RaceFindings],
    barred: Mapping[str, str],
) -> tuple[CandidateRecord, ...]:
    """Every candidate, built or not.

    Args:
        candidates: In the order of building.
        built: The outcome of the plan.
        history: How long steps took that this run reused.
        races: The screening, and the race of those that were left with combinations, as far as they got.
        barred: Why candidates that were built took no part in the race.
    """
    sizes, times = find_sizes(built), find_build_times(built, history)
    return tuple(
        _describe_candidate(each, sizes.get(each.name), times.get(each.name), built, races, barred)
        for each in candidates
    )


def find_sizes(built: Built) -> dict[str, int]:
    """The total size of each variant's binaries in bytes."""
    return {
        variant.name: built.results[variant.compile].size_bytes
        for variant in built.plan.variants
        if variant.compile is not None and built.is_built(variant)
    }


def find_build_times(built: Built, history: History) -> dict[str, float]:
    """How long each variant takes to build alone, training included; those of unknown length are missing."""
    found = {}
    for variant in built.plan.variants:
        each_s = [
            history.duration_s(step.action.id) if step.reused else step.duration_s for step in built.steps_of(variant)
        ]
        if built.is_built(variant) and each_s and None not in each_s:
            found[variant.name] = math.fsum(filter(None, each_s))
    return found


def describe_screening(race: RaceFindings) -> ScreeningRecord:
    """The race as a whole."""
    return ScreeningRecord(
        looks=race.rule.looks,
        confidence=1 - race.rule.error,
        rounds=race.rounds,
        resumed_rounds=race.resumed_rounds,
        duration_s=race.duration_s,
        undecided=race.undecided,
        detectable=race.detectable,
        series=race.series,
    )


def pareto_of(built: Built, history: History, races: Sequence[RaceFindings]) -> tuple[str, ...]:
    """The variants that no other one beats in time, size and, if it is known of all, build time."""
    sizes, times = find_sizes(built), find_build_times(built, history)
    changes = {arm: hodges_lehmann(d) for race in races for arm, d in race.differences.items() if d.size}
    names = [name for name in sizes if name in changes]
    is_timed = all(name in times for name in names)
    return find_pareto({name: (changes[name], sizes[name], times[name] if is_timed else 0.0) for name in names})


def describe_factors(
    factors: Mapping[str, Levels],
    points: Sequence[tuple[Mapping[str, Any], str]],
    race: RaceFindings | None,
) -> tuple[FactorRecord, ...]:
    """What each level is worth against the first of its factor.

    Args:
        factors: With their levels.
        points: The levels of each combination, and the arm that was measured for it.
        race: None if it has not begun.
    """
    contrasts = [(factor, levels[0], level) for factor, levels in factors.items() for level in levels[1:]]
    return tuple(
        FactorRecord(
            factor=factor,
            level=level,
            against=against,
            change=effect.change,
            ci_low=effect.ci_low,
            ci_high=effect.ci_high,
            pairs=effect.pairs,
        )
        for factor, against, level in contrasts
        for effect in [_effect(tuple(_pairs(points, factor, against, level)), race, len(contrasts))]
    )


def _effect(pairs: tuple[tuple[str, str], ...], race: RaceFindings | None, contrasts: int) -> Effect:
    if race is None:
        return Effect(change=None, ci_low=None, ci_high=None, pairs=len(pairs))
    return estimate_effect(pairs, race.first_rounds, alpha=race.rule.error / contrasts)


def _pairs(
    points: Sequence[tuple[Mapping[str, Any], str]], factor: str, against: object, level: object
) -> Iterator[tuple[str, str]]:
    """The arms with the one and with the other level that differ in nothing else."""

    def others(levels: Mapping[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in levels.items() if key != factor and value != DEFAULT_LEVEL}

    for levels, arm in points:
        if levels.get(factor, DEFAULT_LEVEL) != against:
            continue
        for other_levels, other in points:
            if other_levels.get(factor, DEFAULT_LEVEL) == level and others(levels) == others(other_levels):
                yield arm, other


def _describe_candidate(
    candidate: Candidate,
    size_bytes: int | None,
    build_s: float | None,
    built: Built,
    races: Sequence[RaceFindings],
    barred: Mapping[str, str],
) -> CandidateRecord:
    name = candidate.name
    found = [(race, d) for race in races if (d := race.differences.get(name)) is not None and d.size]
    race, d = found[-1] if found else (None, None)  # what chose it: the latest that it took part in
    leaver = None if race is None else race.leavers.get(name)
    interval = None if race is None or d is None else repeated_interval(race.rule, d)
    low, high = interval or (None, None)
    rounds = sum(d.size for _, d in found)
    return CandidateRecord(
        variant=name,
        settings=candidate.settings,
        build_s=build_s,
        size_bytes=size_bytes,
        dropped_after=None if leaver is None else rounds,
        reason=barred.get(name) or built.skipped.get(name) or (None if leaver is None else _why(leaver)),
        change=None if d is None else math.expm1(hodges_lehmann(d)),
        ci_low=low,
        ci_high=high,
        rounds=rounds,
    )


def _why(leaver: Leaver) -> str:
    return f"{format_percent(leaver.at_best)} against {leaver.leader} at best"
