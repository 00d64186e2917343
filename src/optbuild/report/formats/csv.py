"""Comparisons for spreadsheets and scripts: a row each, numbers as they are, units in the headings.

If a verdict is invalid, its numbers are left out, as everywhere.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping

from optbuild.measure.model import Comparison, Verdict
from optbuild.record.model import RunRecord
from optbuild.report.display import inert_on_ci
from optbuild.report.in_sample import in_sample_by_workload
from optbuild.text import sanitize_line

_HEADINGS = (
    "scope",
    "workload",
    "metric",
    "baseline",
    "candidate",
    "change",
    "ci_low",
    "ci_high",
    "confidence",
    "p_value",
    "p_adjusted",
    "verdict",
    "fragile",
    "rounds",
    "mde",
    "baseline_median_s",
    "candidate_median_s",
    "in_sample",
)
_TRAINED = "trained "
_FORMULA_STARTS = ("=", "+", "-", "@")  # a tab or a carriage return would also start one, but both have been removed


def render_csv(record: RunRecord) -> str:
    """Write one row per comparison, as specified in RFC 4180.

    Sources:
        RFC 4180, Common Format and MIME Type for CSV Files, https://www.rfc-editor.org/rfc/rfc4180.
    """
    medians: dict[tuple[str | None, str], float] = {
        (item.workload, item.variant): item.median_s for item in record.resources
    }
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow(_HEADINGS)
    writer.writerows(
        _row(comparison, medians, record, kind)
        for kind, comparisons in _families(record).items()
        for comparison in comparisons
    )
    return inert_on_ci(stream.getvalue())


def _families(record: RunRecord) -> dict[str, tuple[Comparison, ...]]:
    """All comparisons, by the name of their scope."""
    found = record.cross_validation
    folds = {_TRAINED: found.trained, "held-out ": found.held_out, "optimism ": found.optimism} if found else {}
    return {"": record.comparisons, **folds}


def _row(
    comparison: Comparison, medians: Mapping[tuple[str | None, str], float], record: RunRecord, kind: str
) -> tuple[str | float | None, ...]:
    one, workload = comparison, comparison.workload
    numbers = (one.change, one.ci_low, one.ci_high, one.confidence, one.p_value, one.p_adjusted)
    return (
        kind + ("suite" if workload is None else "workload"),
        "" if workload is None else inert_in_sheets(workload),
        inert_in_sheets(one.metric),
        inert_in_sheets(one.baseline),
        inert_in_sheets(one.candidate),
        *(numbers if one.verdict is not Verdict.INVALID else (None,) * len(numbers)),
        str(one.verdict),
        str(one.fragile).lower(),
        one.rounds,
        one.mde if one.verdict is not Verdict.INVALID else None,
        *(
            (None, None)
            if workload is None
            else (medians.get((workload, arm)) for arm in (one.baseline, one.candidate))
        ),
        _in_sample(record, comparison, kind),
    )


def _in_sample(record: RunRecord, comparison: Comparison, kind: str) -> str:
    """Whether the candidate was trained on what it is measured on; empty without training, or if that is unknown."""
    if kind == _TRAINED:
        return "true"
    found = in_sample_by_workload(record, comparison.candidate)
    answers = set(found.values())
    if comparison.workload is not None:
        answers = {found.get(comparison.workload, found.get(None))}
    if True in answers:
        return "true" if answers == {True} else "partly"
    return "false" if answers == {False} else ""


def inert_in_sheets(name: str) -> str:
    """Prevent a spreadsheet from running a foreign name as a formula; numbers never pass through here.

    Sources:
        OWASP, CSV Injection, https://owasp.org/www-community/attacks/CSV_Injection.
    """
    text = sanitize_line(name)
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text
