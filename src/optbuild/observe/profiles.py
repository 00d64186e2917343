"""What was recorded of variants on workloads, ready to be drawn or compared: weights are those of one run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

from optbuild.observe.samples import Samples, join


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmProfile:
    """One variant on one workload.

    Attributes:
        recordings: Each adds up to what one run takes.
        wall_s: How long one run takes when nobody observes it.
        cpu_s: CPU time of such a run.
    """

    recordings: tuple[Samples, ...]
    wall_s: float
    cpu_s: float

    @property
    def samples(self) -> Samples:
        """All recordings together, still as one run."""
        return join(self.recordings).scaled(1 / len(self.recordings))

    @property
    def count(self) -> int | None:
        """How many samples were taken."""
        counts = [each.count for each in self.recordings if each.count is not None]
        return sum(counts) if counts else None

    @property
    def lost(self) -> int:
        """How many samples were lost."""
        return sum(each.lost for each in self.recordings)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadProfile:
    """One workload, by the names of variants."""

    workload: str
    arms: Mapping[str, ArmProfile]


@dataclass(frozen=True, slots=True, kw_only=True)
class Profiled:
    """Everything that was recorded at one time.

    Attributes:
        project: Whose programs they are.
        variant: The variant that it is about.
        base: What it is compared with, if it is.
        notes: What a reader has to know, such as which better tool could not be used.
    """

    project: str
    variant: str
    base: str | None
    workloads: tuple[WorkloadProfile, ...]
    notes: tuple[str, ...] = ()

    def samples_of(self, arm: str) -> Samples:
        """One run of every workload, added up."""
        return join(each.arms[arm].samples for each in self.workloads)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unobserved:
    """One run without an observer.

    Attributes:
        wall_s: Its time.
        cpu_s: Its CPU time.
        benchmark_s: The mean of what its benchmarks measured themselves; None if there are none. A benchmark repeats
            its work until a time has passed, so the CPU time of the whole run says nothing.
    """

    wall_s: float
    cpu_s: float
    benchmark_s: float | None = None


def scale_recordings(
    recordings: tuple[Samples, ...], runs: tuple[Unobserved, ...], base: tuple[Unobserved, ...] | None = None
) -> ArmProfile:
    """Make each recording add up to what one unobserved run takes, so that two variants are compared by real times.

    Args:
        recordings: Of any number of runs each.
        runs: The same variant without an observer.
        base: The same of the variant that it is compared with. Where benchmarks measure themselves, its run stands for
            both, longer or shorter by the ratio of their times.
    """
    cpu_s = median(run.cpu_s for run in runs)
    own = [run.benchmark_s for run in runs if run.benchmark_s is not None]
    others = [run.benchmark_s for run in base or () if run.benchmark_s is not None]
    if own and others and base is not None:
        cpu_s = median(run.cpu_s for run in base) * median(own) / median(others)
    is_time = all(each.unit.is_time for each in recordings)
    scaled = tuple(each.scaled(cpu_s / each.total) if is_time and each.total else each for each in recordings)
    return ArmProfile(recordings=scaled, wall_s=median(run.wall_s for run in runs), cpu_s=cpu_s)
