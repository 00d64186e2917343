"""The metrics of a run. To add one, write its `read` and give it a line in `METRICS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from optbuild.execution.command import Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A quantity of one run; less of it is better.

    Attributes:
        name: As in a build profile's `metric`.
        unit: Of `read`'s values.
        noun: Its name in a table's heading.
        is_time: A faster program has less of it.
    """

    name: str
    unit: str
    noun: str
    read: Callable[[Usage], float]
    is_time: bool = True


class ExactMetric(StrEnum):
    """What is counted once instead of measured: exact, so two counts are compared without a test."""

    INSTRUCTIONS = "instructions"
    ALLOCATIONS = "allocations"


METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(name="wall", unit="s", noun="time", read=lambda usage: usage.wall_s),
        Metric(name="cpu", unit="s", noun="CPU time", read=lambda usage: usage.user_s + usage.system_s),
        Metric(
            name="faults",
            unit="page faults",
            noun="page faults",
            read=lambda usage: float(usage.minor_faults + usage.major_faults),
            is_time=False,
        ),
        Metric(
            name="rss",
            unit="bytes",
            noun="peak memory",
            read=lambda usage: float(usage.peak_rss_bytes),
            is_time=False,
        ),
    )
}
