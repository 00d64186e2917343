"""What is expected of an action before it runs: data only, `session/forecast` looks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from optbuild.plan.actions import ActionId


class Expectation(StrEnum):
    """What an action will come to, as far as can be seen without running anything."""

    RUNS = "runs"
    CARGO_DECIDES = "cargo decides"
    """It was built before, and cargo knows what of it is fresh."""
    REUSED = "reused"
    """Its result is kept, and holds if cargo finds its binaries fresh."""
    ONLY_IF = "only if"
    """It belongs to an attempt that is not taken first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What is expected of one action.

    Attributes:
        why: The reason, in a few words.
        last_s: How long it took when it was last carried out; None where that is not known.
    """

    action: ActionId
    expectation: Expectation
    why: str
    last_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """How long what is expected to run took the last time.

    Attributes:
        seconds: Of all actions whose time is known.
        unknown: How many others there are.
    """

    seconds: float
    unknown: int


def estimate(forecasts: Iterable[Forecast]) -> Estimate:
    """Add up what runs; what cargo decides may take as long as the last time, or next to nothing."""
    runs = [each for each in forecasts if each.expectation is Expectation.RUNS]
    return Estimate(
        seconds=sum(each.last_s for each in runs if each.last_s is not None),
        unknown=sum(each.last_s is None for each in runs),
    )
