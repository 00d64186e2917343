"""What the record says of each variant: how it was built, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from optbuild.record.evidence import BoltRecord, PgoRecord, QuarantinedRecord
from optbuild.tools.wheels import WHEEL


class VariantStatus(StrEnum):
    """The state of a variant at the end of a run."""

    BUILT = "built"
    REUSED = "reused"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactRecord:
    """A published binary."""

    bin: str
    path: str
    sha256: str
    size_bytes: int

    @property
    def is_wheel(self) -> bool:
        """Whether it packs a library that is an artifact as well."""
        return self.bin == WHEEL or self.bin.startswith(f"{WHEEL}:")


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRecord:
    """One action as it ran.

    Attributes:
        peak_rss_bytes: For a build, the memory of its largest process.
        started_s: When it began, counted from where the run began to carry its plan out; None where older versions
            made the record.
    """

    action: str
    kind: str
    argv: tuple[str, ...]
    duration_s: float
    reused: bool
    log: str | None
    peak_rss_bytes: int | None = None
    started_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantRecord:
    """One variant.

    Attributes:
        quarantined: Raw profiles of its training that this run set aside, even if the variant failed because of them.
        build_s: Seconds that building it took, training included; None if a unit of the program or a training run was
            reused. Build scripts and procedural macros, which all variants share, may have been built before.
        cpu_features: What its binaries need of a CPU beyond what every CPU of the target has; None if not determined.
        pgo: The evidence of PGO. If each program has its own profile, that of the first one.
        pgo_by_bin: By program, if each has its own profile.
        bolt: What BOLT made of it; None if that was not asked for.
    """

    name: str
    baseline: bool
    status: VariantStatus
    reason: str | None = None
    artifacts: tuple[ArtifactRecord, ...] = ()
    build_s: float | None = None
    steps: tuple[StepRecord, ...] = ()
    pgo: PgoRecord | None = None
    quarantined: tuple[QuarantinedRecord, ...] = ()
    cpu_features: tuple[str, ...] | None = None
    pgo_by_bin: Mapping[str, PgoRecord] = field(default_factory=dict)
    bolt: BoltRecord | None = None

    @property
    def binaries(self) -> tuple[ArtifactRecord, ...]:
        """Its programs and libraries, without the wheels that hold them."""
        return tuple(item for item in self.artifacts if not item.is_wheel)

    @property
    def size_bytes(self) -> int:
        """The size of its programs and libraries."""
        return sum(item.size_bytes for item in self.binaries)

    @property
    def evidence(self) -> Mapping[str, PgoRecord]:
        """All evidence of PGO, by the name of the variant, or of the variant and a program."""
        if self.pgo_by_bin:
            return {f"{self.name}: {program}": pgo for program, pgo in self.pgo_by_bin.items()}
        return {} if self.pgo is None else {self.name: self.pgo}
