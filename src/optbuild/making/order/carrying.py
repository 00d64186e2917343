"""Carry a plan out: each action once, in order or beside others, its result at hand for those that need it.

What an action does is written where it belongs (`performing` and below), what may run at the same time in `turns`; here
is only how it goes on from one to the next, and what a failure means for the rest. All that a run has come to is
changed in one thread: those that do the work hand their results back.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from optbuild.errors import (
    AttemptFault,
    BuildError,
    InterruptedRunError,
    NotComparableError,
    OptbuildError,
    ProfileDataError,
    WorkloadTimeoutError,
)
from optbuild.events import Emit, Level, Notice, telling_of
from optbuild.making.model import Compiled
from optbuild.making.order.exclusivity import Budget, Company, Demand, choose_next, demand_of
from optbuild.making.order.outcome import Outcome, Rejection
from optbuild.making.order.performing import Performed, Performer
from optbuild.making.order.ready_queue import Agenda
from optbuild.making.order.workers import Workers
from optbuild.making.proof.prover import Prover
from optbuild.plan.actions import Action, ActionId, Attempt, Compile, Gather, Role
from optbuild.plan.model import Plan, PlannedVariant
from optbuild.text import sanitize_line

WatchBuild = Callable[[Compile], Callable[[], None]]
"""Called when a compile action begins; what it gives is called when that has succeeded."""


@dataclass(slots=True, kw_only=True)
class Runner:
    """Carries out everything of a plan but its measuring.

    Attributes:
        keep_going: Go on with other variants when one fails.
        budget: What actions share that run at the same time.
        hire: Makes the workers that they run in, where the budget allows for more than one.
    """

    plan: Plan
    outcome: Outcome
    performer: Performer
    prover: Prover
    emit: Emit
    keep_going: bool = False
    budget: Budget = field(default_factory=Budget)
    hire: Callable[[], Workers[Performed]] | None = None
    _agenda: Agenda = field(init=False)
    _running: dict[ActionId, Demand] = field(init=False, default_factory=dict)
    _crowded: set[ActionId] = field(init=False, default_factory=set)
    _alone: set[ActionId] = field(init=False, default_factory=set)
    _after: dict[ActionId, Callable[[], None]] = field(init=False, default_factory=dict)
    _unproven: dict[ActionId, Performed] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._agenda = Agenda(self.plan, self.outcome)

    def carry_out(self, *, watch_build: WatchBuild) -> None:
        """Do every action; `outcome` holds what came of them, also when this raises.

        Args:
            watch_build: Told of each compile action.

        Raises:
            OptbuildError: The first failure; with `keep_going` only the baseline's. What ran beside it is ended.
        """
        for variant in self.plan.variants:
            if variant.skipped is not None:
                self._skip(variant, variant.skipped)
        workers = None if self.hire is None or self.budget.jobs == 1 else self.hire()
        blamed: int = signal.SIGTERM
        try:
            while (chosen := self._choose_next()) is not None or self._running or self._unproven:
                if chosen is not None:
                    self._begin(*chosen, workers, watch_build)
                elif self._running and workers is not None:
                    self._settle(workers.wait())
                else:
                    self._prove_waiting(idle=True)
        except InterruptedRunError as error:
            blamed = error.signal_number
            raise
        finally:
            if workers is not None:
                workers.stop(blamed)

    def compile_again(self, action: Compile) -> Compiled:
        """Call cargo once more for an action that was carried out; it does nothing if no source has changed since.

        Raises:
            BuildError: Cargo failed.
            ToolchainError: Cargo cannot be started.
        """
        again = self.performer.compile_again(action)
        first = self.outcome.compiled(action.id)
        self.outcome.results[action.id] = replace(first, artifacts=again.artifacts, scripts=again.scripts)
        return again

    def _choose_next(self) -> tuple[Action, Demand] | None:
        stage = self.performer.stage
        ready = (
            (action, demand_of(action, stage=stage, budget=self.budget, alone=self._alone))
            for action in (self._agenda.ready() if self.budget.jobs == 1 else self._agenda.urgent())
        )
        return choose_next(ready, self._running.values(), self.budget)

    def _begin(
        self, action: Action, demand: Demand, workers: Workers[Performed] | None, watch_build: WatchBuild
    ) -> None:
        """Give an action to a worker, or do it at once where nothing may run beside it."""
        self._agenda.begin(action)
        if isinstance(action, Compile):
            self._after[action.id] = watch_build(action)
        if workers is None or demand.company is not Company.WELCOME:
            try:
                came_to: Performed | BaseException = self._perform(action)
            except InterruptedRunError:
                raise
            except OptbuildError as error:
                came_to = error
            self._settle({action.id: came_to})
            return
        if self._running:
            self._crowded |= {action.id, *self._running}
        self._running[action.id] = demand
        workers.start(action.id, partial(self._perform, action))

    def _perform(self, action: Action) -> Performed:
        with telling_of(action.id):
            return self.performer.perform(action)

    def _settle(self, done: Mapping[str, Performed | BaseException]) -> None:
        """Take in what came of actions."""
        for name, came_to in done.items():
            action = self.plan.action(ActionId(name))
            self._running.pop(action.id, None)
            with telling_of(action.id):
                if isinstance(came_to, Performed) and self._awaits(action):
                    self._unproven[action.id] = came_to
                elif isinstance(came_to, Performed):
                    self._accept(action, came_to)
                elif isinstance(came_to, OptbuildError) and not isinstance(came_to, InterruptedRunError):
                    self._refuse(action, came_to)
                else:
                    raise came_to
        self._decide()
        self._prove_waiting()

    def _awaits(self, action: Action) -> frozenset[ActionId]:
        """What is not there yet that the proof of a build is held against, in whatever order builds end."""
        against = self.prover.held_against(action) if isinstance(action, Compile) else frozenset()
        return against - self.outcome.results.keys()

    def _prove_waiting(self, *, idle: bool = False) -> None:
        """Accept builds whose proof waits for nothing any more.

        Args:
            idle: Nothing runs or can be begun, so that only what waits itself may still come.
        """
        while ready := [found for found in self._unproven if self._is_provable(found, idle=idle)]:
            for action in map(self.plan.action, ready):
                with telling_of(action.id):
                    self._accept(action, self._unproven.pop(action.id))
            self._decide()

    def _is_provable(self, waiting: ActionId, *, idle: bool) -> bool:
        awaited = self._awaits(self.plan.action(waiting))
        return not (awaited & self._unproven.keys() if idle else awaited)

    def _accept(self, action: Action, done: Performed) -> None:
        """Keep a result if it holds, and go on with what needed it."""
        self.outcome.results[action.id] = done.result
        self.outcome.steps[action.id] = done.step
        try:
            if isinstance(action, Compile):
                self._prove(action, done)
            self.performer.tell_finished(done)
            if isinstance(action, Compile):
                self._after.pop(action.id)()
        except InterruptedRunError:
            raise
        except OptbuildError as error:
            self._refuse(action, error)
            return
        self._agenda.finish(action)

    def _refuse(self, action: Action, error: OptbuildError) -> None:
        """Try an action once more alone, where others beside it may be to blame, or let it fail."""
        if not self._may_blame_others(action, error):
            self._fail(action, error)
            return
        self.outcome.results.pop(action.id, None)
        self.outcome.steps.pop(action.id, None)
        self._try_alone(action)

    def _prove(self, action: Compile, done: Performed) -> None:
        try:
            self.prover.prove(action)
        except OptbuildError:
            self.performer.tell_failed(action, done.step.duration_s)
            raise

    def _decide(self) -> None:
        """Give variants the binaries that are theirs, where these are there now."""
        self._make_choices()
        for action in tuple(self._agenda.ready()):
            if isinstance(action, Gather):
                self._agenda.begin(action)
                self._gather(action)
                self._agenda.finish(action)

    def _gather(self, action: Gather) -> None:
        """Give a variant the programs that were built for it one by one."""
        each = [self.outcome.compiled(built) for built in action.programs.values()]
        artifacts = {name: artifact for compiled in each for name, artifact in compiled.artifacts.items()}
        self.outcome.results[action.id] = replace(each[0], artifacts=artifacts, profile_use=None)

    def _make_choices(self) -> None:
        """Give variants the binaries of the attempt that was accepted; all variants of one choice have the same."""
        for choice in self._agenda.choices():
            served = self.outcome.served_by(self.plan, choice.id)
            attempt = self.outcome.attempt_of(next(build for build in served if build.attempts))
            evidence = None if attempt is None else self.outcome.evidence.get(attempt.compile)
            if attempt is None or evidence is None or evidence.failed:
                continue
            built = choice.of(attempt).compile
            if built in self.outcome.results:
                self.outcome.results[choice.id] = self.outcome.compiled(built)
                self._agenda.finish(choice)

    def _may_blame_others(self, action: Action, error: OptbuildError) -> bool:
        """Whether a workload took too long, or a build's sources were written, which may be others' doing beside it."""
        is_slow = isinstance(error, WorkloadTimeoutError)
        is_written = isinstance(action, Compile) and isinstance(error, NotComparableError)
        return (is_slow or is_written) and action.id in self._crowded

    def _try_alone(self, action: Action) -> None:
        self._crowded.discard(action.id)
        self._alone.add(action.id)
        self._agenda.put_back(action)
        what = "its sources were written" if isinstance(action, Compile) else "it took too long"
        message = f"{action.label}: {what} beside builds; it is done once more with nothing beside it"
        code = "build-alone" if isinstance(action, Compile) else "workload-alone"
        self.emit(Notice(level=Level.INFO, code=code, message=sanitize_line(message)))

    def _fail(self, action: Action, error: OptbuildError) -> None:
        """Decide what a failed action means for the variants that need it.

        Those with another attempt that may mend the fault take that one; others are neither measured nor published.
        """
        served = self.outcome.served_by(self.plan, action.id)
        found = [build for build in served if not self._try_next(build, action, error)]
        if served and not found:
            self.performer.remember_refusal(action, error)
        affected = [build for build in found if action.id in self.outcome.serving(self.plan, build)]
        if not affected:
            return
        is_needed = self.plan.baseline in affected
        if isinstance(error, ProfileDataError) and not is_needed and all(v.fallback_allowed for v in affected):
            for variant in affected:
                self._skip(variant, error.message)
            return
        self.outcome.failures[action.id] = error
        for variant in affected:
            self._give_up(variant, error.message)
        if not self.keep_going or is_needed:
            raise error
        self.emit(Notice(level=Level.ERROR, code=error.code, message=error.message, help=error.help))

    def _try_next(self, variant: PlannedVariant, action: Action, error: OptbuildError) -> bool:
        """Take a variant's next attempt that may mend what is wrong; whether there is one."""
        attempt = self.outcome.attempt_of(variant)
        fault = _fault_of(error, action)
        if attempt is None or fault is None or variant.name in self.outcome.skipped:
            return False
        later = variant.attempts[variant.attempts.index(attempt) + 1 :]
        for other in later:
            if fault in other.mends and self.outcome.failures.keys().isdisjoint(self.plan.needed_by(other.compile)):
                rejection = Rejection(attempt=attempt, reason=error.message)
                self.outcome.rejected[variant.name] = (*self.outcome.rejected.get(variant.name, ()), rejection)
                self._take(variant, other)
                message = f"variant {variant.name}: training goes on as {other.name}, for {attempt.name} will not do: "
                self.emit(Notice(level=Level.INFO, code="next-attempt", message=message + error.message))
                return True
        return False

    def _take(self, variant: PlannedVariant, attempt: Attempt) -> None:
        """Go on with another attempt; the folds of a variant are trained as it is."""
        self.outcome.taken[variant.name] = attempt
        place = variant.attempts.index(attempt)
        for fold in self._folds_of(variant):
            self.outcome.taken[fold.name] = fold.attempts[place]

    def _skip(self, build: PlannedVariant, reason: str) -> None:
        if build.name in self.outcome.skipped:
            return  # a part or a fold of a variant that is skipped
        self._give_up(build, reason)
        kind = "variant" if build in self.plan.variants else "fold"
        message = f"{kind} {sanitize_line(build.name)} is skipped: {reason}"
        self.emit(Notice(level=Level.WARNING, code=f"{kind}-skipped", message=message))

    def _give_up(self, build: PlannedVariant, reason: str) -> None:
        """Build no more of a variant; without it nobody asks for its parts and folds."""
        for given_up in (build, *build.parts.values(), *self._folds_of(build)):
            self.outcome.skipped.setdefault(given_up.name, reason)

    def _folds_of(self, variant: PlannedVariant) -> list[PlannedVariant]:
        return [fold.build for fold in self.plan.folds if fold.variant == variant.name]


def _fault_of(error: OptbuildError, action: Action) -> AttemptFault | None:
    """What is wrong with the attempt that an action belongs to, if another attempt may mend it."""
    if isinstance(error, ProfileDataError):
        return error.fault
    is_instrumented = isinstance(action, Compile) and action.role is Role.INSTRUMENT
    return AttemptFault.NOT_BUILT if is_instrumented and isinstance(error, BuildError) else None
