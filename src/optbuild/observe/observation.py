"""What was seen of a workload, and what can be said about it: the types of the advice. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from optbuild.observe.samples import Samples
from optbuild.observe.shares import Part
from optbuild.observe.sites import AllocationSite

MOST_STALLED = 0.05
"""If other programs kept this one from a CPU for a larger share of the time, nothing is known of its waiting."""


class Remedy(StrEnum):
    """What a project may try without changing its code much."""

    LTO = "lto"
    PGO = "pgo"
    BOLT = "bolt"
    ALLOCATOR = "allocator"


class FindingKind(StrEnum):
    """What was found."""

    KERNEL = "kernel"
    WAITING = "waiting"
    C_CODE = "c-code"
    ALLOCATOR = "allocator"
    COPIES = "copies"
    GROWTH = "growth"
    FORMATTING = "formatting"
    HOT_FUNCTION = "hot-function"
    DISPATCH = "dispatch"
    NOT_INLINED = "not-inlined"
    IDLE_THREADS = "idle-threads"
    BUSY_RUNTIME = "busy-runtime"
    RAYON_IN_RUNTIME = "rayon-in-runtime"
    FOLDED_BENCH = "folded-bench"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was found.

    Attributes:
        figure: What was seen, as a sentence with its number.
        share: The share of the elapsed time that it is about; null if it is about none.
        at_most: How much less time the workload takes at most if that part took none; null likewise.
        todo: What to do about it.
    """

    kind: FindingKind
    figure: str
    share: float | None
    at_most: float | None
    todo: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Prospect:
    """Whether something can pay.

    Attributes:
        can_pay: It may be worth a try.
        at_most: How much less time the workload takes at most, if the part that it acts on took none.
        reason: Why, in a sentence.
    """

    remedy: Remedy
    can_pay: bool
    at_most: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What was seen of a workload.

    Attributes:
        samples: Where its CPU time goes.
        wall_s: How long a run takes when nobody observes it.
        cpu_s: Its CPU time.
        stalled_share: The share of that time in which tasks of this machine waited for a CPU; None if unknown.
        sites: What it allocates; None if that was not counted.
        own_crates: The crates of the project's own packages.
        sizes_bytes: Sizes of functions by their symbols.
        has_lto: Crates are optimised together already.
        allocator: The allocator that it brings along; None for that of the C library.
    """

    samples: Samples
    wall_s: float
    cpu_s: float
    stalled_share: float | None = None
    sites: tuple[AllocationSite, ...] | None = None
    own_crates: Collection[str] = ()
    sizes_bytes: Mapping[str, int] = field(default_factory=dict)
    has_lto: bool = False
    allocator: str | None = None

    @property
    def waiting_share(self) -> float | None:
        """The share of the elapsed time in which nothing of it ran; None if other programs may be the reason."""
        if self.stalled_share is None or self.stalled_share > MOST_STALLED:
            return None
        return max(0.0, 1 - self.cpu_s / self.wall_s) if self.wall_s > 0 else 0.0

    @property
    def running_share(self) -> float:
        """The share of the elapsed time in which it ran, as far as that is known."""
        return 1 - (self.waiting_share or 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What can be said about a workload.

    Attributes:
        parts: The shares of the CPU time.
        waiting_share: The share of the elapsed time in which nothing of it ran; null if it is not known.
        findings: The largest first.
        prospects: What can pay, of LTO, PGO, BOLT and another allocator.
        summary: One sentence.
    """

    parts: Mapping[Part, float]
    waiting_share: float | None
    findings: tuple[Finding, ...]
    prospects: tuple[Prospect, ...]
    summary: str
