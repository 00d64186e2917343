"""Simulate searches in stages: what a screening keeps of the combinations, and what that costs.

The rules are those of a search itself (`optbuild.session.race`); nothing is written again here.
"""

from __future__ import annotations

import itertools
import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from optbuild.measure.model import Series, Superblock
from optbuild.measure.race import make_rule
from optbuild.measure.statistics import Floats
from optbuild.profile.stages import Stages, make_stages
from optbuild.session.race import Race
from validation.document import Table
from validation.experiments import source
from validation.noise import MODELS, NoiseModel, simulate_differences
from validation.rates import Rate, rate_of, worst

_BASELINE = "release"
_FACTORS: Mapping[str, tuple[str, ...]] = {
    "lto": ("thin", "fat"),
    "target-cpu": ("default", "v3"),
    "hot-count": ("default", "p95", "p90"),
}
_LEVELS = [dict(zip(_FACTORS, chosen, strict=True)) for chosen in itertools.product(*_FACTORS.values())]
_NAMES = ["-".join(levels.values()) for levels in _LEVELS]
_STAGES = make_stages(_FACTORS, zip(_LEVELS, _NAMES, strict=True), baseline=_BASELINE)
_PREFERENCE = {name: place for place, name in enumerate((_BASELINE, *_NAMES))}
_BASELINE_EFFECT = 0.08
_MARGIN = 0.01
_ERROR = 0.05

Truth = Callable[[Mapping[str, str]], float]
"""What a combination of levels brings, on the scale of logarithms."""


def nothing_pays(_generator: np.random.Generator) -> Truth:
    """No level brings anything."""
    return lambda _levels: 0.0


def two_pay(_generator: np.random.Generator) -> Truth:
    """Fat LTO brings 3%, the CPU 2%, and together they bring both."""
    return _added({"fat": -0.03, "v3": -0.02})


def all_spread(generator: np.random.Generator) -> Truth:
    """Every level brings something or costs it, with a standard deviation of 2%; it adds up."""
    return _added({level: generator.normal(0.0, 0.02) for level in ("fat", "v3", "p95", "p90")})


def no_more_together(_generator: np.random.Generator) -> Truth:
    """Fat LTO and the CPU bring 3% each, and no more together."""
    return lambda levels: -0.03 if "fat" in levels.values() or "v3" in levels.values() else 0.0


def only_together(_generator: np.random.Generator) -> Truth:
    """Neither fat LTO nor the CPU brings anything alone, and together they bring 3%."""
    return lambda levels: -0.03 if {"fat", "v3"} <= set(levels.values()) else 0.0


def _added(effects: Mapping[str, float]) -> Truth:
    return lambda levels: sum(effects.get(level, 0.0) for level in levels.values())


