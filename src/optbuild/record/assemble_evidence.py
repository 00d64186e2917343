"""From what is known of a variant's PGO to its record. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from optbuild.making.model import Trained
from optbuild.making.order.outcome import Outcome, profile_of
from optbuild.making.proof.evidence import PgoEvidence
from optbuild.plan.actions import Attempt, Compile, MergeProfiles, Train
from optbuild.plan.model import Plan, PlannedVariant
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


def describe_pgo(variant: PlannedVariant, plan: Plan, outcome: Outcome, *, in_sample: bool | None) -> PgoRecord | None:
    """The evidence of a variant, as far as it came; also where it proves nothing."""
    profile = profile_of(outcome, variant)
    if profile is None:
        return None
    evidence = outcome.evidence_of(variant)
    attempt = outcome.attempt_of(variant)
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
            for rejection in outcome.rejected.get(variant.name, ())
        ),
        counters=Counters.SINGLE if attempt is None else _counters_of(attempt, plan),
        flush_object=attempt is not None and plan.has_flush_object(attempt.instrument),
        processes_without_counts=0 if attempt is None else _processes_without_counts(attempt, plan, outcome),
        renamed_functions=profile.renamed_functions,
        trainings=() if attempt is None else tuple(_describe_trainings(attempt, plan, outcome)),
        measured_programs=tuple(_describe_measured_programs(variant, plan, outcome)),
    )
    return record if evidence is None else _with_evidence(record, evidence)


def _processes_without_counts(attempt: Attempt, plan: Plan, outcome: Outcome) -> int:
    results = (outcome.results.get(need) for need in plan.action(attempt.merge).needs)
    return sum(result.losses.without_counts for result in results if isinstance(result, Trained))


def _counters_of(attempt: Attempt, plan: Plan) -> Counters:
    instrument = plan.action(attempt.instrument)
    is_atomic = isinstance(instrument, Compile) and (ATOMIC_COUNTERS,) in instrument.recipe.rustflags
    return Counters.ATOMIC if is_atomic else Counters.SINGLE


def _with_evidence(record: PgoRecord, evidence: PgoEvidence) -> PgoRecord:
    """What became known when something was compiled with the profile."""
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


def _describe_trainings(attempt: Attempt, plan: Plan, outcome: Outcome) -> Iterator[TrainingRecord]:
    merge = plan.action(attempt.merge)
    for training, weight in merge.weights.items() if isinstance(merge, MergeProfiles) else ():
        action, result = plan.action(training), outcome.results.get(training)
        if isinstance(action, Train) and isinstance(result, Trained):
            yield TrainingRecord(
                workload=action.workload.name,
                weight=weight,
                duration_s=result.duration_s,
                reused=result.reused,
                raw_profiles=result.profile.raw_profiles,
                pooled=result.pooled,
                quarantined=result.profile.quarantined,
                functions_with_counts=result.profile.functions_with_counts,
                total_count=result.profile.total_count,
            )


def _describe_measured_programs(
    variant: PlannedVariant, plan: Plan, outcome: Outcome
) -> Iterator[MeasuredProgramsRecord]:
    for workload, binaries in variant.programs.items():
        evidence = outcome.evidence.get(plan.chosen(binaries, outcome.attempt_of(variant)))
        if evidence is not None:
            yield MeasuredProgramsRecord(
                workload=workload,
                functions=evidence.profile.functions,
                functions_with_counts=evidence.profile.functions_with_counts,
                renamed_functions=evidence.profile.renamed_functions,
                missing_functions=evidence.missing_functions,
                mismatched_functions=evidence.mismatched_functions,
            )


def describe_quarantine(variant: PlannedVariant, plan: Plan, outcome: Outcome) -> tuple[QuarantinedRecord, ...]:
    """The raw profiles that were set aside while a variant was trained, in whatever way."""
    served: set[str] = set()
    for build in (variant, *variant.parts.values()):
        tried = (outcome.attempt_of(build), *(each.attempt for each in outcome.rejected.get(build.name, ())))
        served.update(*(plan.serving(build, attempt) for attempt in tried))
    return tuple(
        QuarantinedRecord(path=str(item.path), reason=item.reason)
        for action, items in outcome.set_aside.items()
        if action in served
        for item in items
    )
