"""Estimates, intervals and tests on superblock differences: numbers in, numbers out.

`d` is always one difference of logarithms per superblock, and every result stays on that scale; `compare` turns it into
changes and verdicts. Importing this module imports scipy, so nothing that starts up with the program may.

The signed-rank interval and p-value are exact at every number of superblocks, ties and zeros included: both come from
the distribution of the rank sum when each difference's sign is a fair coin and its size is as observed. Randomising the
order of the arms inside a superblock is what makes that coin fair.

Sources:
    J. L. Hodges, E. L. Lehmann: Estimates of Location Based on Rank Tests, 1963,
    https://doi.org/10.1214/aoms/1177704172 (the estimator).
    J. W. Pratt: Remarks on Zeros and Ties in the Wilcoxon Signed Rank Procedures, 1959,
    https://doi.org/10.1080/01621459.1959.10501526 (zeros are ranked, then left out of the sum).
"""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy import stats

Floats = npt.NDArray[np.float64]
Interval = tuple[float, float]

_POWER = 0.85
_RESAMPLES = 9999


def least_rounds(alpha: float) -> int:
    """Give the fewest superblocks that allow an interval.

    The most extreme of 2^n equally likely sign patterns has probability 2^-n on each side, which must not exceed half
    of the interval's error rate.

    Args:
        alpha: The error rate of the interval.
    """
    return math.ceil(round(1 - math.log2(alpha), 9))


def walsh_averages(d: Floats) -> Floats:
    """Give the means of all pairs along the last axis, including each value with itself, in ascending order."""
    first, second = np.triu_indices(d.shape[-1])
    return np.sort((d[..., first] + d[..., second]) / 2, axis=-1)


def hodges_lehmann(d: Floats) -> float:
    """Estimate the centre of symmetry: the median of the Walsh averages."""
    return float(np.median(walsh_averages(d)))


@lru_cache(maxsize=1024)
def rank_sum_cdf(doubled_ranks: tuple[int, ...]) -> Floats:
    """Give P(2·T⁺ ≤ t) for t = 0, 1, 2, …, where a fair coin decides whether each rank is in the sum T⁺.

    Args:
        doubled_ranks: Twice the ranks, because tied ones are halves.
    """
    probabilities = np.zeros(sum(doubled_ranks) + 1)
    probabilities[0] = 1.0
    largest = 0
    for rank in doubled_ranks:
        without = probabilities[: largest + 1] / 2
        probabilities[: largest + 1] = without
        probabilities[rank : rank + largest + 1] += without
        largest += rank
    return np.minimum(np.cumsum(probabilities), 1.0)


def critical_rank_sum(n: int, alpha: float) -> int | None:
    """Give the largest rank sum of n untied differences with P(T⁺ ≤ sum) ≤ alpha/2; None where not even zero has."""
    cdf = rank_sum_cdf(tuple(range(1, n + 1)))
    critical = int(np.searchsorted(cdf, alpha / 2, side="right")) - 1
    return critical if critical >= 0 else None


def signed_rank_interval(d: Floats, alpha: float) -> Interval | None:
    """Give the values that the exact two-sided signed-rank test does not reject at level alpha; None if n is too small.

    Without ties these are the Walsh averages except the outermost few on each side.
    """
    critical = critical_rank_sum(d.size, alpha)
    if critical is None:
        return None
    walsh = walsh_averages(d)
    if np.unique(d).size == d.size:
        return float(walsh[critical]), float(walsh[-1 - critical])
    return _lower_limit(d, walsh, alpha), -_lower_limit(-d, -walsh[::-1], alpha)


def foreseen_half_width(d: Floats, alpha: float) -> float:
    """Give half the signed-rank interval's width at level alpha, extrapolated if n is too small for an interval.

    The extrapolation stretches the widest interval that n allows by the ratio of the two levels' normal quantiles.
    """
    attainable = max(alpha, 2.0 ** (1 - d.size))
    low, high = signed_rank_interval(d, attainable) or (0.0, 0.0)
    return (high - low) / 2 * _normal_quantile(alpha) / _normal_quantile(attainable)


