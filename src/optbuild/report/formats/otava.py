"""One row of a table for Apache Otava's search for change points: a row per run, a column per variant and workload."""

from __future__ import annotations

import csv
import io

from optbuild.record.model import RunRecord
from optbuild.report.display import inert_on_ci
from optbuild.report.formats.csv import inert_in_sheets
from optbuild.report.samples import samples_of
from optbuild.report.tables import baseline_first


def render_otava(record: RunRecord) -> str:
    """Write a line of headings and a line of numbers: medians in seconds and sizes in bytes.

    Raises:
        UsageError: The run has measured nothing.

    Sources:
        github.com/apache/otava: `CsvImporter` in otava/importer.py; a time with its offset, a column for each metric.
    """
    project = record.project
    columns: dict[str, str | float] = {
        "time": inert_in_sheets(record.started_at),
        "commit": inert_in_sheets((project and project.git_commit) or ""),
        "run": inert_in_sheets(record.run_id),
    }
    columns |= {inert_in_sheets(samples.name): samples.median for samples in samples_of(record)}
    for variant in baseline_first(record):
        if variant.artifacts:
            columns[inert_in_sheets(f"size ({variant.name})")] = variant.size_bytes
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows((columns.keys(), columns.values()))
    return inert_on_ci(stream.getvalue())
