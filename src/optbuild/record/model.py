"""The record: everything that one run found out, as stored and as printed by `--json`.

Units are in the names, ratios are fractions, and there is no NaN. Raw samples are kept, which allows anyone to judge
again. Within a major version of the schema fields are only added; readers ignore those they do not know.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any, Final, Literal, Self

from optbuild.errors import OptbuildError
from optbuild.measure.machine_checks import MachineCheck
from optbuild.measure.model import AaCheck, AllocationCount, Comparison, Count, Resources, Series
from optbuild.record.compared import ArmRecord, SourceRecord
from optbuild.record.gate import GateRecord
from optbuild.record.inputs import InputRecord
from optbuild.record.search import SearchRecord
from optbuild.record.variants import StepRecord, VariantRecord

SCHEMA: Final = "optbuild/record/1"


class RunStatus(StrEnum):
    """How a run ended."""

    COMPLETE = "complete"
    INCOMPLETE = "incomplete"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectRecord:
    """The project that was built. `git_dirty` is None if git has no answer.

    Attributes:
        package: The first of `packages`.
        bins: Names of programs, examples included.
        libs: File names of libraries for other languages.
    """

    manifest: str
    package: str
    bins: tuple[str, ...]
    git_commit: str | None
    git_dirty: bool | None
    lockfile_sha256: str | None
    packages: tuple[str, ...] = ()
    libs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolRecord:
    """A tool that was used."""

    path: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BuilderRecord:
    """What called cargo, if that was not optbuild itself; `target` is what it was asked for."""

    name: str
    path: str
    version: str
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolchainRecord:
    """What compiled the variants."""

    rustc: str
    cargo: str
    host: str
    target: str
    llvm_major: int | None
    llvm_profdata: ToolRecord | None
    builder: BuilderRecord | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HostRecord:
    """The machine; None for values that it does not give, as in many containers."""

    cpu: str | None
    cores: int
    memory_bytes: int
    kernel: str
    governor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadRecord:
    """One benchmark workload, or a benchmark that a workload measures itself, and what it shares with training.

    Attributes:
        in_sample: It is a training workload as well, or shares the content of an input with one; None where what one of
            them reads is not known.
        shared_with: Names of those training workloads.
        part_of: The workload that measures this benchmark itself; None for a workload as a whole.
    """

    name: str
    in_sample: bool | None
    shared_with: tuple[str, ...] = ()
    part_of: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputRecord:
    """A variant's output on a workload; `equal` is None where it was not compared.

    Attributes:
        left_out: What was not compared, because the baseline writes it differently each time.
        filtered: Whether text matched by `compare-filter` was ignored.
        tolerance: How much floats were allowed to differ, relative to the larger.
    """

    workload: str
    variant: str
    equal: bool | None
    sha256: str | None
    left_out: tuple[str, ...] = ()
    filtered: bool = False
    tolerance: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseRecord:
    """How quiet the machine was.

    Attributes:
        tainted_rounds: Superblocks that something outside disturbed.
        steal_ratio: The share of the time that the hypervisor took; None if the kernel does not report it.
        noisy: More than a tenth of them were, so none was set aside.
    """

    aa: AaCheck
    tainted_rounds: int
    steal_ratio: float | None
    noisy: bool = False
    checks: tuple[MachineCheck, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureRecord:
    """How the measuring went.

    Attributes:
        half_width: Reached for the suite, as a ratio; None without an interval.
        advice: What more time would achieve, if the budget ended it.
    """

    seed: int
    rounds: int
    duration_s: float
    confidence: float
    min_effect: float
    max_time_s: float
    half_width: float | None
    advice: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WarningRecord:
    """Something that users should know about the run."""

    code: str
    message: str
    help: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorRecord:
    """Why a run failed."""

    code: str
    message: str
    help: str
    location: str | None

    @classmethod
    def of(cls, error: OptbuildError) -> Self:
        """What a record says of an error."""
        return cls(code=error.code, message=error.message, help=error.help, location=error.location)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldRecord:
    """A variant built once more, with a profile that leaves workloads out.

    Attributes:
        left_out: Training workloads missing from the profile: those that share an input with the measured ones.
        workloads: Benchmark workloads measured with it.
        build: How it was built. Its binaries are not published.
    """

    variant: str
    left_out: tuple[str, ...]
    workloads: tuple[str, ...]
    build: VariantRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossValidationRecord:
    """How much of PGO's gain remains on workloads that the profile has not seen.

    Attributes:
        workloads: Those that all comparisons cover; empty if nothing was measured.
        trained: PGO variants compared with the baseline, trained on these workloads as well.
        held_out: The same with profiles that leave the workload out; `candidate` is the variant's name and ` held-out`.
        optimism: The second compared with the first: how much longer a run takes because it was not trained on.
    """

    folds: tuple[FoldRecord, ...]
    workloads: tuple[str, ...] = ()
    trained: tuple[Comparison, ...] = ()
    held_out: tuple[Comparison, ...] = ()
    optimism: tuple[Comparison, ...] = ()

    @property
    def variants(self) -> tuple[str, ...]:
        """The cross-validated variants."""
        return tuple(dict.fromkeys(fold.variant for fold in self.folds))


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetRecord:
    """One of several targets of a run, with its own variants, profiles and comparisons; fields as in the record.

    Attributes:
        target: As the build profile has it.
        run_id: The run of this target, whose logs lie in a directory of that name.
        runner: What its programs are run by; empty if they run by themselves.
        not_measured: Why no time of its programs is taken here; None if it is.
    """

    target: str
    run_id: str
    status: RunStatus
    exit_code: int
    runner: tuple[str, ...] = ()
    not_measured: str | None = None
    toolchain: ToolchainRecord | None = None
    variants: tuple[VariantRecord, ...] = ()
    outputs: tuple[OutputRecord, ...] = ()
    benchmarks: tuple[Series, ...] = ()
    resources: tuple[Resources, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    noise: NoiseRecord | None = None
    warnings: tuple[WarningRecord, ...] = ()
    error: ErrorRecord | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """One run.

    Attributes:
        made_for: The command that the run was a step of: `explain`, `train` or `verify`. It is not the last run that a
            user asked for. None where the run itself was asked for.
        result_key: Hash of everything that decides the result; a run with the same hash need not be measured again.
        build_profile: The resolved build profile, in the keys of `optbuild.toml`.
        inputs: What workloads for training and benchmarks read, as far as this run has looked at it.
        checks: The actions that make no variant: those that look at outputs, what is built for benchmarks only, and
            measuring.
        build_wall_s: How long all but measuring took: less than the steps together where some ran side by side.
        sources: What was compared, where versions were.
        arms: The two that took turns then; `variants` has one of each name.
        gates: What `optbuild check --json` found; a stored record has none, for gates may be changed at any time.
        targets: With several targets, each of them; the fields above are those of the first one.
        search: What `optbuild tune` searched and found; `variants` has its candidates, and `benchmarks` the winner's
            confirmation.
        disk_bytes: What lay below the run's directory at its end, cargo's own files included.
    """

    schema: Literal["optbuild/record/1"] = SCHEMA
    optbuild_version: str
    run_id: str
    status: RunStatus
    exit_code: int
    started_at: str
    finished_at: str
    command_line: tuple[str, ...]
    made_for: str | None = None
    result_key: str | None = None
    project: ProjectRecord | None = None
    toolchain: ToolchainRecord | None = None
    host: HostRecord | None = None
    build_profile: Mapping[str, Any] | None = None
    sources: tuple[SourceRecord, ...] = ()
    arms: tuple[ArmRecord, ...] = ()
    variants: tuple[VariantRecord, ...] = ()
    workloads: tuple[WorkloadRecord, ...] = ()
    inputs: tuple[InputRecord, ...] = ()
    checks: tuple[StepRecord, ...] = ()
    build_wall_s: float | None = None
    disk_bytes: int | None = None
    outputs: tuple[OutputRecord, ...] = ()
    benchmarks: tuple[Series, ...] = ()
    resources: tuple[Resources, ...] = ()
    instructions: tuple[Count, ...] = ()
    allocations: tuple[AllocationCount, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    cross_validation: CrossValidationRecord | None = None
    measure: MeasureRecord | None = None
    noise: NoiseRecord | None = None
    gates: tuple[GateRecord, ...] = ()
    search: SearchRecord | None = None
    warnings: tuple[WarningRecord, ...] = ()
    error: ErrorRecord | None = None
    targets: tuple[TargetRecord, ...] = ()

    @property
    def builds(self) -> tuple[VariantRecord, ...]:
        """Everything that was built: the variants, and their folds."""
        folds = self.cross_validation.folds if self.cross_validation else ()
        return (*self.variants, *(fold.build for fold in folds))

    @property
    def baseline(self) -> VariantRecord | None:
        """The variant that all others are compared with."""
        return next((variant for variant in self.variants if variant.baseline), None)

    def views(self) -> tuple[RunRecord, ...]:
        """A record for each target: what is known of that one, and what all have in common; itself if there is one."""
        shared = [item.name for item in fields(TargetRecord) if item.name in self.__slots__]
        found = ({name: getattr(each, name) for name in shared} for each in self.targets)
        return tuple(replace(self, **each, targets=()) for each in found) or (self,)

    def suite_comparison(self, variant: str) -> Comparison | None:
        """A variant's comparison over all workloads."""
        found = (item for item in self.comparisons if item.workload is None and item.candidate == variant)
        return next(found, None)
