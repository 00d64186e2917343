"""What a measuring session is asked for and what it yields; taking the measurements is the sampler's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from optbuild.measure.model import A_PRIME, Analysis, CrossValidation, Series
from optbuild.measure.schedule import PILOT_ROUNDS


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingSettings:
    """How long to measure and to what end.

    Attributes:
        precision: Half-width of the suite's interval to aim for, as a ratio.
        min_effect: Margin of the verdicts, as a ratio.
        seed: Of the order of runs.
    """

    precision: float
    min_effect: float
    max_time_s: float
    confidence: float
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What an arm needed on a workload, over all its runs.

    Attributes:
        workload: The workload's name, or that and the name of a benchmark which it measures itself.
        median_s: The median of the wall times; for such a benchmark, of its times per iteration.
        median_user_s: Of the CPU seconds in user mode; likewise those in the kernel, and what follows. None for such a
            benchmark.
        median_major_faults: Page faults that needed the disk.
        median_involuntary_switches: Times the kernel took the CPU away.
        peak_rss_bytes: The largest peak; it says only "at most" where it is `peak_rss_floor_bytes` or less.
        load: Medians of what a load generator said, by name; units are in the names.
    """

    workload: str
    arm: str
    median_s: float
    peak_rss_bytes: int
    peak_rss_floor_bytes: int
    median_user_s: float | None = None
    median_system_s: float | None = None
    median_major_faults: float | None = None
    median_involuntary_switches: float | None = None
    load: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """All that was measured in one session.

    Attributes:
        series: One for each metric of each workload, or of each benchmark that a workload measures itself.
        judged: The metric that each of these is judged by.
        workload_of: The workload that each belongs to.
        wanted_rounds: How many rounds the precision asked for takes; None where there was no time for a pilot.
        round_s: How long one round took on average; an estimate where none fitted into the budget.
        stopped_by_time: The budget ended it before the precision was reached.
        tainted: The outside reason for each superblock that was set aside, or would have been on a quieter machine.
        noisy: So many superblocks were disturbed that none was set aside.
        steal_ratio: The share of the time that the hypervisor took; None where the kernel does not tell.
        silent: Why a workload proves nothing, whatever it measures, by its name.
    """

    series: tuple[Series, ...]
    judged: Mapping[str, str]
    workload_of: Mapping[str, str]
    resources: tuple[Resources, ...]
    analysis: Analysis
    seed: int
    wanted_rounds: int | None
    round_s: float
    duration_s: float
    stopped_by_time: bool
    tainted: tuple[str, ...]
    noisy: bool
    steal_ratio: float | None
    cross_validation: CrossValidation | None = None
    silent: Mapping[str, str] = field(default_factory=dict)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences for people: on what the values show, and on what the programs needed."""
        folds = () if self.cross_validation is None else self.cross_validation.warnings
        return (*self.silent.values(), *self.analysis.warnings, *folds, *_warn_of_faults(self.resources))


def describe_budget(measurement: Measurement) -> str | None:
    """What more time would buy, where the budget ended the measuring."""
    if not measurement.stopped_by_time:
        return None
    wanted = measurement.wanted_rounds or PILOT_ROUNDS
    needed_s = measurement.duration_s + (wanted - measurement.analysis.rounds) * measurement.round_s
    return f"the precision asked for takes {wanted} rounds: --max-time {_as_option(needed_s)}"


def _warn_of_faults(resources: Iterable[Resources]) -> Iterator[str]:
    for item in resources:
        if item.arm != A_PRIME and item.median_major_faults:
            yield (
                f"{item.arm} on {item.workload}: each run waits for the disk ({item.median_major_faults:.3g} major "
                "page faults), which is in its wall time"
            )


def _as_option(seconds: float) -> str:
    minutes = int(seconds // 60) + 1
    return f"{minutes}m"
