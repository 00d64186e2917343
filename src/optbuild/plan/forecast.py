"""What is expected of an action before it runs: data only, `session/forecast` looks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from optbuild.plan.action import ActionId


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
    """What actions take, by what they took in earlier runs.

    Attributes:
        each_s: How long each action takes by itself; None where that is not known.
        overlap: What of the time of all actions but measuring a run takes: 1 where one follows the other.
        measure: The action that overlaps no other one.
        memory_bytes: What the largest process needs; None where that is not known.
        disk_bytes: What lies on disk at the end, likewise.
    """

    each_s: Mapping[ActionId, float | None]
    overlap: float = 1.0
    measure: ActionId | None = None
    memory_bytes: int | None = None
    disk_bytes: int | None = None

    @property
    def seconds(self) -> float:
        """How long all of them take whose time is known."""
        return sum((share_s for share_s in self.shares_s().values() if share_s is not None), start=0.0)

    @property
    def unknown(self) -> int:
        """How many there are whose time is not known."""
        return sum(last_s is None for last_s in self.each_s.values())

    def shares_s(self) -> dict[str, float | None]:
        """What each action adds to the time of all; None where that is not known."""
        return {
            action: None if last_s is None else last_s * (1 if action == self.measure else self.overlap)
            for action, last_s in self.each_s.items()
        }
