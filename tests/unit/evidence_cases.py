"""Evidence made by hand, for tests of its page. The numbers are invented."""

from __future__ import annotations

from dataclasses import replace

from optbuild.record.evidence import (
    AttemptRecord,
    CrateRecord,
    EvidenceCheckRecord,
    PgoRecord,
    ProfileFormatRecord,
    QuarantinedRecord,
    TrainingRecord,
)
from optbuild.record.model import RunRecord
from optbuild.record.variants import VariantStatus
from optbuild.testing import make_pgo_record, make_run_record, make_variant_record


def make_evidence(
    name: str = "small", crate: str = "demo", path: str = "/q/bad.profraw", reason: str = "empty"
) -> PgoRecord:
    """Evidence with everything there can be in it; the names are those of foreign things."""
    return make_pgo_record(
        quarantined=("bad.profraw",),
        format=ProfileFormatRecord(kind="indexed", version=13, is_ir_level=True),
        missing_ratio=0.0148,
        differs=None,
        crates=(
            CrateRecord(name=crate, functions=120, functions_with_counts=100, total_count=900_000),
            CrateRecord(name=None, functions=1, functions_with_counts=1, total_count=1),
        ),
        crate_count=31,
        trainings=(
            TrainingRecord(
                workload=name,
                weight=3.0,
                duration_s=2.5,
                reused=False,
                raw_profiles=4,
                pooled=True,
                quarantined=(path,),
                functions_with_counts=110,
                total_count=123_456,
            ),
            TrainingRecord(
                workload="other",
                weight=1.0,
                duration_s=2.5,
                reused=True,
                raw_profiles=1,
                pooled=False,
                quarantined=(),
                functions_with_counts=20,
                total_count=1_000,
            ),
        ),
        checks=(
            EvidenceCheckRecord(name="the binary differs", passed=None, value=None, limit=None, unit=None, key=None),
            EvidenceCheckRecord(
                name="functions with counts", passed=True, value=1200, limit=1, unit="count", key="min-functions"
            ),
            EvidenceCheckRecord(
                name="share without data", passed=False, value=0.0148, limit=0.01, unit="ratio", key="max-missing"
            ),
        ),
        attempt="exact",
        rejected_attempts=(AttemptRecord(name="lto-free", reason=reason),),
    )


def make_evidence_run(
    name: str = "small", crate: str = "demo", path: str = "/q/bad.profraw", reason: str = "empty"
) -> RunRecord:
    """A run whose variant `pgo` has evidence."""
    pgo = make_variant_record(
        "pgo",
        pgo=make_evidence(name, crate, path, reason),
        quarantined=(QuarantinedRecord(path=path, reason=reason),),
    )
    return make_run_record(variants=(make_variant_record(), pgo))


def make_unproven_run(reason: str | None = "the profile covers too little") -> RunRecord:
    """A run whose variant `pgo` failed for its evidence."""
    pgo = make_variant_record(
        "pgo", pgo=replace(make_evidence(), applied=False), status=VariantStatus.FAILED, reason=reason
    )
    return make_run_record(variants=(make_variant_record(), pgo))
