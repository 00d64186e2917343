"""The race of a search: who leaves at which look, who wins, and what each factor is worth. Pure.

All arms take turns with the baseline. At looks that are fixed beforehand, an arm leaves once it is proven that it
cannot beat the arm in front by the margin. An arm that is preferred where times do not decide, because it is cheaper or
safer, leaves only once it is proven slower than the arm in front; and that one leaves once it is proven that it cannot
beat a preferred one by half the margin. Where the arm that would win now is preferred to all others, and none of them
can beat it by the margin, all of them leave: what is left to find out is less than the smallest difference that
matters.

The proof is the exact signed-rank test of the rounds' differences between the two arms, whose distribution under a
random sign of each is known. It is one-sided, at the error rate of the whole race, divided by the number of looks and
by the number of arms that could be in front (Bonferroni). So the best arm leaves by mistake in at most that share of
all races, whatever arm was in front at which look.

The winner was chosen for its times, so its own rounds flatter it: what it gains is measured again, in fresh rounds.

Sources:
    C. Jennison, B. Turnbull: Group Sequential Methods with Applications to Clinical Trials, 1999, chapters 7 (spending
    an error rate over looks) and 9 (repeated confidence intervals).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from optbuild.measure import statistics
from optbuild.measure.statistics import Floats

LOOKS = 6
"""How often a race may let arms leave."""
_GROWTH = 1.6
_TIE_SHARE = 0.5
"""Of the margin: arms that lie closer together than this are equally fast."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RaceRule:
    """When arms leave.

    Attributes:
        arms: How many take part, the baseline included.
        margin: The smallest difference that matters, on the scale of logarithms.
        error: In how many races the best arm may leave by mistake.
        looks: After which rounds arms may leave; the race ends with the last.
    """

    arms: int
    margin: float
    error: float
    looks: tuple[int, ...]

    @property
    def alpha(self) -> float:
        """The one-sided error rate of one test."""
        return self.error / (len(self.looks) * max(1, self.arms - 1))

    def error_left(self, looks: int) -> float:
        """What a race that follows may err after so many looks of this one."""
        return self.error * (1 - looks / len(self.looks))


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaver:
    """An arm that leaves.

    Attributes:
        rounds: After how many rounds.
        leader: The arm that it cannot beat.
        at_best: By how much less than that one's time it may take at best, as a change; negative is less.
    """

    arm: str
    rounds: int
    leader: str
    at_best: float


def make_rule(arms: int, *, min_effect: float, error: float) -> RaceRule:
    """The rule for a number of arms, the baseline included.

    The first look comes as soon as a proof is possible at all; the others follow at growing distances, for the error of
    an estimate falls with the square root of the rounds.

    Args:
        arms: At least two.
        min_effect: The smallest difference that matters, as a ratio.
        error: In how many races the best arm may leave by mistake.
    """
    first = statistics.least_rounds(2 * error / (LOOKS * max(1, arms - 1)))
    looks = tuple(math.ceil(first * _GROWTH**look) for look in range(LOOKS))
    return RaceRule(arms=arms, margin=math.log1p(min_effect), error=error, looks=looks)


def find_leavers(rule: RaceRule, d: Mapping[str, Floats], preference: Mapping[str, int]) -> tuple[Leaver, ...]:
    """Who leaves now; nobody between two looks.

    Args:
        rule: Of the race.
        d: The differences of each arm that is still there from the baseline, one for each round so far; the baseline's
            are zero.
        preference: Less is preferred where times do not decide; by arm, all different.
    """
    rounds = len(next(iter(d.values())))
    if rounds not in rule.looks:
        return ()
    leader = find_leader(d)
    leavers = []
    for arm in d:
        others = [each for each in d if preference[each] < preference[arm]] if arm == leader else [leader]
        for other in others:
            at_best = _at_best(rule, d[arm] - d[other])
            if at_best is not None and at_best > _needed(rule, arm, other, leader, preference):
                leavers.append(Leaver(arm=arm, rounds=rounds, leader=other, at_best=math.expm1(at_best)))
                break
    gone = {leaver.arm for leaver in leavers}
    return (*leavers, *_find_beaten({arm: own for arm, own in d.items() if arm not in gone}, rule, preference))


def _find_beaten(d: Mapping[str, Floats], rule: RaceRule, preference: Mapping[str, int]) -> tuple[Leaver, ...]:
    """All but the arm that would win now, if it is preferred to them and none of them can beat it by the margin."""
    winner = choose_winner(rule, d, preference)
    beaten = []
    for arm in d.keys() - {winner}:
        at_best = _at_best(rule, d[arm] - d[winner])
        if preference[arm] < preference[winner] or at_best is None or at_best <= -rule.margin:
            return ()
        beaten.append(Leaver(arm=arm, rounds=d[arm].size, leader=winner, at_best=math.expm1(at_best)))
    return tuple(sorted(beaten, key=lambda leaver: preference[leaver.arm]))


