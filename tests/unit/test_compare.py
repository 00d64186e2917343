from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from optbuild.measure import statistics
from optbuild.measure.compare import analyse, check_harness, needed_rounds, verdict_of
from optbuild.measure.model import A_PRIME, AaVerdict, Analysis, Comparison, Series, Superblock, Verdict
from optbuild.measure.statistics import Floats, Interval
from optbuild.measure.warnings import WarningKind

EFFECT_OF = {"release": 0.0, A_PRIME: 0.0}


def make_series(
    effects: Mapping[str, float], *, workload: str = "books", rounds: int = 20, noise: float = 0.003, seed: int = 1
) -> Series:
    """Give superblocks of one mirrored pass; effects are differences of logarithms."""
    generator = np.random.default_rng([seed, *workload.encode()])
    arms = {**EFFECT_OF, **effects}
    blocks = []
    for _ in range(rounds):
        level = generator.normal(0, 0.2)
        values = {
            arm: tuple(float(math.exp(level + effect + noise * z)) for z in generator.normal(size=2))
            for arm, effect in arms.items()
        }
        order = tuple(arms)
        blocks.append(Superblock(order=order + order[::-1], values=values))
    return Series(workload=workload, metric="wall", unit="s", rounds=tuple(blocks))


def analysis_of(series: Sequence[Series], candidates: Sequence[str], min_effect: float = 0.01) -> Analysis:
    """Compare with `release` at 95%."""
    return analyse(series, baseline="release", candidates=candidates, confidence=0.95, min_effect=min_effect)


def the(analysis: Analysis, candidate: str, workload: str | None = None) -> Comparison:
    """Give the one comparison of a candidate."""
    (found,) = [one for one in analysis.comparisons if (one.candidate, one.workload) == (candidate, workload)]
    return found


def renamed(series: Series, names: Mapping[str, str]) -> Series:
    """Give the same measurements with other arm names."""
    blocks = tuple(
        Superblock(
            order=tuple(names.get(arm, arm) for arm in block.order),
            values={names.get(arm, arm): values for arm, values in block.values.items()},
        )
        for block in series.rounds
    )
    return Series(workload=series.workload, metric=series.metric, unit=series.unit, rounds=blocks)


def only(series: Series, *arms: str) -> Series:
    """Give the series with values of some arms only."""
    kept = tuple(
        Superblock(order=block.order, values={arm: block.values[arm] for arm in arms}) for block in series.rounds
    )
    return Series(workload=series.workload, metric=series.metric, unit=series.unit, rounds=kept)


def test_a_clear_gain_is_faster_and_near_its_true_size() -> None:
    """The change is relative to the baseline, negative for less time, with the truth inside the interval."""
    one = the(analysis_of([make_series({"pgo": math.log(0.9)})], ["pgo"]), "pgo")

    assert one.verdict is Verdict.FASTER
    assert one.ci_low is not None
    assert one.ci_high is not None
    assert one.ci_low < -0.1 < one.ci_high < -0.01
    assert one.ci_low < one.change < one.ci_high
    assert one.change == pytest.approx(-0.1, abs=0.005)
    assert one.p_value < 1e-5
    assert (one.metric, one.baseline, one.confidence, one.rounds) == ("wall", "release", 0.95, 20)


@pytest.mark.parametrize(
    ("interval", "verdict"),
    [
        ((-0.05, -0.011), Verdict.FASTER),
        ((-0.05, -0.01), Verdict.INCONCLUSIVE),
        ((0.011, 0.05), Verdict.SLOWER),
        ((0.01, 0.05), Verdict.INCONCLUSIVE),
        ((-0.01, 0.01), Verdict.SAME),
        ((-0.011, 0.005), Verdict.INCONCLUSIVE),
        ((-0.2, 0.2), Verdict.INCONCLUSIVE),
        (None, Verdict.INCONCLUSIVE),
    ],
)
def test_a_verdict_is_where_the_whole_interval_lies(interval: Interval | None, verdict: Verdict) -> None:
    """Wholly beyond the margin is faster or slower, wholly inside is the same, anything else proves nothing."""
    assert verdict_of(interval, 0.01) is verdict


