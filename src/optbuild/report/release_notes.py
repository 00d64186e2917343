"""A report for release notes: the tables of every report, and the contribution of each step over the one before."""

from __future__ import annotations

from dataclasses import replace

from optbuild.record.model import RunRecord
from optbuild.report.contributions import contribution_table
from optbuild.report.model import Report


def with_contributions(record: RunRecord, report: Report) -> Report:
    """Put the steps after the first table, if there is more than one step."""
    table = contribution_table(record)
    return report if table is None else replace(report, tables=(*report.tables[:1], table, *report.tables[1:]))
