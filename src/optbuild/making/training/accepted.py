"""Facts about the last complete training, valid as long as its recipe is the same.

Unlike a result, every run finds it, however the program, its inputs or the tools have changed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from optbuild.making.result_store import ResultStore
from optbuild.plan.action import ActionId
from optbuild.plan.counts import PgoProfile


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The last training of one recipe in which every raw profile was merged.

    Attributes:
        pooled: Its processes added to a pool of files; their number is unknown.
    """

    profile: PgoProfile
    pooled: bool = False


@dataclass(slots=True, kw_only=True)
class AcceptedTrainings:
    """The last accepted trainings by action, also for runs that reuse no result."""

    results: ResultStore

    def __post_init__(self) -> None:
        self.results = replace(self.results, fresh=False)

    def load(self, action: ActionId) -> Accepted | None:
        """The last one, if any."""
        return self.results.load(_key(action), Accepted)

    def save(self, action: ActionId, accepted: Accepted) -> None:
        """Remember one. Salvaged trainings are not remembered, as each would lower the floor for the next."""
        if not accepted.profile.quarantined:
            self.results.save(_key(action), accepted)


def _key(action: ActionId) -> str:
    return f"accepted-{action}"
