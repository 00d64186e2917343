"""What is remembered of a training that was accepted whole, for as long as its recipe is the same.

Other than a result, it is found whatever the program, its inputs or the tools have become, and in every run.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from optbuild.making.result_store import ResultStore
from optbuild.plan.action import ActionId
from optbuild.plan.results import PgoProfile


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The last training of one recipe in which every raw profile was merged.

    Attributes:
        pooled: Its processes added to a pool of files, so that their number is not known.
    """

    profile: PgoProfile
    pooled: bool = False


@dataclass(slots=True, kw_only=True)
class AcceptedTrainings:
    """The last accepted trainings by action, also for runs that use no result again."""

    results: ResultStore

    def __post_init__(self) -> None:
        self.results = replace(self.results, fresh=False)

    def load(self, action: ActionId) -> Accepted | None:
        """The last one, if there was one."""
        return self.results.load(_key(action), Accepted)

    def save(self, action: ActionId, accepted: Accepted) -> None:
        """Remember one. What was salvaged is not: it would lower the floor for the next, and so on."""
        if not accepted.profile.quarantined:
            self.results.save(_key(action), accepted)


def _key(action: ActionId) -> str:
    return f"accepted-{action}"
