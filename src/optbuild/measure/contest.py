"""One contest: arms take turns on workloads, and the results come back as data.

Every command that measures uses `contest`. Read it first: it shows the whole process.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from optbuild.errors import WorkloadError
from optbuild.events import Emit, Level, Notice
from optbuild.execution.command import ConcurrentExecutor
from optbuild.measure.arm_runs import ArmRuns
from optbuild.measure.arms import Arms
from optbuild.measure.budget import Budget
from optbuild.measure.counting import ALLOCATIONS, INSTRUCTIONS, Countable, Counting
from optbuild.measure.guard import NoiseGuard
from optbuild.measure.layout_trials import LayoutResult, as_shipped, judge_layouts
from optbuild.measure.machine_checks import MachineCheck, check_machine
from optbuild.measure.memory import Memory
from optbuild.measure.model import A_PRIME, AllocationCount, Analysis, Count, CrossValidation, Resources, Series
from optbuild.measure.own_counts import OwnCounts, take_own_counts
from optbuild.measure.progress import Progress
from optbuild.measure.sampling import Leaving, Sampling, stay_to_the_end
from optbuild.measure.schedule import PILOT_ROUNDS
from optbuild.measure.settings import SamplingSettings
from optbuild.measure.silent import find_silent
from optbuild.measure.warnings import ResultWarning, WarningKind
from optbuild.project.layout import Layout
from optbuild.workloads.invocation import Invocation

T = TypeVar("T")
C = TypeVar("C")


@dataclass(frozen=True, slots=True, kw_only=True)
class Venue:
    """Where a contest takes place.

    Attributes:
        environ: The caller's environment, in whose PATH the tools for counting are looked for.
        layout: Where copies of the binaries are put, and files of the tools.
        action: The contest's id in events.
        label: The contest's name for users.
        runner: Starts programs that cannot run here by themselves; its own instructions would be counted.
        make_guard: Makes the noise guard.
        clock: Seconds since an arbitrary moment.
    """

    executor: ConcurrentExecutor
    emit: Emit
    environ: Mapping[str, str]
    layout: Layout
    action: str = "measure"
    label: str = "measure"
    runner: str | None = None
    make_guard: Callable[[], NoiseGuard] = NoiseGuard
    clock: Callable[[], float] = time.monotonic


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """The results of one contest.

    Attributes:
        checks: The checks of the machine before it began.
        counts: Of instructions.
        allocations: Of allocations; empty if they were not asked for.
        series: One for each metric of each workload, or of each benchmark that a workload measures itself.
        judged: The metric that each of these is judged by.
        workload_of: The workload that each belongs to.
        wanted_rounds: How many rounds the requested precision takes; None if there was no time for a pilot.
        round_s: How long each of the latest rounds took on average; an estimate if none fitted into the budget.
        stopped_by_time: The budget ended it before the precision was reached.
        tainted: The outside reason for each superblock that was set aside, or would have been on a quieter machine.
        noisy: Too many superblocks were disturbed, so none was set aside.
        steal_ratio: The share of the time that the hypervisor took; None if the kernel does not report it.
        left: Candidates that left before the end.
        silent: Why the times of a workload prove nothing, by its name.
        layouts: What was found of each variant that BOLT has laid out; one that is dropped is reported as what it is
            without BOLT.
    """

    settings: SamplingSettings
    checks: tuple[MachineCheck, ...]
    counts: tuple[Count, ...]
    series: tuple[Series, ...]
    judged: Mapping[str, str]
    workload_of: Mapping[str, str]
    resources: tuple[Resources, ...]
    analysis: Analysis
    wanted_rounds: int | None
    round_s: float
    duration_s: float
    stopped_by_time: bool
    tainted: tuple[str, ...]
    noisy: bool
    steal_ratio: float | None
    left: frozenset[str] = frozenset()
    cross_validation: CrossValidation | None = None
    silent: Mapping[str, ResultWarning] = field(default_factory=dict)
    layouts: tuple[LayoutResult, ...] = ()
    allocations: tuple[AllocationCount, ...] = ()

    @property
    def warnings(self) -> tuple[ResultWarning, ...]:
        """The warnings about the results: from the values, and from the resources that programs needed."""
        folds = () if self.cross_validation is None else self.cross_validation.warnings
        return (*self.silent.values(), *self.analysis.warnings, *folds, *_warn_of_faults(self.resources))


def contest(  # noqa: PLR0913 - what takes turns, and by which rules
    arms: Arms,
    workloads: tuple[Invocation, ...],
    settings: SamplingSettings,
    venue: Venue,
    *,
    run_s: Mapping[str, float],
    leaving: Leaving = stay_to_the_end,
    memory: Memory | None = None,
) -> Contest:
    """Count instructions, run arms in turns until the precision or the time is reached, and analyse once, at the end.

    A workload whose benches do nothing but count their own instructions takes no turns.

    Args:
        arms: The baseline first.
        workloads: At least one.
        settings: How long and how precisely.
        venue: The place.
        run_s: About how long one run of each workload takes, by its name.
        leaving: Which candidates leave before the end.
        memory: The rounds of the same contest that were taken before it was interrupted; None where it is new.

    Raises:
        WorkloadError: A run failed: an arm that does not work has no ratio.
        WorkloadTimeoutError: A run took longer than its timeout.
    """
    counted = _count_exactly(arms, workloads, settings, venue, run_s=run_s)
    checks = check_machine()
    sampled = _take_samples(arms, counted, settings, venue, run_s=run_s, leaving=leaving, memory=memory or Memory())
    found = _judge(arms, counted, sampled, checks)
    for warning in found.warnings:
        venue.emit(Notice(level=Level.WARNING, code=str(warning.kind), message=warning.message))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counted:
    """What is exact, and needs no turns.

    Attributes:
        timed: The workloads that take turns for their time as well.
    """

    counts: tuple[Count, ...]
    allocations: tuple[AllocationCount, ...]
    timed: tuple[Invocation, ...]
    duration_s: float


def _count_exactly(
    arms: Arms,
    workloads: tuple[Invocation, ...],
    settings: SamplingSettings,
    venue: Venue,
    *,
    run_s: Mapping[str, float],
) -> _Counted:
    """Count instructions and allocations, each for its share of the time."""
    own = _take_own_counts(arms, workloads, venue)
    others = tuple(workload for workload in workloads if not arms.counts_itself(workload.name))
    most_s = settings.counting_share * settings.max_time_s
    instructions, instructions_s = count(INSTRUCTIONS, arms, others, venue, run_s=run_s, most_s=most_s)
    most_s = settings.allocations_share * settings.max_time_s
    allocations, allocations_s = count(ALLOCATIONS, arms, others, venue, run_s=run_s, most_s=most_s)
    return _Counted(
        counts=instructions + own.counts,
        allocations=allocations,
        timed=tuple(workload for workload in workloads if workload in others or workload.name in own.timed),
        duration_s=instructions_s + allocations_s,
    )


def count(
    what: Countable[T, C],
    arms: Arms,
    workloads: tuple[Invocation, ...],
    venue: Venue,
    *,
    run_s: Mapping[str, float],
    most_s: float | None = None,
) -> tuple[tuple[C, ...], float]:
    """Count something of every arm; return the counts, and the seconds that it took.

    Args:
        what: What is counted.
        arms: The arms.
        workloads: The workloads.
        venue: The place.
        run_s: About how long one run of each workload takes, by its name.
        most_s: The time that it may take; None if only counts were requested; 0 counts nothing.
    """
    if most_s == 0:
        return (), 0.0
    return Counting(
        what=what,
        executor=venue.executor,
        emit=venue.emit,
        environ=venue.environ,
        layout=venue.layout,
        arms={arm.name: binaries for arm, binaries in arms.variants.items()},
        workloads=workloads,
        run_s=run_s,
        most_s=most_s,
        runner=venue.runner,
    ).count()


def describe_budget(contest: Contest) -> str | None:
    """What more time would give, if the budget ended the measuring."""
    if not contest.stopped_by_time:
        return None
    wanted = contest.wanted_rounds or PILOT_ROUNDS
    needed_s = contest.duration_s + (wanted - contest.analysis.rounds) * contest.round_s
    return f"the requested precision takes {wanted} rounds: --max-time {int(needed_s // 60) + 1}m"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sampled:
    """What the turns gave; fields as in `Contest`."""

    sampling: Sampling
    tainted: tuple[str, ...]
    noisy: bool
    duration_s: float


def _take_samples(  # noqa: PLR0913 - what takes turns, and by which rules
    arms: Arms,
    counted: _Counted,
    settings: SamplingSettings,
    venue: Venue,
    *,
    run_s: Mapping[str, float],
    leaving: Leaving,
    memory: Memory,
) -> _Sampled:
    """Let arms take turns in the time that counting has left, and measure again what was disturbed from outside."""
    import optbuild.measure.compare  # noqa: F401 - loading scipy takes as long as some rounds: not from the budget

    budget = Budget(most_s=max(0.0, settings.max_time_s - counted.duration_s), run_s=run_s, clock=venue.clock)
    progress = Progress(emit=venue.emit, action=venue.action, label=venue.label)
    try:
        runs = _place_arms(arms, counted.timed, venue)
        budget.arms = {name: len(copies) for name, copies in runs.copies.items()}
        sampling = Sampling(
            arms=arms,
            runs=runs,
            settings=settings,
            budget=budget,
            progress=progress,
            leaving=leaving,
            memory=memory,
        )
        with runs.set_up():
            sampling.take()
            noisy = runs.guard.is_noisy()
            tainted = sampling.samples.mark_disturbed(runs.guard)
            if not noisy:
                sampling.samples.retake_disturbed(sampling.take_superblock, runs.guard, fits=budget.fits)
            duration_s = budget.elapsed_s()
            progress.end(duration_s, sampling.samples.rounds, stopped_by_time=not sampling.is_complete)
            runs.remove_output()
    except WorkloadError:
        progress.fail(budget.elapsed_s())
        raise
    return _Sampled(sampling=sampling, tainted=tainted, noisy=noisy, duration_s=duration_s)


def _judge(arms: Arms, counted: _Counted, sampled: _Sampled, checks: tuple[MachineCheck, ...]) -> Contest:
    """Analyse the samples; a variant whose layout is dropped stands as it is without BOLT."""
    sampling = sampled.sampling
    runs, settings = sampling.runs, sampling.settings
    silent = find_silent(counted.timed, runs.counted)
    layouts = judge_layouts(
        sampling.judged_series(),
        arms.layouts,
        confidence=settings.confidence,
        min_effect=settings.min_effect,
        silent=silent.keys(),
    )
    shown = as_shipped(layouts, arms.controls)
    analysis, cross_validation = _analyse(shown.of_series(sampling.judged_series()), arms, settings, silent)
    return Contest(
        settings=settings,
        checks=checks,
        counts=shown.of_counts(counted.counts),
        series=shown.of_series(sampling.samples.series(runs.cells())),
        judged={cell.name: cell.judged for cell in runs.cells()},
        workload_of={cell.name: cell.workload for cell in runs.cells()},
        resources=shown.of_resources(runs.resources()),
        analysis=analysis,
        wanted_rounds=sampling.wanted_rounds,
        round_s=sampling.budget.round_s(),
        duration_s=sampled.duration_s,
        stopped_by_time=not sampling.is_complete,
        tainted=sampled.tainted,
        noisy=sampled.noisy,
        steal_ratio=runs.guard.steal_ratio(),
        left=sampling.gone,
        cross_validation=cross_validation,
        silent=silent,
        layouts=layouts,
        allocations=counted.allocations,
    )


def _take_own_counts(arms: Arms, workloads: tuple[Invocation, ...], venue: Venue) -> OwnCounts:
    chosen = tuple(workload for workload in workloads if arms.counts_itself(workload.name))
    return take_own_counts(_place_arms(arms, chosen, venue), arms.names) if chosen else OwnCounts()


def _place_arms(arms: Arms, workloads: tuple[Invocation, ...], venue: Venue) -> ArmRuns:
    return ArmRuns(
        executor=venue.executor,
        emit=venue.emit,
        root=venue.layout.root,
        directory=venue.layout.arms,
        workloads={workload.name: workload for workload in workloads},
        copies=arms.copy(workloads, root=venue.layout.root, directory=venue.layout.arms),
        baseline=arms.baseline,
        guard=venue.make_guard(),
    )


def _analyse(
    series: tuple[Series, ...], arms: Arms, settings: SamplingSettings, silent: Mapping[str, ResultWarning]
) -> tuple[Analysis, CrossValidation | None]:
    from optbuild.measure.compare import analyse
    from optbuild.measure.cross_validation import cross_validate

    analysis = analyse(
        series,
        baseline=arms.baseline,
        candidates=arms.candidates,
        confidence=settings.confidence,
        min_effect=settings.min_effect,
        silent=silent.keys(),
    )
    cross_validation = cross_validate(
        series,
        baseline=arms.baseline,
        variants=arms.cross_validated,
        confidence=settings.confidence,
        min_effect=settings.min_effect,
        aa=analysis.aa,
        silent=silent.keys(),
    )
    return analysis, cross_validation


def _warn_of_faults(resources: Iterable[Resources]) -> Iterator[ResultWarning]:
    for item in resources:
        if item.variant != A_PRIME and item.median_major_faults:
            figures = {"major_faults": item.median_major_faults}
            kind = WarningKind.MAJOR_FAULTS
            yield ResultWarning(kind=kind, candidate=item.variant, workload=item.workload, figures=figures)
