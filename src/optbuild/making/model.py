"""What building yields: artifacts, raw profiles, and the evidence that a profile exists and was used."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from optbuild.making.cargo.build_scripts import ScriptRun
from optbuild.plan.actions import ActionId
from optbuild.workloads.cargo_build import CargoBuild


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A program or a library that cargo built, copied to where the next build does not overwrite it.

    Attributes:
        bin: The program's name, or the library's file name.
        path: Its file keeps the name that cargo gave it.
        debug: Files beside it that hold its debug information, where that is not in it.
    """

    bin: str
    path: Path
    sha256: str
    size_bytes: int
    produced_by: ActionId
    debug: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unusable:
    """A file among raw profiles that cannot be merged, by its name, and what is wrong with it."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RawProfiles:
    """What an instrumented program wrote.

    Attributes:
        names: Files in the directory that look like raw profiles; names only, for there may be very many.
        size_bytes: Of all of them.
        unusable: Files that are none, or empty.
    """

    directory: Path
    names: tuple[str, ...]
    size_bytes: int
    unusable: tuple[Unusable, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAside:
    """A raw profile that was not merged, where it is kept now."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PgoProfile:
    """Merged counts that passed their checks: optimising takes one of these, and only a merge makes one.

    Attributes:
        functions: Functions the profile knows.
        functions_with_counts: Those that ran at least once.
        total_count: The sum of all counts.
        raw_profiles: How many files went into it.
        quarantined: Names of files that were left out.
        renamed_functions: How many were counted in other programs, under other names.
    """

    path: Path
    sha256: str
    functions: int
    functions_with_counts: int
    total_count: int
    raw_profiles: int
    quarantined: tuple[str, ...] = ()
    renamed_functions: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CrateCounts:
    """What training counted in the code of one crate; the name is None for code that belongs to none."""

    name: str | None
    functions: int
    functions_with_counts: int
    total_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileContents:
    """What a merged profile holds.

    Attributes:
        names: Mangled names of its functions.
        names_with_counts: Of those that ran.
        crates: The one with the most counts first.
    """

    names: frozenset[str]
    names_with_counts: frozenset[str]
    crates: tuple[CrateCounts, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileUse:
    """What rustc said of a profile while compiling with it, over all crates.

    Attributes:
        missing_functions: Functions that have no counts in the profile.
        missing_names: Their mangled names, each behind that of its codegen unit, by the binary whose own code they are;
            "" stands for libraries.
        mismatched_functions: Functions whose control flow is not the one that was counted.
        complaints: What it said of the profile itself.
        profiled: Crates that it was told to compile with the profile; those that were fresh are not among them.
        unprofiled: Crates that it was not.
        versions: How many libraries bear a crate's name, where several do: versions of one package.
    """

    missing_functions: int
    mismatched_functions: int
    missing_names: Mapping[str, frozenset[str]] = field(default_factory=dict)
    complaints: tuple[str, ...] = ()
    profiled: tuple[str, ...] = ()
    unprofiled: tuple[str, ...] = ()
    versions: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """The result of a compile action.

    Attributes:
        units: How many units cargo reported, fresh ones included.
        fresh: Cargo had nothing to do.
        fresh_target_units: How many units of the program itself were there already. Build scripts and procedural macros
            are not counted: all variants share those, so that only the first build of a run compiles them.
        executables: Programs and libraries where cargo put them; the next build with other flags replaces them.
        profile_use: For an optimising compilation only.
        cargo_build: For a compilation of what cargo would run only.
        scripts: What the build scripts of the program's packages have left behind, by package ID.
        peak_rss_bytes: The memory of the largest process, which with link-time optimisation is the one that links.
    """

    artifacts: Mapping[str, Artifact]
    duration_s: float
    units: int
    fresh: bool
    fresh_target_units: int
    executables: tuple[Path, ...]
    log: Path
    profile_use: ProfileUse | None = None
    cargo_build: CargoBuild | None = None
    scripts: Mapping[str, ScriptRun] = field(default_factory=dict)
    peak_rss_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeObject:
    """An object that is linked into instrumented builds."""

    path: Path
    reused: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CargoTraining:
    """What a training on cargo's programs needs besides them.

    Attributes:
        build: How cargo would start them.
        program: The instrumented program that is optimised: what they counted becomes its counts.
    """

    build: CargoBuild
    program: Mapping[str, Artifact]


@dataclass(frozen=True, slots=True, kw_only=True)
class Losses:
    """What a training lost of its counts, as far as that can be known.

    Attributes:
        processes: How many of the instrumented program started; 0 where that is not known.
        without_counts: Those of them that left no raw profile.
        stray: Raw profiles that went elsewhere.
        errors: What LLVM's runtime said.
    """

    processes: int = 0
    without_counts: int = 0
    stray: int = 0
    errors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """The result of a training action: one workload's counts, merged.

    Attributes:
        pooled: Its processes added their counts to a pool of files.
        losses: What did not come of them.
    """

    profile: PgoProfile
    duration_s: float
    reused: bool
    pooled: bool = False
    losses: Losses = Losses()


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """The result of a merge action.

    Attributes:
        crates: What was counted in each crate, the one with the most counts first.
    """

    profile: PgoProfile
    duration_s: float
    reused: bool
    crates: tuple[CrateCounts, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptPart:
    """Something that the baseline wrote: standard output or a file.

    Attributes:
        size_bytes: Of what counts in it.
        kept: Where a copy of it is, if it is not too large.
    """

    sha256: str | None
    size_bytes: int
    kept: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """What the baseline printed and wrote.

    Attributes:
        parts: What two runs wrote alike, by name; empty where outputs are not to be compared.
        varying: The names of what they did not.
        run_s: The shorter wall time of the two runs, to size the schedule.
    """

    parts: Mapping[str, KeptPart]
    varying: tuple[str, ...] = ()
    run_s: float
    reused: bool

    @property
    def sha256(self) -> str:
        """One hash over all that is compared."""
        return combined_sha256({name: part.sha256 for name, part in self.parts.items()})

    @property
    def equal(self) -> bool | None:
        """Equal to itself; None where there is nothing to compare: two silent programs may do different things."""
        return True if any(part.size_bytes for part in self.parts.values()) else None


def combined_sha256(parts: Mapping[str, str | None]) -> str:
    """One hash over hashes by name; that of a single one is its own."""
    if len(parts) == 1 and (only := next(iter(parts.values()))) is not None:
        return only
    return hashlib.sha256("\n".join(f"{name} {digest}" for name, digest in sorted(parts.items())).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """How a candidate's output compares; `equal` is None where it was not compared."""

    sha256: str | None
    equal: bool | None
    reused: bool


Result = Compiled | MadeObject | Trained | Merged | Probed | Compared
