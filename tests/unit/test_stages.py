"""A search in stages: what is built first, what waits for it, and which combinations promise to pay."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from inline_snapshot import snapshot

from optbuild.measure.model import Series, Superblock
from optbuild.measure.promise import Effect, Promise, estimate_changes, find_doubtful, find_promising
from optbuild.measure.race import find_undecided, make_rule
from optbuild.measure.statistics import Floats
from optbuild.profile.candidates import find_baseline_levels, make_candidates
from optbuild.profile.search_choices import Space
from optbuild.profile.spaces import SPACES
from optbuild.profile.stages import Change, Stages, make_stages
from optbuild.profile.tune import Levels
from optbuild.profile.variants import Variant
from optbuild.session.race import SCREENING_LOOKS, Race

RELEASE = Variant(name="release")
MARGIN = math.log1p(0.01)
LTO, CPU, HOT = Change("lto = fat"), Change("target-cpu = v3"), Change("hot-count = p95")
STAGES = Stages(
    reference="thin",
    alone={LTO: "fat", CPU: "v3", HOT: "p95"},
    combined={
        "fat-v3": (LTO, CPU),
        "fat-p95": (LTO, HOT),
        "v3-p95": (CPU, HOT),
        "fat-v3-p95": (LTO, CPU, HOT),
    },
)


def stages_of(factors: Mapping[str, Levels], baseline: Variant = RELEASE) -> Stages:
    """The stages of a search in which every combination can be built."""
    points = [(levels, baseline.name) for levels in find_baseline_levels(baseline, factors)]
    points += [(each.levels, each.name) for each in make_candidates(baseline, factors, {})]
    return make_stages(factors, points, baseline=baseline.name)


def surely(**percents: float) -> dict[Change, Effect]:
    """Effects that are known to a tenth of a percent."""
    known = {"lto": LTO, "cpu": CPU, "hot": HOT}
    logs = {known[name]: math.log1p(percent / 100) for name, percent in percents.items()}
    return {change: Effect(estimate=log, low=log - 0.001, high=log + 0.001) for change, log in logs.items()}


def promise_of(effects: Mapping[Change, Effect], **measured: float) -> Promise:
    """What is built, where every change that was measured alone has its arm."""
    alone = {STAGES.alone[change]: effect.estimate for change, effect in effects.items()}
    return find_promising(STAGES, effects, {"thin": 0.0, **alone, **measured}, margin=MARGIN)


def test_a_space_is_screened_by_one_change_at_a_time_with_pgo() -> None:
    """Settings are judged where they are used; some have an effect only there."""
    quick = stages_of(SPACES[Space.QUICK])
    assert quick.reference == "thin-pgo"
    assert {**quick.alone} == snapshot(
        {"pgo = false": "thin", "hot-count = p95": "thin-pgo-hot-p95", "lto = fat": "fat-pgo"}
    )
    assert {**quick.combined} == snapshot(
        {"fat": ("lto = fat", "pgo = false"), "fat-pgo-hot-p95": ("lto = fat", "hot-count = p95")}
    )
    thorough = stages_of(SPACES[Space.THOROUGH])
    assert (len(thorough.alone), len(thorough.combined)) == (10, 277)


def test_the_baseline_never_waits() -> None:
    """It is there in any case, whatever it differs in from the reference."""
    stages = stages_of({"pgo": (False, True), "panic": ("abort", "default")})
    assert "release" not in stages.combined
    assert stages.alone.keys() == {Change("pgo = false"), Change("panic = default")}


def test_levels_are_told_apart_by_how_they_are_written() -> None:
    """`false` is no zero; flags are a list."""
    stages = stages_of({"opt-level": ("default", 0), "rustflags": ([], ["-Ca"], ["-Cb", "-Cc"])})
    assert [*map(str, stages.alone)] == snapshot(["rustflags = -Ca", "rustflags = -Cb -Cc", "opt-level = 0"])
    assert stages.reference == "release"


def test_without_a_reference_nothing_waits() -> None:
    """The combination of first levels cannot run here, say: then structure tells nothing."""
    assert make_stages({"lto": ("thin", "fat")}, [({"lto": "fat"}, "fat")], baseline="release") == Stages()


def test_equal_binaries_are_one_arm() -> None:
    """A change that gives the reference's own binaries brings exactly nothing."""
    stages = STAGES.renamed({"v3": "thin"})
    effects = estimate_changes(stages, {"thin": np.zeros(12), "fat": np.full(12, -0.05)}, alpha=0.05)
    assert effects[CPU] == Effect(estimate=0.0, low=0.0, high=0.0)
    assert effects[LTO].estimate == pytest.approx(-0.05)
    assert HOT not in effects


