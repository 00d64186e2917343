from __future__ import annotations

import pytest

from optbuild.measure.shape import batch_for, growth, is_primed, pilot_turns


@pytest.mark.parametrize(("run_s", "turns"), [(3.0, 1), (0.2, 1), (0.19, 2), (0.0001, 2)])
def test_a_pilot_has_the_smallest_superblocks(run_s: float, turns: int) -> None:
    """One order of long runs; one mirrored pass of short ones, whose primer is worth its time then."""
    assert pilot_turns(run_s) == turns
    assert is_primed(run_s) == (turns == 2)


@pytest.mark.parametrize(
    ("turns", "wanted", "factor"),
    [(1, 0, 1), (1, 79, 1), (1, 80, 2), (1, 159, 2), (1, 160, 4), (1, 5000, 6), (2, 79, 1), (2, 80, 2), (2, 5000, 3)],
)
def test_superblocks_grow_where_many_are_wanted(turns: int, wanted: int, factor: int) -> None:
    """Up to three passes, and never so that few are left; more turns than one are whole passes."""
    assert growth(turns, wanted) == factor
    assert turns * factor == 1 or turns * factor % 2 == 0


@pytest.mark.parametrize(("run_s", "batch"), [(1.0, 1), (0.005, 1), (0.0049, 2), (0.001, 5), (1e-9, 100)])
def test_only_runs_of_a_few_milliseconds_are_batched(run_s: float, batch: int) -> None:
    """Single runs interleave best; a batch only lifts a run above the timer's and the spawn's own noise."""
    assert batch_for(run_s) == batch


@pytest.mark.parametrize("run_s", [0.0, -1.0, float("nan")])
def test_a_duration_is_above_zero(run_s: float) -> None:
    """A run that took no time was not measured."""
    with pytest.raises(ValueError, match="more than zero"):
        pilot_turns(run_s)
    with pytest.raises(ValueError, match="more than zero"):
        batch_for(run_s)
