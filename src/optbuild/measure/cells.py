"""What is compared: a workload as a whole, or each of the benchmarks that it measures itself.

A cell's name is the workload's, or that and the benchmark's: `benches/parse/long`.
"""

from __future__ import annotations

import statistics
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from optbuild.errors import WorkloadError
from optbuild.measure.metrics import METRICS
from optbuild.measure.model import Resources
from optbuild.profile.workloads import MetricName
from optbuild.text import sanitize_line
from optbuild.units import format_bytes
from optbuild.workloads.invocation import Invocation
from optbuild.workloads.programs import WorkloadRun


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """Something that arms are compared on.

    Attributes:
        benchmark: The benchmark, if the workload measures itself.
        judged: The metric that decides.
        metrics: Those that are kept: times, and what decides.
    """

    workload: str
    benchmark: str | None
    judged: str
    metrics: tuple[str, ...]

    @property
    def name(self) -> str:
        """The name in tables."""
        return self.workload if self.benchmark is None else f"{self.workload}/{self.benchmark}"

    def read(self, runs: Sequence[WorkloadRun], metric: str) -> float:
        """The mean of a metric over runs that are timed as one."""
        if self.benchmark is not None:
            return statistics.fmean(run.benchmarks[self.benchmark] for run in runs)
        return sum(METRICS[metric].read(run.usage) for run in runs) / len(runs)


def cells_of(workload: Invocation, run: WorkloadRun | None = None) -> tuple[Cell, ...]:
    """The cells of a workload, as one of its runs shows; without a run, the workload as a whole."""
    if run is None or not run.benchmarks:
        judged = str(workload.metric)
        metrics = tuple(name for name, metric in METRICS.items() if metric.is_time or name == judged)
        return (Cell(workload=workload.name, benchmark=None, judged=judged, metrics=metrics),)
    wall = str(MetricName.WALL)
    return tuple(Cell(workload=workload.name, benchmark=name, judged=wall, metrics=(wall,)) for name in run.benchmarks)


def check_benchmarks(workload: Invocation, arm: str, known: Collection[Cell], run: WorkloadRun) -> None:
    """Refuse an arm whose benchmarks differ from the others': without both values there is no ratio.

    Raises:
        WorkloadError: A benchmark is missing or new.
    """
    expected = {cell.benchmark for cell in known if cell.benchmark is not None}
    found = {*run.benchmarks}
    if expected == found:
        return
    where = f"workload {sanitize_line(workload.name)!r}, measuring {sanitize_line(arm)}"
    lost, new = sorted(expected - found), sorted(found - expected)
    what = f"lacks the benchmark {lost[0]!r}" if lost else f"has the benchmark {new[0]!r}"
    raise WorkloadError(
        f"{where}: this run {sanitize_line(what)}, an earlier one {'has it' if lost else 'does not have it'}",
        help="give the bench the same benchmarks in each run and variant, or select some with a filter in `cargo`",
    )


def check_peak(workload: Invocation, arm: str, run: WorkloadRun) -> None:
    """Refuse a peak of memory that the kernel does not distinguish from that of the process which started the program.

    Raises:
        WorkloadError: It is not above that.
    """
    usage = run.usage
    if usage.peak_rss_bytes <= usage.peak_rss_floor_bytes:
        raise WorkloadError(
            f"workload {sanitize_line(workload.name)!r}, measuring {sanitize_line(arm)}: it needs at most "
            f"{format_bytes(usage.peak_rss_floor_bytes)} of memory, below which the kernel cannot say how much",
            help='count its page faults: metric = "faults"',
        )


def check_names(cells: Collection[Cell]) -> None:
    """Refuse two cells of one name.

    Raises:
        WorkloadError: There are two.
    """
    names = [cell.name for cell in cells]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise WorkloadError(
            f"two benchmarks are called {sanitize_line(twice)!r}",
            help="give one of the workloads another `name`",
        )


def summarise_resources(cell: Cell, arm: str, runs: Sequence[WorkloadRun]) -> Resources:
    """The resources of an arm; for a benchmark that measures itself, its time and the memory of its whole program."""
    usages = [run.usage for run in runs]
    resources = Resources(
        workload=cell.name,
        variant=arm,
        median_s=statistics.median(cell.read((run,), MetricName.WALL) for run in runs),
        peak_rss_bytes=max(usage.peak_rss_bytes for usage in usages),
        peak_rss_floor_bytes=max(usage.peak_rss_floor_bytes for usage in usages),
        load=_median_load(runs),
    )
    if cell.benchmark is not None:
        return resources
    return replace(
        resources,
        median_user_s=statistics.median(usage.user_s for usage in usages),
        median_system_s=statistics.median(usage.system_s for usage in usages),
        median_major_faults=statistics.median(usage.major_faults for usage in usages),
        median_involuntary_switches=statistics.median(usage.involuntary_switches for usage in usages),
    )


def _median_load(runs: Sequence[WorkloadRun]) -> Mapping[str, float]:
    return {
        name: statistics.median(run.load[name] for run in runs)
        for name in runs[0].load
        if all(name in run.load for run in runs)
    }