ADDITIVE: Mapping[str, Callable[[np.random.Generator], Truth]] = {
    "nothing pays": nothing_pays,
    "two levels pay": two_pay,
    "levels spread by 2%": all_spread,
}
INTERACTING: Mapping[str, Callable[[np.random.Generator], Truth]] = {
    "no more together": no_more_together,
    "only together": only_together,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outing:
    """What one simulated search in stages came to.

    Attributes:
        lost_best: The best of the arms that were built left, although it beats the one that it left for.
        near_best: The winner is at most 1% slower than the best of all, built or not.
        built: How many of the candidates were built.
        turns: Of arms in races.
    """

    lost_best: bool
    near_best: bool
    built: int
    turns: int


def search(model: NoiseModel, generator: np.random.Generator, truth: Truth, sigma: float) -> Outing:
    """Simulate one search: a screening, and a race with the combinations that it promises."""
    effects = {name: truth(levels) for name, levels in zip(_NAMES, _LEVELS, strict=True)}
    effects[_BASELINE] = _BASELINE_EFFECT
    first = [name for name in _NAMES if name not in _STAGES.combined]
    screening = _make_race((_BASELINE, *first), _ERROR, _STAGES)
    turns = _run(screening, model, generator, effects, sigma)
    races, built = [screening], set(first)
    if screening.goes_on_elsewhere and screening.promise is not None:
        left = [name for name in first if name not in screening.leavers]
        built.update(screening.promise.kept)
        error = screening.rule.error_left(screening.looked)
        races.append(_make_race((_BASELINE, *left, *screening.promise.kept), error, Stages()))
        races[-1].leavers |= {arm: own for arm, own in screening.leavers.items() if arm == _BASELINE}
        turns += _run(races[-1], model, generator, effects, sigma)
    winner = races[-1].winner()
    best = min(built, key=lambda name: effects[name])
    return Outing(
        lost_best=any(_is_lost(race, best, effects) for race in races),
        near_best=effects[winner] - min(effects.values()) <= math.log1p(_MARGIN),
        built=len(built),
        turns=turns,
    )


def make_stage_tables(seed: int, searches: int, sigma: float) -> list[Table]:
    """Simulate every scene under every noise."""
    return [_make_table(scenes, seed, searches, sigma) for scenes in (ADDITIVE, INTERACTING)]


def _make_table(
    scenes: Mapping[str, Callable[[np.random.Generator], Truth]], seed: int, searches: int, sigma: float
) -> Table:
    is_additive = scenes is ADDITIVE
    rows, found = [], list[tuple[Rate, Rate]]()
    for scene, make_truth in scenes.items():
        for name, model in MODELS.items():
            generator = source(seed, "stages", scene, name)
            outings = [search(model, generator, make_truth(generator), sigma) for _ in range(searches)]
            lost = rate_of(np.array([each.lost_best for each in outings]))
            near = rate_of(np.array([each.near_best for each in outings]))
            built, turns = np.mean([each.built for each in outings]), np.mean([each.turns for each in outings])
            found.append((lost, near))
            rows.append((scene, name, str(lost), str(near), f"{built:.1f} of {len(_NAMES)}", f"{turns:,.0f}"))
            sys.stderr.write(f"{scene}, {name}: {lost}, {near}, {built:.1f} built, {turns:,.0f} turns\n")
    outcomes = [outcome for lost, near in found for outcome in (lost.against(0.0, 0.05), near.against(0.9, 1.0))]
    scenes_text = " ".join(f"*{scene}*: {(make.__doc__ or '').strip()}" for scene, make in scenes.items())
    return Table(
        title="Stages, where levels add up" if is_additive else "Stages, where levels act on each other",
        target="best arm lost in at most 5%, winner within 1% of the best in at least 90%" if is_additive else None,
        text=(
            "Twelve candidates, of two levels of LTO, two CPUs and three hot counts, each with PGO, 8% faster than the "
            "baseline where no level pays. Five are built first; combinations only if these promise it. The best arm "
            "is *lost* if it was built and left by mistake; *within 1%* is against the best of all twelve, built or "
            f"not. {searches:,} searches per row. {scenes_text}"
        ),
        header=("truth", "noise", "best arm lost", "within 1%", "built", "turns of arms in races"),
        rows=tuple(rows),
        outcome=worst(outcomes) if is_additive else None,
        remark=f"A row is undecided where {searches:,} searches are too few to tell its rate from the border.",
    )


def _make_race(arms: tuple[str, ...], error: float, stages: Stages) -> Race:
    return Race(
        rule=make_rule(len(arms), min_effect=_MARGIN, error=error),
        baseline=_BASELINE,
        preference={arm: _PREFERENCE[arm] for arm in arms},
        stages=stages,
    )


def _run(
    race: Race, model: NoiseModel, generator: np.random.Generator, effects: Mapping[str, float], sigma: float
) -> int:
    """Run a race to its end; return the turns of its arms, the baseline's copy included."""
    arms = (_BASELINE, *(arm for arm in race.preference if arm != _BASELINE))
    true = np.array([effects[arm] - effects[_BASELINE] for arm in arms])
    d = dict(zip(arms, simulate_differences(model, generator, true, race.rule.looks[-1], sigma), strict=True))
    blocks: list[Superblock] = []
    gone: frozenset[str] = frozenset()
    turns = 0
    for look in race.rule.looks:
        here = [arm for arm in arms if arm == _BASELINE or arm not in gone]
        blocks += [_superblock(here, d, index) for index in range(len(blocks), look)]
        gone = race((Series(workload="w", metric="wall", unit="s", rounds=tuple(blocks)),))
        if len(set(arms) - gone - {_BASELINE}) <= 1:
            break
    turns += sum(len(block.order) + 1 for block in blocks)
    return turns


def _superblock(arms: list[str], d: Mapping[str, Floats], index: int) -> Superblock:
    return Superblock(order=tuple(arms), values={arm: (math.exp(d[arm][index]),) for arm in arms})


def _is_lost(race: Race, best: str, effects: Mapping[str, float]) -> bool:
    """Whether the best arm left by mistake."""
    leaver = race.leavers.get(best)
    if leaver is None:
        return False
    needed = math.log1p(_MARGIN) if race.preference[leaver.leader] < race.preference[best] else 0.0
    return effects[best] < effects[leaver.leader] - needed
