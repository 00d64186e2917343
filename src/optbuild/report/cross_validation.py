"""Describe a cross-validation: each variant's gain on workloads with and without training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from optbuild.measure.model import Comparison, Verdict, held_out_arm
from optbuild.record.model import CrossValidationRecord, FoldRecord, RunRecord
from optbuild.record.variants import VariantStatus
from optbuild.report.display import change_cell, interval_cell, sentence, verdict_cell
from optbuild.report.model import NOTHING, Align, Cell, Column, Table
from optbuild.text import sanitize_line

_UNBUILT = frozenset({VariantStatus.SKIPPED, VariantStatus.FAILED})


def cross_validation_tables(record: RunRecord) -> tuple[Table, ...]:
    """A table for each cross-validated variant."""
    found = record.cross_validation
    if found is None:
        return ()
    shown = (variant for variant in found.variants if find_comparison(found.held_out, held_out_arm(variant)))
    return tuple(_table(found, variant) for variant in shown)


def _table(found: CrossValidationRecord, variant: str) -> Table:
    heading = f"{found.held_out[0].confidence * 100:.3g}% CI"
    columns = (
        Column(heading="workload"),
        Column(heading=f"left out, {heading}", align=Align.RIGHT),
        Column(heading="verdict"),
        Column(heading="trained on", align=Align.RIGHT),
        Column(heading=f"optimism, {heading}", align=Align.RIGHT, optional=True),
    )
    mean = (None,) if len(found.workloads) > 1 else ()
    return Table(
        caption=f"Cross-validation of {sanitize_line(variant)}: each workload with a profile that left it out",
        columns=columns,
        rows=tuple(_row(found, variant, workload) for workload in (*mean, *found.workloads)),
    )


def _row(found: CrossValidationRecord, variant: str, workload: str | None) -> tuple[Cell, ...]:
    arm = held_out_arm(variant)
    held_out = find_comparison(found.held_out, arm, workload)
    trained = find_comparison(found.trained, variant, workload)
    name = f"geomean of {len(found.workloads)}" if workload is None else sanitize_line(workload)
    return (
        Cell(text=name, foreign=workload is not None),
        _with_interval(held_out),
        NOTHING if held_out is None else verdict_cell(held_out),
        NOTHING if trained is None else change_cell(trained),
        _with_interval(next((item for item in found.optimism if _is(item, arm, workload, variant)), None)),
    )


def find_comparison(
    comparisons: Sequence[Comparison], candidate: str, workload: str | None = None
) -> Comparison | None:
    """A candidate's comparison on one workload, or over all."""
    return next((item for item in comparisons if _is(item, candidate, workload)), None)


def _is(item: Comparison, candidate: str, workload: str | None, baseline: str | None = None) -> bool:
    return (item.candidate, item.workload) == (candidate, workload) and baseline in {None, item.baseline}


def _with_interval(comparison: Comparison | None) -> Cell:
    if comparison is None:
        return NOTHING
    change, interval = change_cell(comparison), interval_cell(comparison)
    return change if interval == NOTHING else Cell(text=f"{change.text} {interval.text}", tone=change.tone)


def describe_generality(record: RunRecord) -> Iterator[str]:
    """Each variant's gain on workloads that it was not trained on, and the missing folds, a sentence each."""
    found = record.cross_validation
    if found is None:
        return
    for variant in found.variants:
        held_out = find_comparison(found.held_out, held_out_arm(variant))
        if held_out is not None:
            yield _describe_gain(record, found, variant, held_out)
    for fold in found.folds:
        if fold.build.status in _UNBUILT:
            yield _describe_missing(fold)
    unknown = dict.fromkeys(
        name for fold in found.folds if fold.build.pgo and fold.build.pgo.in_sample is None for name in fold.workloads
    )
    if unknown:
        names = ", ".join(map(sanitize_line, unknown))
        yield f"Cross-validation: inputs not compared on {names}: the remaining training may have seen them."


def _describe_gain(record: RunRecord, found: CrossValidationRecord, variant: str, held_out: Comparison) -> str:
    whole = {item.name: item.part_of or item.name for item in record.workloads}
    measured = {whole.get(name, name) for name in found.workloads}
    name, folds = sanitize_line(variant), len({f.left_out for f in found.folds if not measured.isdisjoint(f.workloads)})
    where = f"on workloads it was not trained on ({folds} fold{'s' * (folds != 1)})"
    if held_out.verdict is Verdict.INVALID:
        return f"Cross-validation of {name}: invalid {where}."
    trained = find_comparison(found.trained, variant)
    there = "" if trained is None else f"; {_with_interval(trained).text} if trained on them"
    return f"Cross-validation of {name}: {_with_interval(held_out).text}, {held_out.verdict}, {where}{there}."


def _describe_missing(fold: FoldRecord) -> str:
    left_out = ", ".join(map(sanitize_line, fold.left_out))
    reason = sentence(fold.build.reason or "not reached")
    return f"No fold of {sanitize_line(fold.variant)} without {left_out}: {reason}"