def test_without_a_margin_only_an_exact_equality_is_the_same() -> None:
    """A margin of zero leaves no room for being about equal, but what is equal in every round is."""
    assert verdict_of((0.0, 0.0), 0.0) is Verdict.SAME
    assert verdict_of((-0.001, 0.001), 0.0) is Verdict.INCONCLUSIVE


def test_identical_programs_are_the_same() -> None:
    """With noise well below the margin, no difference is shown to be no difference."""
    one = the(analysis_of([make_series({"lto": 0.0})], ["lto"]), "lto")

    assert one.verdict is Verdict.SAME
    assert not one.fragile


def test_too_few_rounds_give_no_interval_and_no_verdict() -> None:
    """Five rounds have an estimate, and neither interval nor verdict nor detectable effect."""
    analysis = analysis_of([make_series({"pgo": -0.3}, rounds=5)], ["pgo"])
    one = the(analysis, "pgo")

    assert (one.ci_low, one.ci_high, one.mde) == (None, None, None)
    assert one.verdict is Verdict.INCONCLUSIVE
    assert one.change == pytest.approx(math.expm1(-0.3), abs=0.01)
    assert one.p_value == 2.0**-4
    assert analysis.half_width is None
    assert analysis.aa.verdict is AaVerdict.UNCHECKED


def test_many_comparisons_may_leave_the_cells_without_interval() -> None:
    """Ten rounds are enough for two suite means, not for the thirty cells that share 95%."""
    series = [make_series({"lto": -0.1, "pgo": -0.2}, workload=f"w{i}", rounds=10) for i in range(15)]

    analysis = analysis_of(series, ["lto", "pgo"])

    assert the(analysis, "pgo").verdict is Verdict.FASTER
    assert the(analysis, "pgo", "w3").ci_low is None
    assert the(analysis, "pgo", "w3").verdict is Verdict.INCONCLUSIVE


def test_one_workload_stands_twice() -> None:
    """With one workload its comparison is the suite's too, number for number."""
    analysis = analysis_of([make_series({"lto": -0.01, "pgo": -0.1})], ["lto", "pgo"])

    assert [(one.workload, one.candidate) for one in analysis.comparisons] == [
        (None, "lto"),
        (None, "pgo"),
        ("books", "lto"),
        ("books", "pgo"),
    ]
    suite, cell = the(analysis, "pgo"), the(analysis, "pgo", "books")
    assert (suite.change, suite.ci_low, suite.ci_high, suite.p_adjusted, suite.verdict, suite.mde) == (
        cell.change,
        cell.ci_low,
        cell.ci_high,
        cell.p_adjusted,
        cell.verdict,
        cell.mde,
    )


def test_the_suite_is_the_geometric_mean_with_an_interval_of_its_own() -> None:
    """Noise of different workloads averages out: the suite's interval is narrower than its cells'."""
    series = [make_series({"pgo": effect}, workload=name) for name, effect in (("a", -0.1), ("b", -0.2), ("c", -0.3))]
    analysis = analysis_of(series, ["pgo"])
    suite = the(analysis, "pgo")

    assert suite.change == pytest.approx(math.expm1(-0.2), abs=0.002)
    for name in "abc":
        cell = the(analysis, "pgo", name)
        assert suite.ci_high is not None
        assert suite.ci_low is not None
        assert cell.ci_high is not None
        assert cell.ci_low is not None
        assert suite.ci_high - suite.ci_low < cell.ci_high - cell.ci_low


def test_all_comparisons_share_one_level() -> None:
    """Two thirds of it are the suite's, one third the cells'; the baseline's copy is no comparison."""
    series = [make_series({"lto": -0.001, "pgo": -0.002}, workload=name) for name in "abc"]
    analysis = analysis_of(series, ["lto", "pgo"])

    for one in analysis.comparisons:
        weight = 2 / (2 / 3) if one.workload is None else 6 / (1 / 3)
        assert one.p_adjusted == pytest.approx(min(1.0, weight * one.p_value))
    assert A_PRIME not in {one.candidate for one in analysis.comparisons}


