"""The measured values of a record by workload and variant, for the formats that other programs read."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

from optbuild.errors import UsageError
from optbuild.measure.model import Comparison, Series, Verdict
from optbuild.record.model import RunRecord
from optbuild.report.display import change_cell, interval_cell
from optbuild.report.footnotes import describe_commit
from optbuild.report.in_sample import in_sample_label, labelled
from optbuild.report.tables import baseline_first, workloads_of
from optbuild.text import sanitize_line

WALL = "wall"
_QUARTERS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """All counted runs of one variant on one workload.

    Attributes:
        values: In order of running, in `unit`; never empty.
    """

    workload: str
    variant: str
    metric: str
    unit: str
    values: tuple[float, ...]

    @property
    def name(self) -> str:
        """The name of the series in trackers: workload, variant, and metric unless that is wall time."""
        metric = "" if self.metric == WALL else f" [{sanitize_line(self.metric)}]"
        return f"{sanitize_line(self.workload)} ({sanitize_line(self.variant)}){metric}"

    @property
    def median(self) -> float:
        """The middle of the values."""
        return statistics.median(self.values)

    @property
    def quartiles(self) -> tuple[float, float]:
        """The values below and above which a quarter of the runs lies."""
        if len(self.values) == 1:
            return self.values[0], self.values[0]
        low, _, high = statistics.quantiles(self.values, n=_QUARTERS, method="inclusive")
        return low, high


def samples_of(record: RunRecord, metric: str | None = None) -> tuple[Samples, ...]:
    """All samples, with workloads in the build profile's order and the baseline first in each.

    Args:
        record: The run.
        metric: One for all workloads; None means the one that each is judged by.

    Raises:
        UsageError: The run has no such samples.
    """
    names = [variant.name for variant in baseline_first(record)]
    found = tuple(
        Samples(workload=item.workload, variant=name, metric=item.metric, unit=item.unit, values=values)
        for item in judged_series(record, metric)
        for name in names
        if (values := tuple(value for block in item.rounds for value in block.values.get(name, ())))
    )
    if not found:
        raise nothing_measured(record)
    return found


def nothing_measured(record: RunRecord) -> UsageError:
    """The error of a format that needs measurements, for a run without any."""
    return UsageError(
        f"run {sanitize_line(record.run_id)} holds no measurements, and this format shows nothing else",
        help="measure first: optbuild pgo; or choose another run: optbuild runs",
    )


def comparison_of(record: RunRecord, samples: Samples) -> Comparison | None:
    """A variant's comparison on a workload, if its numbers may be shown."""
    return next(
        (
            item
            for item in record.comparisons
            if (item.workload, item.candidate) == (samples.workload, samples.variant)
            and item.verdict is not Verdict.INVALID
        ),
        None,
    )


def describe_samples(record: RunRecord, samples: Samples) -> str:
    """The meaning and origin of a number, one fact per line."""
    low, high = samples.quartiles
    facts = [f"median of {len(samples.values)} runs, quartiles {low:.6g} and {high:.6g} {samples.unit}"]
    found = comparison_of(record, samples)
    if found is not None:
        change = f"{change_cell(found).text} {interval_cell(found).text}"
        label = in_sample_label(record, samples.variant, samples.workload)
        facts.append(labelled(f"{change} against {sanitize_line(found.baseline)}: {found.verdict}", label))
    facts.append(", ".join(filter(None, (f"run {sanitize_line(record.run_id)}", describe_commit(record)))))
    return "\n".join(facts)


def judged_series(record: RunRecord, metric: str | None = None) -> tuple[Series, ...]:
    """One series for each workload, in the build profile's order: of the metric that it is judged by, or of one."""
    judged = {item.workload: item.metric for item in record.comparisons if item.workload is not None}
    first: dict[str, str] = {}
    for item in record.benchmarks:
        first.setdefault(item.workload, item.metric)
    wanted = (
        item for item in record.benchmarks if item.metric == (metric or judged.get(item.workload, first[item.workload]))
    )
    order = {name: place for place, name in enumerate(workloads_of(record))}
    return tuple(sorted(wanted, key=lambda item: order.get(item.workload, len(order))))
