"""The list of stored runs, a line each, for `optbuild runs`."""

from __future__ import annotations

from collections.abc import Iterable

from optbuild.measure.model import Comparison, Verdict, held_out_arm
from optbuild.record.model import RunRecord
from optbuild.report.columns import column_widths, pad
from optbuild.report.cross_validation import find_comparison
from optbuild.report.display import MARK, change_cell, inert_on_ci
from optbuild.report.footnotes import describe_commit
from optbuild.report.in_sample import in_sample_label, labelled
from optbuild.report.model import Align
from optbuild.report.versions import describe_versions
from optbuild.text import sanitize_line

_HEADINGS = ("run", "when", "status", "commit", "variants", "best of the suite")
_MINUTES = len("2026-01-02T03:04")


def render_runs(records: Iterable[RunRecord]) -> str:
    """List runs in the order given, each with the best change that it proves."""
    rows = [_HEADINGS, *(_row(record) for record in records)]
    if len(rows) == 1:
        return "no stored runs; create one: optbuild pgo\n"
    widths = column_widths(rows)
    lines = ("  ".join(pad(text, width, Align.LEFT) for text, width in zip(row, widths, strict=True)) for row in rows)
    return inert_on_ci("".join(f"{line.rstrip()}\n" for line in lines))


def _row(record: RunRecord) -> tuple[str, ...]:
    return (
        sanitize_line(record.run_id),
        sanitize_line(record.started_at[:_MINUTES].replace("T", " ")),
        str(record.status),
        describe_commit(record) or "–",
        describe_versions(record)
        if record.arms
        else ", ".join(sanitize_line(variant.name) for variant in record.variants) or "–",
        _best(record),
    )


def _best(record: RunRecord) -> str:
    """The largest proven gain; without one, the comparison with the smallest value and its verdict."""
    suite = [item for item in record.comparisons if item.workload is None]
    best = min(suite, key=_rank, default=None)
    if best is None:
        return "–" if record.made_for is None else f"made by {sanitize_line(record.made_for)}"
    change = "" if best.verdict is Verdict.INVALID else f" {change_cell(best).text.rstrip(MARK)}"
    said = f"{sanitize_line(best.candidate)}{change} {best.verdict}"
    if best.verdict is Verdict.INVALID:
        return said
    folds = record.cross_validation.held_out if record.cross_validation else ()
    held_out = find_comparison(folds, held_out_arm(best.candidate))
    elsewhere = "" if held_out is None else f", {change_cell(held_out).text} held-out"
    return labelled(said, in_sample_label(record, best.candidate, None)) + elsewhere


def _rank(comparison: Comparison) -> tuple[bool, float]:
    return comparison.verdict is not Verdict.FASTER, comparison.change
