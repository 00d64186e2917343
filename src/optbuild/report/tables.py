"""The tables of a report: all variants over the suite, and each variant on each workload."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from optbuild.measure.metrics import METRICS
from optbuild.measure.model import Comparison, Resources
from optbuild.profile.workloads import MetricName
from optbuild.record.model import RunRecord, TargetRecord
from optbuild.record.variants import VariantRecord, VariantStatus
from optbuild.report.cross_validation import cross_validation_tables
from optbuild.report.display import change_cell, interval_cell, verdict_cell
from optbuild.report.in_sample import in_sample_label, labelled
from optbuild.report.model import NOTHING, Align, Cell, Column, Table
from optbuild.text import sanitize_line
from optbuild.units import format_bytes, format_duration, format_percent

_LATENCIES = ("p50", "p90", "p99")
_UNBUILT = frozenset({VariantStatus.SKIPPED, VariantStatus.FAILED})


def make_tables(record: RunRecord) -> tuple[Table, ...]:
    """All tables for which a record has data."""
    if not record.variants:
        return ()
    tables = [_comparison_table(record) if record.comparisons else _build_table(record)]
    if len(workloads_of(record)) > 1:
        tables.append(_workload_table(record))
    if record.targets:
        tables.insert(1, _target_table(record))
    tables += cross_validation_tables(record)
    if any(item.load for item in record.resources):
        tables.append(_load_table(record))
    if any(item.count is not None for item in record.instructions):
        tables.append(_instruction_table(record))
    if any(item.blocks is not None for item in record.allocations):
        tables.append(_allocation_table(record))
    return tuple(tables)


def workloads_of(record: RunRecord) -> tuple[str, ...]:
    """The names of all measured cells, in the build profile's order."""
    measured = {
        *(item.workload for item in record.resources),
        *(item.workload for item in record.comparisons if item.workload is not None),
    }
    listed = (record.build_profile or {}).get("workloads")
    names = [item.get("name") for item in listed if isinstance(item, Mapping)] if isinstance(listed, list) else []
    return tuple(dict.fromkeys([*(name for name in names if name in measured), *sorted(measured)]))


def baseline_first(record: RunRecord) -> list[VariantRecord]:
    """The variants as shown in tables."""
    return sorted(record.variants, key=lambda variant: not variant.baseline)


def change_heading(record: RunRecord, comparisons: Iterable[Comparison]) -> str:
    """The metric and the baseline: `time vs release`."""
    baseline = record.baseline
    return f"{_nouns(comparisons)} vs {sanitize_line(baseline.name) if baseline else 'baseline'}"


def change_noun(record: RunRecord) -> str:
    """The metric of all of a record's changes: `time`."""
    return _nouns(record.comparisons)


def _nouns(comparisons: Iterable[Comparison]) -> str:
    metrics = dict.fromkeys(name for item in comparisons for name in item.metric.split("+"))
    return " and ".join(METRICS[name].noun if name in METRICS else sanitize_line(name) for name in metrics) or "time"


def _median_heading(record: RunRecord) -> str:
    """What the medians are of: wall time, which has to be said where another metric is compared."""
    metrics = {name for item in record.comparisons for name in item.metric.split("+")}
    is_other = bool(metrics) and metrics <= METRICS.keys() - {MetricName.WALL}
    return "median wall time" if is_other else "median time"


def suite_heading(record: RunRecord) -> str:
    """The same with its scope: `time vs release (geomean of 3)`."""
    workloads = workloads_of(record)
    over = f"geomean of {len(workloads)}" if len(workloads) != 1 else sanitize_line(workloads[0])
    return f"{change_heading(record, record.comparisons)} ({over})"


def _comparison_table(record: RunRecord) -> Table:
    workloads = workloads_of(record)
    single = workloads[0] if len(workloads) == 1 else None
    columns = (
        Column(heading="variant"),
        Column(heading=suite_heading(record), align=Align.RIGHT),
        Column(heading=_interval_heading(record)),
        Column(heading="verdict"),
        *((Column(heading=_median_heading(record), align=Align.RIGHT, optional=True),) if single else ()),
        Column(heading="max RSS", align=Align.RIGHT, optional=True),
        *_build_columns(record),
    )
    rows = []
    for variant in baseline_first(record):
        resources = [item for item in record.resources if item.variant == variant.name]
        rows.append(
            (
                _measured_name_cell(variant, record, None),
                *_judged_cells(variant, record.suite_comparison(variant.name)),
                *((_median_cell(resources),) if single else ()),
                _peak_rss_cell(resources),
                *_build_cells(variant, record),
            )
        )
    return Table(caption="", columns=columns, rows=tuple(rows))


def _build_table(record: RunRecord) -> Table:
    """The results without measuring: sizes and build times."""
    columns = (Column(heading="variant"), Column(heading="status"), *_build_columns(record))
    rows = tuple(
        (_name_cell(variant), Cell(text=str(variant.status)), *_build_cells(variant, record))
        for variant in baseline_first(record)
    )
    return Table(caption="", columns=columns, rows=rows)


