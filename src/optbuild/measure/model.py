"""The data of measuring: superblocks, series of them, comparisons and the analysis of a whole session.

Not for making them: `schedule` orders the runs, `sampling` takes the superblocks, `compare` judges them. The
record stores these types as they are.
Ratios are fractions (−0.118 is 11.8% less), levels are probabilities, and nothing here is ever NaN.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from optbuild.measure.warnings import ResultWarning

A_PRIME = "A'"
"""The arm that is a byte copy of the baseline: a control, never a candidate, never counted as a comparison."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """A participant that takes turns: a variant of a source.

    Attributes:
        variant: Its name, without a blank.
        source: What it was built from, such as a git revision; empty where all arms have the same.
        is_held_out: It replaces its variant on workloads that its own profile left out.
    """

    variant: str
    source: str = ""
    is_held_out: bool = False

    @property
    def name(self) -> str:
        """The name in tables and the record: `pgo`, `pgo@v1.2.0`, `pgo held-out`."""
        source = f"@{self.source}" if self.source else ""
        return f"{self.variant}{source}{' held-out' if self.is_held_out else ''}"


def held_out_arm(variant: str) -> str:
    """The name of the arm that replaces a variant on workloads that its profile left out.

    It is a different binary on each workload.
    """
    return Arm(variant=variant, is_held_out=True).name


class Verdict(StrEnum):
    """The result of a comparison, given the margin."""

    FASTER = "faster"
    SLOWER = "slower"
    SAME = "same"
    INCONCLUSIVE = "inconclusive"
    INVALID = "invalid"


class AaVerdict(StrEnum):
    """What two identical copies of the baseline show about the harness."""

    OK = "ok"
    WARNING = "warning"
    INVALID = "invalid"
    UNCHECKED = "unchecked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Superblock:
    """One workload's runs of one round.

    Attributes:
        order: The arm of each run, in order of running. An arm that is missing has left, or skipped this round.
        values: Each arm's values in that order.
        tainted: The outside reason why this one is suspect; None if there is none. A tainted superblock counts like any
            other here: it has already been measured again.
    """

    order: tuple[str, ...]
    values: Mapping[str, tuple[float, ...]]
    tainted: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One workload's superblocks of one metric; index i of every workload's series is round i.

    Attributes:
        set_aside: Tainted superblocks that were replaced by others: kept, but not analysed.
    """

    workload: str
    metric: str
    unit: str
    rounds: tuple[Superblock, ...]
    set_aside: tuple[Superblock, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossCheck:
    """Another method's interval of the same differences at the same level, and its verdict.

    Attributes:
        method: `t`, Student's interval of the mean, or `bca`, its bias-corrected and accelerated bootstrap interval.
        ci_low: Lower end, as a change.
        ci_high: Upper end.
    """

    method: str
    ci_low: float
    ci_high: float
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A candidate against the baseline, on one workload or on all of them.

    Attributes:
        workload: None means the geometric mean of all workloads.
        change: The candidate's value over the baseline's, less one.
        ci_low: The interval's lower end, as a change; None if there are too few rounds for one.
        ci_high: Its upper end.
        confidence: Of all intervals of the family together.
        p_value: Two-sided, of this comparison alone.
        p_adjusted: The same times the number of comparisons in the family (Bonferroni), at most 1.
        rounds: The number of superblocks behind it: the rounds in which the candidate took part.
        mde: The change that at least four of five such sessions would detect; None without an interval.
        fragile: One of the cross-checks would give a different verdict.
        cross_checks: By other methods; empty without an interval.
        warnings: The warnings about this number.
    """

    workload: str | None
    metric: str
    baseline: str
    candidate: str
    change: float
    ci_low: float | None
    ci_high: float | None
    confidence: float
    p_value: float
    p_adjusted: float
    verdict: Verdict
    rounds: int
    mde: float | None
    fragile: bool = False
    cross_checks: tuple[CrossCheck, ...] = ()
    warnings: tuple[ResultWarning, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AaCheck:
    """The baseline's copy against the baseline, over all workloads.

    Attributes:
        change: None if the copy was not measured.
        ci_low: Lower end of its 95% interval, as a change; None if there are too few rounds for one.
        ci_high: Upper end.
        margin: The margin that the verdicts use: the smallest effect asked for, or |change| if the copy differs.
    """

    change: float | None
    ci_low: float | None
    ci_high: float | None
    verdict: AaVerdict
    margin: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """The analysis of one session.

    Attributes:
        comparisons: First each candidate over all workloads, then each candidate on each workload.
        aa: The check of the harness.
        warnings: All of them: about the harness, about missing comparisons, and those attached to comparisons.
        half_width: Of the suite's widest interval, as a ratio like the requested precision; None without such an
            interval.
        rounds: Complete rounds.
    """

    comparisons: tuple[Comparison, ...]
    aa: AaCheck
    warnings: tuple[ResultWarning, ...]
    half_width: float | None
    rounds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossValidation:
    """How much of a gain remains on workloads that the profile has not seen.

    Attributes:
        workloads: Those that were left out in turn, and on which all of this was measured.
        trained: The variants against the baseline, trained on all workloads: over these workloads, and on each.
        held_out: The same with profiles that leave the workload out: a separate family.
        optimism: The second against the first: how much longer a run takes if it was not in training.
        warnings: Those about held-out arms.
    """

    workloads: tuple[str, ...]
    trained: tuple[Comparison, ...]
    held_out: tuple[Comparison, ...]
    optimism: tuple[Comparison, ...]
    warnings: tuple[ResultWarning, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """The resources of an arm on a workload, over all its runs; a peak at or below the floor means "at most the floor".

    Attributes:
        workload: The workload's name, or that and the name of a benchmark that it measures itself.
        variant: The arm.
        median_s: The median of the wall times; for such a benchmark, of its times per iteration. All medians are over
            the counted runs.
        median_user_s: Of the CPU seconds in user mode; likewise those in the kernel, and what follows. None for such a
            benchmark.
        median_major_faults: Page faults that needed the disk.
        median_involuntary_switches: Times the kernel took the CPU away.
        load: Medians of the values that a server's load generator reported: `requests_per_s`, `latency_p50_s`,
            `latency_p90_s`, `latency_p99_s`; empty for other workloads and other load generators.
    """

    workload: str
    variant: str
    median_s: float
    peak_rss_bytes: int
    peak_rss_floor_bytes: int
    median_user_s: float | None = None
    median_system_s: float | None = None
    median_major_faults: float | None = None
    median_involuntary_switches: float | None = None
    load: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How many instructions a variant takes on a workload: exact, so two counts are either equal or not.

    Attributes:
        count: None where they could not be counted.
        tool: `perf` or `callgrind`; `valgrind` where a bench counts by itself.
        reason: Why there is no count.
    """

    workload: str
    variant: str
    count: int | None
    tool: str | None
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationCount:
    """What a variant allocates on a workload: exact, so two counts are either equal or not.

    Attributes:
        blocks: How many allocations; None where they could not be counted.
        bytes: All of them together.
        tool: `dhat`.
        reason: Why there is no count.
    """

    workload: str
    variant: str
    blocks: int | None
    bytes: int | None
    tool: str | None
    reason: str | None
