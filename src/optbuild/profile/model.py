"""The build profile as data: what `optbuild.toml` may contain, and what it means once variants are resolved.

Not for reading files (`load`) nor for resolving inheritance (`inherit`). Field names carry units; TOML keys do not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, ClassVar, Literal, NewType

from pydantic import ConfigDict, Field, StrictBool

from optbuild.profile.faults import KeyPath
from optbuild.profile.gates import GateSettings
from optbuild.profile.profile_data import ProfileDataSettings, UseProfileData
from optbuild.profile.tune import TuneSettings
from optbuild.profile.values import (
    STRICT_KEYS,
    DurationS,
    Name,
    NameOrNames,
    PlainPath,
    Precision,
    Ratio,
    Share,
    SizeBytes,
    Text,
    VariantName,
)
from optbuild.profile.variants import Variant, VariantSettings
from optbuild.profile.workloads import MetricName, Workload
from optbuild.tools.builders import BuilderName

SCHEMA_VERSION = 1

PresetName = NewType("PresetName", str)


class RawFiles(StrEnum):
    """Where the processes of a training write their counts: each to its own file, or all to a few files."""

    AUTO = "auto"
    PROCESS = "process"
    POOL = "pool"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectSettings:
    """Which Cargo project to build, and how to call cargo for it."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT_KEYS

    manifest: Annotated[PlainPath, Field(description="The project's Cargo.toml, relative to this file.")] = "Cargo.toml"
    package: Annotated[
        NameOrNames | None,
        Field(
            description="The package to build, or a list; default: the packages of programs that workloads name, else "
            "the only default member with a bin."
        ),
    ] = None
    bins: Annotated[
        tuple[Name, ...], Field(description="The bins (or examples) to build; default: all bins of the package.")
    ] = ()
    features: Annotated[tuple[Name, ...], Field(description="Cargo features to enable.")] = ()
    no_default_features: Annotated[StrictBool, Field(description="Turn the default features off.")] = False
    all_features: Annotated[StrictBool, Field(description="Enable all features.")] = False
    target: Annotated[
        Name | None,
        Field(
            description='The target triple, or "host"; always passed to cargo. Default: `build.target` of Cargo\'s '
            'configuration, else "host".'
        ),
    ] = None
    targets: Annotated[
        tuple[Name, ...],
        Field(
            description="Several targets instead of `target`: each is built, trained where it runs and compared by "
            "itself. The first one is that of commands about one target."
        ),
    ] = ()
    builder: Annotated[
        BuilderName,
        Field(
            description='What calls cargo: "cargo" itself, "maturin" for wheels of Python, "zigbuild" for an older '
            'glibc, or "cross" for builds in a container.'
        ),
    ] = BuilderName.CARGO
    auditable: Annotated[
        StrictBool,
        Field(description="Let cargo-auditable embed the list of dependencies into the programs of every variant."),
    ] = False
    interpreters: Annotated[
        tuple[Name, ...],
        Field(
            description="The Pythons that maturin builds wheels for, by names or paths; the first one trains and "
            "measures. Default: python3."
        ),
    ] = ()
    cargo_profile: Annotated[Name, Field(description="The Cargo profile that every variant starts from.")] = "release"
    cargo_args: Annotated[
        tuple[Text, ...],
        Field(description="Further arguments for every cargo build, except those that have a key here."),
    ] = ()
    locked: Annotated[StrictBool, Field(description="Pass --locked to cargo if there is a Cargo.lock.")] = True

    @property
    def packages(self) -> tuple[str, ...]:
        """The packages to build by name; empty if the project decides."""
        return (self.package,) if isinstance(self.package, str) else self.package or ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RawProfileSettings:
    """How to treat the files that instrumented programs write."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT_KEYS

    files: Annotated[
        RawFiles,
        Field(
            description="A file for each process, or a pool of files that processes add to, which needs less space; "
            "`auto` uses the pool for workloads with very many processes."
        ),
    ] = RawFiles.AUTO
    disk_budget_bytes: Annotated[
        SizeBytes, Field(description="The total size of the files of one training, beyond which it is stopped.")
    ] = 10 << 30
    salvage: Annotated[
        StrictBool, Field(description="Continue without broken files if enough is left; the broken files are kept.")
    ] = False
    salvage_floor: Annotated[
        Share,
        Field(
            description="What must be left: this share of the counts, and of the functions that ran, in the last "
            "training without broken files."
        ),
    ] = 0.9
    merge_timeout_s: Annotated[DurationS, Field(description="How long one call of llvm-profdata may take.")] = 1800.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceSettings:
    """What a PGO profile must show as evidence; otherwise the variant fails."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT_KEYS

    min_functions: Annotated[
        Annotated[int, Field(strict=True, ge=1)], Field(description="At least this many functions have counts.")
    ] = 1
    min_covered: Annotated[
        Share, Field(description="At least this share of the functions in the profile has counts.")
    ] = 0.01
    max_missing: Annotated[
        Share,
        Field(
            description="At most this share of all functions was compiled without data. Code that the linker drops and "
            "untrained binaries have none, so by default there is no limit."
        ),
    ] = 1.0
    max_mismatched: Annotated[
        Share, Field(description="At most this share of the functions in the profile has a different control flow.")
    ] = 0.05
    max_unmatched: Annotated[
        Share,
        Field(
            description="At most this share of the functions in the profile has a different control flow, or should be "
            "in it and is not."
        ),
    ] = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureSettings:
    """How to compare variants."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT_KEYS

    baseline: Annotated[
        VariantName | None,
        Field(description="The variant to compare the others with; default: `release`, else the first."),
    ] = None
    metric: Annotated[MetricName, Field(description="What to compare, unless a workload chooses.")] = MetricName.WALL
    precision: Annotated[
        Precision,
        Field(
            description="The half-width of the suite's interval to aim for; `auto`: the larger of 1% and a tenth of "
            "the change."
        ),
    ] = "auto"
    min_effect: Annotated[Ratio, Field(description="The change that matters: the margin of the verdicts.")] = 0.01
    max_time_s: Annotated[DurationS, Field(description="The budget for all measuring.")] = 300.0
    confidence: Annotated[
        float, Field(strict=True, gt=0.5, lt=1, description="The confidence level of the intervals.")
    ] = 0.95
    allocations: Annotated[
        StrictBool,
        Field(
            description="Also count the allocations of each variant on each workload, with valgrind: exact, and up to "
            "40% of `max-time`. The gate `max-allocation-growth` demands it as well."
        ),
    ] = False

    @property
    def fixed_precision(self) -> float | None:
        """The precision as a ratio; None for the automatic one."""
        return None if self.precision == "auto" else self.precision


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileSettings:
    """Build, train and measure settings of optbuild for one Cargo project: the content of `optbuild.toml`."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT_KEYS

    schema: Annotated[Literal[1], Field(description="The version of this format.")]
    extends: Annotated[
        Name | None, Field(description='What this profile starts from: "preset:NAME" or a file relative to this one.')
    ] = None
    project: Annotated[ProjectSettings, Field(description="Which Cargo project to build.")] = field(
        default_factory=ProjectSettings
    )
    variants: Annotated[
        Mapping[VariantName, VariantSettings], Field(description="The variants by name; default: release, lto, pgo.")
    ] = field(default_factory=dict)
    workloads: Annotated[tuple[Workload, ...], Field(description="What trains and measures the variants.")] = ()
    raw_profiles: Annotated[
        RawProfileSettings, Field(description="The files that instrumented programs write, and how to treat them.")
    ] = field(default_factory=RawProfileSettings)
    profile_data: Annotated[
        ProfileDataSettings, Field(description="Committed counts of a training that was done elsewhere.")
    ] = field(default_factory=ProfileDataSettings)
    evidence: Annotated[EvidenceSettings, Field(description="What PGO has to show.")] = field(
        default_factory=EvidenceSettings
    )
    measure: Annotated[MeasureSettings, Field(description="How to compare the variants.")] = field(
        default_factory=MeasureSettings
    )
    gates: Annotated[GateSettings, Field(description="What `optbuild check` requires of a run.")] = field(
        default_factory=GateSettings
    )
    tune: Annotated[TuneSettings, Field(description="What `optbuild tune` searches.")] = field(
        default_factory=TuneSettings
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildProfile:
    """A checked build profile.

    Attributes:
        path: The file the user named; None for a preset.
        directory: What every relative path in it is relative to.
        project: Which Cargo project to build.
        variants: The resolved variants by name, in order.
        workloads: What trains and measures them.
        raw_profiles: What becomes of the files that training writes.
        profile_data: Committed counts of a training that was done elsewhere.
        evidence: What PGO has to show.
        measure: How they are compared; the baseline is one of `variants`.
        gates: What a run has to show.
        tune: What a search goes through.
        origins: `file:line` of each key path; a workload stands in it by its name.
    """

    path: Path | None
    directory: Path
    project: ProjectSettings = field(default_factory=ProjectSettings)
    variants: Mapping[str, Variant]
    workloads: tuple[Workload, ...] = ()
    raw_profiles: RawProfileSettings = field(default_factory=RawProfileSettings)
    profile_data: ProfileDataSettings = field(default_factory=ProfileDataSettings)
    evidence: EvidenceSettings = field(default_factory=EvidenceSettings)
    measure: MeasureSettings = field(default_factory=MeasureSettings)
    gates: GateSettings = field(default_factory=GateSettings)
    tune: TuneSettings = field(default_factory=TuneSettings)
    origins: Mapping[KeyPath, str] = field(default_factory=dict, repr=False, compare=False)

    @property
    def profile_data_file(self) -> Path | None:
        """The file with committed counts, whether it is there or not; None where none is to be used."""
        settings = self.profile_data
        if settings.path is None or settings.use is UseProfileData.NEVER:
            return None
        return self.directory / settings.path

    def with_each_variant(self, change: Callable[[Variant], Variant]) -> BuildProfile:
        """The same with every variant changed in one way."""
        return replace(self, variants={name: change(variant) for name, variant in self.variants.items()})

    def where(self, table: str, name: str, *keys: str) -> str | None:
        """`file:line` of a variant or workload, or of a key written in it; None if no file has it."""
        path = (table, name, *keys)
        return next((self.origins[path[:n]] for n in range(len(path), 1, -1) if path[:n] in self.origins), None)