def _at_best(rule: RaceRule, d: Floats) -> float | None:
    """The least difference that is not refuted; None if there are too few rounds to refute any."""
    interval = statistics.signed_rank_interval(_rounded(d), 2 * rule.alpha)
    return None if interval is None else interval[0]


def _needed(rule: RaceRule, arm: str, other: str, leader: str, preference: Mapping[str, int]) -> float:
    """What an arm has to be able to reach against another one to stay."""
    if arm == leader:
        return -_TIE_SHARE * rule.margin
    return 0.0 if preference[arm] < preference[other] else -rule.margin


def find_leader(d: Mapping[str, Floats]) -> str:
    """The arm with the least estimated time."""
    return min(d, key=lambda arm: statistics.hodges_lehmann(d[arm]))


def choose_winner(rule: RaceRule, d: Mapping[str, Floats], preference: Mapping[str, int]) -> str:
    """The winner of those that are still there: the fastest, or one that is preferred and as fast as that.

    Args:
        rule: Of the race.
        d: As in `find_leavers`.
        preference: As in `find_leavers`.
    """
    leader = find_leader(d)
    near = _TIE_SHARE * rule.margin
    tied = [arm for arm, own in d.items() if statistics.hodges_lehmann(_rounded(own - d[leader])) <= near]
    return min({leader, *tied}, key=lambda arm: preference[arm])


def find_undecided(
    rule: RaceRule, d: Mapping[str, Floats], *, winner: str, baseline: str
) -> tuple[tuple[str, ...], float | None]:
    """The candidates that are left besides the winner, and how large a difference from it might have gone unseen.

    A race is decided once one candidate is left at most: how that compares with the baseline is confirmed anyway.

    Args:
        rule: Of the race.
        d: As in `find_leavers`.
        winner: Of those.
        baseline: The arm that is not a candidate.

    Returns:
        The arms, and the widest half-width of their intervals as a ratio; None if there are too few rounds for one.
    """
    candidates = d.keys() - {baseline}
    if len(candidates) <= 1:
        return (), None
    others = tuple(arm for arm in d if arm in candidates - {winner})
    widths = [statistics.signed_rank_interval(_rounded(d[arm] - d[winner]), 2 * rule.alpha) for arm in others]
    known = [(high - low) / 2 for low, high in filter(None, widths)]
    return others, math.expm1(max(known)) if known and len(known) == len(others) else None


def repeated_interval(rule: RaceRule, d: Floats) -> tuple[float, float] | None:
    """The interval of an arm's change that holds at whatever look the arm left, for all arms together."""
    interval = statistics.signed_rank_interval(_rounded(d), rule.alpha)
    return None if interval is None else (math.expm1(interval[0]), math.expm1(interval[1]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What one level of a factor changes against another, over all pairs of arms that differ in nothing else.

    Attributes:
        change: Of the time; None without a pair that was measured.
        ci_low: None if there are too few rounds for an interval.
        pairs: How many pairs of arms there are.
    """

    change: float | None
    ci_low: float | None
    ci_high: float | None
    pairs: int


def estimate_effect(pairs: Sequence[tuple[str, str]], d: Mapping[str, Floats], *, alpha: float) -> Effect:
    """Estimate what a level is worth, by the rounds in which all arms took part.

    Later rounds lack those arms that left, and which ones they were depends on the values.

    Args:
        pairs: The arm with the other level, and the one with this level.
        d: The differences of each arm from the baseline, as many for each.
        alpha: The error rate of the interval.
    """
    known = [d[arm] - d[other] for other, arm in pairs if other in d and arm in d]
    if not known or not known[0].size:
        return Effect(change=None, ci_low=None, ci_high=None, pairs=len(known))
    mean = _rounded(np.mean(known, axis=0))
    interval = statistics.signed_rank_interval(mean, alpha)
    low, high = (None, None) if interval is None else map(math.expm1, interval)
    change = math.expm1(statistics.hodges_lehmann(mean))
    return Effect(change=change, ci_low=low, ci_high=high, pairs=len(known))


def find_pareto(points: Mapping[str, tuple[float, ...]]) -> tuple[str, ...]:
    """The names that no other one beats: none is at most as large in every dimension and smaller in one."""
    return tuple(
        name
        for name, own in points.items()
        if not any(all(a <= b for a, b in zip(other, own, strict=True)) and other != own for other in points.values())
    )


def _rounded(d: Floats) -> Floats:
    """Without the last digits: values that are equal in exact arithmetic must be tied in the ranks."""
    return np.round(d, 12) + 0.0
