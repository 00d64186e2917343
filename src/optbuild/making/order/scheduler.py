"""Carry out actions: each once, in order or at the same time, with the results that they need.

An action's kind defines what it does, `exclusivity` what may run at the same time, `decisions` what a failure means for
the variants. This module only moves actions from state to state. One thread alone changes a run's outcome: workers hand
their results back to it.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import Any

from optbuild.errors import InterruptedRunError, OptbuildError, ProfileDataError
from optbuild.events import Emit, Level, Notice, about_action
from optbuild.making.kinds.table import kind_of
from optbuild.making.order.decisions import Decisions
from optbuild.making.order.dispatch import Dispatcher, Performed
from optbuild.making.order.exclusivity import Budget, Demand, Exclusivity, choose_next
from optbuild.making.order.progress import Progress
from optbuild.making.order.ready_queue import ReadyQueue
from optbuild.making.order.workers import Workers
from optbuild.making.tools import Tools
from optbuild.plan.action import Action, ActionId
from optbuild.text import sanitize_line


def _as_it_is(result: object) -> object:
    return result


class State(StrEnum):
    """How far an action is."""

    WAITING = "waiting"
    RUNNING = "running"
    UNPROVEN = "unproven"
    """It was done; its proof waits for what it is compared with."""
    DONE = "done"
    FAILED = "failed"


@dataclass(slots=True, kw_only=True)
class Task:
    """An action on its way.

    Attributes:
        demand: What it needs for itself while it runs.
        finish: Called with its result once that is proved; returns the result to keep.
        performed: Its outcome, from `UNPROVEN` on.
        had_company: Others ran at the same time.
        is_exclusive: It has failed to run alongside others.
    """

    action: Action[object]
    state: State = State.WAITING
    demand: Demand = field(default_factory=Demand)
    finish: Callable[[Any], Any] = _as_it_is
    performed: Performed | None = None
    had_company: bool = False
    is_exclusive: bool = False


@dataclass(slots=True, kw_only=True)
class Scheduler:
    """Carries out the actions of one plan.

    Attributes:
        budget: The resources that concurrent actions share.
        make_workers: Makes their threads, if the budget allows more than one.
    """

    progress: Progress
    decisions: Decisions
    dispatcher: Dispatcher
    tools: Tools
    emit: Emit
    budget: Budget
    make_workers: Callable[[], Workers[Performed]]
    _queue: ReadyQueue = field(init=False)
    _tasks: dict[ActionId, Task] = field(init=False)

    def __post_init__(self) -> None:
        self._queue = ReadyQueue(self.progress.plan, self.progress.so_far)
        self._tasks = {action.id: Task(action=action) for action in self.progress.plan.actions}

    def run(self) -> None:
        """Do every action that a variant is waiting for.

        Raises:
            OptbuildError: What ended it early; concurrent actions are stopped.
        """
        self.decisions.skip_impossible()
        workers = None if self.budget.jobs == 1 else self.make_workers()
        number: int = signal.SIGTERM
        try:
            while (task := self._choose_next()) is not None or self._those(State.RUNNING, State.UNPROVEN):
                if task is not None:
                    self._begin(task, workers)
                elif workers is not None and self._those(State.RUNNING):
                    self._settle(workers.wait())
                else:
                    self._prove_waiting(idle=True)
        except InterruptedRunError as error:
            number = error.signal_number
            raise
        finally:
            if workers is not None:
                workers.stop(number)

    def _those(self, *states: State) -> list[Task]:
        return [task for task in self._tasks.values() if task.state in states]

    def _choose_next(self) -> Task | None:
        """The action to begin now, with its demand; None if none may begin."""
        self.decisions.skip_late([task.action.id for task in self._those(State.RUNNING, State.UNPROVEN)])
        ready = [self._tasks[action.id] for action in self._queue.ready()]
        for task in ready:
            alone = Exclusivity.ALONE_SOON if task.is_exclusive else Exclusivity.SHARED
            task.demand = kind_of(task.action).demand(task.action, self.tools, self.budget, alone=alone)
        # First what many others wait for, then what ends in a link on one core. With a deadline, the plan's order: what
        # takes many steps would be begun before all that is cheap, and nothing would be ready when time ends.
        if self.budget.jobs > 1 and not self.decisions.has_deadline:
            ready.sort(key=lambda task: (-self._queue.followers_of(task.action.id), not task.demand.ends_in_link))
        running = [task.demand for task in self._those(State.RUNNING)]
        place = choose_next([task.demand for task in ready], running, self.budget)
        return None if place is None else ready[place]

    def _begin(self, task: Task, workers: Workers[Performed] | None) -> None:
        """Give an action to a worker, or do it at once if nothing may run at the same time."""
        action, others = task.action, self._those(State.RUNNING)
        self._queue.begin(action.id)
        task.finish = kind_of(action).begin(action, self.progress.so_far.results, self.tools)
        if workers is None or task.demand.exclusivity is not Exclusivity.SHARED:
            try:
                ending: Performed | BaseException = self._perform(action)
            except InterruptedRunError:
                raise
            except OptbuildError as error:
                ending = error
            self._settle({action.id: ending})
            return
        task.state = State.RUNNING
        for each in (task, *others) if others else ():
            each.had_company = True
        workers.start(action.id, partial(self._perform, action))

    def _perform(self, action: Action[object]) -> Performed:
        with about_action(action.id):
            return self.dispatcher.perform(action)

    def _settle(self, endings: Mapping[str, Performed | BaseException]) -> None:
        """Record how actions ended."""
        for name, ending in endings.items():
            task = self._tasks[ActionId(name)]
            with about_action(name):
                if isinstance(ending, Performed):
                    task.state, task.performed = State.UNPROVEN, ending
                    if not self._awaits(task):
                        self._accept(task, ending)
                elif isinstance(ending, OptbuildError) and not isinstance(ending, InterruptedRunError):
                    self._refuse(task, ending)
                else:
                    raise ending
        self._decide()
        self._prove_waiting()

    def _awaits(self, task: Task) -> frozenset[ActionId]:
        """The missing results that an action's proof is compared with, in whatever order actions end."""
        so_far = self.progress.so_far
        return kind_of(task.action).compared_with(task.action, so_far) - so_far.results.ids()

    def _prove_waiting(self, *, idle: bool = False) -> None:
        """Accept finished actions whose proof no longer waits for anything.

        Args:
            idle: Nothing runs or can begin; only waiting actions are left.
        """
        while True:
            waiting = self._those(State.UNPROVEN)
            ids = {task.action.id for task in waiting}
            ready = [task for task in waiting if not (self._awaits(task) & ids if idle else self._awaits(task))]
            if not ready:
                return
            for task in ready:
                assert task.performed is not None  # noqa: S101 - it is done
                with about_action(task.action.id):
                    self._accept(task, task.performed)
            self._decide()

    def _accept(self, task: Task, done: Performed) -> None:
        """Keep a result if it holds, and continue with what needed it."""
        action, kind = task.action, kind_of(task.action)
        self.progress.keep(action.id, done.result, done.step)
        self.progress.keep_aside(action.id, kind.set_aside(done.result))
        try:
            self._prove(action, done)
            self.dispatcher.report_finished(done)
            self.progress.keep(action.id, task.finish(done.result))
        except InterruptedRunError:
            raise
        except OptbuildError as error:
            self._refuse(task, error)
            return
        task.state = State.DONE
        self._queue.finish(action.id)

    def _prove(self, action: Action[object], done: Performed) -> None:
        try:
            proof = kind_of(action).prove(action, done.result, self.progress.so_far, self.tools)
            if proof is not None:
                self.progress.keep_evidence(action.id, proof.evidence)
                proof.require()
        except OptbuildError:
            self.dispatcher.report_failed(action, done.step.duration_s)
            raise

    def _decide(self) -> None:
        """Give variants their binaries once these exist; chosen binaries may then be gathered."""
        while found := [
            (wanted.id, binaries)
            for wanted in self._queue.undecided()
            if (binaries := self.decisions.find_binaries(wanted)) is not None
        ]:
            for wanted_id, binaries in found:
                self._queue.begin(wanted_id)
                self.progress.keep(wanted_id, binaries)
                self._queue.finish(wanted_id)

    def _refuse(self, task: Task, error: OptbuildError) -> None:
        """Retry an action alone if concurrent actions may be the cause; otherwise let it fail."""
        action, retry = task.action, kind_of(task.action).retry
        if retry is not None and isinstance(error, retry.error) and task.had_company:
            self.progress.drop(action.id)
            task.state, task.had_company, task.is_exclusive = State.WAITING, False, True
            self._queue.put_back(action.id)
            message = f"{action.label}: {retry.reason} while builds were running; retrying it alone"
            self.emit(Notice(level=Level.INFO, code=retry.code, message=sanitize_line(message)))
            return
        task.state = State.FAILED
        if isinstance(error, ProfileDataError):
            self.progress.keep_aside(action.id, error.set_aside)
        self.decisions.fail(action, error)
