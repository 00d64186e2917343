"""Carry out the actions of one plan, or of several under one budget: in order, or at the same time.

`exclusivity` defines what may run at the same time, whichever plan it belongs to, and each plan's `scheduler` what an
action's end means. One thread decides for all plans; workers perform actions and hand their results back to it.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from optbuild.errors import InterruptedRunError, OptbuildError
from optbuild.making.order.dispatch import Performed
from optbuild.making.order.exclusivity import Budget, Exclusivity, choose_next
from optbuild.making.order.scheduler import Scheduler, State, Task
from optbuild.making.order.workers import Workers
from optbuild.plan.action import ActionId


@dataclass(frozen=True, slots=True, kw_only=True)
class Loan:
    """A directory that begins as a copy of one that another plan's actions fill.

    Attributes:
        place: The directory; the first action that needs it waits for the copy.
        source: What is copied once an action has filled it, and while none writes there.
        take: Makes the copy.
    """

    place: Path
    source: Path
    take: Callable[[], None]


@dataclass(slots=True, kw_only=True)
class Together:
    """Carries out the actions of all its members.

    Attributes:
        members: The schedulers of the plans, the one that goes first where nothing else decides first.
        budget: The resources that concurrent actions share.
        make_workers: Makes their threads, if the budget allows more than one.
        loans: Directories that are copied from each other meanwhile.
    """

    members: tuple[Scheduler, ...]
    budget: Budget
    make_workers: Callable[[], Workers[Performed]]
    loans: tuple[Loan, ...] = ()
    _begun: dict[str, tuple[Scheduler, ActionId]] = field(default_factory=dict)

    def run(self) -> None:
        """Do every action that a variant is waiting for.

        Raises:
            OptbuildError: What ended it early; concurrent actions are stopped. The member whose action it was knows it
                as well.
        """
        for member in self.members:
            member.decisions.skip_impossible()
        workers = None if self.budget.jobs == 1 else self.make_workers()
        number: int = signal.SIGTERM
        try:
            while self._advance(workers):
                pass
        except InterruptedRunError as error:
            number = error.signal_number
            raise
        finally:
            if workers is not None:
                workers.stop(number)

    def _advance(self, workers: Workers[Performed] | None) -> bool:
        """Begin an action, or wait for one; return whether there was anything to do."""
        ready = [(member, task) for member in self.members for task in member.ready()]
        if (chosen := self._choose(ready)) is not None:
            self._begin(*chosen, workers)
            return True
        movable = {id(member) for member, _ in (*ready, *self._running())}
        idle = [member for member in self.members if id(member) not in movable and member.those(State.UNPROVEN)]
        for member in idle:
            with _on_behalf_of(member):
                member.prove_waiting(idle=True)
        if idle:
            return True
        if workers is None or not self._running():
            return False
        self._settle(workers)
        return True

    def _running(self) -> list[tuple[Scheduler, Task]]:
        return [(member, task) for member in self.members for task in member.those(State.RUNNING)]

    def _choose(self, ready: list[tuple[Scheduler, Task]]) -> tuple[Scheduler, Task] | None:
        """The action to begin now; None if none may begin."""
        ready = [(member, task) for member, task in ready if not any(map(self._is_early, self._loans_for(task)))]
        # First what many others wait for, then what ends in a link on one core. With a deadline, the plan's order: what
        # takes many steps would be begun before all that is cheap, and nothing would be ready when time ends.
        if self.budget.jobs > 1 and not any(member.decisions.has_deadline for member in self.members):
            ready.sort(key=lambda each: (-each[0].followers_of(each[1]), not each[1].demand.ends_in_link))
        running = [task.demand for _, task in self._running()]
        place = choose_next([task.demand for _, task in ready], running, self.budget)
        return None if place is None else ready[place]

    def _loans_for(self, task: Task) -> list[Loan]:
        return [loan for loan in self.loans if loan.place in task.demand.places]

    def _is_early(self, loan: Loan) -> bool:
        """Whether its source is being written, or nothing has filled it yet that still may."""
        lenders = [(member, task.state) for member in self.members for task in member.users_of(loan.source)]
        states = {state for _, state in lenders}
        if State.RUNNING in states:
            return True
        if states & {State.UNPROVEN, State.DONE}:
            return False
        return any(member.ready() or member.those(State.RUNNING, State.UNPROVEN) for member, _ in lenders)

    def _begin(self, member: Scheduler, task: Task, workers: Workers[Performed] | None) -> None:
        """Give an action to a worker, or do it at once if nothing may run at the same time."""
        with _on_behalf_of(member):
            for loan in self._loans_for(task):
                loan.take()
            self.loans = tuple(loan for loan in self.loans if loan.place not in task.demand.places)
            others = [other for _, other in self._running()]
            member.begin(task)
            action = task.action
            if workers is None or task.demand.exclusivity is not Exclusivity.SHARED:
                try:
                    ending: Performed | BaseException = member.perform(action)
                except InterruptedRunError:
                    raise
                except OptbuildError as error:
                    ending = error
                member.settle({action.id: ending})
                return
        for each in (task, *others) if others else ():
            each.had_company = True
        name = f"{self.members.index(member)} {action.id}"
        self._begun[name] = member, action.id
        workers.start(name, partial(member.perform, action))

    def _settle(self, workers: Workers[Performed]) -> None:
        """Wait until at least one action has ended, and record how."""
        ended = [(*self._begun.pop(name), ending) for name, ending in workers.wait().items()]
        for member in self.members:
            endings = {action_id: ending for owner, action_id, ending in ended if owner is member}
            if endings:
                with _on_behalf_of(member):
                    member.settle(endings)


@contextmanager
def _on_behalf_of(member: Scheduler) -> Iterator[None]:
    """Note whose action it was that ends all of them."""
    try:
        yield
    except OptbuildError as error:
        member.ended_by = error
        raise
