"""When to stop: how precise a session has to be, and how many rounds that takes. Numbers in, numbers out.

A fixed precision depends only on the scatter of the differences. The automatic one also depends on the size of a
change; docs/measurement/validation.md shows that this does not change the level of the intervals.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

from optbuild.measure import statistics
from optbuild.measure.statistics import Floats

LEAST_PRECISION = 0.01
"""The automatic half-width for changes up to ten times as large."""
CHANGE_SHARE = 0.1
"""The automatic half-width, as a share of a larger change."""
SUITE_SHARE = 2 / 3
"""The share of a report's common level that changes over all workloads get."""


@dataclass(frozen=True, slots=True)
class Levels:
    """The error rate of each interval of a report; together they are wrong in at most one session in twenty.

    Attributes:
        suite: Each candidate over all workloads.
        cell: Each candidate on each workload.
    """

    suite: float
    cell: float

    @classmethod
    def of(cls, candidates: int, workloads: int, confidence: float) -> Self:
        """Share the level out (Bonferroni). With one workload its comparisons are the suite's, and count once."""
        alpha = (1 - confidence) / max(1, candidates)
        if workloads <= 1:
            return cls(suite=alpha, cell=alpha)
        return cls(suite=SUITE_SHARE * alpha, cell=(1 - SUITE_SHARE) * alpha / workloads)

    @property
    def least_rounds(self) -> int:
        """The fewest superblocks that allow an interval for each."""
        return statistics.least_rounds(min(self.suite, self.cell))


def wanted_half_width(d: Floats, precision: float | None) -> float:
    """Give the half-width to aim for, on the scale of logarithms.

    Args:
        d: The differences so far.
        precision: As a ratio; None for the larger of 1% and a tenth of the change, if known.
    """
    if precision is None:
        change = -math.expm1(-abs(statistics.hodges_lehmann(d)))
        precision = max(LEAST_PRECISION, CHANGE_SHARE * change)
    return math.log1p(precision)


def needed_superblocks(d: Floats, alpha: float, precision: float | None) -> int:
    """Give the number of superblocks like these after which the interval should be as narrow as requested.

    The half-width falls with the square root of their number.
    """
    return math.ceil(d.size * (statistics.foreseen_half_width(d, alpha) / wanted_half_width(d, precision)) ** 2)


def look_again(d: Floats, *, pilot: int) -> int:
    """Give the number of superblocks that the automatic precision takes, after those that the pilot requested.

    The pilot's estimate may have been too large by chance, which makes its target too wide. Only that is reconsidered,
    never the scatter: sessions that scatter little by chance must not end early.

    Args:
        d: All superblocks so far.
        pilot: How many of them were the pilot's.
    """
    first, now = wanted_half_width(d[:pilot], None), wanted_half_width(d, None)
    return max(d.size, math.ceil(d.size * (first / now) ** 2))