def test_a_combination_needs_every_change_to_bring_something() -> None:
    """One that brings nothing alone, or that nobody measured, is the reason why it is not built."""
    found = promise_of(surely(lto=-5, cpu=+0.3))
    assert found.kept == ()
    assert found.refused == snapshot(
        {
            "fat-v3": "not built: target-cpu = v3 alone brought nothing (+0.3%)",
            "fat-p95": "not built: hot-count = p95 alone could not be measured",
            "v3-p95": "not built: target-cpu = v3 alone brought nothing (+0.3%)",
            "fat-v3-p95": "not built: target-cpu = v3 alone brought nothing (+0.3%)",
        }
    )


def test_the_combination_of_all_that_pays_is_built_and_those_that_cannot_beat_it_are_not() -> None:
    """By the optimistic ends of the intervals, and by the margin."""
    found = promise_of(surely(lto=-5, cpu=-3, hot=-2))
    assert found.kept == ("fat-v3-p95",)
    assert found.refused["fat-v3"] == snapshot(
        "not built: +1.9% against fat-v3-p95 at best, by what its settings bring alone"
    )


def test_where_effects_are_in_doubt_more_is_built() -> None:
    """A combination without a change that may do harm may be better by more than the margin."""
    effects = surely(lto=-5, cpu=-3) | {HOT: Effect(estimate=-0.01, low=-0.04, high=0.02)}
    assert promise_of(effects).kept == ("fat-v3-p95", "fat-v3")


def test_what_cannot_beat_the_best_of_all_is_not_built() -> None:
    """The baseline may be far ahead of whatever its variations reach together."""
    found = promise_of(surely(lto=-5, cpu=-3), release=-0.2)
    assert found.kept == ()
    assert found.refused["fat-v3"] == snapshot(
        "not built: +12.3% against release at best, by what its settings bring alone"
    )


def test_small_gains_that_add_up_to_less_than_the_margin_are_not_built() -> None:
    """Two thirds of the margin is more than nothing, but the second one adds too little."""
    assert promise_of(surely(lto=-0.6, cpu=-0.4)).kept == ()


def test_sizes_need_no_margin() -> None:
    """They are exact: a byte less is less."""
    effects = {LTO: Effect(estimate=-0.1, low=-0.1, high=-0.1), CPU: Effect(estimate=-1e-6, low=-1e-6, high=-1e-6)}
    assert find_promising(STAGES, effects, {"thin": 0.0, "fat": -0.1, "v3": -1e-6}, margin=0.0).kept == ("fat-v3",)


def test_arms_stay_while_it_is_in_doubt_what_their_change_brings() -> None:
    """With the reference that they are compared with; nobody has to where nothing waits."""
    effects = surely(lto=-5) | {HOT: Effect(estimate=-0.01, low=-0.04, high=0.02)}
    assert find_doubtful(STAGES, effects, margin=MARGIN) == {"p95", "thin"}
    assert find_doubtful(STAGES, surely(lto=-5), margin=MARGIN) == frozenset()
    assert find_doubtful(Stages(reference="thin", alone=STAGES.alone), effects, margin=MARGIN) == frozenset()


