"""Take the measurements: run every arm on every workload in the schedule's order, and keep what each run cost.

It decides when to stop by precision and time alone, never by what the values say.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from optbuild.errors import WorkloadError
from optbuild.events import ActionFinished, ActionProgressed, ActionStarted, Emit
from optbuild.execution.command import Executor, ProgramNotFoundError, Usage
from optbuild.files import atomic_copy, remove_below
from optbuild.measure.metrics import METRICS
from optbuild.measure.model import A_PRIME, Analysis, Series, Superblock
from optbuild.measure.schedule import PILOT_ROUNDS, SuperblockOrder, batch_for, make_round, make_warm_up, passes_for
from optbuild.text import sanitize_line
from optbuild.workloads.invocation import Invocation

_PADDING_NAME = "OPTBUILD_PADDING"
_MOST_PADDING = 4096  # one page: the stack then starts anywhere within it
_SHORTEST_RUN_S = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingSettings:
    """How long to measure and to what end.

    Attributes:
        precision: Half-width of the suite's interval to aim for, as a ratio.
        min_effect: Margin of the verdicts, as a ratio.
        seed: Of the order of runs.
    """

    precision: float
    min_effect: float
    max_time_s: float
    confidence: float
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What an arm needed on a workload, over all its runs.

    Attributes:
        median_s: The median of the wall times.
        peak_rss_bytes: The largest peak; it says only "at most" where it is `peak_rss_floor_bytes` or less.
    """

    workload: str
    arm: str
    median_s: float
    peak_rss_bytes: int
    peak_rss_floor_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """All that was measured in one session.

    Attributes:
        series: One for each workload and metric.
        judged: The metric that each workload is judged by.
        wanted_rounds: How many rounds the precision asked for takes; None where there was no time for a pilot.
        round_s: How long one round took on average.
        stopped_by_time: The budget ended it before the precision was reached.
    """

    series: tuple[Series, ...]
    judged: Mapping[str, str]
    resources: tuple[Resources, ...]
    analysis: Analysis
    seed: int
    wanted_rounds: int | None
    round_s: float
    duration_s: float
    stopped_by_time: bool


