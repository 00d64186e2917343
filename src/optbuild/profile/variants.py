"""Variants: what a build profile may set, and the result with all that is inherited.

Not for resolving inheritance (`inherit`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, ConfigDict, Field, StrictBool, WithJsonSchema

from optbuild.profile.values import (
    STRICT_KEYS,
    CountScale,
    HotCount,
    Name,
    Text,
    VariantName,
    only,
    read_pgo_mode,
)


class Lto(StrEnum):
    """Link-time optimisation, in Cargo's terms."""

    OFF = "off"
    THIN = "thin"
    FAT = "fat"


class PgoMode(StrEnum):
    """Whether a variant is built with profile-guided optimisation: TOML's `false`, `true` and `"auto"`."""

    OFF = "off"
    REQUIRED = "required"
    AUTO = "auto"


class BoltMode(StrEnum):
    """Whether a variant's linked programs are laid out anew by BOLT: TOML's `false`, `true` and `"auto"`."""

    OFF = "off"
    REQUIRED = "required"
    AUTO = "auto"


class CodeLayout(StrEnum):
    """In what order the linker puts functions."""

    DEFAULT = "default"
    STARTUP = "startup"


class Allocator(StrEnum):
    """What serves a program's requests for memory."""

    DEFAULT = "default"
    """What it brings, or else the C library."""
    MIMALLOC = "mimalloc"


class TrainingLto(StrEnum):
    """How the instrumented binary of a PGO variant with link-time optimisation is linked."""

    AUTO = "auto"
    OFF = "off"
    SAME = "same"


class Counters(StrEnum):
    """How the instrumented binary of a PGO variant counts when threads count at the same time."""

    SINGLE = "single"
    ATOMIC = "atomic"


class Profiles(StrEnum):
    """Whether all programs of a PGO variant share one profile, or each has its own."""

    MERGED = "merged"
    PER_BIN = "per-bin"


