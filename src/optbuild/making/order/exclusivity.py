"""Which actions may run at the same time. Pure.

What an action needs for itself is its demand, which its kind states. Builds in different target directories may run at
the same time, and a workload alongside them unless its course depends on time. Measuring is no part of this.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path


class Exclusivity(Enum):
    """Whether an action may run alongside others."""

    SHARED = "shared"
    ALONE_SOON = "alone soon"
    """Nothing is begun before it, so it need not wait for long."""
    ALONE_LAST = "alone last"
    """It has time until there is nothing else to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What an action needs for itself while it runs.

    Attributes:
        places: What one action at a time can use: cargo's target directory, and the stage that programs run from.
        shared_places: What others can use with it that share it as well.
        memory_bytes: What it is known or expected to need where that is much.
        ends_in_link: It uses one core in the end, for as long as a link of the whole program takes.
    """

    exclusivity: Exclusivity = Exclusivity.SHARED
    places: frozenset[Path] = frozenset()
    shared_places: frozenset[Path] = frozenset()
    memory_bytes: int = 0
    ends_in_link: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What actions share that run at the same time.

    Attributes:
        jobs: How many programs may compute at once; one means that action follows action.
        memory_bytes: What is free when nothing of ours runs.
        peaks: How much memory actions needed in earlier runs.
    """

    jobs: int = 1
    memory_bytes: int = 0
    peaks: Mapping[str, int] = field(default_factory=dict)


def choose_next(ready: Sequence[Demand], running: Collection[Demand], budget: Budget) -> int | None:
    """What to begin now: the place of the first that may be; None where nothing may.

    Args:
        ready: What each needs that could be done, in the order in which they are wanted.
        running: What those need that are being done.
        budget: What is shared.
    """
    if budget.jobs == 1:
        return 0 if ready and not running else None
    if any(demand.exclusivity is not Exclusivity.SHARED for demand in running):
        return None
    kinds = [demand.exclusivity for demand in ready]
    if Exclusivity.ALONE_SOON in kinds:
        return None if running else kinds.index(Exclusivity.ALONE_SOON)
    if len(running) >= budget.jobs:
        return None
    together = (
        place
        for place, demand in enumerate(ready)
        if demand.exclusivity is Exclusivity.SHARED and _fits(demand, running, budget)
    )
    return next(together, 0 if ready and not running else None)


def _fits(demand: Demand, running: Collection[Demand], budget: Budget) -> bool:
    if any(_clash(demand, other) or _clash(other, demand) for other in running):
        return False
    needed_bytes = demand.memory_bytes + sum(other.memory_bytes for other in running)
    return not running or not demand.memory_bytes or needed_bytes <= budget.memory_bytes


def _clash(demand: Demand, other: Demand) -> bool:
    return not demand.places.isdisjoint(other.places | other.shared_places)
