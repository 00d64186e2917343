"""From a record to a report. Pure: it looks at nothing but the record, and shows what there is of a run that failed."""

from __future__ import annotations

import shlex

from optbuild.measure.model import Comparison, Verdict
from optbuild.record.model import RunRecord, RunStatus, VariantRecord
from optbuild.report.display import change_cell, interval_cell, sentence, tone_of
from optbuild.report.footnotes import make_footnotes
from optbuild.report.in_sample import in_sample_label
from optbuild.report.model import BuildStep, IntervalPlot, PlottedInterval, Report
from optbuild.report.tables import baseline_first, make_tables, suite_heading, workloads_of
from optbuild.report.versions import describe_versions
from optbuild.text import sanitize_line
from optbuild.units import format_duration

_ENDINGS = {
    RunStatus.COMPLETE: "This run ended with an error",
    RunStatus.INCOMPLETE: "This run is incomplete",
    RunStatus.FAILED: "This run failed",
    RunStatus.INTERRUPTED: "This run was interrupted",
}


def assemble(record: RunRecord) -> Report:
    """Put a record into words and tables."""
    return Report(
        title=_title(record),
        status=_status(record),
        tables=make_tables(record),
        footnotes=make_footnotes(record),
        plot=_plot(record),
        steps=tuple(step for variant in record.builds for step in _steps(variant)),
    )


def _title(record: RunRecord) -> str:
    if record.arms:
        package = f"{sanitize_line(record.project.package)}: " if record.project else ""
        return f"{package}{describe_versions(record)}"
    names = ", ".join(sanitize_line(variant.name) for variant in baseline_first(record))
    packages = (record.project.packages or (record.project.package,)) if record.project else ()
    return (
        ": ".join(filter(None, (", ".join(map(sanitize_line, packages)), names)))
        or f"run {sanitize_line(record.run_id)}"
    )


def _status(record: RunRecord) -> tuple[str, ...]:
    if record.status is RunStatus.COMPLETE and record.error is None:
        return ()
    error = record.error
    what = _ENDINGS[record.status]
    if error is None:
        return (f"{what}; what follows is what it finished.",)
    where = f" ({sanitize_line(error.location)})" if error.location else ""
    return (
        f"{what}: {sentence(error.message)}{where}",
        *((f"help: {sentence(error.help)}",) if error.help else ()),
    )


def _plot(record: RunRecord) -> IntervalPlot | None:
    shown = [record.suite_comparison(variant.name) for variant in record.variants]
    rows = tuple(row for item in (*shown, *_held_out(record)) if item for row in _plotted(item, record))
    if not rows:
        return None
    margin = record.noise.aa.margin if record.noise else record.measure.min_effect if record.measure else 0.0
    return IntervalPlot(heading=suite_heading(record), margin=margin, rows=rows)


def _held_out(record: RunRecord) -> tuple[Comparison, ...]:
    """Changes over what was left out in training, where that is over the same workloads as everything else."""
    found = record.cross_validation
    if found is None or {*found.workloads} != {*workloads_of(record)}:
        return ()
    return tuple(item for item in found.held_out if item.workload is None)


def _plotted(comparison: Comparison, record: RunRecord) -> tuple[PlottedInterval, ...]:
    if comparison.verdict is Verdict.INVALID or comparison.ci_low is None or comparison.ci_high is None:
        return ()
    return (
        PlottedInterval(
            label=sanitize_line(comparison.candidate),
            note=in_sample_label(record, comparison.candidate, None),
            change=comparison.change,
            low=comparison.ci_low,
            high=comparison.ci_high,
            tone=tone_of(comparison),
            words=f"{change_cell(comparison).text} {interval_cell(comparison).text} {comparison.verdict}",
        ),
    )


def _steps(variant: VariantRecord) -> tuple[BuildStep, ...]:
    return tuple(
        BuildStep(
            variant=sanitize_line(variant.name),
            kind=sanitize_line(step.kind),
            command=sanitize_line(shlex.join(step.argv)),
            duration="reused" if step.reused else format_duration(step.duration_s),
        )
        for step in variant.steps
    )
