"""Which actions may run at the same time. Pure.

Builds in different target directories may, and a workload may run beside them that is trained on or whose outputs are
compared. One whose course depends on time runs with nothing beside it: a server has to be ready within so many seconds,
its clients give up, and benches measure how often they have to repeat. Measuring is no part of this.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from optbuild.plan.actions import Action, ActionId, CompareOutputs, Compile, ProbeOutputs, Train
from optbuild.workloads.invocation import Kind


class Company(Enum):
    """Whether an action bears others beside it."""

    WELCOME = "welcome"
    ALONE_SOON = "alone soon"
    """Nothing is begun before it, so that it need not wait for long."""
    ALONE_LAST = "alone last"
    """It has time until there is nothing else to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What an action needs for itself while it runs.

    Attributes:
        places: What one action at a time can use: cargo's target directory, and the stage that programs run from.
        shared_places: What others can use with it that share it as well.
        memory_bytes: What it is known or expected to need where that is much.
    """

    company: Company = Company.WELCOME
    places: frozenset[Path] = frozenset()
    shared_places: frozenset[Path] = frozenset()
    memory_bytes: int = 0


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


LTO_BYTES = 2 << 30
"""What a link of the whole program may need where no earlier run has told: some gigabytes for large programs."""


def demand_of(action: Action, *, stage: Path, budget: Budget, alone: Collection[ActionId] = ()) -> Demand:
    """What an action needs.

    Args:
        action: What is to be done.
        stage: Where programs stand while they run.
        budget: What is shared.
        alone: What has shown that it does not bear others beside it.
    """
    if isinstance(action, Compile):
        company = Company.ALONE_SOON if action.id in alone else Company.WELCOME
        peak_bytes = budget.peaks.get(action.id, LTO_BYTES if action.links_whole_program else 0)
        return Demand(company=company, places=frozenset({action.cargo_target}), memory_bytes=peak_bytes)
    if isinstance(action, (ProbeOutputs, CompareOutputs, Train)):
        company = Company.WELCOME
        if action.workload.kind is not Kind.COMMAND or action.id in alone:
            company = Company.ALONE_LAST if isinstance(action, CompareOutputs) else Company.ALONE_SOON
        if not (isinstance(action, Train) and action.workload.parallel):
            return Demand(company=company, places=frozenset({stage}))
        scratch = frozenset({action.workload.scratch})  # two variants may train on it
        return Demand(company=company, places=scratch, shared_places=frozenset({stage}))
    return Demand()


def choose_next(
    ready: Iterable[tuple[Action, Demand]], running: Collection[Demand], budget: Budget
) -> tuple[Action, Demand] | None:
    """What to begin now, the first that may be; None where nothing may.

    Args:
        ready: What could be done, in the order in which it is wanted.
        running: What those need that are being done.
        budget: What is shared.
    """
    candidates = list(ready)
    if budget.jobs == 1:
        return candidates[0] if candidates and not running else None
    if any(demand.company is not Company.WELCOME for demand in running):
        return None
    soon = next((each for each in candidates if each[1].company is Company.ALONE_SOON), None)
    if soon is not None:
        return None if running else soon
    if len(running) >= budget.jobs:
        return None
    beside = (each for each in candidates if each[1].company is Company.WELCOME and _fits(each[1], running, budget))
    chosen = next(beside, None)
    if chosen is None and not running:
        return next(iter(candidates), None)
    return chosen


def _fits(demand: Demand, running: Collection[Demand], budget: Budget) -> bool:
    if any(_clash(demand, other) or _clash(other, demand) for other in running):
        return False
    needed_bytes = demand.memory_bytes + sum(other.memory_bytes for other in running)
    return not running or not demand.memory_bytes or needed_bytes <= budget.memory_bytes


def _clash(demand: Demand, other: Demand) -> bool:
    return not demand.places.isdisjoint(other.places | other.shared_places)
