"""Which actions may run at the same time. Pure.

An action's demand is what it needs for itself; its kind states it. Builds in different target directories may run at
the same time, and a workload alongside them unless it depends on time. Measuring is not covered here.
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
    """Nothing is started before it, which keeps its wait short."""
    ALONE_LAST = "alone last"
    """It waits until there is nothing else to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What an action needs for itself while it runs.

    Attributes:
        places: What one action at a time can use: cargo's target directory, and the stage that programs run from.
        shared_places: What it can share with others that also share it.
        memory_bytes: What it is known or expected to need, if that is much.
        ends_in_link: It ends in a link of the whole program, which uses one core.
    """

    exclusivity: Exclusivity = Exclusivity.SHARED
    places: frozenset[Path] = frozenset()
    shared_places: frozenset[Path] = frozenset()
    memory_bytes: int = 0
    ends_in_link: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The resources that concurrent actions share.

    Attributes:
        jobs: How many programs may compute at once; with one, actions run one after another.
        memory_bytes: Free memory while optbuild runs no program.
        peaks: How much memory actions needed in earlier runs.
    """

    jobs: int = 1
    memory_bytes: int = 0
    peaks: Mapping[str, int] = field(default_factory=dict)


def choose_next(ready: Sequence[Demand], running: Collection[Demand], budget: Budget) -> int | None:
    """The index of the first action that may begin now; None if none may.

    Args:
        ready: The demand of each action that is ready, in order of preference.
        running: The demands of the running actions.
        budget: The shared resources.
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
