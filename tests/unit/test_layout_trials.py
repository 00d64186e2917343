from __future__ import annotations

from dataclasses import replace

import pytest
from inline_snapshot import snapshot

from optbuild.measure.layout_trials import LayoutTrial, Shipped, as_shipped, judge_layouts
from optbuild.measure.model import Arm, Count, Series, Superblock, Verdict

TRIAL = LayoutTrial(without="pgo", relocations_only="bolt:relocations-only", is_optional=True)
RELOCATIONS = 1.002


def _series(bolt: float) -> tuple[Series, ...]:
    """Twenty quiet rounds; BOLT takes so much of the time of the same variant without it."""
    rounds = []
    for index in range(20):
        noise = 1 + 0.001 * ((index * 7) % 5 - 2)
        values = {"release": 2.0 * noise, "pgo": 1.0 / noise, "bolt": bolt * noise, TRIAL.relocations_only: RELOCATIONS}
        order = tuple(values)
        rounds.append(Superblock(order=order, values={arm: (value,) for arm, value in values.items()}))
    return (Series(workload="w", metric="wall", unit="s", rounds=tuple(rounds)),)


def _judge(bolt: float, trial: LayoutTrial = TRIAL) -> tuple[bool, str]:
    (result,) = judge_layouts(_series(bolt), {"bolt": trial}, confidence=0.95, min_effect=0.01)
    return result.kept, result.reason


def test_what_is_faster_is_kept() -> None:
    """By the verdict of an interval, against the same variant without BOLT."""
    assert _judge(0.9) == snapshot((True, "faster than without BOLT: −10.0% (−10.2% to −9.8%)"))


@pytest.mark.parametrize("bolt", [1.1, 1.0])
def test_what_is_not_faster_is_dropped(bolt: float) -> None:
    """With the figure, whether it is slower or the same."""
    kept, reason = _judge(bolt)
    assert not kept
    assert "than without BOLT: " in reason


def test_what_is_required_is_kept_with_the_figure() -> None:
    """The user has decided, and is told what it brings."""
    kept, reason = _judge(1.1, replace(TRIAL, is_optional=False))
    assert kept
    assert reason == snapshot("slower than without BOLT: +10.0% (+9.8% to +10.2%)")


def test_what_is_too_large_is_dropped_however_fast_it_is() -> None:
    """With that reason."""
    assert _judge(0.5, replace(TRIAL, drawback="it is 30% larger")) == (False, "it is 30% larger")


def test_relocations_alone_are_compared_too() -> None:
    """What they cost is not what BOLT brings."""
    (result,) = judge_layouts(_series(0.9), {"bolt": TRIAL}, confidence=0.95, min_effect=0.01)
    suite = {item.candidate: item for item in result.comparisons if item.workload is None}
    assert suite["bolt"].verdict is Verdict.FASTER
    assert suite[TRIAL.relocations_only].change == pytest.approx(RELOCATIONS - 1, abs=1e-4)


def test_without_rounds_nothing_is_kept() -> None:
    """What was not measured is not shown to be faster."""
    kept, _ = _judge_nothing()
    assert not kept


def _judge_nothing() -> tuple[bool, str]:
    empty = (replace(_series(0.9)[0], rounds=()),)
    (result,) = judge_layouts(empty, {"bolt": TRIAL}, confidence=0.95, min_effect=0.01)
    return result.kept, result.reason


def test_a_dropped_layout_is_reported_as_what_is_shipped() -> None:
    """The variant's values are those of the binary without BOLT; those with it keep a name of their own."""
    results = judge_layouts(_series(1.1), {"bolt": TRIAL}, confidence=0.95, min_effect=0.01)
    shown = as_shipped(results, [Arm(variant=TRIAL.relocations_only)])
    assert shown == Shipped(renamed={"bolt": "bolt:with-bolt"}, copied={"bolt": "pgo"})
    (series,) = shown.of_series(_series(1.1))
    values = series.rounds[0].values
    assert values["bolt"] == values["pgo"]
    assert values["bolt:with-bolt"][0] > values["pgo"][0]
    counts = [
        Count(workload="w", variant=name, count=count, tool="perf", reason=None)
        for name, count in (("pgo", 5), ("bolt", 4))
    ]
    assert {item.variant: item.count for item in shown.of_counts(counts)} == {"pgo": 5, "bolt:with-bolt": 4, "bolt": 5}


def test_a_control_gives_its_place() -> None:
    """Where no other variant is the same without BOLT, its values move."""
    trial = replace(TRIAL, without="bolt:without-bolt")
    series = tuple(
        replace(
            one,
            rounds=tuple(
                replace(
                    block, values={("bolt:without-bolt" if arm == "pgo" else arm): v for arm, v in block.values.items()}
                )
                for block in one.rounds
            ),
        )
        for one in _series(1.1)
    )
    results = judge_layouts(series, {"bolt": trial}, confidence=0.95, min_effect=0.01)
    shown = as_shipped(results, [Arm(variant="bolt:without-bolt")])
    assert shown == Shipped(renamed={"bolt": "bolt:with-bolt", "bolt:without-bolt": "bolt"})


def test_what_is_kept_changes_no_name() -> None:
    """There is nothing to explain."""
    results = judge_layouts(_series(0.9), {"bolt": TRIAL}, confidence=0.95, min_effect=0.01)
    assert as_shipped(results, []) == Shipped()
