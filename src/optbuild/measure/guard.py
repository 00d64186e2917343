"""The noise guard: find superblocks that something outside disturbed. It never looks at the measured values.

A superblock is tainted for outside reasons only: the hypervisor took CPU time away (steal), other programs used the
same cores, or the machine was suspended. What the kernel does not report counts as unknown, not as quiet.

Sources: proc_stat(5); the kernel's "CPU Steal time" in Documentation/filesystems/proc.rst.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path

_STAT = Path("/proc/stat")
_CHILDREN = Path("/proc/thread-self/children")
_BUSY_FIELDS = (0, 1, 2, 5, 6)  # user, nice, system, irq, softirq
_STEAL_FIELD = 7
_LEAST_RATIO = 0.05
_LEAST_TICKS = 2
_TIMES_MEDIAN = 3.0
_SUSPENDED_S = 0.1
_NOISY_RATIO = 0.1  # of all superblocks


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The machine's counters at one moment.

    Attributes:
        monotonic_s: Time that stands still while the machine is suspended.
        boottime_s: Time that keeps running; equal to `monotonic_s` without such a clock.
        busy_s: CPU seconds that all programs used on these cores; None if the kernel does not report it.
        steal_s: CPU seconds that these cores needed and the hypervisor did not give.
    """

    monotonic_s: float
    boottime_s: float
    busy_s: float | None
    steal_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Disturbance:
    """What happened during one superblock, as shares of its duration; None if the kernel does not report it."""

    elapsed_s: float
    steal_ratio: float | None
    foreign_ratio: float | None
    suspended_s: float


def read_machine(cores: Collection[int] | None = None) -> Reading:
    """Read the counters of some cores, by default those that this process may use."""
    boottime = getattr(time, "CLOCK_BOOTTIME", None)
    monotonic_s = time.monotonic()
    busy_s: float | None = None
    steal_s: float | None = None
    with contextlib.suppress(OSError, ValueError, IndexError):  # not Linux, or hidden: unknown
        busy_s, steal_s = parse_stat(_STAT.read_text(), _own_cores() if cores is None else cores)
    return Reading(
        monotonic_s=monotonic_s,
        boottime_s=monotonic_s if boottime is None else time.clock_gettime(boottime),
        busy_s=busy_s,
        steal_s=steal_s,
    )


def read_own_cpu_s() -> float:
    """CPU seconds that optbuild itself has used: this process, and the launcher that starts programs for it.

    Ended programs are in neither. A launcher that the kernel does not report on counts as zero.

    Sources: proc_pid_task(5) for `children`; the kernel's Documentation/scheduler/sched-stats.rst for `schedstat`.
    """
    launcher_ns = 0
    with contextlib.suppress(OSError, ValueError, IndexError):
        for pid in _CHILDREN.read_text().split():
            launcher_ns += int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])
    return time.process_time() + launcher_ns / 1e9


def parse_stat(text: str, cores: Collection[int]) -> tuple[float, float]:
    """Busy and stolen CPU seconds of some cores since boot, from the text of `/proc/stat`.

    Raises:
        ValueError: It has no line for these cores.
        IndexError: The kernel is too old to count steal.
    """
    ticks_per_s = os.sysconf("SC_CLK_TCK")
    names = {f"cpu{core}" for core in cores}
    rows = [line.split() for line in text.splitlines()]
    found = [[int(value) for value in row[1:]] for row in rows if row and row[0] in names]
    if not found:
        raise ValueError("no line for these cores")
    busy = sum(values[index] for values in found for index in _BUSY_FIELDS)
    return busy / ticks_per_s, sum(values[_STEAL_FIELD] for values in found) / ticks_per_s


