"""Other tools' rules on the same simulated runs: two identical programs, 40 runs each.

*In sequence* means all runs of the one, then all runs of the other, as these tools measure by themselves;
*interleaved* means the mirrored random order of `optbuild.measure.schedule`.

Sources:
    hyperfine, `src/benchmark/relative_speed.rs`: the ratio of the means, with the standard deviations propagated to it.
    https://github.com/sharkdp/hyperfine
    poop, `src/main.zig`: a pooled t interval of 95%, counted where it lies wholly beyond 1%.
    https://github.com/andrewrk/poop
    benchstat, `benchmath/anone.go`: the Mann–Whitney U test at 5%. https://github.com/golang/perf
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy import stats

from optbuild.measure import statistics
from optbuild.measure.statistics import Floats
from validation.noise import NoiseModel
from validation.trials import CONFIDENCE, Truths, chunks, intervals

ROUNDS = 20
MARGIN = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoPrograms:
    """The same runs, given to two identical programs in two ways: logarithms of times; sessions, runs of each."""

    in_sequence: tuple[Floats, Floats]
    interleaved: tuple[Floats, Floats]


def simulate_two(model: NoiseModel, generator: np.random.Generator, *, sessions: int, sigma: float) -> TwoPrograms:
    """Draw noise once and hand it out in both orders."""
    parts = [_two(model, generator, size, sigma) for size in chunks(sessions)]
    first, second, third, fourth = (np.concatenate(column) for column in zip(*parts, strict=True))
    return TwoPrograms(in_sequence=(first, second), interleaved=(third, fourth))


def _two(
    model: NoiseModel, generator: np.random.Generator, size: int, sigma: float
) -> tuple[Floats, Floats, Floats, Floats]:
    slots = 4
    noise = model(generator, (size, ROUNDS, 1, slots), sigma)
    in_time = noise.reshape(size, ROUNDS * slots)
    half = ROUNDS * slots // 2
    outer_first = generator.random((size, ROUNDS, 1)) < 1 / 2
    outer, inner = noise[:, :, 0, [0, 3]], noise[:, :, 0, [1, 2]]
    a, b = np.where(outer_first, outer, inner), np.where(outer_first, inner, outer)
    return in_time[:, :half], in_time[:, half:], a.reshape(size, half), b.reshape(size, half)


def welch(a: Floats, b: Floats) -> Truths:
    """Welch's t test at 5%."""
    return np.asarray(stats.ttest_ind(np.exp(a), np.exp(b), axis=-1, equal_var=False).pvalue < 1 - CONFIDENCE)


def mean_ratio(a: Floats, b: Floats) -> Truths:
    """Say where the ratio of the means is more than one propagated standard deviation away from 1."""
    first, second = np.exp(a), np.exp(b)
    means = first.mean(axis=-1), second.mean(axis=-1)
    slower, faster = np.maximum(*means), np.minimum(*means)
    spread = np.hypot(first.std(axis=-1, ddof=1) / means[0], second.std(axis=-1, ddof=1) / means[1])
    ratio = slower / faster
    return np.asarray(ratio - ratio * spread > 1)


def pooled_t_beyond_threshold(a: Floats, b: Floats) -> Truths:
    """Say where a pooled t interval of the difference, as a share of the first mean, lies wholly beyond 1%."""
    first, second = np.exp(a), np.exp(b)
    n = a.shape[-1]
    pooled = np.sqrt((first.var(axis=-1, ddof=1) + second.var(axis=-1, ddof=1)) / 2)
    reference = first.mean(axis=-1)
    reach = float(stats.t.ppf(1 - (1 - CONFIDENCE) / 2, 2 * n - 2)) * pooled * math.sqrt(2 / n) / reference
    change = np.abs(second.mean(axis=-1) / reference - 1)
    return np.asarray(change - reach >= MARGIN)


def u_test(a: Floats, b: Floats) -> Truths:
    """Mann–Whitney's U test at 5%."""
    return np.asarray(stats.mannwhitneyu(a, b, axis=-1, method="asymptotic").pvalue < 1 - CONFIDENCE)


def paired(a: Floats, b: Floats, margin: float) -> Truths:
    """Say where our interval on superblock differences lies beyond the margin."""
    pairs = (b - a).reshape(len(a), ROUNDS, 2)
    low, high = intervals(pairs.mean(axis=-1), 1 - CONFIDENCE)
    return np.asarray((low > math.log1p(margin)) | (high < -math.log1p(margin)))


def ours_without_margin(a: Floats, b: Floats) -> Truths:
    """Our rule with `min-effect` 0."""
    return paired(a, b, 0.0)


def ours(a: Floats, b: Floats) -> Truths:
    """Our rule with its default margin of 1%."""
    return paired(a, b, MARGIN)


Rule = Callable[[Floats, Floats], Truths]

UNPAIRED: Mapping[str, Rule] = {
    "mean ± σ ratio": mean_ratio,
    "pooled t, 1% threshold": pooled_t_beyond_threshold,
    "U test": u_test,
    "Welch's test": welch,
}
OURS: Mapping[str, Rule] = {"ours, margin 0": ours_without_margin, "ours, margin 1%": ours}


def estimates(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """Give the absolute error of each estimate, as a ratio: of the means, and of ours."""
    means = np.exp(b).mean(axis=-1) / np.exp(a).mean(axis=-1)
    pairs = (b - a).reshape(len(a), ROUNDS, 2).mean(axis=-1)
    centre = np.median(statistics.walsh_averages(pairs), axis=-1)
    return np.abs(means - 1), np.abs(np.expm1(centre))
