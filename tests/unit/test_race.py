"""Who leaves a race, who wins it, and what its factors are worth."""

from __future__ import annotations

import math

import numpy as np
import pytest

from optbuild.measure.model import Series, Superblock
from optbuild.measure.race import (
    RaceRule,
    choose_winner,
    estimate_effect,
    find_leavers,
    find_pareto,
    make_rule,
    repeated_interval,
)
from optbuild.measure.statistics import Floats, critical_rank_sum
from optbuild.session.race import Race

PREFERENCE = {"release": 0, "lto": 1, "pgo": 2, "wide": 3}


def around(change: float, rounds: int, *, seed: int, spread: float = 0.002) -> Floats:
    """Differences that scatter around a change."""
    return math.log1p(change) + np.random.default_rng(seed).normal(0.0, spread, rounds)


def field_of(rounds: int, **changes: float) -> dict[str, Floats]:
    """The differences of some arms, and the baseline's."""
    d = {arm: around(change, rounds, seed=number) for number, (arm, change) in enumerate(changes.items())}
    return {"release": np.zeros(rounds), **d}


@pytest.mark.parametrize("arms", [2, 5, 13, 40])
def test_the_first_look_is_the_first_that_can_prove_anything(arms: int) -> None:
    """One round less, and no arm could leave whatever the times are."""
    rule = make_rule(arms, min_effect=0.01, error=0.05)
    assert critical_rank_sum(rule.looks[0], 2 * rule.alpha) is not None
    assert critical_rank_sum(rule.looks[0] - 1, 2 * rule.alpha) is None
    assert sorted(set(rule.looks)) == list(rule.looks)


def test_all_tests_of_a_race_share_its_error() -> None:
    """Looks times arms that could be in front times the error of one test is the error of the race."""
    rule = make_rule(13, min_effect=0.01, error=0.05)
    assert rule.alpha * len(rule.looks) * 12 == pytest.approx(0.05)


def test_between_two_looks_nobody_leaves() -> None:
    """Looking more often would err more often."""
    rule = make_rule(2, min_effect=0.01, error=0.05)
    d = field_of(rule.looks[0] + 1, lto=0.5)
    assert find_leavers(rule, d, PREFERENCE) == ()


def test_an_arm_leaves_that_cannot_beat_the_one_in_front() -> None:
    """Both are faster than the baseline, which is slower than either; one is far ahead."""
    rule = make_rule(3, min_effect=0.01, error=0.05)
    d = field_of(rule.looks[0], lto=-0.05, pgo=-0.2)
    leavers = {each.arm: each for each in find_leavers(rule, d, PREFERENCE)}
    assert leavers.keys() == {"release", "lto"}
    assert leavers["lto"].leader == "pgo"
    assert leavers["lto"].at_best == pytest.approx(0.95 / 0.8 - 1, abs=0.01)


def test_a_preferred_arm_stays_while_it_may_be_as_fast() -> None:
    """It need not be faster: between equals it wins. The other one leaves, as it cannot beat the preferred one."""
    rule = make_rule(3, min_effect=0.01, error=0.05)
    rounds = rule.looks[-1]
    noise = np.random.default_rng(5).normal(0.0, 0.001, rounds)
    d = {"release": np.zeros(rounds), "lto": math.log(0.9) + noise, "pgo": math.log(0.8999) - noise}
    assert {each.arm for each in find_leavers(rule, d, PREFERENCE)} == {"release", "pgo"}


def test_a_race_ends_where_nobody_can_beat_the_preferred_arm_by_the_margin() -> None:
    """Half the margin is not proven, and need not be: nothing that matters is left to find out."""
    rule = make_rule(3, min_effect=0.01, error=0.05)
    rounds = rule.looks[2]
    noise = np.random.default_rng(5).normal(0.0, 0.005, rounds)
    noise -= noise.mean()
    d = {"lto": math.log(0.9) + noise, "pgo": math.log(0.898) - noise}
    (leaver,) = find_leavers(rule, d, PREFERENCE)
    assert (leaver.arm, leaver.leader) == ("pgo", "lto")
    assert -0.01 < leaver.at_best < -0.005
    wider = {"lto": math.log(0.9) + 2 * noise, "pgo": math.log(0.892) - 2 * noise}
    assert choose_winner(rule, wider, PREFERENCE) == "pgo"
    assert find_leavers(rule, wider, PREFERENCE) == (), "the preferred arm may still be as fast"