@dataclass(frozen=True, slots=True, kw_only=True)
class CodegenSettings:
    """Settings of a variant of which the nearest one wins; None means the value of the Cargo profile."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT_KEYS

    lto: Annotated[Lto | None, Field(description="Link-time optimisation, as in a Cargo profile.")] = None
    codegen_units: Annotated[
        Annotated[int, Field(strict=True, ge=1)] | None,
        Field(description="How many units a crate is split into; 1 optimises best and compiles slowest."),
    ] = None
    opt_level: Annotated[
        Annotated[Literal[0, 1, 2, 3, "s", "z"], only(int, str)] | None,
        Field(description="The optimisation level, as in a Cargo profile."),
    ] = None
    panic: Annotated[Literal["unwind", "abort"] | None, Field(description="What a panic does.")] = None
    strip: Annotated[
        Annotated[Literal[True, False, "none", "debuginfo", "symbols"], only(bool, str)] | None,
        Field(description="What to remove from the binary, as in a Cargo profile."),
    ] = None
    debug: Annotated[
        Annotated[
            Literal[True, False, 0, 1, 2, "none", "line-directives-only", "line-tables-only", "limited", "full"],
            only(bool, int, str),
        ]
        | None,
        Field(description="How much debug information to generate, as in a Cargo profile."),
    ] = None
    overflow_checks: Annotated[StrictBool | None, Field(description="Panic on integer overflow.")] = None
    target_cpu: Annotated[
        Name | None, Field(description="The CPU to compile for, such as `native` or `x86-64-v3`.")
    ] = None
    hot_count: Annotated[
        HotCount | None,
        Field(
            description="From which count of the PGO profile on code is hot: a count, or that of the blocks that make "
            'up a share of all counts, such as "p95"; "default" is LLVM\'s. Less hot code gives a smaller program.'
        ),
    ] = None
    count_scale: Annotated[
        CountScale | None,
        Field(
            description="What each count of the PGO profile is multiplied by, such as 0.1, as if training had been "
            "shorter; no count becomes 0. What ran rarely then weighs more. 1 leaves the counts as they are."
        ),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantSettings(CodegenSettings):
    """A variant as written: its changes to the variant that it inherits from.

    Without settings, exactly what cargo builds.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT_KEYS

    inherits: Annotated[VariantName | None, Field(description="The variant whose settings this one starts from.")] = (
        None
    )
    features: Annotated[
        tuple[Name, ...] | None, Field(description="Cargo features, added to those of the variants it inherits from.")
    ] = None
    rustflags: Annotated[
        tuple[Text, ...] | None,
        Field(description="Flags for rustc, appended to those of the variants it inherits from."),
    ] = None
    pgo: Annotated[
        Annotated[PgoMode, BeforeValidator(read_pgo_mode), WithJsonSchema({"enum": [False, True, "auto"]})] | None,
        Field(description='Profile-guided optimisation; "auto" skips it, with a reason, if it is not possible.'),
    ] = None
    bolt: Annotated[
        Annotated[BoltMode, BeforeValidator(read_pgo_mode), WithJsonSchema({"enum": [False, True, "auto"]})] | None,
        Field(
            description="Lay out the linked programs anew with BOLT, by what they do on the training workloads. "
            '"auto" keeps that only if it is measured as faster and is not too large.'
        ),
    ] = None
    layout: Annotated[
        CodeLayout | None,
        Field(
            description='The order of functions: "startup" is that in which training first runs them, so that a start '
            "touches fewer pages. It needs PGO, Linux and rustc's own linker."
        ),
    ] = None
    allocator: Annotated[
        Allocator | None,
        Field(
            description='What the programs ask for memory: "mimalloc" is linked into them in place of the C library\'s '
            'allocator, without a change to the source; "default" is what they have. It needs Linux and the GNU C '
            "library, and a C compiler."
        ),
    ] = None
    training_lto: Annotated[
        TrainingLto | None,
        Field(
            description="Whether the instrumented binary has the variant's link-time optimisation. "
            '"off" builds in half the time, "same" is exact, "auto" (default) is "off" if that loses nothing.'
        ),
    ] = None
    counters: Annotated[
        Counters | None,
        Field(
            description='How the instrumented binary counts. "single" is fast, but threads that count at the same time '
            'lose counts; "atomic" loses none, but trains more slowly. By default "single", then "atomic" if counts '
            "are impossible."
        ),
    ] = None

    profiles: Annotated[
        Profiles | None,
        Field(
            description='For several programs: "merged" optimises all of them with the counts of all workloads; '
            '"per-bin" optimises each with the workloads that run it, and compiles once for each.'
        ),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant(CodegenSettings):
    """A variant with all that it inherits.

    Attributes:
        name: Its name.
        ancestors: The variants it inherits from, nearest first.
        features: Cargo features, from the root ancestor down.
        rustflags: Flags for rustc, from the root ancestor down.
        pgo: Whether it is built with PGO.
        bolt: Whether BOLT lays out its programs anew.
        layout: The order of its functions.
        allocator: What its programs ask for memory.
        training_lto: How its instrumented binary is linked.
        counters: How its instrumented binary counts; None for `single`, then `atomic` if that fails.
        profiles: What its programs are optimised with.
    """

    name: str
    ancestors: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    rustflags: tuple[str, ...] = ()
    pgo: PgoMode = PgoMode.OFF
    bolt: BoltMode = BoltMode.OFF
    layout: CodeLayout = CodeLayout.DEFAULT
    allocator: Allocator = Allocator.DEFAULT
    training_lto: TrainingLto = TrainingLto.AUTO
    counters: Counters | None = None
    profiles: Profiles = Profiles.MERGED

    @property
    def takes_foreign_counts(self) -> bool:
        """Whether PGO may use counts under other names; these have lost the order in which functions first ran."""
        return self.pgo is not PgoMode.OFF and self.layout is CodeLayout.DEFAULT
