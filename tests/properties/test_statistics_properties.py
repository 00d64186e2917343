from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optbuild.measure import statistics
from optbuild.measure.compare import analyse
from optbuild.measure.model import A_PRIME, Analysis, Series, Superblock
from optbuild.measure.statistics import Floats

ALPHAS = st.sampled_from([0.2, 0.1, 0.05, 0.0125])


def as_array(values: list[int]) -> Floats:
    """Give sixteenths: sums and halves of them are exact, so ties are ties."""
    return np.array(values, dtype=np.float64) / 16


SAMPLES = st.lists(st.integers(-400, 400), min_size=2, max_size=14).map(as_array)
TIED = st.lists(st.integers(-3, 3), min_size=2, max_size=12).map(as_array)
ANY = st.one_of(SAMPLES, TIED)


@given(d=ANY, alpha=ALPHAS)
def test_flipping_every_sign_mirrors_estimate_interval_and_p_value(d: Floats, alpha: float) -> None:
    """Swapping baseline and candidate negates all differences; nothing but the sign may change."""
    interval = statistics.signed_rank_interval(d, alpha)
    mirrored = statistics.signed_rank_interval(-d, alpha)

    assert statistics.hodges_lehmann(-d) == -statistics.hodges_lehmann(d)
    assert statistics.signed_rank_p(-d) == statistics.signed_rank_p(d)
    assert mirrored == (None if interval is None else (-interval[1], -interval[0]))


@given(d=ANY, alpha=ALPHAS, seed=st.integers(0, 100))
def test_the_order_of_rounds_does_not_matter(d: Floats, alpha: float, seed: int) -> None:
    """Estimate, interval and p-value are those of the set of differences."""
    shuffled = np.random.default_rng(seed).permutation(d)

    assert statistics.hodges_lehmann(shuffled) == statistics.hodges_lehmann(d)
    assert statistics.signed_rank_p(shuffled) == statistics.signed_rank_p(d)
    assert statistics.signed_rank_interval(shuffled, alpha) == statistics.signed_rank_interval(d, alpha)


@given(d=ANY, alpha=ALPHAS, shift=st.integers(-64, 64), doublings=st.integers(-3, 3))
def test_estimate_and_interval_move_and_stretch_with_the_data(
    d: Floats, alpha: float, shift: int, doublings: int
) -> None:
    """A constant added to or multiplied with all differences does the same to the results."""
    moved = (d + shift) * 2.0**doublings
    interval = statistics.signed_rank_interval(d, alpha)

    assert statistics.hodges_lehmann(moved) == (statistics.hodges_lehmann(d) + shift) * 2.0**doublings
    assert statistics.signed_rank_interval(moved, alpha) == (
        None if interval is None else tuple((end + shift) * 2.0**doublings for end in interval)
    )


@given(d=SAMPLES, alpha=ALPHAS)
def test_interval_and_p_value_agree(d: Floats, alpha: float) -> None:
    """Zero is outside the interval exactly when the test rejects it, unless it is a Walsh average itself."""
    interval = statistics.signed_rank_interval(d, alpha)
    if interval is None or (statistics.walsh_averages(d) == 0).any():
        return
    if np.unique(d).size < d.size:
        return  # the outer of several ranges that a tied test leaves is kept: zero may lie in a gap

    outside = not interval[0] <= 0 <= interval[1]

    assert outside == (statistics.signed_rank_p(d) <= alpha)


@given(d=ANY, alpha=ALPHAS)
def test_the_estimate_lies_in_the_interval_and_a_stricter_level_widens_it(d: Floats, alpha: float) -> None:
    """Intervals of falling alpha are nested around the Hodges–Lehmann estimate."""
    interval = statistics.signed_rank_interval(d, alpha)
    wider = statistics.signed_rank_interval(d, alpha / 2)

    if interval is not None:
        assert interval[0] <= statistics.hodges_lehmann(d) <= interval[1]
    if interval is not None and wider is not None:
        assert wider[0] <= interval[0]
        assert interval[1] <= wider[1]


VALUES = st.lists(st.tuples(*(st.floats(0.5, 2.0) for _ in range(6))), min_size=6, max_size=12)


def as_series(rows: list[tuple[float, ...]], *, unit: float = 1.0, order: Callable[[int], int] = int) -> Series:
    """Give rounds of one mirrored pass of three arms."""
    blocks = [
        Superblock(
            order=("a", "b", A_PRIME, A_PRIME, "b", "a"),
            values={
                "a": (row[0] * unit, row[5] * unit),
                "b": (row[1] * unit, row[4] * unit),
                A_PRIME: (row[2] * unit, row[3] * unit),
            },
        )
        for row in rows
    ]
    blocks = [blocks[order(index)] for index in range(len(blocks))]
    return Series(workload="w", metric="wall", unit="s", rounds=tuple(blocks))


def analysis_of(series: Series, baseline: str = "a", candidate: str = "b") -> Analysis:
    """Compare two arms at 95%."""
    return analyse([series], baseline=baseline, candidates=[candidate], confidence=0.95, min_effect=0.01)


def numbers(analysis: Analysis) -> Mapping[str, float | None]:
    """Give the suite comparison's numbers."""
    one = analysis.comparisons[0]
    return {name: getattr(one, name) for name in ("change", "ci_low", "ci_high", "p_value", "mde")}


@given(rows=VALUES, doublings=st.integers(-20, 20))
def test_the_unit_of_the_values_does_not_matter(rows: list[tuple[float, ...]], doublings: int) -> None:
    """Milliseconds or seconds: ratios are the same."""
    expected = numbers(analysis_of(as_series(rows)))

    scaled = numbers(analysis_of(as_series(rows, unit=2.0**doublings)))

    assert scaled == {name: pytest.approx(value, abs=1e-9) for name, value in expected.items()}


@given(rows=VALUES)
def test_the_order_of_rounds_changes_no_number(rows: list[tuple[float, ...]]) -> None:
    """Reversing a session changes its warnings at most."""
    forth = analysis_of(as_series(rows))
    back = analysis_of(as_series(rows, order=lambda index: -1 - index))

    assert numbers(back) == numbers(forth)
    assert back.aa == forth.aa
    assert [one.verdict for one in back.comparisons] == [one.verdict for one in forth.comparisons]


@given(rows=VALUES)
def test_swapping_baseline_and_candidate_inverts_the_ratio(rows: list[tuple[float, ...]]) -> None:
    """The change becomes 1/(1 + change) − 1, and the interval's ends trade places."""
    forth, back = numbers(analysis_of(as_series(rows))), numbers(analysis_of(as_series(rows), "b", "a"))
    ends = [forth["change"], forth["ci_high"], forth["ci_low"]]

    assert [back["change"], back["ci_low"], back["ci_high"]] == [
        None if end is None else pytest.approx(1 / (1 + end) - 1, abs=1e-12) for end in ends
    ]
    assert back["p_value"] == forth["p_value"]


@given(rows=VALUES)
def test_nothing_is_ever_nan(rows: list[tuple[float, ...]]) -> None:
    """A record holds numbers or nulls."""
    for value in numbers(analysis_of(as_series(rows))).values():
        assert value is None or math.isfinite(value)
