"""A fleet at a glance: verdicts, the geometric mean over projects, what failed and what is missing. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Literal

from optbuild import __version__
from optbuild.adapters import adapter_of, make_json_schema
from optbuild.fleet.results import ResultStore, UnitResult, UnitStatus
from optbuild.fleet.units import ProjectSource, Unit
from optbuild.measure.model import Comparison, Verdict
from optbuild.record.model import ErrorRecord, HostRecord
from optbuild.record.store import dump_ascii

SCHEMA: Final = "optbuild/fleet/1"
_CONFIDENCE = 0.95
_LEAST_PROJECTS = 2
_INCOMPLETE = 1


class FleetStatus(StrEnum):
    """How a fleet stands."""

    COMPLETE = "complete"
    FAILED = "failed"
    MISSING = "missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitSummary:
    """One unit of a fleet.

    Attributes:
        target: What it was built for; None where the run did not come so far.
        status: None where there is no result.
        run_id: Of its record.
        in_sample: Whether a benchmark was measured on what PGO had seen in training; None if unknown, or not
            measured.
        comparisons: Each variant against the baseline, over all workloads.
    """

    id: str
    project: str
    source: ProjectSource
    source_identity: str | None = None
    target: str | None
    status: UnitStatus | None
    exit_code: int | None = None
    optbuild_version: str | None = None
    run_id: str | None = None
    host: HostRecord | None = None
    in_sample: bool | None = None
    comparisons: tuple[Comparison, ...] = ()
    error: ErrorRecord | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetMean:
    """A variant over all projects that have it.

    Attributes:
        projects: Those with an interval of their own.
        change: The geometric mean of their changes; a project with several targets counts once.
        ci_low: The lower end of its interval, which takes these projects for a sample; None for fewer than two.
    """

    variant: str
    projects: tuple[str, ...]
    change: float
    ci_low: float | None
    ci_high: float | None
    confidence: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetReport:
    """What is known of a fleet.

    Attributes:
        exit_code: 0, or that of the first unit that failed, or 1 where a unit is missing.
        units: In the order of the fleet's file.
        missing: Ids of units without a result.
        duplicates: Ids of units of which several results were found; one of them counts.
    """

    schema: Literal["optbuild/fleet/1"] = SCHEMA
    optbuild_version: str = __version__
    status: FleetStatus
    exit_code: int
    units: tuple[UnitSummary, ...]
    means: tuple[FleetMean, ...]
    missing: tuple[str, ...] = ()
    duplicates: tuple[str, ...] = ()


def report_on_store(store: ResultStore, units: tuple[Unit, ...]) -> FleetReport:
    """The report of some units whose results are in one directory; of each it keeps only what is shown."""
    found = {unit.id: summarise(result) for unit in units if (result := store.find(unit.id)) is not None}
    return make_report(units, found)


def make_report(
    units: tuple[Unit, ...], found: Mapping[str, UnitSummary], duplicates: Iterable[str] = ()
) -> FleetReport:
    """The report of units, of which some results were found."""
    summaries = tuple(found.get(unit.id) or _missing(unit) for unit in units)
    missing = tuple(each.id for each in summaries if each.status is None)
    exit_codes = [each.exit_code for each in summaries if each.exit_code]
    return FleetReport(
        status=FleetStatus.MISSING if missing else FleetStatus.FAILED if exit_codes else FleetStatus.COMPLETE,
        exit_code=next(iter(exit_codes), _INCOMPLETE if missing else 0),
        units=summaries,
        means=make_means(summaries),
        missing=missing,
        duplicates=tuple(duplicates),
    )


def summarise(result: UnitResult) -> UnitSummary:
    """What a report shows of a result."""
    record = result.record
    workloads = () if record is None else record.workloads
    comparisons = () if record is None else tuple(each for each in record.comparisons if each.workload is None)
    in_sample = [workload.in_sample for workload in workloads] if comparisons else []
    return UnitSummary(
        id=result.unit.id,
        project=result.unit.project,
        source=result.unit.source,
        source_identity=result.source_identity,
        target=record.toolchain.target if record is not None and record.toolchain is not None else result.unit.target,
        status=result.status,
        exit_code=result.exit_code,
        optbuild_version=result.optbuild_version,
        run_id=None if record is None else record.run_id,
        host=result.host,
        in_sample=True if True in in_sample else None if None in in_sample or not in_sample else False,
        comparisons=comparisons,
        error=result.error,
    )


def _missing(unit: Unit) -> UnitSummary:
    return UnitSummary(id=unit.id, project=unit.project, source=unit.source, target=unit.target, status=None)


def make_means(units: Iterable[UnitSummary]) -> tuple[FleetMean, ...]:
    """The geometric mean of each variant over the projects, which are taken for a sample of projects like them."""
    logs: dict[str, dict[str, list[float]]] = {}
    for unit in units:
        for item in unit.comparisons:
            if item.verdict is not Verdict.INVALID and item.ci_low is not None:
                logs.setdefault(item.candidate, {}).setdefault(unit.project, []).append(math.log1p(item.change))
    return tuple(_make_mean(variant, by_project) for variant, by_project in logs.items())


def _make_mean(variant: str, by_project: Mapping[str, list[float]]) -> FleetMean:
    values = [math.fsum(own) / len(own) for own in by_project.values()]
    count, mean = len(values), math.fsum(values) / len(values)
    low = high = None
    if count >= _LEAST_PROJECTS:
        from scipy import stats  # noqa: PLC0415 - its import is slow, and most reports of one project need none

        deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (count - 1))
        reach = float(stats.t.ppf((1 + _CONFIDENCE) / 2, count - 1)) * deviation / math.sqrt(count)
        low, high = math.expm1(mean - reach), math.expm1(mean + reach)
    return FleetMean(
        variant=variant,
        projects=tuple(by_project),
        change=math.expm1(mean),
        ci_low=low,
        ci_high=high,
        confidence=_CONFIDENCE,
    )


def render_fleet_report(report: FleetReport) -> str:
    """A report as one JSON document."""
    return dump_ascii(adapter_of(FleetReport).dump_python(report, mode="json"), indent=2) + "\n"


def make_report_schema() -> dict[str, Any]:
    """The JSON schema of a report."""
    return make_json_schema(FleetReport, "optbuild fleet report")


def render_report_schema() -> str:
    """The JSON schema of a report as the text of a file."""
    return json.dumps(make_report_schema(), indent=2, ensure_ascii=False) + "\n"
