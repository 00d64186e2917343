"""The record's evidence of PGO: the profile, its sources, and the proof that it took effect."""

from __future__ import annotations

from dataclasses import dataclass

from optbuild.measure.model import Comparison


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfdataRecord:
    """A merged profile."""

    path: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileFormatRecord:
    """The information in the first bytes of a merged profile.

    Attributes:
        kind: `indexed`, as a merge writes it.
        is_ir_level: Made by `-C profile-generate`, not by coverage instrumentation.
    """

    kind: str
    version: int
    is_ir_level: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CrateRecord:
    """What training counted in one crate's code; the name is None for code without a crate."""

    name: str | None
    functions: int
    functions_with_counts: int
    total_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRecord:
    """What one workload contributed to a profile.

    Attributes:
        weight: Its share, as set in the build profile.
        pooled: Its processes added their counts to a few files; their number is unknown.
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
    """One condition of the evidence.

    Attributes:
        passed: None if it cannot be determined, and need not be.
        value: What was found, if that is a number.
        limit: What was required of it.
        unit: `count` or `ratio`.
        key: The setting under `[evidence]`: `min-…` is a minimum, `max-…` a maximum.
    """

    name: str
    passed: bool | None
    value: float | None
    limit: float | None
    unit: str | None
    key: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRecord:
    """A rejected way of training, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredProgramsRecord:
    """The counts in the tests or benches that a variant is measured on, which are separate programs.

    Attributes:
        workload: The workload that they are.
        functions: Those that the profile has under the names used there.
        renamed_functions: Those with a different name in the program itself.
        missing_functions: Compiled without counts, including the harness and the benches themselves.
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
        format: None if the file is not a profile.
        quarantined: Names of raw profiles that were left out because `salvage` allowed it.
        missing_functions: Compiled without counts, over all crates.
        mismatched_functions: Counts discarded because the control flow had changed.
        missing_ratio: Functions compiled without counts, as a share of them and those in the profile.
        mismatched_ratio: Mismatched functions, as a share of those in the profile.
        unmatched_ratio: Mismatched and strange functions, as a share of those in the profile.
        strange_functions: Compiled without counts, although a profile of these very sources would have them.
        differs: A binary differs from the one without the profile; None if the run did not build that one.
        crates: Those with the most counts, in descending order.
        crate_count: How many crates there are.
        in_sample: A benchmark workload has an input that a training workload has as well; None if it is unknown what
            one of them reads.
        flush_object: The instrumented build contained the object that saves counts when a signal ends the program.
        processes_without_counts: Processes of the instrumented program that left no raw profile in training, or
            replaced themselves and lost what they had counted.
        renamed_functions: Functions counted in tests, benches or examples under other names.
        counters: How threads counted: `single`, which may have lost counts, or `atomic`.
        checks: The conditions that were checked.
        measured_programs: Programs other than its own binaries that it is measured on.
        applied: All checks passed; a variant whose checks fail is not published.
        attempt: How it was trained: `lto-free`, `exact`, `shared` with a variant whose functions have the same names,
            or `translated` from one whose functions have others, with `-atomic` if that was tried last; `profile-data`
            with committed counts, `by names` where no build had to lend them; None in records of older versions.
        rejected_attempts: What was tried before.
        source: `trained`, or `profile-data` where the counts are committed ones of another training.
        matched_ratio: The share of committed or translated counts that found their function; else None.
        approximate_ratio: The share of committed counts that are approximate: their function has changed, and got
            them for the parts that are still there. They are not matched. None where counts are not committed ones.
        shared_with: The variant whose counts it takes; None if it was trained itself or takes committed ones.
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
    approximate_ratio: float | None = None
    shared_with: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BoltRecord:
    """What BOLT made of a variant's programs, and whether that is shipped.

    Attributes:
        kept: The variant is shipped as BOLT laid it out.
        optional: `bolt = "auto"`: it is kept only if it is measured as faster.
        reason: Why it is kept or not, with the figure; None where nothing was decided.
        functions: Functions in the programs that BOLT laid out; None if it laid out none.
        functions_with_counts: Those that its training ran.
        unused_functions: Those with counts that it could not move.
        stale_functions: Those whose counts do not fit their code.
        taken_branches_change: How many fewer branches are taken, by the counts of training: −0.38 is 38% less.
        instructions_change: How many fewer instructions are executed, likewise.
        without: The variant or the arm that is the same without BOLT; None if the run built none.
        comparisons: It, and the arm with relocations only, against the one without BOLT.
    """

    kept: bool
    optional: bool
    reason: str | None = None
    functions: int | None = None
    functions_with_counts: int | None = None
    unused_functions: int = 0
    stale_functions: int = 0
    taken_branches_change: float | None = None
    instructions_change: float | None = None
    without: str | None = None
    comparisons: tuple[Comparison, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantinedRecord:
    """A raw profile that could not be merged, and where it is kept."""

    path: str
    reason: str
