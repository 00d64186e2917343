"""Make the record of a variant's PGO. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from optbuild.making.built import Built
from optbuild.making.proof.evidence import PgoEvidence
from optbuild.plan.kinds.compile import Compile
from optbuild.plan.kinds.merge import MergeProfiles
from optbuild.plan.kinds.profile_data import MatchProfileData
from optbuild.plan.kinds.train import Train
from optbuild.plan.model import Plan, PlannedVariant
from optbuild.plan.ways import Attempt
from optbuild.profile.variants import Counters
from optbuild.record.evidence import (
    AttemptRecord,
    CrateRecord,
    EvidenceCheckRecord,
    MeasuredProgramsRecord,
    PgoRecord,
    ProfdataRecord,
    ProfileFormatRecord,
    QuarantinedRecord,
    TrainingRecord,
)
from optbuild.tools.rustc import ATOMIC_COUNTERS

_CRATES = 20


def describe_pgo(variant: PlannedVariant, built: Built, *, in_sample: bool | None) -> PgoRecord | None:
    """The evidence of a variant, complete or not, even if it proves nothing."""
    profile = built.profile_of(variant)
    if profile is None:
        return None
    evidence = built.evidence_of(variant)
    attempt = built.attempt_of(variant)
    record = PgoRecord(
        profdata=ProfdataRecord(path=str(profile.path), sha256=profile.sha256),
        raw_profiles=profile.raw_profiles,
        quarantined=profile.quarantined,
        functions=profile.functions,
        functions_with_counts=profile.functions_with_counts,
        total_count=profile.total_count,
        missing_functions=0,
        mismatched_functions=0,
        in_sample=in_sample,
        applied=False,
        attempt=None if attempt is None else attempt.name,
        rejected_attempts=tuple(
            AttemptRecord(name=rejection.attempt.name, reason=rejection.reason)
            for rejection in built.rejected.get(variant.name, ())
        ),
        counters=Counters.SINGLE if attempt is None else _counters_of(attempt, built.plan),
        flush_object=attempt is not None and built.plan.has_flush_object(attempt.instrument),
        processes_without_counts=0 if attempt is None else _processes_without_counts(attempt, built),
        renamed_functions=profile.renamed_functions,
        source="profile-data" if attempt is not None and any(_matched(attempt, built.plan)) else "trained",
        matched_ratio=profile.matched_ratio,
        approximate_ratio=profile.approximate_ratio,
        shared_with=None if attempt is None else attempt.shared_with,
        trainings=() if attempt is None else tuple(_describe_trainings(attempt, built)),
        measured_programs=tuple(_describe_measured_programs(variant, built)),
    )
    return record if evidence is None else _with_evidence(record, evidence)


def _matched(attempt: Attempt, plan: Plan) -> Iterator[MatchProfileData]:
    return plan.find(MatchProfileData, (attempt.merge,))


def _processes_without_counts(attempt: Attempt, built: Built) -> int:
    trainings = built.plan.find(Train, built.plan.action(attempt.merge).needs)
    counts = (built.results.find(training.id) for training in trainings)
    return sum(each.losses.without_counts for each in counts if each is not None)


def _counters_of(attempt: Attempt, plan: Plan) -> Counters:
    built = plan.find(Compile, () if attempt.instrument is None else (attempt.instrument,))
    is_atomic = any((ATOMIC_COUNTERS,) in action.recipe.rustflags for action in built)
    return Counters.ATOMIC if is_atomic else Counters.SINGLE


def _with_evidence(record: PgoRecord, evidence: PgoEvidence) -> PgoRecord:
    """The findings of a compilation with the profile."""
    return replace(
        record,
        missing_functions=evidence.missing_functions,
        mismatched_functions=evidence.mismatched_functions,
        applied=not evidence.failed,
        strange_functions=evidence.strange_functions,
        format=_describe_format(evidence),
        missing_ratio=evidence.missing_ratio,
        mismatched_ratio=evidence.mismatched_ratio,
        unmatched_ratio=evidence.unmatched_ratio,
        differs=evidence.differs,
        crates=tuple(
            CrateRecord(
                name=crate.name,
                functions=crate.functions,
                functions_with_counts=crate.functions_with_counts,
                total_count=crate.total_count,
            )
            for crate in evidence.crates[:_CRATES]
        ),
        crate_count=len(evidence.crates),
        checks=tuple(
            EvidenceCheckRecord(
                name=check.name,
                passed=check.passed,
                value=check.value,
                limit=check.limit,
                unit=check.unit,
                key=check.key,
            )
            for check in evidence.checks
        ),
    )


def _describe_format(evidence: PgoEvidence) -> ProfileFormatRecord | None:
    header = evidence.header
    if header is None:
        return None
    return ProfileFormatRecord(kind=header.kind, version=header.version, is_ir_level=header.is_ir_level)


def _describe_trainings(attempt: Attempt, built: Built) -> Iterator[TrainingRecord]:
    plan = built.plan
    weights = {
        need: weight for merge in plan.find(MergeProfiles, (attempt.merge,)) for need, weight in merge.weights.items()
    }
    for action in plan.find(Train, weights):
        result = built.results.find(action.id)
        if result is not None:
            yield TrainingRecord(
                workload=action.workload.name,
                weight=weights[action.id],
                duration_s=result.duration_s,
                reused=result.reused,
                raw_profiles=result.profile.raw_profiles,
                pooled=result.pooled,
                quarantined=result.profile.quarantined,
                functions_with_counts=result.profile.functions_with_counts,
                total_count=result.profile.total_count,
            )


def _describe_measured_programs(variant: PlannedVariant, built: Built) -> Iterator[MeasuredProgramsRecord]:
    for workload, binaries in variant.programs.items():
        own = built.plan.chosen(binaries, built.attempt_of(variant))
        evidence = built.evidence.get(binaries if own is None else own.compile)
        if evidence is not None:
            yield MeasuredProgramsRecord(
                workload=workload,
                functions=evidence.profile.functions,
                functions_with_counts=evidence.profile.functions_with_counts,
                renamed_functions=evidence.profile.renamed_functions,
                missing_functions=evidence.missing_functions,
                mismatched_functions=evidence.mismatched_functions,
            )


def describe_quarantine(variant: PlannedVariant, built: Built) -> tuple[QuarantinedRecord, ...]:
    """The raw profiles that were set aside in any training of a variant."""
    served: set[str] = set()
    for build in (variant, *variant.parts.values()):
        tried = (built.attempt_of(build), *(each.attempt for each in built.rejected.get(build.name, ())))
        served.update(*(built.plan.serving(build, attempt) for attempt in tried))
    return tuple(
        QuarantinedRecord(path=str(path), reason=reason)
        for action, files in built.set_aside.items()
        if action in served
        for path, reason in files.items()
    )
