"""Record variants on a workload in turns, so that whatever else the machine does meets all of them."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

from optbuild.errors import WorkloadError
from optbuild.events import ActionProgressed, Emit, Level, Notice, reported
from optbuild.execution.command import ConcurrentExecutor
from optbuild.observe.discover import SamplingObserver
from optbuild.observe.effort import FEW_SAMPLES, Effort, is_recorded, plan_effort
from optbuild.observe.inlining import InlineResolver
from optbuild.observe.profiles import ArmProfile, Unobserved, WorkloadProfile, scale_recordings
from optbuild.observe.raw import RawSamples, join_raw
from optbuild.observe.recording import Recording, record
from optbuild.observe.sampling import PerfObserver, with_names
from optbuild.text import sanitize_line
from optbuild.units import format_duration
from optbuild.workloads.invocation import Invocation
from optbuild.workloads.programs import Place, WorkloadRun
from optbuild.workloads.running import run_workload, set_up

_TIMED_RUNS = 3
_ONE_RUN = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Turns:
    """Records variants on workloads, one run at a time.

    Attributes:
        directory: Where observers write, below the directory with optbuild's marker.
        max_time_s: What the recordings of one workload may take.
    """

    executor: ConcurrentExecutor
    observer: SamplingObserver
    resolver: InlineResolver
    emit: Emit
    directory: Path
    max_time_s: float

    def profile(self, invocation: Invocation, places: Mapping[str, Place]) -> WorkloadProfile:
        """Record every variant on a workload.

        Args:
            invocation: The workload.
            places: Where each variant runs, by name; the one that others are compared with is first.

        Raises:
            WorkloadError: It fails, or ends before anything could be sampled.
            WorkloadTimeoutError: It takes too long.
        """
        action, label = (
            f"record-{invocation.slug}",
            f"record {sanitize_line(invocation.name)} with {self.observer.name}",
        )
        with reported(self.emit, action, label) as ending:
            with set_up(self.executor, invocation, next(iter(places.values()))):
                profile = self._profile(invocation, places, action)
            counts = [arm.count for arm in profile.arms.values() if arm.count is not None]
            ending.outcome = f"{sum(counts):,} samples" if counts else "every instruction counted"
        return profile

    def _profile(self, invocation: Invocation, places: Mapping[str, Place], action: str) -> WorkloadProfile:
        runs: dict[str, list[Unobserved]] = {arm: [] for arm in places}
        for _ in range(_TIMED_RUNS):
            for arm, place in places.items():
                runs[arm].append(_describe(run_workload(self.executor, invocation, place)))
        effort = self._plan(runs)
        observer = self.observer
        if isinstance(observer, PerfObserver):
            observer = replace(observer, frequency_hz=effort.frequency_hz)
        taken: dict[str, list[RawSamples]] = {arm: [] for arm in places}
        for turn in range(effort.recordings):
            for arm, place in places.items():
                share_s = self.max_time_s / (effort.recordings * len(places))
                each = self._repeat(observer, invocation, place, effort, share_s)
                taken[arm].append(join_raw(part for recording in each for part in recording.programs))
            self.emit(ActionProgressed(action=action, done=turn + 1, total=effort.recordings, unit="recordings"))
        named = iter(with_names([each for arm in places for each in taken[arm]], self.resolver))
        recordings = {arm: tuple(next(named) for _ in taken[arm]) for arm in places}
        base = next(iter(places))
        arms = {
            arm: scale_recordings(recordings[arm], tuple(runs[arm]), None if arm == base else tuple(runs[base]))
            for arm in places
        }
        for arm, profile in arms.items():
            self._judge(invocation, arm, profile)
        return WorkloadProfile(workload=invocation.name, arms=arms)

    def _repeat(
        self, observer: SamplingObserver, invocation: Invocation, place: Place, effort: Effort, share_s: float
    ) -> Iterator[Recording[RawSamples]]:
        """Record some runs, fewer if time is up."""
        began_s, samples = time.monotonic(), 0
        for _ in range(effort.runs):
            recording = record(self.executor, observer, invocation, place, self.directory)
            samples += sum(part.count or 0 for part in recording.programs)
            yield recording
            elapsed_s = time.monotonic() - began_s
            if is_recorded(samples=samples, elapsed_s=elapsed_s, share_s=share_s, recordings=effort.recordings):
                return

    def _plan(self, runs: Mapping[str, list[Unobserved]]) -> Effort:
        each = [run for of_arm in runs.values() for run in of_arm]
        if not isinstance(self.observer, PerfObserver):
            longest_s = max(run.cpu_s for run in each) * self.observer.slowdown * len(runs)
            message = f"{self.observer.name} simulates the CPU: this may take {format_duration(longest_s)}"
            self.emit(Notice(level=Level.INFO, code="simulated", message=message))
            return Effort(frequency_hz=0, runs=_ONE_RUN, recordings=_ONE_RUN)
        return plan_effort(
            run_cpu_s=fmean(run.cpu_s for run in each),
            run_wall_s=fmean(run.wall_s for run in each),
            arms=len(runs),
            max_time_s=self.max_time_s,
            call_graph=self.observer.call_graph,
        )

    def _judge(self, invocation: Invocation, arm: str, profile: ArmProfile) -> None:
        """Refuse a recording of nothing, and say when a picture rests on little."""
        name, total = sanitize_line(invocation.name), sum(each.total for each in profile.recordings)
        if not total:
            raise WorkloadError(
                f"workload {name!r}: {self.observer.name} took no sample of {arm}: it uses too little CPU time "
                f"({format_duration(profile.cpu_s)} a run)",
                help="give it more work, such as a larger input; or see what it waits for",
            )
        if profile.count is not None and profile.count < FEW_SAMPLES:
            share = 1 / math.sqrt(profile.count)
            message = (
                f"workload {name!r}: only {profile.count} samples of {arm}; a function with half of the time is known "
                f"to ±{share * 50:.0f} points"
            )
            remedy = "give it more work, or more time: --max-time 10m"
            self.emit(Notice(level=Level.WARNING, code="few-samples", message=message, help=remedy))
        if profile.lost:
            message = f"workload {name!r}: perf lost {profile.lost} samples of {arm}"
            self.emit(Notice(level=Level.WARNING, code="lost-samples", message=message))


def _describe(run: WorkloadRun) -> Unobserved:
    times = list(run.benchmarks.values())
    mean_s = math.exp(fmean(math.log(each) for each in times)) if times and min(times) > 0 else None
    usage = run.usage
    return Unobserved(wall_s=usage.wall_s, cpu_s=usage.user_s + usage.system_s, benchmark_s=mean_s)