def race_of(changes: Mapping[str, float], rounds: int, *, spread: float) -> Race:
    """A race over some rounds, one after the other; the baseline is 10% slower than the reference."""
    arms = ("release", "thin", "fat", "v3", "p95")
    race = Race(
        rule=make_rule(len(arms), min_effect=0.01, error=0.05),
        baseline="release",
        preference={arm: place for place, arm in enumerate(arms)},
        stages=STAGES,
    )
    chance = np.random.default_rng(3)
    d: dict[str, Floats] = {arm: changes.get(arm, 0.0) + chance.normal(0.0, spread, rounds) for arm in arms}
    d["release"] += 0.1
    blocks: list[Superblock] = []
    gone: frozenset[str] = frozenset()
    for index in range(rounds):
        here = tuple(arm for arm in arms if arm not in gone or arm == "release")
        if gone >= {*arms} - {"release"}:
            break
        blocks.append(Superblock(order=here, values={arm: (math.exp(d[arm][index]),) for arm in here}))
        gone = race((Series(workload="w", metric="wall", unit="s", rounds=tuple(blocks)),))
    return race


def test_a_screening_that_promises_nothing_is_the_beginning_of_the_race() -> None:
    """No round is taken twice."""
    race = race_of({"fat": -0.02}, 40, spread=0.001)
    assert race.promise is not None
    assert not race.goes_on_elsewhere
    assert race.promise.refused.keys() == STAGES.combined.keys()
    assert race.winner() == "fat"
    assert race.looked >= 1


def test_a_screening_that_promises_combinations_ends() -> None:
    """Another race goes on with them; it may err in the rest of what the whole search may."""
    race = race_of({"fat": -0.04, "v3": -0.03}, 40, spread=0.001)
    assert race.goes_on_elsewhere
    assert race.promise is not None
    assert race.promise.kept == ("fat-v3",)
    assert (race.rounds, race.looked) == (race.rule.looks[0], 1)
    assert race.rule.error_left(race.looked) == pytest.approx(0.05 * 5 / 6)


def test_a_noisy_screening_goes_on_until_its_last_look() -> None:
    """Then it is decided by what is known."""
    race = race_of({"fat": -0.04, "v3": -0.03}, 60, spread=0.05)
    assert race.promise is not None
    assert race.looked >= SCREENING_LOOKS


@pytest.mark.parametrize("known", [5, 9, 12])
def test_a_screening_that_was_interrupted_decides_the_same(known: int) -> None:
    """By the rounds of the look, whatever rounds a later call begins with."""
    whole = race_of({"fat": -0.04, "v3": -0.03}, 40, spread=0.001)
    again = Race(rule=whole.rule, baseline="release", preference=whole.preference, stages=STAGES)
    for rounds in (known, whole.rounds):
        shown = [
            Series(workload=one.workload, metric=one.metric, unit=one.unit, rounds=one.rounds[:rounds])
            for one in whole.series
        ]
        again(shown)
    assert again.promise == whole.promise
    assert again.leavers == whole.leavers


def test_what_a_race_leaves_open_is_told() -> None:
    """A single candidate is compared with the baseline anyway."""
    rule = make_rule(3, min_effect=0.01, error=0.05)
    noise = np.random.default_rng(5).normal(0.0, 0.01, rule.looks[1])
    d = {"release": np.zeros(noise.size), "lto": -0.1 + noise, "pgo": -0.1 - noise}
    others, unseen = find_undecided(rule, d, winner="lto", baseline="release")
    assert others == ("pgo",)
    assert unseen is not None
    assert 0.005 < unseen < 0.05
    assert find_undecided(rule, {name: own[:2] for name, own in d.items()}, winner="lto", baseline="release") == (
        ("pgo",),
        None,
    )
    alone = {name: d[name] for name in ("release", "lto")}
    assert find_undecided(rule, alone, winner="lto", baseline="release") == ((), None)


def test_every_candidate_of_a_space_is_first_or_waits() -> None:
    """None is lost on the way."""
    for space in Space:
        factors: Mapping[str, Any] = SPACES[space]
        stages = stages_of(factors)
        names = {each.name for each in make_candidates(RELEASE, factors, {})}
        assert {*stages.combined, *stages.alone.values(), stages.reference} - {"release"} == names
        for changes in stages.combined.values():
            assert all(change in stages.alone for change in changes)
            assert len(changes) > 1
        assert all(a != b for a, b in itertools.combinations(stages.combined.values(), 2))
