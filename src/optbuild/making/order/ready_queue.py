"""What of a plan can be carried out next: in its order, each action after those it needs, none for nothing.

Not for what can run at the same time: `turns` decides that.
"""

from __future__ import annotations

from collections.abc import Iterator

from optbuild.making.order.outcome import Outcome
from optbuild.plan.actions import Action, ActionId, Choose, Compile, Measure
from optbuild.plan.model import Plan


class Agenda:
    """The actions of a plan that are still to be done, measuring apart.

    An action of an attempt that is not taken waits, for it may be taken yet; in the end it was not needed.
    """

    def __init__(self, plan: Plan, outcome: Outcome) -> None:
        self._plan = plan
        self._outcome = outcome
        self._places = {action.id: place for place, action in enumerate(plan.actions)}
        self._followers = _count_followers(plan)
        self._needing: dict[ActionId, list[Action]] = {}
        self._missing: dict[ActionId, int] = {}
        self._open: dict[ActionId, Action] = {}
        self._choices: dict[ActionId, Choose] = {}
        for action in plan.actions:
            if isinstance(action, Measure):
                continue
            if isinstance(action, Choose):
                self._choices[action.id] = action
                continue
            self._missing[action.id] = len(set(action.needs))
            for need in set(action.needs):
                self._needing.setdefault(need, []).append(action)
            if not action.needs:
                self._open[action.id] = action

    def ready(self) -> Iterator[Action]:
        """Actions that have all they need and that a variant is waiting for, in the plan's order."""
        for action_id in sorted(self._open, key=self._places.__getitem__):
            action = self._open[action_id]
            if self._is_awaited(action):
                yield action

    def urgent(self) -> list[Action]:
        """The same, what the longest chain of others waits for in front; then what ends in a link on one core."""
        return sorted(self.ready(), key=lambda action: (-self._followers[action.id], not _ends_in_link(action)))

    def begin(self, action: Action) -> None:
        """Take an action off the list."""
        del self._open[action.id]

    def put_back(self, action: Action) -> None:
        """Put an action that was begun on the list again."""
        self._open[action.id] = action

    def choices(self) -> tuple[Choose, ...]:
        """The choices that are still to be made and that a variant is waiting for."""
        return tuple(choice for choice in self._choices.values() if self._is_awaited(choice))

    def finish(self, action: Action) -> None:
        """Put on the list what needed only this."""
        self._choices.pop(action.id, None)
        for other in self._needing.get(action.id, ()):
            self._missing[other.id] -= 1
            if self._missing[other.id] == 0:
                self._open[other.id] = other

    def _is_awaited(self, action: Action) -> bool:
        return any(build.name not in self._outcome.skipped for build in self._outcome.served_by(self._plan, action.id))


def _ends_in_link(action: Action) -> bool:
    return isinstance(action, Compile) and action.links_whole_program


def _count_followers(plan: Plan) -> dict[ActionId, int]:
    """How many actions follow each, one after the other."""
    followers = {action.id: 0 for action in plan.actions}
    for action in reversed(plan.actions):
        for need in action.needs if not isinstance(action, Measure) else ():
            followers[need] = max(followers[need], followers[action.id] + 1)
    return followers