def test_swapping_the_arms_mirrors_everything() -> None:
    """What is x% faster seen from one side is 1/(1 − x) − 1 slower from the other, verdict and interval with it."""
    series = only(make_series({"pgo": -0.05}, noise=0.01), "release", "pgo")
    forth = the(analyse([series], baseline="release", candidates=["pgo"], confidence=0.95, min_effect=0.01), "pgo")
    back = the(analyse([series], baseline="pgo", candidates=["release"], confidence=0.95, min_effect=0.01), "release")

    assert forth.ci_low is not None
    assert forth.ci_high is not None
    assert (forth.verdict, back.verdict) == (Verdict.FASTER, Verdict.SLOWER)
    assert back.change == pytest.approx(1 / (1 + forth.change) - 1, rel=1e-12)
    assert back.ci_low == pytest.approx(1 / (1 + forth.ci_high) - 1, rel=1e-12)
    assert back.ci_high == pytest.approx(1 / (1 + forth.ci_low) - 1, rel=1e-12)
    assert back.mde == pytest.approx(forth.mde, rel=1e-12)
    assert back.p_value == forth.p_value


def test_names_do_not_matter() -> None:
    """Renaming the arms renames the comparisons and changes no number."""
    series = make_series({"lto": -0.02, "pgo": -0.05}, noise=0.01)
    names = {"lto": "pgo", "pgo": "lto"}

    before = analysis_of([series], ["lto", "pgo"])
    after = analysis_of([renamed(series, names)], ["pgo", "lto"])

    assert [one.change for one in after.comparisons] == [one.change for one in before.comparisons]
    assert [one.verdict for one in after.comparisons] == [one.verdict for one in before.comparisons]
    assert [one.candidate for one in after.comparisons] == [names[one.candidate] for one in before.comparisons]


def test_an_arm_without_values_gets_no_ratio() -> None:
    """A candidate that failed on one workload has no ratio there and none over all; the others keep theirs."""
    whole = make_series({"lto": -0.02, "pgo": -0.05}, workload="a")
    torn = only(make_series({"lto": -0.02, "pgo": -0.05}, workload="b"), "release", "lto", A_PRIME)

    analysis = analysis_of([whole, torn], ["lto", "pgo"])

    assert [(one.workload, one.candidate) for one in analysis.comparisons] == [
        (None, "lto"),
        ("a", "lto"),
        ("b", "lto"),
        ("a", "pgo"),
    ]
    assert analysis.half_width is None
    (warning,) = [item for item in analysis.warnings if item.kind is WarningKind.NO_RATIO]
    assert warning.message.startswith("pgo cannot be compared on b:")


@pytest.mark.parametrize("value", [0.0, -1.0, math.inf, math.nan])
def test_a_value_without_logarithm_gives_no_ratio(value: float) -> None:
    """A zero among page faults, or a broken measurement, is no ratio rather than a NaN."""
    series = make_series({"pgo": -0.05})
    first = series.rounds[0]
    spoilt = Superblock(order=first.order, values={**first.values, "pgo": (value, 1.0)})
    broken = Series(workload="books", metric="wall", unit="s", rounds=(spoilt, *series.rounds[1:]))

    analysis = analysis_of([broken], ["pgo"])

    assert analysis.comparisons == ()
    assert "pgo cannot be compared on books" in analysis.warnings[0].message


def test_only_complete_rounds_count() -> None:
    """A round that ended before its last workload is left out for all."""
    series = [make_series({"pgo": -0.1}, workload="a", rounds=13), make_series({"pgo": -0.1}, workload="b", rounds=12)]

    analysis = analysis_of(series, ["pgo"])

    assert analysis.rounds == 12
    assert {one.rounds for one in analysis.comparisons} == {12}


def test_without_rounds_nothing_is_compared() -> None:
    """A session that was stopped at once has an empty analysis."""
    empty = Series(workload="books", metric="wall", unit="s", rounds=())

    for series in ([], [empty]):
        analysis = analysis_of(series, ["pgo"])
        assert (analysis.comparisons, analysis.rounds, analysis.half_width) == ((), 0, None)
        assert analysis.aa.verdict is AaVerdict.UNCHECKED


def test_two_series_of_one_workload_are_refused() -> None:
    """Each workload has one series: a mean over the suite would count the other twice."""
    with pytest.raises(ValueError, match="one series per workload"):
        analysis_of([make_series({}), make_series({})], ["pgo"])


