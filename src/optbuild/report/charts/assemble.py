"""From a record to the data of its charts. Pure; nothing is drawn here."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Iterator, Sequence

from optbuild.measure.model import Comparison, Series, Superblock, Verdict
from optbuild.record.model import RunRecord
from optbuild.record.search import SearchRecord
from optbuild.record.variants import StepRecord
from optbuild.report.charts.model import Bar, ChangeGroup, ChangeRow, Charts, DriftLine, Lane, SizePoint
from optbuild.report.display import tone_of
from optbuild.report.in_sample import in_sample_label
from optbuild.report.model import Tone
from optbuild.report.samples import judged_series
from optbuild.report.tables import baseline_first, change_heading, workloads_of
from optbuild.text import sanitize_line

_FEWEST_ROUNDS = 3
"""The minimum of rounds for a meaningful line."""
_OTHER_ACTIONS = "outputs"


def assemble_charts(record: RunRecord) -> Charts:
    """Collect the data to draw."""
    margin = record.noise.aa.margin if record.noise else record.measure.min_effect if record.measure else 0.0
    return Charts(
        heading=change_heading(record, record.comparisons),
        margin=margin,
        changes=tuple(group for group in _groups(record) if group.rows),
        sizes=_sizes(record),
        drift=tuple(_drift(record)),
        timeline=tuple(_timeline(record)),
    )


def _groups(record: RunRecord) -> Iterator[ChangeGroup]:
    workloads = workloads_of(record)
    suite = (
        *(item for item in record.comparisons if item.workload is None),
        *_held_out(record),
    )
    if len(workloads) != 1:
        yield ChangeGroup(title=f"all {len(workloads)} workloads", rows=tuple(_rows(suite, record)))
    for workload in workloads:
        own = [item for item in record.comparisons if item.workload == workload]
        yield ChangeGroup(title=sanitize_line(workload), rows=tuple(_rows(own, record)))


def _held_out(record: RunRecord) -> tuple[Comparison, ...]:
    """Changes over workloads left out of training, if those are the same workloads as for all other changes."""
    found = record.cross_validation
    if found is None or {*found.workloads} != {*workloads_of(record)}:
        return ()
    return tuple(item for item in found.held_out if item.workload is None)


def _rows(comparisons: Iterable[Comparison], record: RunRecord) -> Iterator[ChangeRow]:
    for item in comparisons:
        if item.verdict is not Verdict.INVALID and item.ci_low is not None and item.ci_high is not None:
            yield ChangeRow(
                label=sanitize_line(item.candidate),
                note=in_sample_label(record, item.candidate, item.workload),
                change=item.change,
                low=item.ci_low,
                high=item.ci_high,
                tone=tone_of(item),
                differences=_differences(record, item),
            )


def _differences(record: RunRecord, comparison: Comparison) -> tuple[float, ...]:
    """The change in each round, from which the comparison was made."""
    series = [item for item in judged_series(record) if comparison.workload in {None, item.workload}]
    return round_differences(series, comparison.baseline, comparison.candidate)


def round_differences(series: Sequence[Series], baseline: str, candidate: str) -> tuple[float, ...]:
    """The change of each round from one arm to another, over all of the series."""
    rounds = zip(*(item.rounds for item in series), strict=False)
    found = (_difference(blocks, baseline, candidate) for blocks in rounds)
    return tuple(change for change in found if change is not None)


def _difference(blocks: tuple[Superblock, ...], baseline: str, candidate: str) -> float | None:
    """The geometric mean over workloads and passes; None if one of them did not measure both."""
    logs = [(_mean_log(block, baseline), _mean_log(block, candidate)) for block in blocks]
    known = [other - reference for reference, other in logs if reference is not None and other is not None]
    return math.expm1(statistics.fmean(known)) if known and len(known) == len(blocks) else None


def _mean_log(block: Superblock, arm: str) -> float | None:
    values = block.values.get(arm, ())
    return statistics.fmean(map(math.log, values)) if values and min(values) > 0 else None


def _sizes(record: RunRecord) -> tuple[SizePoint, ...]:
    if record.search is not None:
        return tuple(_searched_sizes(record, record.search))
    points = []
    for variant in baseline_first(record):
        found = record.suite_comparison(variant.name)
        size_bytes = variant.size_bytes
        if size_bytes and variant.baseline:
            points.append(_point(variant.name, size_bytes, (0.0, 0.0, 0.0), Tone.PLAIN))
        elif size_bytes and found and found.verdict is not Verdict.INVALID and found.ci_low is not None:
            ends = (found.change, found.ci_low, found.change if found.ci_high is None else found.ci_high)
            points.append(_point(variant.name, size_bytes, ends, tone_of(found)))
    return tuple(points) if len(points) > 1 else ()


def _searched_sizes(record: RunRecord, search: SearchRecord) -> Iterator[SizePoint]:
    """The candidates as the race has seen them; the best trade-offs of time, size and build time stand out."""
    if record.baseline is not None:
        size_bytes = record.baseline.size_bytes
        yield _point(record.baseline.name, size_bytes, (0.0, 0.0, 0.0), Tone.PLAIN)
    for each in search.candidates:
        if each.change is not None and each.size_bytes:
            low = each.change if each.ci_low is None else each.ci_low
            high = each.change if each.ci_high is None else each.ci_high
            tone = Tone.FASTER if each.variant in search.pareto else Tone.PLAIN
            label = each.variant if tone is Tone.FASTER else ""  # many points lie close together
            yield _point(label, each.size_bytes, (each.change, low, high), tone)


def _point(name: str, size_bytes: int, ends: tuple[float, float, float], tone: Tone) -> SizePoint:
    change, low, high = ends
    return SizePoint(label=sanitize_line(name), size_bytes=size_bytes, change=change, low=low, high=high, tone=tone)


def _drift(record: RunRecord) -> Iterator[DriftLine]:
    series = judged_series(record)
    for variant in baseline_first(record):
        values = [*_round_logs(series, variant.name)]
        if len(values) >= _FEWEST_ROUNDS:
            middle = statistics.median(values)
            yield DriftLine(
                label=sanitize_line(variant.name), values=tuple(math.expm1(value - middle) for value in values)
            )


def _round_logs(series: Iterable[Series], arm: str) -> Iterator[float]:
    for blocks in zip(*(item.rounds for item in series), strict=False):
        logs = [_mean_log(block, arm) for block in blocks]
        known = [value for value in logs if value is not None]
        if known and len(known) == len(blocks):
            yield statistics.fmean(known)


def _timeline(record: RunRecord) -> Iterator[Lane]:
    """Each action once, with the variant that first needed it."""
    seen: set[str] = set()
    owners = [(sanitize_line(variant.name), variant.steps) for variant in record.builds]
    for label, steps in (*owners, (_OTHER_ACTIONS, record.checks)):
        own = [step for step in steps if step.started_s is not None and step.action not in seen]
        seen |= {step.action for step in own}
        if own:
            yield Lane(label=label, rows=_side_by_side(own))


def _side_by_side(steps: Iterable[StepRecord]) -> tuple[tuple[Bar, ...], ...]:
    """Arrange actions in as few rows as ran at the same time."""
    rows: list[list[Bar]] = []
    for step in sorted(steps, key=lambda step: step.started_s or 0.0):
        bar = Bar(
            kind=sanitize_line(step.kind), started_s=step.started_s or 0.0, duration_s=step.duration_s,
            reused=step.reused,
        )  # fmt: skip
        free = next((row for row in rows if row[-1].started_s + row[-1].duration_s <= bar.started_s + 1e-3), None)
        if free is None:
            rows.append([bar])
        else:
            free.append(bar)
    return tuple(map(tuple, rows))
