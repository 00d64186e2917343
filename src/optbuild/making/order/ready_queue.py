"""What can be carried out next: in the plan's order, each action after those it needs, and only if it is wanted.

Not for what can run at the same time: `exclusivity` decides that.
"""

from __future__ import annotations

from collections.abc import Iterator
from graphlib import TopologicalSorter

from optbuild.making.built import Built
from optbuild.plan.action import Action, ActionId
from optbuild.plan.model import Plan
from optbuild.plan.ways import Choice, Gathering


class ReadyQueue:
    """The actions of a plan that are still to do, and the binaries that are still undecided.

    What has a result already is done. An action of an attempt that is not taken waits, as the attempt may still be
    taken; otherwise it is never needed.
    """

    def __init__(self, plan: Plan, so_far: Built) -> None:
        self._plan = plan
        self._so_far = so_far
        self._places = {entry.id: place for place, entry in enumerate(plan.entries)}
        self._followers = _count_followers(plan)
        # An attempt is taken as soon as its evidence holds, whatever the others do.
        needs = {entry.id: () if isinstance(entry, Choice) else entry.needs for entry in plan.entries}
        self._sorter: TopologicalSorter[ActionId] = TopologicalSorter(needs)
        self._sorter.prepare()
        self._open = set(self._sorter.get_ready())
        while done := [each for each in self._open if each in so_far.results]:
            for each in done:
                self.begin(each)
                self.finish(each)

    def ready(self) -> Iterator[Action[object]]:
        """Actions whose needs are met and that a variant is waiting for, in the plan's order."""
        return (entry for entry in map(self._plan.entry, self._wanted()) if isinstance(entry, Action))

    def followers_of(self, action_id: ActionId) -> int:
        """How many wait for it, one after another."""
        return self._followers[action_id]

    def undecided(self) -> tuple[Choice | Gathering, ...]:
        """Binaries that a variant is waiting for and that no single action makes."""
        return tuple(entry for entry in map(self._plan.entry, self._wanted()) if isinstance(entry, (Choice, Gathering)))

    def begin(self, action_id: ActionId) -> None:
        """Remove an entry from the list."""
        self._open.remove(action_id)

    def put_back(self, action_id: ActionId) -> None:
        """Put a started action back on the list."""
        self._open.add(action_id)

    def finish(self, action_id: ActionId) -> None:
        """Add the entries that needed only this one."""
        self._sorter.done(action_id)
        self._open.update(self._sorter.get_ready())

    def _wanted(self) -> list[ActionId]:
        return [each for each in sorted(self._open, key=self._places.__getitem__) if self._is_awaited(each)]

    def _is_awaited(self, entry_id: ActionId) -> bool:
        return any(build.name not in self._so_far.skipped for build in self._so_far.served_by(entry_id))


def _count_followers(plan: Plan) -> dict[ActionId, int]:
    """How many entries follow each, one after another."""
    followers = {entry.id: 0 for entry in plan.entries}
    for entry in reversed(plan.entries):
        for need in entry.needs:
            followers[need] = max(followers[need], followers[entry.id] + 1)
    return followers