def test_metrics_that_differ_by_workload_are_named_together() -> None:
    """A suite of wall and CPU times says that it is one."""
    wall = make_series({"pgo": -0.1}, workload="a")
    cpu = Series(workload="b", metric="cpu", unit="s", rounds=make_series({"pgo": -0.1}, workload="b").rounds)

    analysis = analysis_of([wall, cpu], ["pgo"])

    assert the(analysis, "pgo").metric == "cpu+wall"
    assert the(analysis, "pgo", "b").metric == "cpu"


def test_the_half_width_is_the_widest_candidates() -> None:
    """The precision reached is that of the worst known suite mean, as a ratio."""
    analysis = analysis_of([make_series({"lto": -0.1, "pgo": -0.2})], ["lto", "pgo"])
    widths = []
    for name in ("lto", "pgo"):
        one = the(analysis, name)
        assert one.ci_low is not None
        assert one.ci_high is not None
        widths.append((math.log1p(one.ci_high) - math.log1p(one.ci_low)) / 2)

    assert analysis.half_width == pytest.approx(math.expm1(max(widths)), rel=1e-12)


def test_the_detectable_effect_is_beyond_the_margin() -> None:
    """No effect inside the margin can ever be called faster or slower."""
    one = the(analysis_of([make_series({"pgo": 0.0})], ["pgo"], min_effect=0.02), "pgo")

    assert one.mde is not None
    assert 0.02 < one.mde < 0.03


def test_delays_on_one_side_are_in_the_detectable_effect() -> None:
    """The farther end of the interval decides: a few delays of either arm would hide a gain, now or in the next run."""
    calm = make_series({"pgo": 0.0}, rounds=10)
    delays = [0.0] * 8 + [0.05, 0.06]
    for sign in (1.0, -1.0):
        delayed = analysis_of([shifted(calm, "pgo", [sign * delay for delay in delays])], ["pgo"])
        one = the(delayed, "pgo")
        assert one.ci_low is not None
        assert one.ci_high is not None
        reach = max(math.log1p(one.ci_high) - math.log1p(one.change), math.log1p(one.change) - math.log1p(one.ci_low))
        assert reach > 0.8 * (math.log1p(one.ci_high) - math.log1p(one.ci_low))
        assert one.mde == pytest.approx(math.expm1(statistics.detectable_effect(reach, 10, math.log(1.01), 0.05)))


def differences(centre: float, n: int = 12, spread: float = 0.002) -> Floats:
    """Give differences that lie evenly around a centre."""
    return centre + spread * np.linspace(-1.0, 1.0, n)


def test_copies_that_agree_are_ok_and_leave_the_margin() -> None:
    """An interval that holds zero is what identical programs give."""
    check = check_harness(differences(0.0001), min_effect=0.01)

    assert check.verdict is AaVerdict.OK
    assert check.margin == 0.01
    assert check.ci_low is not None
    assert check.ci_high is not None
    assert check.ci_low < 0 < check.ci_high


def test_copies_that_differ_beyond_the_margin_invalidate_every_verdict() -> None:
    """Where identical programs differ, so may any two: nothing is concluded, and the warning says how rare it is."""
    assert check_harness(differences(0.03), min_effect=0.01).verdict is AaVerdict.INVALID

    series = renamed(make_series({"pgo": -0.3, "copy": 0.03}), {A_PRIME: "unused", "copy": A_PRIME})
    analysis = analysis_of([series], ["pgo"])

    assert analysis.aa.verdict is AaVerdict.INVALID
    assert {one.verdict for one in analysis.comparisons} == {Verdict.INVALID}
    assert not any(one.fragile for one in analysis.comparisons)
    assert "no verdict is given" in analysis.warnings[0].message
    assert "1 of 500" in analysis.warnings[0].message


def test_copies_that_differ_a_little_widen_the_margin() -> None:
    """A difference that is there but small becomes the margin where it is larger than it."""
    small = check_harness(differences(0.004), min_effect=0.01)
    large = check_harness(differences(0.004), min_effect=0.001)
    beyond = check_harness(differences(0.004, spread=0.004), min_effect=0.001)

    assert (small.verdict, small.margin) == (AaVerdict.WARNING, 0.01)
    assert large.verdict is AaVerdict.INVALID
    assert beyond.verdict is AaVerdict.WARNING
    assert beyond.margin == pytest.approx(math.expm1(0.004))


