from __future__ import annotations

import math

import numpy as np
import pytest

from optbuild.measure.stopping import Levels, look_again, needed_superblocks, wanted_half_width


@pytest.mark.parametrize(("candidates", "workloads"), [(1, 1), (2, 1), (1, 4), (2, 3), (4, 5)])
def test_all_intervals_of_a_report_share_one_level(candidates: int, workloads: int) -> None:
    """What they may miss adds up to what the report may miss; one workload and the suite are the same comparison."""
    levels = Levels.of(candidates, workloads, 0.95)
    cells = 0 if workloads == 1 else candidates * workloads * levels.cell
    assert candidates * levels.suite + cells == pytest.approx(0.05)
    assert (levels.suite == levels.cell) == (workloads == 1)


def test_the_least_rounds_are_those_that_every_interval_has() -> None:
    """Ten are enough for two candidates on four workloads."""
    assert [Levels.of(*size, 0.95).least_rounds for size in ((1, 1), (2, 4), (4, 5))] == [6, 10, 12]


@pytest.mark.parametrize(("change", "half_width"), [(0.0, 0.01), (-0.03, 0.01), (-0.1, 0.01), (-0.25, 0.025)])
def test_the_automatic_precision_is_a_tenth_of_a_large_change(change: float, half_width: float) -> None:
    """And 1% of any other; a figure that was set holds whatever the change is."""
    d = np.full(10, math.log1p(change))
    assert wanted_half_width(d, None) == pytest.approx(math.log1p(half_width))
    assert wanted_half_width(d, 0.005) == math.log1p(0.005)


def test_the_automatic_precision_sees_a_gain_and_the_loss_that_undoes_it_alike() -> None:
    """Swapping the arms changes nothing about how long they are measured."""
    d = np.random.default_rng(1).normal(-0.3, 0.05, 10)
    assert needed_superblocks(d, 0.05, None) == needed_superblocks(-d, 0.05, None)


def test_a_second_look_takes_back_what_a_lucky_pilot_promised() -> None:
    """The pilot showed 26% less; all rounds together show far less, and so need to be more precise."""
    lucky, rest = np.full(10, -0.3), np.full(40, -0.1)
    d = np.concatenate([lucky, rest])
    assert look_again(d, pilot=10) > d.size
    assert look_again(np.full(50, -0.3), pilot=10) == 50
    assert look_again(np.concatenate([rest[:10], lucky]), pilot=10) == 20, "it never ends earlier than it is"


def test_a_second_look_does_not_look_at_the_scatter() -> None:
    """A session whose rounds scatter more than its pilot's ends where one does that scatters less."""
    generator = np.random.default_rng(2)
    for scatter in (0.001, 0.02):
        d = np.concatenate([np.full(10, -0.02), generator.normal(-0.02, scatter, 30)])
        assert look_again(d, pilot=10) == 40
