"""Take the measurements: run every arm on every workload in the schedule's order, and keep what each run cost.

It decides when to stop by precision and time alone, never by what the values say.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from optbuild.errors import WorkloadError
from optbuild.events import ActionFailed, ActionFinished, ActionProgressed, ActionStarted, Emit, Level, Notice
from optbuild.execution.command import ConcurrentExecutor
from optbuild.files import remove_below
from optbuild.measure.arms import ArmBinaries, Arms
from optbuild.measure.blocks import Block
from optbuild.measure.cells import Cell, cells_of, check_benchmarks, check_names, summarise_resources
from optbuild.measure.guard import NoiseGuard
from optbuild.measure.measurement import Measurement, Resources, SamplingSettings
from optbuild.measure.metrics import METRICS
from optbuild.measure.model import A_PRIME, Analysis, CrossValidation, Series, Superblock, held_out_arm
from optbuild.measure.schedule import (
    MOST_PASSES,
    PILOT_ROUNDS,
    SuperblockOrder,
    batch_for,
    make_round,
    make_warm_up,
    passes_for,
)
from optbuild.measure.silent import find_silent
from optbuild.text import sanitize_line
from optbuild.units import format_duration, format_percent
from optbuild.workloads.invocation import Invocation, Kind
from optbuild.workloads.programs import Place, WorkloadRun
from optbuild.workloads.running import run_workload, set_up

_PADDING_NAME = "OPTBUILD_PADDING"
_MOST_PADDING = 4096  # one page: the stack then starts anywhere within it
_SHORTEST_RUN_S = 1e-4
_LATEST_ROUNDS = 5
_PILOT_RESERVE = 1.15  # rounds are not all as long as foretold


@dataclass(slots=True, kw_only=True)
class Sampler:
    """Measures arms on workloads.

    Attributes:
        root: The directory with our marker.
        directory: Where copies of the binaries are put, at paths of equal length.
        arms: What takes turns.
        run_s: About how long one run of each workload takes, by its name.
        guard: Watches for what disturbs from outside.
    """

    executor: ConcurrentExecutor
    emit: Emit
    root: Path
    directory: Path
    arms: Arms
    workloads: tuple[Invocation, ...]
    run_s: Mapping[str, float]
    settings: SamplingSettings
    guard: NoiseGuard = field(default_factory=NoiseGuard)
    clock: Callable[[], float] = time.monotonic
    _copies: dict[str, dict[str, ArmBinaries]] = field(default_factory=dict)
    _cells: dict[str, tuple[Cell, ...]] = field(default_factory=dict)
    _runs: dict[tuple[str, str], list[WorkloadRun]] = field(default_factory=dict)
    _blocks: dict[str, list[Block]] = field(default_factory=dict)
    _set_aside: dict[str, list[Block]] = field(default_factory=dict)
    _warm_up_s: dict[str, list[float]] = field(default_factory=dict)
    _rounds_s: list[float] = field(default_factory=list)
    _most_passes: int = MOST_PASSES
    _beside_cpu_s: float = 0.0
    _started_s: float = 0.0

    def measure(self, action_id: str, label: str) -> Measurement:
        """Measure until the precision asked for is reached or the time is up, and analyse once, at the end.

        Raises:
            WorkloadError: A run failed: there is no ratio with an arm that does not work.
            WorkloadTimeoutError: A run took longer than its timeout.
        """
        import optbuild.measure.compare  # noqa: F401 - loading scipy takes as long as some rounds: not from the budget

        self._started_s = self.clock()
        try:
            self._copies = self.arms.copy(self.workloads, root=self.root, directory=self.directory)
            with ExitStack() as stack:
                stack.callback(remove_below, self.root, self.directory / "stdout")  # it may be large
                for workload in self.workloads:
                    stack.enter_context(set_up(self.executor, workload, self._place(workload, self._baseline, {})))
                return self._measure(action_id, label)
        except WorkloadError:
            self.emit(ActionFailed(action=action_id, label=label, duration_s=self._elapsed_s()))
            raise

    def _measure(self, action_id: str, label: str) -> Measurement:
        self._blocks = {workload.name: [] for workload in self.workloads}
        self._set_aside = {workload.name: [] for workload in self.workloads}
        self._warm_up_s = {workload.name: [] for workload in self.workloads}
        self.emit(ActionStarted(action=action_id, label=label, unit="rounds", total=PILOT_ROUNDS))
        self._choose_passes(beforehand_s=self._estimated_warm_up_s())
        if not self._fits(self._estimated_round_s() + self._estimated_warm_up_s()):
            self._time_again()
        round_s, wanted = self._estimated_round_s(), None
        if self._fits(round_s + self._estimated_warm_up_s()):
            self._warm_up()
            self._choose_passes()
            self._take_rounds(PILOT_ROUNDS, action_id)
            if self._done >= PILOT_ROUNDS:
                wanted = self._wanted_rounds()
                self.emit(ActionStarted(action=action_id, label=label, unit="rounds", total=wanted))
                self._take_rounds(wanted, action_id)
            round_s = statistics.fmean(self._rounds_s) if self._rounds_s else self._estimated_round_s()
        noisy = self.guard.is_noisy()
        tainted = self._judge_blocks()
        if not noisy:
            self._retake_tainted()
        by_time = self._done < (wanted or PILOT_ROUNDS)
        outcome = f"{self._done} rounds" + (", stopped by the time budget" if by_time else "")
        duration_s = self._elapsed_s()
        self.emit(ActionFinished(action=action_id, label=label, duration_s=duration_s, outcome=outcome))
        self._place(self.workloads[0], self._baseline, {}).remove_output()
        silent = find_silent(self.workloads, self._runs)
        analysis = self._analyse(silent)
        return Measurement(
            series=tuple(self._series(cell, metric) for cell in self._all_cells() for metric in cell.metrics),
            judged={cell.name: cell.judged for cell in self._all_cells()},
            workload_of={cell.name: cell.workload for cell in self._all_cells()},
            resources=tuple(self._resources()),
            analysis=analysis,
            seed=self.settings.seed,
            wanted_rounds=wanted,
            round_s=round_s,
            duration_s=duration_s,
            stopped_by_time=by_time,
            tainted=tainted,
            noisy=noisy,
            steal_ratio=self.guard.steal_ratio(),
            cross_validation=self._cross_validate(analysis, silent),
            silent=silent,
        )

    @property
    def _done(self) -> int:
        return min(map(len, self._blocks.values()))

    def _elapsed_s(self) -> float:
        return self.clock() - self._started_s

    def _fits(self, more_s: float) -> bool:
        return self._elapsed_s() + more_s <= self.settings.max_time_s

    def _estimated_round_s(self) -> float:
        """What a round takes: what runs took before or, with all that belongs to them, while warming up."""
        return sum(
            max(self._run_s(name), statistics.median(self._warm_up_s[name] or [0.0]))
            * batch_for(self._run_s(name))
            * (1 + 2 * self._passes(name) * len(arms))
            for name, arms in self._copies.items()
        )

    def _choose_passes(self, *, beforehand_s: float = 0.0) -> None:
        """Give superblocks fewer passes where the pilot would not fit otherwise.

        Passes and superblocks share the variance out in the same way, and a rank interval needs superblocks. It is
        settled before the first one, by times alone.
        """
        for self._most_passes in range(MOST_PASSES, 0, -1):
            if self._fits(beforehand_s + _PILOT_RESERVE * PILOT_ROUNDS * self._estimated_round_s()):
                break

    def _passes(self, workload: str) -> int:
        return min(self._most_passes, passes_for(self._run_s(workload)))

    def _estimated_warm_up_s(self) -> float:
        return sum(self._run_s(name) * len(arms) for name, arms in self._copies.items())

    def _run_s(self, workload: str) -> float:
        return max(self.run_s[workload], _SHORTEST_RUN_S)

    def _time_again(self) -> None:
        """Before measuring is given up for want of time: run the baseline once on each command, if that fits.

        Servers and what cargo would run were timed with nothing beside them.
        """
        for workload in self.workloads:
            if workload.kind is Kind.COMMAND and self._fits(self._run_s(workload.name)):
                self._learn(workload.name, self._run(workload, self._baseline))

    def _learn(self, workload: str, run: WorkloadRun) -> None:
        """What was told of the baseline may have been taken beside builds, which made it slower."""
        self.run_s = {**self.run_s, workload: min(self.run_s[workload], run.usage.wall_s)}

    def _warm_up(self) -> None:
        by_name = {workload.name: workload for workload in self.workloads}
        for turn in make_warm_up(self._schedule(), seed=self.settings.seed):
            began_s = self._elapsed_s()
            run = self._run(by_name[turn.workload], turn.arm)
            self._warm_up_s[turn.workload].append(self._elapsed_s() - began_s)
            if turn.arm == self._baseline:
                self._learn(turn.workload, run)

    def _schedule(self) -> dict[str, tuple[str, ...]]:
        """The arms of each workload."""
        return {name: tuple(arms) for name, arms in self._copies.items()}

    def _take_rounds(self, target: int, action_id: str) -> None:
        """Take rounds until there are so many, or until the next one would not fit into the budget."""
        passes = {name: self._passes(name) for name in self._blocks}
        while self._done < target and self._fits(self._next_round_s()):
            began_s, index = self._elapsed_s(), self._done
            for order in make_round(self._schedule(), passes, seed=self.settings.seed, index=index).superblocks:
                self._blocks[order.workload].append(self._take_superblock(order))
            self._rounds_s.append(self._elapsed_s() - began_s)
            self.emit(ActionProgressed(action=action_id, done=self._done, detail=self._describe_progress(target)))

    def _next_round_s(self) -> float:
        """How long the next round may take: as long as the longest of the latest, or as the runs so far foretell."""
        return max(self._rounds_s[-_LATEST_ROUNDS:], default=self._estimated_round_s())

    def _describe_progress(self, target: int) -> str:
        """The widest interval so far and the time left; no verdict, for there is one analysis, at the end."""
        from optbuild.measure.compare import interval_so_far

        found = (
            interval_so_far(series, baseline=self._baseline, candidates=arms, confidence=self.settings.confidence)
            for series, arms in self._families()
        )
        widest = max(filter(None, found), key=lambda item: item[2] - item[1], default=None)
        left_s = min(
            self._elapsed_s() / self._done * (target - self._done), self.settings.max_time_s - self._elapsed_s()
        )
        shown = ""
        if widest is not None:
            candidate, low, high = widest
            shown = f"{candidate} [{format_percent(low)}, {format_percent(high)}], "
        return f"{shown}{format_duration(max(left_s, 0.0))} left"

    def _judge_blocks(self) -> tuple[str, ...]:
        """Mark what something outside disturbed, as the machine's counters tell, never the values; the reasons."""
        reasons = []
        for blocks in self._blocks.values():
            for index, block in enumerate(blocks):
                reason = self.guard.judge(block.disturbance)
                if reason is None:
                    continue
                reasons.append(reason)
                blocks[index] = block.marked(reason)
        return tuple(reasons)

    def _retake_tainted(self) -> None:
        """Measure once more what was disturbed, where that is the exception; what is disturbed again stays, marked."""
        for workload, blocks in self._blocks.items():
            for index, block in enumerate(blocks):
                if block.tainted is None or not self._fits(block.disturbance.elapsed_s):
                    continue
                self._set_aside[workload].append(block)
                again = self._take_superblock(block.order)
                reason = self.guard.judge(again.disturbance)
                blocks[index] = again if reason is None else again.marked(reason)

    def _take_superblock(self, order: SuperblockOrder) -> Block:
        """Run one superblock, its primer first and not counted."""
        workload = next(item for item in self.workloads if item.name == order.workload)
        batch = batch_for(self._run_s(workload.name))
        self.guard.begin()
        beside_before_s = self._beside_cpu_s
        primer = self._run(workload, order.primer).usage
        cpu_s = primer.user_s + primer.system_s
        taken: dict[str, list[list[WorkloadRun]]] = {arm: [] for arm in self._copies[workload.name]}
        for arm in order.order:
            runs = [self._run(workload, arm) for _ in range(batch)]
            self._runs.setdefault((workload.name, arm), []).extend(runs)
            cpu_s += sum(run.usage.user_s + run.usage.system_s for run in runs)
            taken[arm].append(runs)
        cpu_s += self._beside_cpu_s - beside_before_s
        disturbance = self.guard.end(programs_cpu_s=cpu_s)
        superblocks = {
            (cell.name, metric): Superblock(
                order=order.order,
                values={arm: tuple(cell.read(runs, metric) for runs in turns) for arm, turns in taken.items()},
            )
            for cell in self._cells[workload.name]
            for metric in cell.metrics
        }
        return Block(order=order, superblocks=superblocks, disturbance=disturbance)

    def _run(self, workload: Invocation, arm: str) -> WorkloadRun:
        """One timed run."""
        padding = "x" * random.randrange(_MOST_PADDING)  # noqa: S311 - layout noise, no secret and no result
        run = run_workload(self.executor, workload, self._place(workload, arm, {_PADDING_NAME: padding}))
        self._beside_cpu_s += run.beside_cpu_s
        if workload.name not in self._cells:
            self._cells[workload.name] = self._find_cells(workload, run)
        check_benchmarks(workload, arm, self._cells[workload.name], run)
        return run

    def _find_cells(self, workload: Invocation, run: WorkloadRun) -> tuple[Cell, ...]:
        """Learn from the first run of a workload what it is compared on."""
        cells = cells_of(workload, run)
        check_names((*self._all_cells(without=workload.name), *cells))
        if any(cell.judged != workload.metric for cell in cells):
            message = (
                f"workload {workload.name!r}: its benchmarks know wall time only, which stands for {workload.metric}"
            )
            self.emit(Notice(level=Level.WARNING, code="measures-itself", message=sanitize_line(message)))
        return cells

    def _all_cells(self, without: str | None = None) -> tuple[Cell, ...]:
        """All that is compared, as far as is known."""
        known = (self._cells.get(item.name) or cells_of(item) for item in self.workloads if item.name != without)
        return tuple(cell for cells in known for cell in cells)

    def _place(self, workload: Invocation, arm: str, extra_env: Mapping[str, str]) -> Place:
        """Where an arm runs. Output goes to a file: some programs do less when they write to the null device."""
        return Place(
            root=self.root,
            binaries=self._copies[workload.name][arm].binaries,
            stdout=self.directory / "stdout",
            stderr=self.directory / "stderr",
            extra_env=extra_env,
            arm=arm,
            cargo_build=self._copies[workload.name][arm].cargo_build,
        )

    def _series(self, cell: Cell, metric: str) -> Series:
        return Series(
            workload=cell.name,
            metric=metric,
            unit=METRICS[metric].unit,
            rounds=tuple(block.superblocks[cell.name, metric] for block in self._blocks[cell.workload]),
            set_aside=tuple(block.superblocks[cell.name, metric] for block in self._set_aside[cell.workload]),
        )

    def _judged_series(self) -> list[Series]:
        return [self._series(cell, cell.judged) for cell in self._all_cells()]

    def _wanted_rounds(self) -> int:
        from optbuild.measure.compare import needed_rounds

        return max(
            needed_rounds(
                series,
                baseline=self._baseline,
                candidates=arms,
                confidence=self.settings.confidence,
                precision=self.settings.precision,
            )
            for series, arms in self._families()
        )

    def _families(self) -> Iterator[tuple[Sequence[Series], tuple[str, ...]]]:
        """What has to become precise: the changes over the suite, and those over what was left out in training."""
        from optbuild.measure.cross_validation import folds_of

        series = self._judged_series()
        yield series, self._candidates or (A_PRIME,)
        if folds := folds_of(series, self._tried):
            yield folds, tuple(map(held_out_arm, self._tried))

    @property
    def _baseline(self) -> str:
        return self.arms.baseline

    @property
    def _candidates(self) -> tuple[str, ...]:
        return tuple(self.arms.variants)[1:]

    @property
    def _tried(self) -> tuple[str, ...]:
        """The variants that there are with workloads left out as well."""
        built = {arm for arms in self.arms.held_out.values() for arm in arms}
        return tuple(name for name in self.arms.variants if held_out_arm(name) in built)

    def _analyse(self, silent: Mapping[str, str]) -> Analysis:
        from optbuild.measure.compare import analyse

        return analyse(
            self._judged_series(),
            baseline=self._baseline,
            candidates=self._candidates,
            confidence=self.settings.confidence,
            min_effect=self.settings.min_effect,
            silent=silent.keys(),
        )

    def _cross_validate(self, analysis: Analysis, silent: Mapping[str, str]) -> CrossValidation | None:
        from optbuild.measure.cross_validation import cross_validate

        return cross_validate(
            self._judged_series(),
            baseline=self._baseline,
            variants=self._tried,
            confidence=self.settings.confidence,
            min_effect=self.settings.min_effect,
            aa=analysis.aa,
            silent=silent.keys(),
        )

    def _resources(self) -> list[Resources]:
        return [
            summarise_resources(cell, arm, runs)
            for (workload, arm), runs in self._runs.items()
            for cell in self._cells[workload]
        ]
