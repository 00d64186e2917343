from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from scipy import stats

from optbuild.measure import statistics
from optbuild.measure.statistics import Floats

TIED = [
    [0.0, 0.0, 0.0, 1.0, 1.0, -1.0, 2.0, 3.0],
    [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 2.0],
    [-2.0, -1.0, -1.0, 0.0, 1.0, 1.0, 1.0, 2.0, 4.0],
    [0.5, 0.5, 0.25, 0.25, -0.125, 0.0, 0.75, 0.75],
]


def sample(n: int, seed: int = 0) -> Floats:
    """Give n differences without ties."""
    return np.random.default_rng(seed).normal(0.3, 1.0, n)


def brute_force_tail(d: Floats) -> float:
    """Give the share of sign patterns whose rank sum is at least the observed one, by listing them all."""
    ranks = stats.rankdata(np.abs(d))
    observed = float(ranks[d > 0].sum())
    moving = ranks[d != 0]
    sums = [float(np.dot(moving, signs)) for signs in product((0, 1), repeat=moving.size)]
    return len([total for total in sums if total >= observed - 1e-9]) / len(sums)


@pytest.mark.parametrize("n", range(1, 11))
def test_the_null_distribution_is_that_of_all_sign_patterns(n: int) -> None:
    """The exact distribution of the rank sum equals a count of all 2^n sign patterns."""
    sums = np.array([sum(chosen) for chosen in product(*((0, rank) for rank in range(1, n + 1)))])

    cdf = statistics.rank_sum_cdf(tuple(range(2, 2 * n + 1, 2)))[::2]

    assert cdf.size == n * (n + 1) // 2 + 1
    assert cdf.tolist() == [float(np.mean(sums <= total)) for total in range(cdf.size)]


@pytest.mark.parametrize("n", [1, 2, 5, 10, 17, 30, 60, 200])
def test_the_p_value_is_scipys_exact_one_where_nothing_is_tied(n: int) -> None:
    """Without ties or zeros the permutation distribution is Wilcoxon's."""
    for seed in range(5):
        d = sample(n, seed)
        assert statistics.signed_rank_p(d) == pytest.approx(float(stats.wilcoxon(d, method="exact").pvalue), rel=1e-9)


@pytest.mark.parametrize("values", TIED)
def test_the_p_value_counts_sign_patterns_where_ranks_are_tied(values: list[float]) -> None:
    """With ties and zeros it is still the exact share of sign patterns, zeros ranked and left out."""
    d = np.array(values)

    expected = min(1.0, 2 * min(brute_force_tail(d), brute_force_tail(-d)))

    assert statistics.signed_rank_p(d) == pytest.approx(expected, rel=1e-12)


def test_the_p_value_of_no_difference_at_all_is_one() -> None:
    """Twelve zeros prove nothing."""
    assert statistics.signed_rank_p(np.zeros(12)) == 1.0


@pytest.mark.parametrize("n", [6, 8, 10])
@pytest.mark.parametrize("alpha", [0.05, 0.05 / 4, 0.2])
def test_the_interval_holds_what_the_test_does_not_reject(n: int, alpha: float) -> None:
    """The interval equals an inversion of the brute-force test between all neighbouring Walsh averages."""
    for seed in range(10):
        d = sample(n, seed)
        interval = statistics.signed_rank_interval(d, alpha)
        if 2.0 ** (1 - n) > alpha:
            assert interval is None
            continue
        assert interval == pytest.approx(inverted(d, alpha), rel=1e-12)


@pytest.mark.parametrize("values", TIED)
@pytest.mark.parametrize("alpha", [0.05, 0.1])
def test_the_interval_of_tied_differences_is_an_inversion_too(values: list[float], alpha: float) -> None:
    """Ties change the distribution of the test that is inverted, and nothing else."""
    d = np.array(values)

    assert statistics.signed_rank_interval(d, alpha) == pytest.approx(inverted(d, alpha), rel=1e-12)


def inverted(d: Floats, alpha: float) -> tuple[float, float]:
    """Invert the one-sided tests between all neighbouring means of pairs, by listing sign patterns."""
    ends = np.unique([(a + b) / 2 for a in d for b in d])
    middles = (ends[:-1] + ends[1:]) / 2
    low = [end for end, middle in zip(ends[:-1], middles, strict=True) if brute_force_tail(d - middle) > alpha / 2]
    high = [end for end, middle in zip(ends[1:], middles, strict=True) if brute_force_tail(middle - d) > alpha / 2]
    return float(min(low, default=ends[-1])), float(max(high, default=ends[0]))


def test_an_interval_of_equal_differences_has_no_width() -> None:
    """A metric that never varies is known exactly, once there are enough rounds for an interval."""
    assert statistics.signed_rank_interval(np.full(10, 0.25), 0.05) == (0.25, 0.25)
    assert statistics.signed_rank_interval(np.full(5, 0.25), 0.05) is None


def test_zeros_with_one_stray_value_on_each_side_leave_only_zero() -> None:
    """Where nothing beside a single value survives the test, that value is the interval."""
    d = np.array([0.0] * 20 + [1.0, -2.0])

    assert statistics.signed_rank_interval(d, 0.05) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("n", "alpha", "critical"), [(5, 0.05, None), (6, 0.05, 0), (10, 0.05, 8), (20, 0.05, 52), (30, 0.05, 137)]
)
def test_critical_rank_sums_are_those_of_the_printed_tables(n: int, alpha: float, critical: int | None) -> None:
    """The critical values at 5% two-sided are the ones every textbook's table gives."""
    assert statistics.critical_rank_sum(n, alpha) == critical