def signed_rank_p(d: Floats, theta: float = 0.0) -> float:
    """Give the exact two-sided p-value of the hypothesis that d is symmetric around theta."""
    return min(1.0, 2 * min(_upper_tail(d - theta), _upper_tail(theta - d)))


def t_interval(d: Floats, alpha: float) -> Interval:
    """Give Student's interval of the mean, as a cross-check."""
    reach = float(stats.t.ppf(1 - alpha / 2, d.size - 1)) * float(np.std(d, ddof=1)) / math.sqrt(d.size)
    centre = float(np.mean(d))
    return centre - reach, centre + reach


def bca_interval(d: Floats, alpha: float) -> Interval:
    """Give the bias-corrected and accelerated bootstrap interval of the mean, as a cross-check.

    The resampling is seeded: the same data always gives the same interval.
    """
    if np.ptp(d) == 0:
        return float(d[0]), float(d[0])
    result = stats.bootstrap(
        (d,),
        np.mean,
        confidence_level=1 - alpha,
        n_resamples=_RESAMPLES,
        method="BCa",
        rng=np.random.default_rng(0),
    )
    return float(result.confidence_interval.low), float(result.confidence_interval.high)


def detectable_effect(reach: float, n: int, margin: float, alpha: float) -> float:
    """Give the effect whose interval lies beyond the margin in at least four of five sessions.

    An effect is found when the end of its interval clears the margin. If that end lay z₁₋α/₂ standard errors from the
    estimate, and the standard error were known, z₁₋α/₂ + z₀.₈ of them would do. It is estimated from n superblocks, so
    the quantiles are those of Student's t; from the farther end, because delays on one side stretch that one first; and
    for 85%, because they hide from a session that had few of them. Simulation shows that four of five are then found
    under every noise (docs/measurement/validation.md).

    Args:
        reach: From the estimate to the farther end of its interval.
        n: The number of superblocks.
        margin: Of the verdicts.
        alpha: The error rate of the interval.
    """
    standard_errors = float(stats.t.isf(alpha / 2, n - 1) + stats.t.ppf(_POWER, n - 1))
    return margin + reach * standard_errors / _normal_quantile(alpha)


def trend_p(d: Floats) -> float:
    """Give the p-value of Kendall's test for a monotone trend over the rounds; 1 where all are equal."""
    if np.ptp(d) == 0:
        return 1.0
    return float(stats.kendalltau(np.arange(d.size), d).pvalue)


def serial_p(d: Floats) -> float:
    """Give the one-sided p-value of a positive lag-1 rank autocorrelation, by permuting the rounds.

    Only the positive side matters: it makes an interval too narrow, the negative one makes it too wide.
    """
    if np.ptp(d) == 0:
        return 1.0
    ranks = stats.rankdata(d) - (d.size + 1) / 2
    result = stats.permutation_test(
        (ranks,),
        _lag_1_product,
        permutation_type="pairings",
        vectorized=True,
        n_resamples=_RESAMPLES,
        alternative="greater",
        rng=np.random.default_rng(0),
    )
    return float(result.pvalue)


def _normal_quantile(alpha: float) -> float:
    return float(stats.norm.isf(alpha / 2))


def _lag_1_product(ranks: Floats, axis: int) -> Floats:
    series = np.moveaxis(ranks, axis, -1)
    return np.asarray((series[..., 1:] * series[..., :-1]).sum(axis=-1))


def _upper_tail(d: Floats) -> float:
    """P(T⁺ ≥ observed) with the sizes |d| as observed and every sign a fair coin."""
    doubled = np.rint(2 * stats.rankdata(np.abs(d))).astype(int)
    observed = int(doubled[d > 0].sum())
    if observed == 0:
        return 1.0
    cdf = rank_sum_cdf(tuple(int(rank) for rank in np.sort(doubled[d != 0])))
    # The distribution is symmetric: the upper tail at t is the lower one at its mirror image.
    return float(cdf[cdf.size - 1 - observed])


def _lower_limit(d: Floats, walsh: Floats, alpha: float) -> float:
    """Where, from below, the one-sided test first fails to reject; tested between neighbouring Walsh averages."""
    ends = np.unique(walsh)
    for low, high in pairwise(ends):
        if _upper_tail(d - (low + high) / 2) > alpha / 2:
            return float(low)
    return float(ends[-1])
