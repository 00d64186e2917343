"""The answer of a gate, as stored and printed; not for deciding it: `judge` does."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class GateVerdict(StrEnum):
    """What a run proves about a gate."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRecord:
    """One gate of `[gates]`, and what a run shows about it.

    Attributes:
        gate: Its key, such as `min-gain`.
        variant: The variant that was judged.
        workload: The workload that decided it; None if it is about all of them, or none.
        threshold: What is required, a ratio as written.
        found: In the same sense: the gain for `min-gain`, the growth for the others; None if unknown.
        low: The lower end of its interval; equal to `found` for exact values.
        high: The upper end.
        reason: What the numbers do not show: why nothing is known, which other workloads failed.
        help: What would decide it; empty if it is decided.
    """

    gate: str
    variant: str
    workload: str | None = None
    threshold: float
    found: float | None
    low: float | None
    high: float | None
    verdict: GateVerdict
    reason: str = ""
    help: str = ""
