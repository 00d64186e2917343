"""Which combinations of changes promise to pay, by what each change brings alone. Pure.

Changes are taken to add up, on the scale of logarithms: what a combination brings is the sum of what its changes bring.
It is foreseen by estimates, and at best by the better ends of their intervals. Where changes act on each other, a
combination may bring more than is foreseen here, and is then not built: that is the limit of a search in stages.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from optbuild.measure import statistics
from optbuild.measure.statistics import Floats
from optbuild.profile.stages import Change, Stages
from optbuild.units import format_percent

_IDLE_SHARE = 0.25
"""Of the margin: a change that brings less than this alone brings nothing, and several of them hardly more."""
_DECIMALS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What a change brings, on the scale of logarithms; negative is less.

    Attributes:
        low: The better end of its interval.
        high: The worse end.
    """

    estimate: float
    low: float
    high: float

    def is_idle(self, margin: float) -> bool:
        """Whether it brings nothing by its estimate."""
        return self.estimate >= 0 or self.estimate > -_IDLE_SHARE * margin

    def is_clear(self, margin: float) -> bool:
        """Whether more rounds would hardly change what it promises."""
        idle = -_IDLE_SHARE * margin
        return self.low > idle or self.high < idle or self.high - self.low <= 2 * margin


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """Which combinations are built.

    Attributes:
        kept: Those that are, the most promising first.
        refused: Why the others are not.
    """

    kept: tuple[str, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)


def estimate_changes(stages: Stages, d: Mapping[str, Floats], *, alpha: float) -> dict[Change, Effect]:
    """Estimate what each change brings that was measured alone, by the rounds that its arm shares with the reference.

    Args:
        stages: The arms.
        d: The differences of each arm from the baseline, in the first so many rounds.
        alpha: The error rate of all intervals together.
    """
    effects = {}
    own = d.get(stages.reference)
    for change, arm in stages.alone.items():
        if arm == stages.reference:
            effects[change] = Effect(estimate=0.0, low=0.0, high=0.0)
        elif arm in d and own is not None:
            rounds = min(d[arm].size, own.size)
            gap: Floats = np.round(d[arm][:rounds] - own[:rounds], _DECIMALS) + 0.0
            interval = statistics.signed_rank_interval(gap, alpha / len(stages.alone))
            if interval is not None:
                estimate = statistics.hodges_lehmann(gap)
                effects[change] = Effect(estimate=estimate, low=interval[0], high=interval[1])
    return effects


def find_doubtful(stages: Stages, effects: Mapping[Change, Effect], *, margin: float) -> frozenset[str]:
    """The arms that have to stay, because what a change brings is not clear yet; none where nothing waits for it."""
    if not stages.combined:
        return frozenset()
    doubtful = {stages.alone[change] for change, effect in effects.items() if not effect.is_clear(margin)}
    return frozenset({*doubtful, stages.reference}) if doubtful else frozenset()


def find_promising(
    stages: Stages, effects: Mapping[Change, Effect], measured: Mapping[str, float], *, margin: float
) -> Promise:
    """Choose the combinations that are worth building.

    Each change must bring something alone; and the combination must be able to beat, by the margin, the best arm that
    was measured, and the combination that is foreseen as the best.

    Args:
        stages: What each combination changes.
        effects: Of each change that was measured alone.
        measured: What each measured arm brings against the reference.
        margin: The smallest difference that matters.
    """
    refused = {name: reason for name, own in stages.combined.items() if (reason := _find_idle(own, effects, margin))}
    foreseen = {
        name: sum(effects[change].estimate for change in changes)
        for name, changes in stages.combined.items()
        if name not in refused
    }
    ranked = sorted(foreseen, key=lambda name: (foreseen[name], name))
    for rival in (*sorted(measured, key=lambda arm: measured[arm])[:1], *ranked[:1]):
        for name in ranked:
            if name != rival and (at_best := _at_best(name, rival, stages, effects, measured)) > -margin:
                figure = format_percent(math.expm1(at_best))
                reason = f"not built: {figure} against {rival} at best, by what its settings bring alone"
                refused.setdefault(name, reason)
    return Promise(kept=tuple(name for name in ranked if name not in refused), refused=refused)


def _find_idle(changes: tuple[Change, ...], effects: Mapping[Change, Effect], margin: float) -> str | None:
    """Which of some changes speaks against all of them."""
    for change in changes:
        if change not in effects:
            return f"not built: {change} alone could not be measured"
        if effects[change].is_idle(margin):
            figure = format_percent(math.expm1(effects[change].estimate))
            return f"not built: {change} alone brought nothing ({figure})"
    return None


def _at_best(
    name: str, rival: str, stages: Stages, effects: Mapping[Change, Effect], measured: Mapping[str, float]
) -> float:
    """How much less a combination may take than a rival at best."""
    changes, others = stages.combined[name], stages.changes_of(rival)
    if others is None:
        return sum(effects[each].low for each in changes) - measured[rival]
    more = sum(effects[each].low for each in changes if each not in others)
    return more - sum(effects[each].high for each in others if each not in changes)
