"""What a record says of PGO: the profile, what it was made of, and what shows that it took effect."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfdataRecord:
    """A merged profile."""

    path: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileFormatRecord:
    """What the first bytes of a merged profile say.

    Attributes:
        kind: `indexed`, as a merge writes it.
        is_ir_level: Made by `-C profile-generate`, not by coverage instrumentation.
    """

    kind: str
    version: int
    is_ir_level: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CrateRecord:
    """What training counted in one crate's code; the name is None for code that belongs to none."""

    name: str | None
    functions: int
    functions_with_counts: int
    total_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRecord:
    """What one workload contributed to a profile.

    Attributes:
        weight: Its share, as the build profile says.
        pooled: Its processes added their counts to a few files, so that their number is not known.
        total_count: Before weighting.
    """

    workload: str
    weight: float
    duration_s: float
    reused: bool
    raw_profiles: int
    pooled: bool
    quarantined: tuple[str, ...]
    functions_with_counts: int
    total_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceCheckRecord:
    """One thing that PGO had to show.

    Attributes:
        passed: None where it cannot be told, and need not be.
        value: What was found, where that is a number.
        limit: What was demanded of it.
        unit: `count` or `ratio`.
        key: The setting under `[evidence]`: `min-…` is a least, `max-…` a most.
    """

    name: str
    passed: bool | None
    value: float | None
    limit: float | None
    unit: str | None
    key: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRecord:
    """A way of training that was given up for another one, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredProgramsRecord:
    """What the profile knows of the tests or benches that a variant is measured on, which are programs of their own.

    Attributes:
        workload: The workload that they are.
        functions: Those that the profile knows under the names that they have there.
        renamed_functions: Those that have another name in the program itself.
        missing_functions: Compiled without counts, the harness and the benches themselves among them.
        mismatched_functions: Counts discarded because the control flow had changed.
    """

    workload: str
    functions: int
    functions_with_counts: int
    renamed_functions: int
    missing_functions: int
    mismatched_functions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PgoRecord:
    """The evidence that PGO took effect.

    Attributes:
        format: None where the file is no profile.
        quarantined: Names of raw profiles that were left out, because `salvage` allowed it.
        missing_functions: Compiled without counts, over all crates.
        mismatched_functions: Counts discarded because the control flow had changed.
        missing_ratio: Functions compiled without counts, as a share of them and those that the profile knows.
        mismatched_ratio: Mismatched functions, as a share of those that the profile knows.
        unmatched_ratio: Mismatched and strange functions, as a share of those that the profile knows.
        strange_functions: Compiled without counts, though a profile of these very sources would have them.
        differs: A binary is another one than without the profile; None where the run built none without it.
        crates: Those with the most counts, that with the most first.
        crate_count: How many there are.
        in_sample: A benchmark workload has an input that a training workload has as well; None where what one of them
            reads is not known.
        flush_object: An object that saves counts from the signals that end a program was in the instrumented build.
        processes_without_counts: Processes of the instrumented program that left no raw profile in training.
        renamed_functions: Counted in tests, benches or examples, where they have other names.
        counters: How threads counted: `single`, so that they may have lost counts, or `atomic`.
        checks: What it had to show.
        measured_programs: What it is measured on beside its own binaries.
        applied: All checks passed; a variant whose checks fail is not published.
        attempt: In which way it was trained: `lto-free`, `shared` with variants for other CPUs, or `exact`, each with
            `-atomic` where that was tried last; None where older versions did not say.
        rejected_attempts: What was tried before.
        source: `trained`, or `profile-data` where the counts are committed ones of another training.
        matched_ratio: The share of committed counts that found their function; None for those of a training.
    """

    profdata: ProfdataRecord
    raw_profiles: int
    quarantined: tuple[str, ...]
    functions: int
    functions_with_counts: int
    total_count: int
    missing_functions: int
    mismatched_functions: int
    in_sample: bool | None
    applied: bool
    strange_functions: int = 0
    attempt: str | None = None
    rejected_attempts: tuple[AttemptRecord, ...] = ()
    flush_object: bool = False
    processes_without_counts: int = 0
    renamed_functions: int = 0
    counters: str = "single"
    format: ProfileFormatRecord | None = None
    missing_ratio: float = 0.0
    mismatched_ratio: float = 0.0
    unmatched_ratio: float = 0.0
    differs: bool | None = None
    crates: tuple[CrateRecord, ...] = ()
    crate_count: int = 0
    trainings: tuple[TrainingRecord, ...] = ()
    checks: tuple[EvidenceCheckRecord, ...] = ()
    measured_programs: tuple[MeasuredProgramsRecord, ...] = ()
    source: str = "trained"
    matched_ratio: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantinedRecord:
    """A raw profile that could not be merged, where it is kept."""

    path: str
    reason: str
