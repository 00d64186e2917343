"""Take the samples of a contest: warm up, take a pilot, then as many rounds as precision requires and time allows.

It stops by precision and time alone, never by the values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from optbuild.measure.arm_runs import ArmRuns
from optbuild.measure.arms import Arms
from optbuild.measure.blocks import Block
from optbuild.measure.budget import Budget
from optbuild.measure.families import families_of
from optbuild.measure.memory import Memory
from optbuild.measure.model import A_PRIME, Series
from optbuild.measure.progress import Progress, describe_progress, describe_race
from optbuild.measure.samples import Samples
from optbuild.measure.schedule import PILOT_ROUNDS, Round, SuperblockOrder, has_control, make_round, make_warm_up
from optbuild.measure.settings import SamplingSettings
from optbuild.workloads.invocation import Kind

Leaving = Callable[[Sequence[Series]], frozenset[str]]
"""Called with all complete rounds, after each one: the candidates that leave."""


def stay_to_the_end(_series: Sequence[Series]) -> frozenset[str]:
    """Nobody leaves."""
    return frozenset()


@dataclass(slots=True, kw_only=True)
class Sampling:
    """Takes samples.

    Attributes:
        leaving: Decides who leaves early.
        memory: Rounds of the same contest that were taken before it was interrupted, and where more are kept.
        wanted_rounds: How many the precision takes; None before the pilot.
        gone: Candidates that have left.
    """

    arms: Arms
    runs: ArmRuns
    settings: SamplingSettings
    budget: Budget
    progress: Progress
    leaving: Leaving = stay_to_the_end
    memory: Memory = field(default_factory=Memory)
    samples: Samples = field(init=False)
    wanted_rounds: int | None = field(init=False, default=None)
    gone: frozenset[str] = field(init=False, default=frozenset())

    def __post_init__(self) -> None:
        self.samples = Samples({name: [] for name in self.runs.workloads})

    @property
    def is_complete(self) -> bool:
        """Whether there are as many rounds as the precision takes; so it is where nothing takes turns."""
        if not self.runs.workloads or self._is_decided:
            return True
        return self.samples.rounds >= (self.wanted_rounds or PILOT_ROUNDS)

    @property
    def _is_decided(self) -> bool:
        """Whether a race has one candidate left at most."""
        return bool(self.settings.looks) and len(set(self.arms.candidates) - self.gone) <= 1

    def take(self) -> None:
        """Take all wanted rounds that fit into the time.

        Raises:
            WorkloadError: A run failed.
            WorkloadTimeoutError: A run took longer than its timeout.
        """
        if not self.runs.workloads:
            return
        self._remember()
        budget = self.budget
        self.progress.expect(self._next_look(PILOT_ROUNDS))
        budget.choose_size(beforehand_s=budget.estimated_warm_up_s())
        if not budget.fits(budget.estimated_round_s() + budget.estimated_warm_up_s()):
            self._time_again()
        if not budget.fits(budget.estimated_round_s() + budget.estimated_warm_up_s()):
            return
        self._warm_up()
        budget.choose_size()
        if self.settings.looks:
            self._want(self.settings.looks[-1])
            return
        self._take_rounds(PILOT_ROUNDS)
        if self.samples.rounds < PILOT_ROUNDS:
            return
        self._want(PILOT_ROUNDS + budget.grow(self._needed_rounds() - PILOT_ROUNDS))
        if self.is_complete:
            self._want(self._rounds_by_second_look())

    def _remember(self) -> None:
        """Begin with the rounds that are kept, and with the arms that took part in the last of them."""
        for kept in self.memory.rounds:
            for workload, block in kept.items():
                self.samples.blocks[workload].append(block)
        if self.memory.rounds:
            took_part = {arm for block in self.memory.rounds[-1].values() for arm in block.order.order}
            self.gone = frozenset(self.arms.candidates) - took_part
            self._let_leave()

    def _want(self, rounds: int) -> None:
        """Take rounds up to a number."""
        if rounds != self.wanted_rounds:
            self.wanted_rounds = rounds
            self.progress.expect(self._next_look(rounds))
        self._take_rounds(rounds)

    def take_superblock(self, order: SuperblockOrder) -> Block:
        """Take one. Raises as `take`."""
        return self.runs.take(order, batch=self.budget.batch(order.workload))

    def judged_series(self) -> tuple[Series, ...]:
        """The judged series so far."""
        return self.samples.judged(self.runs.cells())

    def _time_again(self) -> None:
        """Before giving up for lack of time, run the baseline once on each command, if that fits.

        Servers and programs that cargo would run were timed alone.
        """
        for name, workload in self.runs.workloads.items():
            if workload.kind is Kind.COMMAND and self.budget.fits(self.budget.estimated_run_s(name)):
                self.budget.learn(name, self.runs.run(name, self.arms.baseline).usage.wall_s)

    def _warm_up(self) -> None:
        for turn in make_warm_up(self._schedule(), seed=self.settings.seed):
            began_s = self.budget.elapsed_s()
            run = self.runs.run(turn.workload, turn.arm)
            self.budget.learn_warm_up(turn.workload, self.budget.elapsed_s() - began_s)
            if turn.arm == self.arms.baseline:
                self.budget.learn(turn.workload, run.usage.wall_s)

    def _take_rounds(self, target: int) -> None:
        """Take rounds up to a number, or until the next one would not fit into the budget."""
        while self.samples.rounds < target and not self._is_decided:
            round_ = self._next_round()
            if not self.budget.fits(self.budget.next_round_s(round_)):
                break
            began_s = self.budget.elapsed_s()
            taken = {order.workload: self.take_superblock(order) for order in round_.superblocks}
            for workload, block in taken.items():
                self.samples.blocks[workload].append(block)
            self.memory.keep(taken)
            self.budget.learn_round(round_, self.budget.elapsed_s() - began_s)
            self._report(target)
            self._let_leave()

    def _next_round(self) -> Round:
        index, seed = self.samples.rounds, self.settings.seed
        is_alone = not set(self.arms.candidates) - self.gone
        absent = set() if is_alone or has_control(seed=seed, index=index) else {A_PRIME}
        arms = {name: tuple(arm for arm in present if arm not in absent) for name, present in self._schedule().items()}
        shapes = {name: self.budget.shape(name) for name in arms}
        return make_round(arms, shapes, seed=seed, index=index)

    def _schedule(self) -> dict[str, tuple[str, ...]]:
        """The remaining arms of each workload."""
        return {name: tuple(arm for arm in arms if arm not in self.gone) for name, arms in self.runs.copies.items()}

    def _let_leave(self) -> None:
        """Remove leaving candidates between two rounds, so each is complete; the baseline and its copy stay."""
        leaving = self.leaving(self.judged_series()) - {self.arms.baseline, A_PRIME}
        self.gone |= leaving

    def _needed_rounds(self) -> int:
        """How many rounds like the pilot's the precision takes."""
        from optbuild.measure.compare import needed_rounds

        return max(
            needed_rounds(
                series,
                baseline=self.arms.baseline,
                candidates=candidates,
                confidence=self.settings.confidence,
                precision=self.settings.precision,
            )
            for series, candidates in families_of(self.judged_series(), self.arms, self.gone)
        )

    def _rounds_by_second_look(self) -> int:
        """How many rounds it takes, based on more than the pilot."""
        from optbuild.measure.compare import look_again

        precision = self.settings.precision
        return max(
            look_again(series, baseline=self.arms.baseline, candidates=candidates, precision=precision)
            for series, candidates in families_of(self.judged_series(), self.arms, self.gone)
        )

    def _next_look(self, target: int) -> int:
        """The rounds after which something is decided: candidates may leave a race, or the contest ends."""
        return next((look for look in self.settings.looks if look > self.samples.rounds), target)

    def _report(self, target: int) -> None:
        """Report a round: out of those that are wanted and fit into the time, and how much of that is left."""
        done, confidence = self.samples.rounds, self.settings.confidence
        total = min(self._next_look(target), done + self.budget.fitting_rounds())
        left_s = min(self.budget.elapsed_s() / done * (target - done), self.budget.left_s())
        if self.settings.looks:
            detail = describe_race(len(set(self.arms.candidates) - self.gone), left_s=left_s)
        else:
            series = self.judged_series()
            detail = describe_progress(series, self.arms, self.gone, confidence=confidence, left_s=left_s)
        self.progress.took_round(done, total, detail)
