"""The record itself, for programs."""

from __future__ import annotations

from optbuild.record.model import RunRecord
from optbuild.record.store import render_record


def render_json(record: RunRecord) -> str:
    """Write the record as one JSON document."""
    return render_record(record)
