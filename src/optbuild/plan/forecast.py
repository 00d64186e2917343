"""The expectation for an action before it runs: data only, made by `session/forecast`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from optbuild.plan.action import ActionId


class Expectation(StrEnum):
    """The expected outcome of an action, determined without running anything."""

    RUNS = "runs"
    CARGO_DECIDES = "cargo decides"
    """It was built before; cargo knows which parts are fresh."""
    REUSED = "reused"
    """Its result is kept, and valid if cargo finds its binaries fresh."""
    ONLY_IF = "only if"
    """It belongs to an attempt that is not the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """The expectation for one action.

    Attributes:
        why: The reason, in a few words.
        last_s: How long it took when it last ran; None if unknown.
    """

    action: ActionId
    expectation: Expectation
    why: str
    last_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """An estimate of time and space, based on earlier runs.

    Attributes:
        each_s: How long each action takes by itself; None if unknown.
        overlap: The run's duration without measuring, as a share of the total of its actions: 1 if they run one after
            another.
        measure: The action that overlaps no other.
        memory_bytes: What the largest process needs; None if unknown.
        disk_bytes: The disk space used at the end, likewise.
    """

    each_s: Mapping[ActionId, float | None]
    overlap: float = 1.0
    measure: ActionId | None = None
    memory_bytes: int | None = None
    disk_bytes: int | None = None

    @property
    def seconds(self) -> float:
        """The total of all known durations."""
        return sum((share_s for share_s in self.shares_s().values() if share_s is not None), start=0.0)

    @property
    def unknown(self) -> int:
        """The number of actions of unknown duration."""
        return sum(last_s is None for last_s in self.each_s.values())

    def shares_s(self) -> dict[str, float | None]:
        """What each action adds to the total time; None if unknown."""
        return {
            action: None if last_s is None else last_s * (1 if action == self.measure else self.overlap)
            for action, last_s in self.each_s.items()
        }
