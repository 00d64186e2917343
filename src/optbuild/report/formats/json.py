"""The record itself, for programs."""

from __future__ import annotations

import json

from optbuild.record.model import RunRecord
from optbuild.record.store import render_record

EVIDENCE_SCHEMA = "optbuild/evidence/1"


def render_json(record: RunRecord) -> str:
    """Write the record as one JSON document."""
    return render_record(record)


def render_evidence_json(record: RunRecord) -> str:
    """Write the record's evidence of PGO as one JSON document; its objects are those of the record."""
    whole = json.loads(render_record(record))
    kept = ("name", "status", "reason", "pgo", "quarantined")
    folds = (whole["cross_validation"] or {"folds": ()})["folds"]
    builds = (*whole["variants"], *(fold["build"] for fold in folds))
    trained = (variant for variant in builds if variant["pgo"] is not None or variant["quarantined"])
    variants = [{key: variant[key] for key in kept} for variant in trained]
    evidence = {"schema": EVIDENCE_SCHEMA, "run_id": record.run_id, "variants": variants}
    return json.dumps(evidence, indent=2, ensure_ascii=True) + "\n"