@dataclass(slots=True, kw_only=True)
class Sampler:
    """Measures arms on workloads.

    Attributes:
        root: The directory with our marker.
        directory: Where copies of the binaries are put, at paths of equal length.
        arms: The binaries of each variant by name, the baseline first.
        run_s: About how long one run of each workload takes, by its name.
    """

    executor: Executor
    emit: Emit
    root: Path
    directory: Path
    arms: Mapping[str, Mapping[str, Path]]
    workloads: tuple[Invocation, ...]
    run_s: Mapping[str, float]
    settings: SamplingSettings
    clock: Callable[[], float] = time.monotonic
    _copies: dict[str, dict[str, Path]] = field(default_factory=dict)
    _usages: dict[tuple[str, str], list[Usage]] = field(default_factory=dict)

    def measure(self, action_id: str, label: str) -> Measurement:
        """Measure until the precision asked for is reached or the time is up, and analyse once, at the end.

        Raises:
            WorkloadError: A run failed: there is no ratio with an arm that does not work.
        """
        started = self.clock()
        self._copy_arms()
        by_name = {workload.name: workload for workload in self.workloads}
        arm_names = tuple(self._copies)
        passes = {name: passes_for(max(self.run_s[name], _SHORTEST_RUN_S)) for name in by_name}
        self.emit(ActionStarted(action=action_id, label=label, unit="rounds", total=PILOT_ROUNDS))
        for turn in make_warm_up(arm_names, tuple(by_name), seed=self.settings.seed):
            self._run(by_name[turn.workload], turn.arm)
        warm_up_s = self.clock() - started
        blocks: dict[str, list[Mapping[str, Superblock]]] = {name: [] for name in by_name}
        target, wanted, done, by_time = PILOT_ROUNDS, None, 0, False
        while done < target:
            this_round = make_round(arm_names, tuple(by_name), passes, seed=self.settings.seed, index=done)
            for order in this_round.superblocks:
                blocks[order.workload].append(self._superblock(by_name[order.workload], order))
            done += 1
            round_s = (self.clock() - started - warm_up_s) / done
            if done == PILOT_ROUNDS:
                wanted = target = self._wanted_rounds(blocks)
                self.emit(ActionStarted(action=action_id, label=label, unit="rounds", total=target))
            self.emit(ActionProgressed(action=action_id, done=done, detail=""))
            if done < target and self.clock() - started + round_s > self.settings.max_time_s:
                by_time = True
                break
        duration_s = self.clock() - started
        outcome = f"{done} rounds" + (", stopped by the time budget" if by_time else "")
        self.emit(ActionFinished(action=action_id, label=label, duration_s=duration_s, outcome=outcome))
        return Measurement(
            series=tuple(self._all_series(blocks)),
            judged={workload.name: str(workload.metric) for workload in self.workloads},
            resources=tuple(self._resources()),
            analysis=self._analyse(blocks),
            seed=self.settings.seed,
            wanted_rounds=wanted,
            round_s=round_s,
            duration_s=duration_s,
            stopped_by_time=by_time,
        )

    def _copy_arms(self) -> None:
        """Give every arm files of its own at paths of equal length; the baseline's copy is a byte copy."""
        remove_below(self.root, self.directory)
        baseline = next(iter(self.arms))
        for index, (name, binaries) in enumerate({**self.arms, A_PRIME: self.arms[baseline]}.items()):
            copies = {bin_name: self.directory / f"{index:03d}" / bin_name for bin_name in binaries}
            for bin_name, path in binaries.items():
                atomic_copy(path, copies[bin_name])
            self._copies[name] = copies

    def _superblock(self, workload: Invocation, order: SuperblockOrder) -> Mapping[str, Superblock]:
        """Run one superblock; by metric."""
        batch = batch_for(max(self.run_s[workload.name], _SHORTEST_RUN_S))
        self._run(workload, order.primer)
        values: dict[str, dict[str, list[float]]] = {name: {arm: [] for arm in self._copies} for name in METRICS}
        for arm in order.order:
            usages = [self._run(workload, arm) for _ in range(batch)]
            self._usages.setdefault((workload.name, arm), []).extend(usages)
            for name, metric in METRICS.items():
                values[name][arm].append(sum(map(metric.read, usages)) / batch)
        return {
            name: Superblock(order=order.order, values={arm: tuple(v) for arm, v in by_arm.items()})
            for name, by_arm in values.items()
        }

    def _run(self, workload: Invocation, arm: str) -> Usage:
        """One timed run. Output goes to a file: some programs do less when they write to the null device."""
        remove_below(self.root, workload.scratch)
        workload.scratch.mkdir(parents=True)
        padding = "x" * random.randrange(_MOST_PADDING)  # noqa: S311 - layout noise, no secret and no result
        stdout, stderr = self.directory / "stdout", self.directory / "stderr"
        command = workload.make_command(
            self._copies[arm], extra_env={_PADDING_NAME: padding}, stdout=stdout, stderr=stderr
        )
        name = sanitize_line(workload.name)
        try:
            completed = self.executor.run(command)
        except ProgramNotFoundError as error:
            raise WorkloadError(
                f"workload {name!r}: cannot start {sanitize_line(str(error))}", help="check its `command` and `cwd`"
            ) from error
        if completed.exit_code != workload.expect_exit or completed.timed_out or completed.survivors:
            how = "was stopped after its timeout" if completed.timed_out else f"ended with {completed.exit_code}"
            raise WorkloadError(
                f"workload {name!r}: a measured run of {arm} {how}, expected exit code {workload.expect_exit}",
                help="run its command several times by hand: it fails now and then",
                location=str(stderr),
            )
        return completed.usage

    def _series(self, blocks: Mapping[str, list[Mapping[str, Superblock]]], workload: str, metric: str) -> Series:
        rounds = tuple(by_metric[metric] for by_metric in blocks[workload])
        return Series(workload=workload, metric=metric, unit=METRICS[metric].unit, rounds=rounds)

    def _all_series(self, blocks: Mapping[str, list[Mapping[str, Superblock]]]) -> list[Series]:
        return [self._series(blocks, workload, metric) for workload in blocks for metric in METRICS]

    def _judged_series(self, blocks: Mapping[str, list[Mapping[str, Superblock]]]) -> list[Series]:
        return [self._series(blocks, workload.name, workload.metric) for workload in self.workloads]

    def _wanted_rounds(self, blocks: Mapping[str, list[Mapping[str, Superblock]]]) -> int:
        from optbuild.measure.compare import needed_rounds

        baseline, *candidates = self.arms
        return needed_rounds(
            self._judged_series(blocks),
            baseline=baseline,
            candidates=candidates or (A_PRIME,),
            confidence=self.settings.confidence,
            precision=self.settings.precision,
        )

    def _analyse(self, blocks: Mapping[str, list[Mapping[str, Superblock]]]) -> Analysis:
        from optbuild.measure.compare import analyse

        baseline, *candidates = self.arms
        return analyse(
            self._judged_series(blocks),
            baseline=baseline,
            candidates=candidates,
            confidence=self.settings.confidence,
            min_effect=self.settings.min_effect,
        )

    def _resources(self) -> list[Resources]:
        resources = []
        for (workload, arm), usages in self._usages.items():
            walls = sorted(usage.wall_s for usage in usages)
            middle = len(walls) // 2
            resources.append(
                Resources(
                    workload=workload,
                    arm=arm,
                    median_s=walls[middle] if len(walls) % 2 else (walls[middle - 1] + walls[middle]) / 2,
                    peak_rss_bytes=max(usage.peak_rss_bytes for usage in usages),
                    peak_rss_floor_bytes=max(usage.peak_rss_floor_bytes for usage in usages),
                )
            )
        return resources


def describe_budget(measurement: Measurement) -> str | None:
    """What more time would buy, where the budget ended the measuring."""
    if not measurement.stopped_by_time:
        return None
    wanted = measurement.wanted_rounds or PILOT_ROUNDS
    needed_s = measurement.duration_s + (wanted - measurement.analysis.rounds) * measurement.round_s
    return f"the precision asked for takes {wanted} rounds: --max-time {_as_option(needed_s)}"


def _as_option(seconds: float) -> str:
    minutes = int(seconds // 60) + 1
    return f"{minutes}m"
