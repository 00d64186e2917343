"""Find where a series of sessions changed for good: the maximally selected rank statistic, by permutations. Pure.

Ranks make one outlier count as one value, however far out it lies; a change needs several sessions on both sides. The
distribution under "nothing changed" comes from permuting the series itself, which assumes no shape of the noise:
sessions need only be exchangeable. If a change is found, both sides are searched in the same way.

Sources:
    B. Lausen, M. Schumacher, Maximally Selected Rank Statistics, Biometrics 48 (1992), 73-85,
    https://doi.org/10.2307/2532740: Wilcoxon's rank sum at each place, standardised, and the largest of them.
    P. Good, Permutation, Parametric and Bootstrap Tests of Hypotheses, 3rd ed., chapter 3: the p-value of sampled
    permutations counts the observed order as one of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

LEAST_SIDE = 3
"""The minimum of sessions on each side of a change: one or two are outliers."""
LEAST_SESSIONS = 8
"""With fewer sessions, no order is unlikely enough: 2 of the 70 ways to choose four of eight are as extreme."""
_PERMUTATIONS = 1_999
_SEED = 5713


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePoint:
    """A change that lasted.

    Attributes:
        at: The index of the first value after it.
        before: The median of the stretch before.
        after: The median of the stretch after.
        p_value: Of the test that found it.
    """

    at: int
    before: float
    after: float
    p_value: float


def find_change_points(values: Sequence[float], *, level: float, least: float) -> tuple[ChangePoint, ...]:
    """Find lasting changes.

    If nothing changed, a change is reported in at most `level` of all series: the search continues only on the sides of
    a change that was found.

    Args:
        values: One value per session, the oldest first.
        level: The rate of false alarms of a whole series.
        least: The smallest difference of medians that matters.
    """
    series = np.asarray(values, dtype=np.float64)
    places = _search(series, 0, len(series), level)
    edges = [0, *(place for place, _ in places), len(series)]
    medians = [float(np.median(series[low:high])) for low, high in pairwise(edges)]
    found = (
        ChangePoint(at=place, before=before, after=after, p_value=p_value)
        for (place, p_value), (before, after) in zip(places, pairwise(medians), strict=True)
    )
    return tuple(point for point in found if abs(point.after - point.before) >= least)


def _search(series: NDArray[np.float64], low: int, high: int, level: float) -> list[tuple[int, float]]:
    if high - low < LEAST_SESSIONS:
        return []
    place, p_value = _test(series[low:high])
    if p_value > level:
        return []
    at = low + place
    return [*_search(series, low, at, level), (at, p_value), *_search(series, at, high, level)]


def _test(values: NDArray[np.float64]) -> tuple[int, float]:
    """The likeliest place of a change, and the probability of one so marked if there is none."""
    from scipy.stats import rankdata  # noqa: PLC0415 - scipy is loaded when there is something to test

    ranks = rankdata(values)
    observed = _statistics(ranks[np.newaxis, :])[0]
    shuffled = np.random.default_rng(_SEED).permuted(np.tile(ranks, (_PERMUTATIONS, 1)), axis=1)
    most = _statistics(shuffled).max(axis=1)
    strongest = observed.max()
    p_value = (1 + int(np.count_nonzero(most >= strongest - 1e-9))) / (_PERMUTATIONS + 1)
    return LEAST_SIDE + int(observed.argmax()), p_value


def _statistics(ranks: NDArray[np.float64]) -> NDArray[np.float64]:
    """The standardised rank sum before each place that leaves enough on both sides, by rows."""
    count = ranks.shape[1]
    before = np.arange(LEAST_SIDE, count - LEAST_SIDE + 1)
    sums = np.cumsum(ranks, axis=1)[:, before - 1]
    distances: NDArray[np.float64] = np.abs(sums - before * (count + 1) / 2) / np.sqrt(before * (count - before))
    return distances  # except for a factor that all places and permutations share
