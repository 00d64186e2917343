from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optbuild.measure.change_points import LEAST_SESSIONS, LEAST_SIDE, find_change_points

LEVEL = 0.05


def steady(count: int, seed: int = 1) -> list[float]:
    """Changes around -10% that differ by noise alone."""
    return [float(value) for value in np.random.default_rng(seed).normal(-0.10, 0.005, count)]


@pytest.mark.parametrize("noise", ["normal", "heavy", "skewed"])
@pytest.mark.parametrize("count", [8, 20])
def test_false_alarms_keep_to_their_rate(noise: str, count: int) -> None:
    """Of 200 series in which nothing changed, no more report a change than 5% allow, whatever the noise is like.

    The bound is the 99.9% point of a binomial distribution; seeds are fixed, so that the count is always the same.
    """
    generator = np.random.default_rng(20)
    draw = {"normal": generator.standard_normal, "heavy": generator.standard_cauchy, "skewed": generator.exponential}
    sizes = {"skewed": {"scale": 1.0, "size": count}}
    alarms = sum(
        bool(find_change_points(draw[noise](**sizes.get(noise, {"size": count})), level=LEVEL, least=0.0))  # type: ignore[operator]
        for _ in range(200)
    )
    assert alarms <= 20


def test_a_change_that_lasts_is_found() -> None:
    """With its place and its size, in four of five series where it is four times the noise."""
    found = 0
    for seed in range(30):
        values = steady(12, seed)
        values[8:] = [value + 0.02 for value in values[8:]]
        points = find_change_points(values, level=LEVEL, least=0.01)
        found += len(points) == 1 and abs(points[0].at - 8) <= 1 and 0.01 < points[0].after - points[0].before < 0.03
    assert found >= 24


@given(place=st.integers(min_value=0, max_value=19), size=st.floats(min_value=-10, max_value=10))
def test_an_outlier_is_no_change(place: int, size: float) -> None:
    """However far out one session lies, and wherever, it is not a change by itself."""
    values = [-0.10] * 20
    values[place] += size
    assert find_change_points(values, level=LEVEL, least=0.0) == ()


@pytest.mark.parametrize("place", [0, 10, 19])
def test_outliers_raise_no_alarms_beyond_their_rate(place: int) -> None:
    """Of 100 noisy series with an outlier each, no more report a change than 5% allow (99.9% point: 13)."""
    alarms = 0
    for seed in range(100):
        values = steady(20, seed)
        values[place] += 1.0
        alarms += bool(find_change_points(values, level=LEVEL, least=0.0))
    assert alarms <= 13


def test_two_sessions_prove_nothing() -> None:
    """The last two of many stand out together: not yet a change; a third makes it one."""
    values = steady(20)
    shifted = [value + 0.05 for value in values]
    assert find_change_points([*values[:18], *shifted[18:]], level=LEVEL, least=0.0) == ()
    found = find_change_points([*values[:17], *shifted[17:]], level=LEVEL, least=0.0)
    assert [point.at for point in found] == [17]
    assert LEAST_SIDE == 3


def test_short_series_are_not_judged() -> None:
    """Fewer sessions than eight could not reach the level even where they change."""
    assert find_change_points([0.0] * 4 + [1.0] * 3, level=LEVEL, least=0.0) == ()
    assert len(find_change_points([0.0, 0.1, 0.2, 0.3, 1.0, 1.1, 1.2, 1.3], level=LEVEL, least=0.0)) == 1
    assert LEAST_SESSIONS == 8


def test_two_changes_are_two() -> None:
    """Both sides of the strongest one are searched; each place is known to within a session."""
    values = [*steady(10), *(value + 0.05 for value in steady(10, 2)), *steady(10, 3)]
    found = find_change_points(values, level=LEVEL, least=0.01)
    assert [abs(point.at - at) <= 1 for point, at in zip(found, (10, 20), strict=True)] == [True, True]
    assert [point.after > point.before for point in found] == [True, False]


def test_what_is_too_small_to_matter_is_left_out() -> None:
    """A change below the margin is told from chance, and reported nowhere."""
    values = [0.001 * (index >= 10) + 0.00001 * (index % 3) for index in range(20)]
    assert find_change_points(values, level=LEVEL, least=0.01) == ()
    assert len(find_change_points(values, level=LEVEL, least=0.0)) == 1
