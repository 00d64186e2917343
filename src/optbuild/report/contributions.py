"""What each step adds to the one before: LTO to the baseline, PGO to LTO, along the inheritance of variants.

The record holds the runs, so two variants are compared directly, round by round, and not through their changes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from optbuild.measure.model import Comparison, Verdict
from optbuild.record.model import RunRecord
from optbuild.record.variants import VariantRecord
from optbuild.report.charts.assemble import round_differences
from optbuild.report.display import change_cell, interval_cell, verdict_cell
from optbuild.report.in_sample import in_sample_label, labelled
from optbuild.report.model import NOTHING, Align, Cell, Column, Table
from optbuild.report.samples import judged_series
from optbuild.report.tables import baseline_first, change_noun
from optbuild.text import sanitize_line
from optbuild.units import format_bytes, format_duration, format_percent

_NO_SETTINGS = frozenset({"name", "ancestors"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A variant and the variant that it extends."""

    variant: VariantRecord
    parent: VariantRecord


def contribution_table(record: RunRecord) -> Table | None:
    """A row for each step; None if every variant inherits from the baseline only."""
    steps = [*_steps(record)]
    if all(step.parent.baseline for step in steps):
        return None
    compared = {step.variant.name: _compare(record, step, family=len(steps)) for step in steps}
    confidence = next(iter(record.comparisons)).confidence
    columns = (
        Column(heading="step"),
        Column(heading="on top of"),
        Column(heading="what is new"),
        Column(heading=change_noun(record), align=Align.RIGHT),
        Column(heading=f"{confidence * 100:.3g}% CI"),
        Column(heading="verdict"),
        Column(heading="size", align=Align.RIGHT),
        Column(heading="build", align=Align.RIGHT),
    )
    rows = tuple(_row(record, step, compared[step.variant.name]) for step in steps)
    return Table(caption="What each step gave", columns=columns, rows=rows)


def _steps(record: RunRecord) -> Iterator[Step]:
    """Variants, each with its nearest ancestor that was measured as well."""
    measured = {item.candidate for item in record.comparisons if item.verdict is not Verdict.INVALID}
    known = {item.name: item for item in record.variants if item.baseline or item.name in measured}
    for variant in baseline_first(record):
        ancestors = _settings(record, variant.name).get("ancestors", ())
        parents = [known[name] for name in ancestors if name in known] if isinstance(ancestors, list) else []
        if variant.name in known and parents and not variant.baseline:
            yield Step(variant=variant, parent=parents[0])


def _settings(record: RunRecord, variant: str) -> Mapping[str, Any]:
    variants = (record.build_profile or {}).get("variants")
    found = variants.get(variant) if isinstance(variants, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _compare(record: RunRecord, step: Step, *, family: int) -> Comparison | None:
    """The step's own comparison over all workloads; None if the record does not hold the runs.

    All intervals of the table hold together, independently of the rest of the report.
    """
    import numpy as np  # noqa: PLC0415 - slow to load, and needed by this table alone

    from optbuild.measure import statistics  # noqa: PLC0415
    from optbuild.measure.compare import verdict_of  # noqa: PLC0415

    differences = round_differences(judged_series(record), step.parent.name, step.variant.name)
    if not differences:
        return None
    d = np.log1p(np.array(differences))
    confidence = record.comparisons[0].confidence
    interval = statistics.signed_rank_interval(d, (1 - confidence) / family)
    margin = record.noise.aa.margin if record.noise else record.measure.min_effect if record.measure else 0.0
    p_value = statistics.signed_rank_p(d)
    return Comparison(
        workload=None,
        metric=record.comparisons[0].metric,
        baseline=step.parent.name,
        candidate=step.variant.name,
        change=math.expm1(statistics.hodges_lehmann(d)),
        ci_low=None if interval is None else math.expm1(interval[0]),
        ci_high=None if interval is None else math.expm1(interval[1]),
        confidence=confidence,
        p_value=p_value,
        p_adjusted=min(1.0, family * p_value),
        verdict=verdict_of(interval, math.log1p(margin)),
        rounds=len(differences),
        mde=None,
    )


def _row(record: RunRecord, step: Step, comparison: Comparison | None) -> tuple[Cell, ...]:
    label = in_sample_label(record, step.variant.name, None)
    judged = (
        (NOTHING, NOTHING, NOTHING)
        if comparison is None
        else (change_cell(comparison), interval_cell(comparison), verdict_cell(comparison))
    )
    return (
        Cell(text=labelled(sanitize_line(step.variant.name), label), foreign=True),
        Cell(text=sanitize_line(step.parent.name), foreign=True),
        Cell(text=_describe_settings(record, step), foreign=True),
        *judged,
        _size_cell(step),
        _build_cell(step),
    )


def _describe_settings(record: RunRecord, step: Step) -> str:
    """The settings that the parent does not have."""
    own, inherited = _settings(record, step.variant.name), _settings(record, step.parent.name)
    new = {key: own[key] for key in own if key not in _NO_SETTINGS and own[key] != inherited.get(key)}
    return ", ".join(sanitize_line(f"{key} = {_value(value)}") for key, value in new.items()) or "–"


def _value(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _size_cell(step: Step) -> Cell:
    before, after = (one.size_bytes for one in (step.parent, step.variant))
    if not before or not after:
        return NOTHING
    sign = "−" if after < before else "+"
    return Cell(text=f"{sign}{format_bytes(abs(after - before))} ({format_percent(after / before - 1, 0)})")


def _build_cell(step: Step) -> Cell:
    before, after = step.parent.build_s, step.variant.build_s
    if before is None or after is None:
        return NOTHING
    sign = "−" if after < before else "+"
    return Cell(text=f"{sign}{format_duration(abs(after - before))}")