def test_the_wider_margin_is_the_one_the_verdicts_use() -> None:
    """A gain smaller than the difference between identical copies is not called a gain."""
    arms = {"pgo": -0.013, "copy": 0.012}
    series = renamed(make_series(arms, noise=0.006, seed=2), {A_PRIME: "unused", "copy": A_PRIME})

    analysis = analysis_of([series], ["pgo"], min_effect=0.0099)

    assert analysis.aa.verdict is AaVerdict.WARNING
    assert analysis.aa.margin > 0.0105
    assert the(analysis, "pgo").verdict is Verdict.INCONCLUSIVE
    assert "1 of 20" in analysis.warnings[0].message
    assert f"a margin of {analysis.aa.margin:.2%}" in analysis.warnings[0].message


def test_the_harness_is_unchecked_below_ten_rounds_or_without_copy() -> None:
    """A 99.8% interval needs ten rounds, and a check needs its control arm."""
    few = check_harness(differences(0.5, n=9), min_effect=0.01)
    none = check_harness(None, min_effect=0.01)

    assert (few.verdict, few.margin) == (AaVerdict.UNCHECKED, 0.01)
    assert few.change == pytest.approx(math.expm1(0.5))
    assert (none.verdict, none.change, none.ci_low, none.ci_high) == (AaVerdict.UNCHECKED, None, None, None)
    assert check_harness(differences(0.5, n=10), min_effect=0.01).verdict is AaVerdict.INVALID


def test_a_verdict_that_hangs_on_the_method_is_fragile() -> None:
    """One wild superblock leaves the ranks alone and moves the mean: the verdict stands, with a footnote."""
    series = make_series({"pgo": -0.05}, rounds=14)
    last = series.rounds[-1]
    wild = Superblock(order=last.order, values={**last.values, "pgo": (9.0, 9.0)})
    spoilt = Series(workload="books", metric="wall", unit="s", rounds=(*series.rounds[:-1], wild))

    analysis = analysis_of([spoilt], ["pgo"])

    assert the(analysis, "pgo").verdict is Verdict.FASTER
    assert the(analysis, "pgo").fragile
    assert {check.method: check.verdict for check in the(analysis, "pgo").cross_checks} == {
        "t": Verdict.INCONCLUSIVE,
        "bca": Verdict.INCONCLUSIVE,
    }
    calm = the(analysis_of([series], ["pgo"]), "pgo")
    assert not calm.fragile
    assert {check.verdict for check in calm.cross_checks} == {Verdict.FASTER}
    assert all(check.ci_low < calm.change < check.ci_high for check in calm.cross_checks)
    fragile = [item for item in analysis.warnings if item.kind is WarningKind.FRAGILE]
    assert [item.message.split(":")[0] for item in fragile] == ["pgo over all workloads", "pgo on books"]
    assert [one.warnings for one in analysis.comparisons] == [(item,) for item in fragile], "each rides on its own"


def shifted(series: Series, candidate: str, shifts: Sequence[float]) -> Series:
    """Give the series with the candidate's values moved by another factor in each round."""
    blocks = tuple(
        Superblock(
            order=block.order,
            values={
                **block.values,
                candidate: tuple(value * math.exp(shift) for value in block.values[candidate]),
            },
        )
        for block, shift in zip(series.rounds, shifts, strict=True)
    )
    return Series(workload=series.workload, metric=series.metric, unit=series.unit, rounds=blocks)


def test_a_difference_that_moves_is_warned_about() -> None:
    """A trend over the rounds is told, with its test; so are neighbours that resemble each other."""
    series = make_series({"pgo": -0.1}, rounds=30)

    trend = analysis_of([shifted(series, "pgo", np.linspace(0, 0.1, 30).tolist())], ["pgo"])
    waves = analysis_of([shifted(series, "pgo", ([0.0] * 5 + [0.1] * 5) * 3)], ["pgo"])

    assert any("moves in one direction" in item.message for item in the(trend, "pgo").warnings)
    assert any("neighbouring rounds resemble each other" in item.message for item in waves.warnings)
    assert analysis_of([series], ["pgo"]).warnings == ()