def _target_table(record: RunRecord) -> Table:
    """All targets, each compared with its own baseline. A narrow screen leaves out the size first, then the counts."""
    views = list(zip(record.targets, record.views(), strict=True))
    measured = [view for _, view in views if view.comparisons]
    caption = f"Each target: {suite_heading(measured[0])}" if measured else "Each target"
    columns = (
        Column(heading="target"),
        Column(heading="variant"),
        Column(heading="change", align=Align.RIGHT),
        Column(heading=_interval_heading(measured[0] if measured else record)),
        Column(heading="verdict"),
        Column(heading="counts", optional=True),
        Column(heading="size", align=Align.RIGHT, optional=True),
    )
    rows = []
    for target, view in views:
        for index, variant in enumerate(baseline_first(view)):
            rows.append(
                (
                    Cell(text="" if index else sanitize_line(target.target), foreign=True),
                    _measured_name_cell(variant, view, None),
                    *_judged_cells(variant, view.suite_comparison(variant.name))[:2],
                    _verdict_of_target(target, variant, view),
                    _counts_cell(target, variant),
                    Cell(text=format_bytes(variant.size_bytes)) if variant.artifacts else NOTHING,
                )
            )
    return Table(caption=caption, columns=columns, rows=tuple(rows))


def _verdict_of_target(target: TargetRecord, variant: VariantRecord, view: RunRecord) -> Cell:
    if target.not_measured is not None and variant.status not in _UNBUILT:
        return Cell(text="not measured here")
    return _judged_cells(variant, view.suite_comparison(variant.name))[2]


def _counts_cell(target: TargetRecord, variant: VariantRecord) -> Cell:
    """Where the counts of a variant come from: a training here, by a runner, or committed ones."""
    if variant.pgo is None:
        return NOTHING
    if variant.pgo.source == "profile-data":
        matched = variant.pgo.matched_ratio
        return Cell(text="committed" if matched is None else f"committed {matched * 100:.0f}%")
    return Cell(text=f"by {sanitize_line(Path(target.runner[0]).name)}" if target.runner else "trained here")


def _workload_table(record: RunRecord) -> Table:
    cells = {(item.workload, item.candidate): item for item in record.comparisons if item.workload is not None}
    columns = (
        Column(heading="workload"),
        Column(heading="variant"),
        Column(heading=change_heading(record, cells.values()), align=Align.RIGHT),
        Column(heading=_interval_heading(record)),
        Column(heading="verdict"),
        Column(heading=_median_heading(record), align=Align.RIGHT, optional=True),
    )
    rows = []
    measured = [variant for variant in baseline_first(record) if variant.status not in _UNBUILT]
    for workload in workloads_of(record):
        for index, variant in enumerate(measured):
            resources = [item for item in record.resources if (item.workload, item.variant) == (workload, variant.name)]
            rows.append(
                (
                    Cell(text="" if index else sanitize_line(workload), foreign=True),
                    _measured_name_cell(variant, record, workload),
                    *_judged_cells(variant, cells.get((workload, variant.name))),
                    _median_cell(resources),
                )
            )
    return Table(caption="Each workload", columns=columns, rows=tuple(rows))


def _load_table(record: RunRecord) -> Table:
    """The values that load generators reported: medians over all runs, without verdicts."""
    columns = (
        Column(heading="workload"),
        Column(heading="variant"),
        Column(heading="requests/s", align=Align.RIGHT),
        *(Column(heading=f"latency {name}", align=Align.RIGHT) for name in _LATENCIES),
    )
    rows = []
    for workload in workloads_of(record):
        for variant in baseline_first(record):
            for item in record.resources:
                if (item.workload, item.variant) == (workload, variant.name) and item.load:
                    rate = item.load.get("requests_per_s")
                    latencies = (item.load.get(f"latency_{name}_s") for name in _LATENCIES)
                    rows.append(
                        (
                            Cell(text=sanitize_line(workload), foreign=True),
                            _name_cell(variant),
                            NOTHING if rate is None else Cell(text=f"{rate:,.0f}"),
                            *(NOTHING if value is None else Cell(text=format_duration(value)) for value in latencies),
                        )
                    )
    return Table(caption="Under load (medians)", columns=columns, rows=tuple(rows))


