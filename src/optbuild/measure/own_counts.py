"""Take the instructions that benches count themselves, below valgrind, for what is measured of them.

How long such a bench runs is the time of valgrind, so it takes no turns: each arm runs once. An identical copy of the
baseline runs as well, to show that the counts are exact.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from optbuild.measure.arm_runs import ArmRuns
from optbuild.measure.model import A_PRIME, Count
from optbuild.workloads.programs import WorkloadRun

_TOOL = "valgrind"


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnCounts:
    """What the benches of some workloads have counted.

    Attributes:
        counts: Of each benchmark on each arm.
        timed: The workloads of which other benches measure time, so that they take turns all the same.
    """

    counts: tuple[Count, ...] = ()
    timed: frozenset[str] = frozenset()


def take_own_counts(runs: ArmRuns, arms: tuple[str, ...]) -> OwnCounts:
    """Run each arm once on each workload.

    Args:
        runs: Of the workloads whose benches count.
        arms: The baseline first.

    Raises:
        WorkloadError: A run failed.
        WorkloadTimeoutError: A run took longer than its timeout.
    """
    counts: list[Count] = []
    timed = set()
    with runs.set_up():
        for name in runs.workloads:
            found = {arm: runs.run(name, arm, padded=False) for arm in (*arms, A_PRIME)}
            counts += _compare(name, arms, found)
            if found[arms[0]].benchmarks:
                timed.add(name)
        runs.remove_output()
    return OwnCounts(counts=tuple(counts), timed=frozenset(timed))


def _compare(workload: str, arms: tuple[str, ...], found: Mapping[str, WorkloadRun]) -> Iterator[Count]:
    for benchmark in dict.fromkeys(name for arm in arms for name in found[arm].instructions):
        own = {arm: run.instructions.get(benchmark) for arm, run in found.items()}
        first, again = own[arms[0]], own[A_PRIME]
        inexact = (
            None if first == again else f"an identical copy of the baseline takes {_say(again)}, not {_say(first)}"
        )
        for arm in arms:
            missing = "this variant does not have the benchmark" if own[arm] is None else None
            reason = inexact or missing
            yield Count(
                workload=f"{workload}/{benchmark}",
                variant=arm,
                count=own[arm] if reason is None else None,
                tool=_TOOL,
                reason=reason,
            )


def _say(count: int | None) -> str:
    return "none" if count is None else f"{count:,}"
