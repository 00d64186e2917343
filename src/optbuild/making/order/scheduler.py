"""Carry actions out: each once, in order or at the same time, the results at hand for those that need them.

What an action does is written in its kind, what may run at the same time in `exclusivity`, what a failure means for the
variants in `decisions`. Here is only how it goes on from one action to the next, by their states. All that a run has
come to is changed in one thread: those that do the work hand their results back.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import Any

from optbuild.errors import InterruptedRunError, OptbuildError, ProfileDataError
from optbuild.events import Emit, Level, Notice, telling_of
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
    """It was done; what its proof compares it with is not there yet."""
    DONE = "done"
    FAILED = "failed"


@dataclass(slots=True, kw_only=True)
class Task:
    """An action on its way.

    Attributes:
        demand: What it needs for itself while it runs.
        finish: Called with its result once that is proved; gives the result as it is kept.
        performed: What it came to, from `UNPROVEN` on.
        had_company: Others ran at the same time.
        is_exclusive: It has shown that it cannot run alongside others.
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
        budget: What actions share that run at the same time.
        make_workers: Makes the threads that they run in, where the budget allows for more than one.
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
            OptbuildError: What ended it before; what ran at the same time is ended.
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
        """What to begin now, its demand at hand; None where nothing may be."""
        ready = [self._tasks[action.id] for action in self._queue.ready()]
        for task in ready:
            alone = Exclusivity.ALONE_SOON if task.is_exclusive else Exclusivity.SHARED
            task.demand = kind_of(task.action).demand(task.action, self.tools, self.budget, alone=alone)
        if self.budget.jobs > 1:  # what many others wait for, and then what ends in a link on one core
            ready.sort(key=lambda task: (-self._queue.followers_of(task.action.id), not task.demand.ends_in_link))
        running = [task.demand for task in self._those(State.RUNNING)]
        place = choose_next([task.demand for task in ready], running, self.budget)
        return None if place is None else ready[place]

    def _begin(self, task: Task, workers: Workers[Performed] | None) -> None:
        """Give an action to a worker, or do it at once where nothing may run at the same time."""
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
        with telling_of(action.id):
            return self.dispatcher.perform(action)

    def _settle(self, endings: Mapping[str, Performed | BaseException]) -> None:
        """Take in how actions ended."""
        for name, ending in endings.items():
            task = self._tasks[ActionId(name)]
            with telling_of(name):
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
        """What is not there yet that the proof of an action is compared with, in whatever order actions end."""
        so_far = self.progress.so_far
        return kind_of(task.action).compared_with(task.action, so_far) - so_far.results.ids()

    def _prove_waiting(self, *, idle: bool = False) -> None:
        """Accept what is done and whose proof waits for nothing any more.

        Args:
            idle: Nothing runs or can be begun, so that only what waits itself may still come.
        """
        while True:
            waiting = self._those(State.UNPROVEN)
            ids = {task.action.id for task in waiting}
            ready = [task for task in waiting if not (self._awaits(task) & ids if idle else self._awaits(task))]
            if not ready:
                return
            for task in ready:
                assert task.performed is not None  # noqa: S101 - it is done
                with telling_of(task.action.id):
                    self._accept(task, task.performed)
            self._decide()

    def _accept(self, task: Task, done: Performed) -> None:
        """Keep a result if it holds, and go on with what needed it."""
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
        """Give variants the binaries that are theirs, where these are there now; what is chosen may be gathered."""
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
        """Retry an action alone, where others that ran at the same time may be the cause, or let it fail."""
        action, retry = task.action, kind_of(task.action).retry
        if retry is not None and isinstance(error, retry.error) and task.had_company:
            self.progress.drop(action.id)
            task.state, task.had_company, task.is_exclusive = State.WAITING, False, True
            self._queue.put_back(action.id)
            message = f"{action.label}: {retry.reason} beside builds; it is done once more with nothing beside it"
            self.emit(Notice(level=Level.INFO, code=retry.code, message=sanitize_line(message)))
            return
        task.state = State.FAILED
        if isinstance(error, ProfileDataError):
            self.progress.keep_aside(action.id, error.set_aside)
        self.decisions.fail(action, error)