def _instruction_table(record: RunRecord) -> Table:
    """The table of counts, which are exact: differences without a test."""
    baseline = record.baseline
    reference = {
        item.workload: item.count for item in record.instructions if baseline and item.variant == baseline.name
    }
    columns = (
        Column(heading="workload"),
        Column(heading="variant"),
        Column(heading="instructions", align=Align.RIGHT),
        Column(heading="difference", align=Align.RIGHT),
    )
    rows = []
    for item in record.instructions:
        before = reference.get(item.workload)
        is_reference = baseline is not None and item.variant == baseline.name
        known = item.count is not None and before and not is_reference
        rows.append(
            (
                Cell(text=sanitize_line(item.workload), foreign=True),
                Cell(text=sanitize_line(item.variant) + " (ref)" * is_reference, foreign=True),
                Cell(text="n/a" if item.count is None else f"{item.count:,}"),
                Cell(text=format_percent((item.count or 0) / (before or 1) - 1, 2)) if known else NOTHING,
            )
        )
    return Table(caption="Instructions (exact)", columns=columns, rows=tuple(rows))


def _allocation_table(record: RunRecord) -> Table:
    """The table of allocations, which are exact as well."""
    baseline = record.baseline
    reference = {
        item.workload: item for item in record.allocations if baseline is not None and item.variant == baseline.name
    }
    columns = (
        Column(heading="workload"),
        Column(heading="variant"),
        Column(heading="blocks", align=Align.RIGHT),
        Column(heading="difference", align=Align.RIGHT),
        Column(heading="bytes", align=Align.RIGHT),
        Column(heading="difference", align=Align.RIGHT),
    )
    rows = []
    for item in record.allocations:
        before = reference.get(item.workload)
        is_reference = before is item
        rows.append(
            (
                Cell(text=sanitize_line(item.workload), foreign=True),
                Cell(text=sanitize_line(item.variant) + " (ref)" * is_reference, foreign=True),
                Cell(text="n/a" if item.blocks is None else f"{item.blocks:,}"),
                NOTHING if before is None or is_reference else _exact_change(item.blocks, before.blocks),
                Cell(text="n/a" if item.bytes is None else format_bytes(item.bytes)),
                NOTHING if before is None or is_reference else _exact_change(item.bytes, before.bytes),
            )
        )
    return Table(caption="Allocations (exact)", columns=columns, rows=tuple(rows))


def _exact_change(own: int | None, before: int | None) -> Cell:
    return NOTHING if own is None or not before else Cell(text=format_percent(own / before - 1, 2))


def _interval_heading(record: RunRecord) -> str:
    return f"{record.comparisons[0].confidence * 100:.3g}% CI" if record.comparisons else "CI"


def _build_columns(record: RunRecord) -> tuple[Column, ...]:
    bins = max(len(variant.binaries) for variant in record.variants)
    size = Column(heading=f"size of {bins} bins" if bins > 1 else "size", align=Align.RIGHT, optional=True)
    if not _has_built(record):
        return (size,)
    trained = any(variant.pgo for variant in record.variants)
    return size, Column(heading="build incl. training" if trained else "build", align=Align.RIGHT, optional=True)


def _has_built(record: RunRecord) -> bool:
    """Whether the run built anything itself: `bench` measures existing binaries."""
    return any(variant.steps or variant.build_s is not None for variant in record.variants)


def _name_cell(variant: VariantRecord) -> Cell:
    return Cell(text=sanitize_line(variant.name) + " (ref)" * variant.baseline, foreign=True)


def _measured_name_cell(variant: VariantRecord, record: RunRecord, workload: str | None) -> Cell:
    """A name with its essential label, since tables are pasted without their footnotes."""
    cell = _name_cell(variant)
    return replace(cell, text=labelled(cell.text, in_sample_label(record, variant.name, workload)))


def _judged_cells(variant: VariantRecord, comparison: Comparison | None) -> tuple[Cell, Cell, Cell]:
    """Change, interval and verdict; for a missing variant, its status instead."""
    if comparison is not None:
        return change_cell(comparison), interval_cell(comparison), verdict_cell(comparison)
    return NOTHING, NOTHING, Cell(text=str(variant.status)) if variant.status in _UNBUILT else NOTHING


def _median_cell(resources: Iterable[Resources]) -> Cell:
    return next((Cell(text=format_duration(item.median_s)) for item in resources), NOTHING)


def _peak_rss_cell(resources: Iterable[Resources]) -> Cell:
    """The largest peak; at or below the launcher's own, the kernel says only "at most" that."""
    peak = max(resources, key=lambda item: item.peak_rss_bytes, default=None)
    if peak is None:
        return NOTHING
    if peak.peak_rss_bytes <= peak.peak_rss_floor_bytes:
        return Cell(text=f"≤ {format_bytes(peak.peak_rss_floor_bytes)}")
    return Cell(text=format_bytes(peak.peak_rss_bytes))


def _build_cells(variant: VariantRecord, record: RunRecord) -> tuple[Cell, ...]:
    size = Cell(text=format_bytes(variant.size_bytes)) if variant.artifacts else NOTHING
    if not _has_built(record):
        return (size,)
    if variant.status is VariantStatus.REUSED:
        return size, Cell(text="reused")
    return size, NOTHING if variant.build_s is None else Cell(text=format_duration(variant.build_s))
