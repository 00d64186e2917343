"""Unsigned in-toto statements, ready for a signer: how each variant was built, and what was shown about it.

JSON Lines, as in an in-toto bundle, one statement per line: a signer takes one statement or its predicate at a time.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from optbuild.errors import UsageError
from optbuild.measure.model import Verdict
from optbuild.record.model import OutputRecord, RunRecord
from optbuild.record.store import dump_ascii, render_record
from optbuild.record.variants import VariantRecord
from optbuild.report.in_sample import in_sample_by_workload
from optbuild.text import sanitize_line

STATEMENT = "https://in-toto.io/Statement/v1"
PROVENANCE = "https://slsa.dev/provenance/v1"
ATTRIBUTES = "https://in-toto.io/attestation/scai/v0.3"
_BUILD_TYPE = "pkg:pypi/cargo-optbuild#variant"
_CI_COMMAND = re.compile(r"#(?=#)")

Json = dict[str, Any]


def render_in_toto(record: RunRecord) -> str:
    """Write provenance for each variant that the run built, and attributes for each with a proven result.

    Raises:
        UsageError: The run built no binaries and measured none.

    Sources:
        in-toto Statement v1 and bundles, https://github.com/in-toto/attestation/tree/main/spec/v1; SLSA provenance v1,
        https://slsa.dev/spec/v1.0/provenance; SCAI v0.3,
        https://github.com/in-toto/attestation/blob/main/spec/predicates/scai.md.
    """
    statements = [statement for variant in record.variants if variant.artifacts for statement in _of(variant, record)]
    if not statements:
        raise UsageError(
            f"run {sanitize_line(record.run_id)} made no binaries to attest",
            help="build first: optbuild pgo; or choose another run: optbuild runs",
        )
    # An escape preserves the value, but prevents a CI from reading `##[` in a foreign name as a command.
    return "".join(_CI_COMMAND.sub(r"\\u0023", dump_ascii(statement)) + "\n" for statement in statements)


def _of(variant: VariantRecord, record: RunRecord) -> Iterator[Json]:
    subject = [{"name": item.bin, "digest": {"sha256": item.sha256}} for item in variant.artifacts]
    if variant.steps:
        yield _statement(subject, PROVENANCE, _provenance(variant, record))
    if attributes := [*_attributes(variant, record)]:
        yield _statement(subject, ATTRIBUTES, {"attributes": attributes, "producer": {"uri": _optbuild(record)}})


def _statement(subject: list[Json], predicate_type: str, predicate: Json) -> Json:
    return {"_type": STATEMENT, "subject": subject, "predicateType": predicate_type, "predicate": predicate}


def _provenance(variant: VariantRecord, record: RunRecord) -> Json:
    project, profile = record.project, record.build_profile or {}
    parameters = {
        "variant": variant.name,
        "recipe": _recipe(profile, variant.name),
        "workloads": profile.get("workloads", []),
        "target": record.toolchain and record.toolchain.target,
        "package": project and project.package,
        "bins": [item.bin for item in variant.artifacts],
    }
    return {
        "buildDefinition": {
            "buildType": _BUILD_TYPE,
            "externalParameters": parameters,
            "resolvedDependencies": [*_dependencies(variant, record)],
        },
        "runDetails": {
            "builder": {"id": _optbuild(record), "version": {"optbuild": record.optbuild_version}},
            "metadata": {
                "invocationId": record.run_id,
                "startedOn": record.started_at,
                "finishedOn": record.finished_at,
            },
            "byproducts": [_evidence(record)],
        },
    }


def _recipe(profile: Mapping[str, Any], name: str) -> object:
    variants = profile.get("variants")
    return variants.get(name, {}) if isinstance(variants, Mapping) else {}


def _dependencies(variant: VariantRecord, record: RunRecord) -> Iterator[Json]:
    """Source, lock file, toolchain and profiles, with the known digests."""
    project, toolchain = record.project, record.toolchain
    if project is not None and project.git_commit:
        yield {
            "name": "source",
            "digest": {"gitCommit": project.git_commit},
            "annotations": {"modified": project.git_dirty},
        }
    if project is not None and project.lockfile_sha256:
        yield {"name": "Cargo.lock", "digest": {"sha256": project.lockfile_sha256}}
    if toolchain is not None:
        for tool, version in (("rustc", toolchain.rustc), ("cargo", toolchain.cargo)):
            yield {"name": tool, "uri": _package_url(tool, version)}
    if toolchain is not None and toolchain.llvm_profdata is not None and variant.evidence:
        yield {"name": "llvm-profdata", "uri": _package_url("llvm-profdata", toolchain.llvm_profdata.version)}
    trained_on = {item.workload for pgo in variant.evidence.values() for item in pgo.trainings}
    for item in record.inputs:
        if item.workload in trained_on:
            digest = {"optbuildTree" if item.is_directory else "sha256": item.sha256}
            yield {"name": f"training input {item.path}", "digest": digest, "annotations": {"readBy": item.workload}}
    for name, pgo in variant.evidence.items():
        yield {
            "name": f"PGO profile of {name}",
            "digest": {"sha256": pgo.profdata.sha256},
            "annotations": {"trainedBy": [item.workload for item in pgo.trainings]},
        }


def _package_url(name: str, version: str) -> str:
    """Source: https://github.com/package-url/purl-spec, type `generic`."""
    return f"pkg:generic/{name}@{quote(version, safe='')}"


