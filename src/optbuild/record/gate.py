"""The answer of a gate, as it is stored and printed; not for how it comes about: `judge` says that."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class GateVerdict(StrEnum):
    """What a run proves of a demand."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRecord:
    """One demand of `[gates]`, and what a run shows of it.

    Attributes:
        gate: Its key, such as `min-gain`.
        variant: The variant that was judged.
        workload: The workload that decided it; None where all of them, or none, are concerned.
        threshold: What is demanded, a ratio as it was written.
        found: In the same sense: the gain for `min-gain`, the growth for the others; None where it is not known.
        low: The lower end of its interval; equal to `found` for what is exact.
        high: The upper end.
        reason: What the numbers do not say: why nothing is known, which workloads failed as well.
        help: What would decide it; empty where it is decided.
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
