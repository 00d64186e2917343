from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optbuild.measure.model import Verdict
from optbuild.record.model import ErrorRecord, WarningRecord
from optbuild.record.store import parse_record, render_record
from optbuild.report.ci import SUMMARY_LIMIT_BYTES, annotate_error, cut_markdown, make_annotations, make_job_summary
from optbuild.testing import make_comparison, make_run_record, make_variant_record

HOSTILE = "::error::x\n::stop-commands::t\n##[error]y\r\n::set-output name=a::b%0A::add-mask::c"


def commands(text: str) -> list[str]:
    """What the runner would take for a command: `::name` at the start of a line, `##[name]` anywhere.

    Sources: actions/runner, src/Runner.Common/ActionCommand.cs.
    """
    lines = re.split(r"\r\n|\n|\r", text)
    return [line for line in lines if line.lstrip().startswith("::") or "##[" in line]


def test_the_summary_is_the_report() -> None:
    """A small one is whole."""
    summary = make_job_summary(make_run_record())
    assert summary.startswith("### demo: release, pgo\n")
    assert "Cut here" not in summary


def test_a_summary_fits_into_what_github_keeps() -> None:
    """A larger one ends at a line's end and says how to see the rest."""
    names = tuple(make_variant_record(f"variant-{number}" + "x" * 200) for number in range(3000))
    summary = make_job_summary(make_run_record(variants=(make_variant_record(), *names)))
    assert SUMMARY_LIMIT_BYTES - 1000 < len(summary.encode()) <= SUMMARY_LIMIT_BYTES
    assert summary.endswith("The whole report: `optbuild report --format markdown`\n")


@given(text=st.text(max_size=400), limit=st.integers(min_value=0, max_value=600))
def test_cut_text_never_exceeds_its_limit(text: str, limit: int) -> None:
    """In bytes, whatever the text is made of; what fits is left alone."""
    cut = cut_markdown(text, limit)
    assert len(cut.encode()) <= limit
    assert cut == text or len(text.encode()) > limit


def test_no_more_annotations_than_github_shows() -> None:
    """Ten warnings, of which the last one counts the rest."""
    warnings = tuple(WarningRecord(code=f"w{number}", message="m", help="h") for number in range(30))
    lines = make_annotations(make_run_record(warnings=warnings))
    assert len(lines) == 10
    assert lines[-1] == "::warning title=optbuild::21 more warnings are in the job summary"
    assert len(make_annotations(make_run_record(warnings=warnings[:10]))) == 10


def test_an_error_and_a_slower_variant_are_told() -> None:
    """With what mends the error."""
    error = ErrorRecord(code="build", message="cargo failed", help="cargo build", location="src/main.rs:1")
    slower = make_comparison(verdict=Verdict.SLOWER, change=0.25)
    record = make_run_record(error=error, comparisons=(slower, replace(slower, workload="small")))
    assert make_annotations(record) == (
        "::error title=optbuild%3A build::cargo failed (src/main.rs:1); help: cargo build",
        "::warning title=optbuild%3A pgo is slower::over all workloads: +25.0%25",
    )
    assert annotate_error(None) == ()


def test_foreign_text_gives_no_command() -> None:
    """Names, messages and outputs in summary, annotations and JSON hold no line that the runner would obey."""
    error = ErrorRecord(code="workload", message=HOSTILE, help=HOSTILE, location=HOSTILE)
    warnings = (WarningRecord(code=HOSTILE, message=HOSTILE, help=HOSTILE),)
    comparison = make_comparison(candidate=HOSTILE, workload=HOSTILE)
    record = make_run_record(
        error=error,
        warnings=warnings,
        comparisons=(comparison, replace(comparison, workload=None)),
        variants=(make_variant_record(), make_variant_record(HOSTILE)),
    )
    assert commands(make_job_summary(record)) == []
    annotations = make_annotations(record)
    assert all(re.fullmatch(r"::(error|warning) title=optbuild%3A [^\n\r]*", line) for line in annotations)
    text = render_record(record)
    assert commands(text) == []
    assert parse_record(text.encode()) == record


@pytest.mark.parametrize("mark", ["##[error]x", "####[a]", "##vso[task.complete]"])
def test_a_sharp_in_json_is_escaped(mark: str) -> None:
    """Readers of JSON get it as it was."""
    text = render_record(make_run_record(run_id=mark))
    assert mark not in text
    assert json.loads(text)["run_id"] == mark
