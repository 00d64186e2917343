"""The results of training: raw profiles, counts and what was checked of them. Data only; `making` produces it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Unusable:
    """A file among raw profiles that cannot be merged, by its name, and what is wrong with it."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RawProfiles:
    """The files that an instrumented program wrote.

    Attributes:
        names: Files in the directory that look like raw profiles; names only, for there may be very many.
        size_bytes: Of all of them.
        unusable: Files that are empty or not raw profiles.
    """

    directory: Path
    names: tuple[str, ...]
    size_bytes: int
    unusable: tuple[Unusable, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PgoProfile:
    """Counts that passed their checks; a `CheckedProfile` with them is what optimising takes.

    Attributes:
        functions: Functions in the profile.
        functions_with_counts: Those that ran at least once.
        total_count: The sum of all counts.
        raw_profiles: How many files went into it.
        quarantined: Names of files that were left out.
        renamed_functions: How many were counted in other programs, under other names.
        matched_ratio: The share of committed or translated counts that found their function; None for its own.
        approximate_ratio: The share of committed counts that found one that has changed; None where that is not tried.
        hot_counts: The count of a block from which on blocks make up a share of all counts, by that share: `p95`.
    """

    path: Path
    sha256: str
    functions: int
    functions_with_counts: int
    total_count: int
    raw_profiles: int
    quarantined: tuple[str, ...] = ()
    renamed_functions: int = 0
    matched_ratio: float | None = None
    approximate_ratio: float | None = None
    hot_counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CrateCounts:
    """What training counted in the code of one crate; the name is None for code without a crate."""

    name: str | None
    functions: int
    functions_with_counts: int
    total_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileContents:
    """The contents of a merged profile.

    Attributes:
        names: Mangled names of its functions.
        names_with_counts: The names of those that ran.
        crates: In descending order of counts.
    """

    names: frozenset[str]
    names_with_counts: frozenset[str]
    crates: tuple[CrateCounts, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Losses:
    """The known losses of a training's counts.

    Attributes:
        processes: How many of the instrumented program started; 0 if unknown.
        without_counts: Those of them that left no raw profile, or replaced themselves and lost what they had counted.
        stray: Raw profiles that were written elsewhere.
        errors: The messages of LLVM's runtime.
    """

    processes: int = 0
    without_counts: int = 0
    stray: int = 0
    errors: tuple[str, ...] = ()


class CountsKind(StrEnum):
    """How a program counts."""

    INSTRUMENTED = "instrumented"
    """LLVM's instrumentation of the intermediate representation: each edge, in full."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """The result of a training action: one workload's counts, merged.

    Attributes:
        kind: How they were counted.
        pooled: Its processes added their counts to a pool of files.
        losses: The counts that were lost.
        set_aside: Raw profiles that could not be merged: where each is kept now, and why.
    """

    profile: PgoProfile
    duration_s: float
    reused: bool
    kind: CountsKind = CountsKind.INSTRUMENTED
    pooled: bool = False
    losses: Losses = Losses()
    set_aside: Mapping[Path, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedProfile:
    """A profile that may be optimised with.

    Attributes:
        crates: The counts of each crate, in descending order.
    """

    profile: PgoProfile
    duration_s: float
    reused: bool
    crates: tuple[CrateCounts, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchFile:
    """How often the branches of one linked program were taken.

    Attributes:
        functions: How many functions a counted branch leaves.
        files: How many files its processes wrote.
    """

    path: Path
    sha256: str
    functions: int
    total_count: int
    files: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchCounts:
    """How often branches were taken: on one workload, or on all of them by weight.

    Attributes:
        programs: By name, those that ran.
    """

    programs: Mapping[str, BranchFile]
    duration_s: float
    reused: bool

    @property
    def total_count(self) -> int:
        """The sum over all programs."""
        return sum(counts.total_count for counts in self.programs.values())
