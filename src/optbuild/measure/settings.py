"""The settings of a contest: how long, how precisely, at which level."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingSettings:
    """How long to measure and to what end.

    Attributes:
        precision: Half-width of the suite's interval to aim for, as a ratio; None for the larger of 1% and a tenth of
            the change.
        min_effect: Margin of the verdicts, as a ratio.
        max_time_s: The time limit, counting included.
        seed: Of the order of runs.
        looks: Of a race: the rounds after which candidates may leave. It ends with the last, or once one candidate at
            most is left. Empty lets the precision decide.
        counting_share: The share of `max_time_s` that counting instructions may take; zero counts nothing.
        allocations_share: The same for allocations, which are counted only on request.
    """

    precision: float | None
    min_effect: float
    max_time_s: float
    confidence: float
    seed: int
    looks: tuple[int, ...] = ()
    counting_share: float = 0.1
    allocations_share: float = 0.0
