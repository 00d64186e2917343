"""Counts of what happened in simulated sessions, with the interval that belongs to each."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt
from scipy import stats


class Outcome(StrEnum):
    """How a rate stands to its target."""

    MET = "met"
    MISSED = "missed"
    OPEN = "undecided"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """So many hits in so many trials."""

    hits: int
    trials: int

    @property
    def ratio(self) -> float:
        """The share of hits."""
        return self.hits / self.trials

    @property
    def interval(self) -> tuple[float, float]:
        """The 95% Clopper–Pearson interval."""
        found = stats.binomtest(self.hits, self.trials).proportion_ci(0.95, method="exact")
        return float(found.low), float(found.high)

    def against(self, low: float, high: float) -> Outcome:
        """Hold the interval against a target range: met inside it, missed outside, undecided across its border."""
        least, most = self.interval
        if low <= least and most <= high:
            return Outcome.MET
        return Outcome.MISSED if most < low or least > high else Outcome.OPEN

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.ratio:.1%} [{100 * low:.1f}, {100 * high:.1f}]"


def rate_of(hits: npt.NDArray[np.bool_]) -> Rate:
    """Count true values."""
    return Rate(hits=int(hits.sum()), trials=int(hits.size))


def worst(outcomes: list[Outcome]) -> Outcome:
    """Give one missed before one undecided before all met."""
    return max(outcomes, key=[Outcome.MET, Outcome.OPEN, Outcome.MISSED].index)