def test_a_preferred_arm_that_is_slower_leaves() -> None:
    """By 2%, beyond all doubt."""
    rule = make_rule(2, min_effect=0.01, error=0.05)
    d = field_of(rule.looks[0], lto=-0.1, pgo=-0.12)
    assert "lto" in {each.arm for each in find_leavers(rule, d, PREFERENCE)}


@pytest.mark.parametrize(("pgo", "winner"), [(-0.2, "pgo"), (-0.103, "lto"), (-0.05, "lto")])
def test_ties_go_to_the_preferred_arm(pgo: float, winner: str) -> None:
    """Closer than half the margin is a tie."""
    rule = make_rule(3, min_effect=0.01, error=0.05)
    assert choose_winner(rule, field_of(60, lto=-0.1, pgo=pgo), PREFERENCE) == winner


def test_the_baseline_wins_where_nobody_is_faster() -> None:
    """A search may find that everything is well as it is."""
    rule = make_rule(3, min_effect=0.01, error=0.05)
    assert choose_winner(rule, field_of(60, lto=0.001, pgo=0.05), PREFERENCE) == "release"


def test_an_interval_that_holds_at_every_look_is_wider() -> None:
    """It pays for the looks and for the other arms."""
    d = around(-0.1, 30, seed=3)
    few, many = (make_rule(arms, min_effect=0.01, error=0.05) for arms in (2, 40))
    narrow, wide = repeated_interval(few, d), repeated_interval(many, d)
    assert narrow is not None
    assert wide is not None
    assert wide[0] < narrow[0] < -0.1 < narrow[1] < wide[1]


def test_a_factor_is_worth_what_pairs_differ_by() -> None:
    """Averaged over pairs that differ in nothing else; unknown where there are too few rounds."""
    d = {"a": around(0.0, 12, seed=1), "b": around(-0.1, 12, seed=2), "c": around(0.1, 12, seed=3)}
    effect = estimate_effect([("a", "b"), ("a", "gone")], d, alpha=0.05)
    assert effect.change == pytest.approx(-0.1, abs=0.005)
    assert effect.ci_low is not None
    assert effect.pairs == 1
    few = estimate_effect([("a", "b")], {arm: own[:3] for arm, own in d.items()}, alpha=0.05)
    assert (few.ci_low, few.ci_high) == (None, None)
    assert estimate_effect([], d, alpha=0.05).change is None


def test_a_trade_off_is_beaten_by_nothing_in_everything() -> None:
    """Equal points are both kept; a point that is worse in one dimension and better in none is not."""
    points = {"small": (0.0, 1.0), "fast": (-0.2, 3.0), "twin": (-0.2, 3.0), "bad": (0.1, 3.0)}
    assert find_pareto(points) == ("small", "fast", "twin")


def rounds_of(values: dict[str, Floats], present: dict[str, int]) -> tuple[Series, ...]:
    """One workload's rounds; each arm takes part in its first so many."""
    rounds = max(present.values())
    blocks = []
    for index in range(rounds):
        arms = tuple(arm for arm, last in present.items() if index < last)
        times = {arm: (float(np.exp(values[arm][index])),) for arm in arms}
        blocks.append(Superblock(order=arms, values=times))
    return (Series(workload="w", metric="wall", unit="s", rounds=tuple(blocks)),)


def a_race(rule: RaceRule) -> Race:
    """A race of three."""
    return Race(rule=rule, baseline="release", preference={"release": 0, "lto": 1, "pgo": 2})


def test_a_race_that_was_interrupted_knows_who_left_and_when() -> None:
    """It asks the rounds that are kept, look by look, as if they had just been taken."""
    rule = make_rule(3, min_effect=0.01, error=0.05)
    values = field_of(rule.looks[2], lto=0.2, pgo=-0.2)
    first, whole = rule.looks[0], rule.looks[2]
    live, resumed = a_race(rule), a_race(rule)
    for rounds in range(1, first + 1):
        live(rounds_of(values, dict.fromkeys(values, rounds)))
    kept = rounds_of(values, {"release": whole, "lto": first, "pgo": whole})
    assert resumed(kept) >= frozenset({"lto"})
    assert resumed.leavers["lto"] == live.leavers["lto"]
    assert resumed.winner() == "pgo"
    assert resumed.rounds == whole