def _optbuild(record: RunRecord) -> str:
    return f"pkg:pypi/cargo-optbuild@{quote(record.optbuild_version, safe='')}"


def _evidence(record: RunRecord) -> Json:
    """The record, by its digest: `optbuild report RUN --format json` writes it."""
    digest = hashlib.sha256(render_record(record).encode()).hexdigest()
    return {"name": "record.json", "digest": {"sha256": digest}, "mediaType": "application/json"}


def _attributes(variant: VariantRecord, record: RunRecord) -> Iterator[Json]:
    """The proven results only: unproven PGO and unproven changes have no attribute."""
    evidence = _evidence(record)
    for name, pgo in variant.evidence.items():
        if pgo.applied:
            conditions = {
                "variant": variant.name,
                "evidenceOf": name,
                "profileSha256": pgo.profdata.sha256,
                "functions": pgo.functions,
                "functionsWithCounts": pgo.functions_with_counts,
                "missingFunctions": pgo.missing_functions,
                "mismatchedFunctions": pgo.mismatched_functions,
            }
            yield {"attribute": "PGO_APPLIED", "conditions": conditions, "evidence": evidence}
    if equal := _equal_outputs(variant, record):
        yield {"attribute": "OUTPUTS_EQUAL_TO_BASELINE", "conditions": equal, "evidence": evidence}
    if gain := _gain(variant, record):
        yield {"attribute": "FASTER_THAN_BASELINE", "conditions": gain, "evidence": evidence}


def _equal_outputs(variant: VariantRecord, record: RunRecord) -> Json | None:
    outputs = [item for item in record.outputs if item.variant == variant.name]
    if variant.baseline or not outputs or not all(item.equal for item in outputs):
        return None
    return {**_baseline(record), "variant": variant.name, "workloads": [*map(_compared, outputs)]}


def _compared(output: OutputRecord) -> Json:
    """The compared outputs, and how strictly they were compared."""
    facts: Json = {"name": output.workload}
    if output.left_out:
        facts["leftOut"] = list(output.left_out)
    if output.filtered:
        facts["filtered"] = True
    if output.tolerance is not None:
        facts["tolerance"] = output.tolerance
    return facts


def _gain(variant: VariantRecord, record: RunRecord) -> Json | None:
    found = record.suite_comparison(variant.name)
    if found is None or found.verdict is not Verdict.FASTER:
        return None
    host, trained_on = record.host, in_sample_by_workload(record, variant.name)
    return {
        **_baseline(record),
        "variant": variant.name,
        "metric": found.metric,
        "change": found.change,
        "interval": [found.ci_low, found.ci_high],
        "confidence": found.confidence,
        "rounds": found.rounds,
        "workloads": list(dict.fromkeys(item.workload for item in record.comparisons if item.workload is not None)),
        "inSample": [name for name, answer in trained_on.items() if answer and name is not None],
        "cpu": host and host.cpu,
    }


def _baseline(record: RunRecord) -> Json:
    """The baseline's outputs, by digest."""
    baseline = record.baseline
    if baseline is None:
        return {}
    digests = [{"name": item.bin, "digest": {"sha256": item.sha256}} for item in baseline.artifacts]
    return {"baseline": baseline.name, "baselineArtifacts": digests}
