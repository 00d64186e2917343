"""The actions of one plan, each moved from state to state, with the results that they need.

An action's kind defines what it does, `decisions` what a failure means for the variants. `together` chooses what begins
next, of one plan or of several. One thread alone changes an outcome: workers hand their results back to it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from optbuild.errors import InterruptedRunError, OptbuildError, ProfileDataError
from optbuild.events import Emit, Level, Notice, about_action
from optbuild.making.kinds.table import kind_of
from optbuild.making.order.decisions import Decisions
from optbuild.making.order.dispatch import Dispatcher, Performed
from optbuild.making.order.exclusivity import Budget, Demand, Exclusivity
from optbuild.making.order.progress import Progress
from optbuild.making.order.ready_queue import ReadyQueue
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
    demand: Demand
    finish: Callable[[Any], Any] = _as_it_is
    performed: Performed | None = None
    had_company: bool = False
    is_exclusive: bool = False


@dataclass(slots=True, kw_only=True)
class Scheduler:
    """Moves the actions of one plan.

    Attributes:
        budget: The resources that concurrent actions share.
        ended_by: What ended the plan before everything was done.
    """

    progress: Progress
    decisions: Decisions
    dispatcher: Dispatcher
    tools: Tools
    emit: Emit
    budget: Budget
    ended_by: OptbuildError | None = None
    _queue: ReadyQueue = field(init=False)
    _tasks: dict[ActionId, Task] = field(init=False)

    def __post_init__(self) -> None:
        self._queue = ReadyQueue(self.progress.plan, self.progress.so_far)
        actions = self.progress.plan.actions
        self._tasks = {action.id: Task(action=action, demand=self._demand_of(action)) for action in actions}

    def those(self, *states: State) -> list[Task]:
        """The actions in these states, in the plan's order."""
        return [task for task in self._tasks.values() if task.state in states]

    def ready(self) -> list[Task]:
        """The actions that could begin as far as this plan goes, each with its demand, in the plan's order."""
        self.decisions.skip_late([task.action.id for task in self.those(State.RUNNING, State.UNPROVEN)])
        ready = [self._tasks[action.id] for action in self._queue.ready()]
        for task in ready:
            task.demand = self._demand_of(task.action, is_exclusive=task.is_exclusive)
        return ready

    def users_of(self, place: Path) -> list[Task]:
        """The actions that need a directory for themselves, in the plan's order."""
        return [task for task in self._tasks.values() if place in task.demand.places]

    def followers_of(self, task: Task) -> int:
        """How many actions wait for it, one after another."""
        return self._queue.followers_of(task.action.id)

    def begin(self, task: Task) -> None:
        """Note that an action begins; whoever calls this performs it next."""
        self._queue.begin(task.action.id)
        task.finish = kind_of(task.action).begin(task.action, self.progress.so_far.results, self.tools)
        task.state = State.RUNNING

    def perform(self, action: Action[object]) -> Performed:
        """Do an action, in any thread.

        Raises:
            OptbuildError: It failed.
        """
        with about_action(action.id):
            return self.dispatcher.perform(action)

    def settle(self, endings: Mapping[ActionId, Performed | BaseException]) -> None:
        """Record how actions ended.

        Raises:
            OptbuildError: What ends the run.
        """
        for action_id, ending in endings.items():
            task = self._tasks[action_id]
            with about_action(action_id):
                if isinstance(ending, Performed):
                    task.state, task.performed = State.UNPROVEN, ending
                    if not self._awaits(task):
                        self._accept(task, ending)
                elif isinstance(ending, OptbuildError) and not isinstance(ending, InterruptedRunError):
                    self._refuse(task, ending)
                else:
                    raise ending
        self._decide()
        self.prove_waiting()

    def prove_waiting(self, *, idle: bool = False) -> None:
        """Accept finished actions whose proof no longer waits for anything.

        Args:
            idle: Nothing runs or can begin; only waiting actions are left.

        Raises:
            OptbuildError: What ends the run.
        """
        while True:
            waiting = self.those(State.UNPROVEN)
            ids = {task.action.id for task in waiting}
            ready = [task for task in waiting if not (self._awaits(task) & ids if idle else self._awaits(task))]
            if not ready:
                return
            for task in ready:
                assert task.performed is not None  # noqa: S101 - it is done
                with about_action(task.action.id):
                    self._accept(task, task.performed)
            self._decide()

    def _demand_of(self, action: Action[object], *, is_exclusive: bool = False) -> Demand:
        alone = Exclusivity.ALONE_SOON if is_exclusive else Exclusivity.SHARED
        return kind_of(action).demand(action, self.tools, self.budget, alone=alone)

    def _awaits(self, task: Task) -> frozenset[ActionId]:
        """The missing results that an action's proof is compared with, in whatever order actions end."""
        so_far = self.progress.so_far
        return kind_of(task.action).compared_with(task.action, so_far) - so_far.results.ids()

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
