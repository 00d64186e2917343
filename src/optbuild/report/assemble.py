"""From a record to a report. Pure: it uses only the record, and also shows what a failed run finished."""

from __future__ import annotations

import shlex

from optbuild.record.model import RunRecord, RunStatus
from optbuild.record.variants import VariantRecord
from optbuild.report.display import sentence
from optbuild.report.footnotes import make_footnotes
from optbuild.report.model import BuildStep, Report
from optbuild.report.search import search_notes, search_tables, search_title, without_losers
from optbuild.report.tables import baseline_first, make_tables
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
    """Turn a record into text and tables."""
    shown = without_losers(record)
    return Report(
        title=_title(record),
        status=_status(record),
        tables=(*make_tables(shown), *search_tables(record)),
        footnotes=(*search_notes(record), *make_footnotes(shown)),
        steps=tuple(step for variant in record.builds for step in _steps(variant)),
    )


def _title(record: RunRecord) -> str:
    if record.arms:
        package = f"{sanitize_line(record.project.package)}: " if record.project else ""
        return f"{package}{describe_versions(record)}"
    if record.search is not None:
        package = f"{sanitize_line(record.project.package)}: " if record.project else ""
        return f"{package}{search_title(record.search)}"
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
        return (f"{what}; the results below are those that it finished.",)
    where = f" ({sanitize_line(error.location)})" if error.location else ""
    return (
        f"{what}: {sentence(error.message)}{where}",
        *((f"help: {sentence(error.help)}",) if error.help else ()),
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