@pytest.mark.parametrize("comparisons", [1, 2, 3, 4, 20, 25, 26, 100])
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_the_least_number_of_rounds_is_the_first_with_an_interval(comparisons: int, confidence: float) -> None:
    """⌈1 + log₂(m/α)⌉ superblocks give an interval at level 1 − α/m; one fewer gives none."""
    alpha = (1 - confidence) / comparisons
    n = statistics.least_rounds(alpha)

    assert statistics.signed_rank_interval(sample(n), alpha) is not None
    assert statistics.signed_rank_interval(sample(n - 1), alpha) is None


def test_the_estimate_is_the_median_of_all_pairwise_means() -> None:
    """Hodges–Lehmann, by hand: pairs of (1, 2, 9) have the means 1, 1.5, 2, 5, 5.5, 9."""
    assert statistics.hodges_lehmann(np.array([1.0, 2.0, 9.0])) == 3.5


def test_walsh_averages_of_many_samples_are_taken_row_by_row() -> None:
    """A stack of samples gives what each gives alone."""
    rows = np.stack([sample(7, seed) for seed in range(3)])

    stacked = statistics.walsh_averages(rows)

    assert stacked.shape == (3, 28)
    assert all((stacked[i] == statistics.walsh_averages(rows[i])).all() for i in range(3))


def test_students_interval_is_scipys() -> None:
    """The cross-check on the mean is the textbook's."""
    d = sample(12)
    expected = stats.ttest_1samp(d, 0.0).confidence_interval(0.99)

    assert statistics.t_interval(d, 0.01) == pytest.approx((expected.low, expected.high), rel=1e-12)


def test_the_bootstrap_is_repeatable_and_bears_equal_values() -> None:
    """The same data always gives the same interval; data without spread gives one without width, and no warning."""
    d = sample(12)

    low, high = statistics.bca_interval(d, 0.05)

    assert statistics.bca_interval(d, 0.05) == (low, high)
    assert low < d.mean() < high
    assert statistics.bca_interval(np.full(8, 0.5), 0.05) == (0.5, 0.5)


@pytest.mark.parametrize(
    ("n", "alpha", "standard_errors"),
    [(10, 0.05, 2.2622 + 1.0997), (30, 0.05, 2.0452 + 1.0553), (20, 0.01, 2.8609 + 1.0655), (10**6, 0.05, 2.9964)],
)
def test_the_detectable_effect_is_as_many_standard_errors_beyond_the_margin_as_a_t_test_needs(
    n: int, alpha: float, standard_errors: float
) -> None:
    """Student's quantiles for the level and for 85%, as tables print them; an end is a normal quantile of them away."""
    reach = statistics._normal_quantile(alpha)
    assert statistics.detectable_effect(reach, n, 0.01, alpha) == pytest.approx(0.01 + standard_errors, abs=1e-3)
    assert statistics.detectable_effect(0.0, n, 0.01, alpha) == 0.01


def test_a_half_width_can_be_foreseen_where_there_is_no_interval_yet() -> None:
    """It is the interval's own where there is one, and grows on as the level gets out of reach."""
    d = sample(6)
    interval = statistics.signed_rank_interval(d, 0.05)
    assert interval is not None

    at_reach = statistics.foreseen_half_width(d, 0.05)

    assert at_reach == (interval[1] - interval[0]) / 2
    assert statistics.signed_rank_interval(d, 0.01) is None
    assert statistics.foreseen_half_width(d, 0.01) == pytest.approx(at_reach * 2.5758 / 2.1539, rel=1e-4)


def test_a_trend_and_a_memory_are_found_and_noise_is_not() -> None:
    """Kendall's test finds what moves in one direction, the permutation test what stays near where it was."""
    noise = sample(40, seed=3)
    blocks = np.repeat([0.0, 3.0, -1.0, 4.0, 1.0, 5.0, -2.0, 2.0], 5) + noise / 10

    assert statistics.trend_p(noise + np.arange(40) / 4) < 1e-6
    assert statistics.serial_p(blocks) < 0.001
    assert statistics.trend_p(noise) > 0.05
    assert statistics.serial_p(noise) > 0.05
    assert statistics.serial_p(noise * (-1.0) ** np.arange(40) * 5) > 0.05


def test_equal_differences_have_neither_trend_nor_memory() -> None:
    """A metric that never varies gives no warning and no division by zero."""
    assert statistics.trend_p(np.zeros(12)) == 1.0
    assert statistics.serial_p(np.zeros(12)) == 1.0


def test_a_rank_sum_of_many_rounds_stays_a_probability() -> None:
    """Two hundred rounds neither overflow nor lose the distribution's end."""
    cdf = statistics.rank_sum_cdf(tuple(range(2, 402, 2)))

    assert cdf[-1] == pytest.approx(1.0)
    assert cdf[0] == math.ldexp(1.0, -200)
    assert (np.diff(cdf) >= 0).all()