def test_tainted_superblocks_count_like_any_other() -> None:
    """Whoever measured has had them run again; nothing is dropped here for any reason."""
    series = make_series({"pgo": -0.1})
    tainted = Series(
        workload="books",
        metric="wall",
        unit="s",
        rounds=tuple(Superblock(order=block.order, values=block.values, tainted="steal") for block in series.rounds),
    )

    assert analysis_of([tainted], ["pgo"]).comparisons == analysis_of([series], ["pgo"]).comparisons


def rounds_for(series: Sequence[Series], candidates: Sequence[str], precision: float, confidence: float = 0.95) -> int:
    """Ask how many rounds a pilot calls for."""
    return needed_rounds(series, baseline="release", candidates=candidates, confidence=confidence, precision=precision)


def test_the_automatic_precision_asks_for_less_of_a_large_change() -> None:
    """25% less is measured to within 2.5%, a change of up to 10% to within 1%."""
    noisy = make_series({"pgo": 0.0}, rounds=10, noise=0.05)

    def asked(change: float, precision: float | None) -> int:
        moved = shifted(
            noisy, "pgo", [math.log1p(change) - math.log1p(the(analysis_of([noisy], ["pgo"]), "pgo").change)] * 10
        )
        return needed_rounds([moved], baseline="release", candidates=["pgo"], confidence=0.95, precision=precision)

    assert asked(-0.25, None) == asked(-0.25, 0.025) < asked(-0.25, 0.01) / 6
    assert asked(-0.05, None) == asked(-0.05, 0.01)


def test_half_the_width_takes_four_times_the_rounds() -> None:
    """The rounds needed grow with the square of the precision, from the pilot's own half-width."""
    pilot = [make_series({"pgo": -0.1}, rounds=10, noise=0.05)]
    half_width = analysis_of(pilot, ["pgo"]).half_width
    assert half_width is not None

    assert rounds_for(pilot, ["pgo"], half_width * 1.001) == 10
    assert rounds_for(pilot, ["pgo"], math.expm1(math.log1p(half_width) / 2.0001)) == 41


def test_the_rounds_needed_do_not_depend_on_where_the_differences_lie() -> None:
    """Stopping looks at precision, never at significance: a gain added to every round changes nothing."""
    pilot = make_series({"pgo": 0.0}, rounds=10, noise=0.05)

    assert rounds_for([shifted(pilot, "pgo", [-0.4] * 10)], ["pgo"], 0.01) == rounds_for([pilot], ["pgo"], 0.01)


def test_the_cells_need_their_interval_too() -> None:
    """However quiet the machine, there are as many rounds as the level of a single workload calls for."""
    pilot = [make_series({"lto": 0.0, "pgo": 0.0}, workload=f"w{i}", rounds=10, noise=1e-6) for i in range(15)]

    assert rounds_for(pilot[:1], ["lto", "pgo"], 0.01) == 10
    assert rounds_for(pilot, ["lto", "pgo"], 0.01) == 12


def test_a_pilot_too_short_for_its_level_still_says_how_many_rounds_are_needed() -> None:
    """At 99.9% ten rounds give no interval; the width at that level is foreseen, not taken for zero."""
    pilot = [make_series({"pgo": 0.0}, rounds=10, noise=0.05)]

    assert analyse(pilot, baseline="release", candidates=["pgo"], confidence=0.999, min_effect=0.01).half_width is None
    assert rounds_for(pilot, ["pgo"], 0.01, confidence=0.999) > rounds_for(pilot, ["pgo"], 0.01, confidence=0.99)


def test_a_pilot_has_at_least_two_rounds() -> None:
    """One difference has no spread to plan with."""
    with pytest.raises(ValueError, match="at least two"):
        rounds_for([make_series({"pgo": 0.0}, rounds=1)], ["pgo"], 0.01)
    with pytest.raises(ValueError, match="at least two"):
        rounds_for([], ["pgo"], 0.01)


def test_without_candidates_there_is_nothing_to_measure_or_compare() -> None:
    """A baseline alone needs no more rounds and has no comparison; its copy is checked all the same."""
    alone = [make_series({}, rounds=10)]

    assert rounds_for(alone, [], 0.01) == 10
    assert analysis_of(alone, []).comparisons == ()
    assert analysis_of(alone, []).aa.verdict is AaVerdict.OK
