"""Runs as series: one for each machine, project, variant and workload. Pure; not for where records come from.

A series holds the change that each run measured between a variant and its own baseline, in the same minutes on the same
machine. It never compares times of different runs: between them the machine may have become another one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from optbuild.measure.model import A_PRIME, Comparison, Verdict
from optbuild.record.model import HostRecord, RunRecord, ToolchainRecord

_GIB = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What makes a machine: runs of two of them are never in one series.

    The kernel's release, which every update changes, and the compiler are not part of it: they stand with each point.

    Attributes:
        cpu: The model; None where it does not say.
        cores: Those that optbuild could use.
        memory_gib: Rounded, for virtual machines differ by some pages from one start to the next.
        governor: Of the CPU's frequency; None where there is none.
        target: What the programs were built for.
    """

    cpu: str | None
    cores: int
    memory_gib: int
    governor: str | None
    target: str

    @classmethod
    def of(cls, host: HostRecord, toolchain: ToolchainRecord) -> Machine:
        """The machine of a record."""
        return cls(
            cpu=host.cpu,
            cores=host.cores,
            memory_gib=round(host.memory_bytes / _GIB),
            governor=host.governor,
            target=toolchain.target,
        )

    @property
    def fingerprint(self) -> str:
        """Eight hexadecimal digits that distinguish it from others."""
        parts = (self.cpu, self.cores, self.memory_gib, self.governor, self.target)
        return hashlib.sha256("\0".join(map(str, parts)).encode("utf-8", "surrogatepass")).hexdigest()[:8]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesKey:
    """What all points of a series have in common; `workload` is None for all workloads together."""

    machine: Machine
    package: str
    metric: str
    baseline: str
    variant: str
    workload: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What one run found.

    Attributes:
        started_at: In ISO 8601.
        commit: None without git.
        dirty: Files differed from the commit.
        min_effect: The margin of the run's verdicts.
    """

    run_id: str
    started_at: str
    commit: str | None
    dirty: bool | None
    rustc: str
    comparison: Comparison
    min_effect: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """The points of one key, the oldest first."""

    key: SeriesKey
    points: tuple[Point, ...]

    @property
    def changes(self) -> tuple[float, ...]:
        """The change of each run."""
        return tuple(point.comparison.change for point in self.points)


def make_series(records: Iterable[RunRecord]) -> tuple[Series, ...]:
    """Sort runs into series, in the order in which the runs first show them; a run counts once.

    Runs that do not name their machine, and comparisons that are invalid or have no interval, are in none. Nor are
    comparisons of versions: their baseline is another program each time, so nothing could last.
    """
    found: dict[SeriesKey, list[Point]] = {}
    unique = {record.run_id: record for record in records if not record.arms}
    for record in sorted(unique.values(), key=lambda record: (record.started_at, record.run_id)):
        for key, point in _points(record):
            found.setdefault(key, []).append(point)
    return tuple(Series(key=key, points=tuple(points)) for key, points in found.items())


def _points(record: RunRecord) -> Iterable[tuple[SeriesKey, Point]]:
    host, toolchain, project = record.host, record.toolchain, record.project
    if host is None or toolchain is None:
        return
    machine = Machine.of(host, toolchain)
    for comparison in record.comparisons:
        is_known = comparison.verdict is not Verdict.INVALID and comparison.ci_low is not None
        if comparison.candidate == A_PRIME or not is_known:
            continue
        key = SeriesKey(
            machine=machine,
            package="" if project is None else project.package,
            metric=comparison.metric,
            baseline=comparison.baseline,
            variant=comparison.candidate,
            workload=comparison.workload,
        )
        yield (
            key,
            Point(
                run_id=record.run_id,
                started_at=record.started_at,
                commit=None if project is None else project.git_commit,
                dirty=None if project is None else project.git_dirty,
                rustc=toolchain.rustc,
                comparison=comparison,
                min_effect=record.measure.min_effect if record.measure else 0.0,
            ),
        )