def compare_readings(before: Reading, after: Reading, *, own_cpu_s: float) -> Disturbance:
    """What happened between two readings.

    Args:
        before: At the start of a superblock.
        after: At its end.
        own_cpu_s: CPU seconds that the measured programs and optbuild itself used meanwhile.
    """
    elapsed_s = max(after.monotonic_s - before.monotonic_s, 1e-9)
    steal = foreign = None
    if before.steal_s is not None and after.steal_s is not None:
        steal = max(0.0, after.steal_s - before.steal_s) / elapsed_s
    if before.busy_s is not None and after.busy_s is not None:
        foreign = max(0.0, after.busy_s - before.busy_s - own_cpu_s) / elapsed_s
    suspended_s = (after.boottime_s - before.boottime_s) - (after.monotonic_s - before.monotonic_s)
    return Disturbance(elapsed_s=elapsed_s, steal_ratio=steal, foreign_ratio=foreign, suspended_s=max(0.0, suspended_s))


@dataclass(slots=True)
class NoiseGuard:
    """Watches the superblocks of one session, and judges each against all at the end.

    Attributes:
        disturbances: Of every superblock, in order.
    """

    read: Callable[[], Reading] = read_machine
    own_cpu_s: Callable[[], float] = read_own_cpu_s
    disturbances: list[Disturbance] = field(default_factory=list)
    _before: tuple[Reading, float] | None = None

    def begin(self) -> None:
        """Record the start of a superblock."""
        self._before = (self.read(), self.own_cpu_s())

    def end(self, *, programs_cpu_s: float) -> Disturbance:
        """Record the end of a superblock.

        Args:
            programs_cpu_s: CPU seconds that its runs used.
        """
        assert self._before is not None  # noqa: S101 - `begin` comes first
        before, own_before_s = self._before
        own_s = programs_cpu_s + self.own_cpu_s() - own_before_s
        disturbance = compare_readings(before, self.read(), own_cpu_s=own_s)
        self.disturbances.append(disturbance)
        return disturbance

    def judge(self, disturbance: Disturbance) -> str | None:
        """The outside reason to distrust a superblock: far more disturbed than the session's median. Otherwise None.

        On a noisy machine, where disturbance is normal, every disturbed superblock has its reason.
        """
        if self.is_noisy():
            return _judge(disturbance, usual_steal=0.0, usual_foreign=0.0)
        return _judge(
            disturbance,
            usual_steal=_median(item.steal_ratio for item in self.disturbances),
            usual_foreign=_median(item.foreign_ratio for item in self.disturbances),
        )

    def is_noisy(self) -> bool:
        """Whether so many superblocks are disturbed that setting them aside would choose among the data."""
        disturbed = [_judge(item, usual_steal=0.0, usual_foreign=0.0) is not None for item in self.disturbances]
        return sum(disturbed) > _NOISY_RATIO * len(disturbed)

    def steal_ratio(self) -> float | None:
        """The share of the whole session that was stolen; None if the kernel does not report it."""
        known = [item for item in self.disturbances if item.steal_ratio is not None]
        elapsed_s = sum(item.elapsed_s for item in known)
        return sum((item.steal_ratio or 0.0) * item.elapsed_s for item in known) / elapsed_s if elapsed_s else None


def _judge(now: Disturbance, *, usual_steal: float, usual_foreign: float) -> str | None:
    if now.suspended_s > _SUSPENDED_S:
        return f"the machine was suspended for {now.suspended_s:.1f} s"
    if now.steal_ratio is not None and now.steal_ratio > _limit(usual_steal, now.elapsed_s):
        return f"steal {now.steal_ratio:.0%}"
    if now.foreign_ratio is not None and now.foreign_ratio > _limit(usual_foreign, now.elapsed_s):
        return f"other programs used {now.foreign_ratio:.0%} of a core"
    return None


def _limit(usual: float, elapsed_s: float) -> float:
    """Two clock ticks, 5%, or three times the usual value, whichever is the largest."""
    ticks = _LEAST_TICKS / os.sysconf("SC_CLK_TCK") / elapsed_s
    return max(_LEAST_RATIO, ticks, _TIMES_MEDIAN * usual)


def _median(values: Iterable[float | None]) -> float:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else 0.0


def _own_cores() -> Collection[int]:
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return range(os.cpu_count() or 1)
