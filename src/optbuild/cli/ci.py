"""What optbuild does by itself on GitHub Actions: a job summary and annotations. `OPTBUILD_CI=none` omits both."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from optbuild.cli.context import CliContext

if TYPE_CHECKING:
    from collections.abc import Iterable

    from optbuild.record.model import ErrorRecord, RunRecord

_OFF = "none"


def is_on_github(call: CliContext) -> bool:
    """Whether this is a step of GitHub Actions, and nobody asked to leave its page alone.

    Sources:
        GitHub Docs, "Variables reference": GITHUB_ACTIONS is always `true` when GitHub Actions runs the workflow.
    """
    return call.environ.get("GITHUB_ACTIONS") == "true" and call.environ.get("OPTBUILD_CI") != _OFF


def show_run_on_ci(call: CliContext, record: RunRecord) -> None:
    """Leave a run on the page of its job: its report in the summary, its error and warnings as annotations."""
    if is_on_github(call):
        from optbuild.report.ci import make_annotations, make_job_summary

        room_bytes = _room_bytes(call)
        _append_summary(call, make_job_summary(record, limit_bytes=room_bytes))
        _say(make_annotations(record))


def show_text_on_ci(call: CliContext, markdown: str, annotations: Iterable[str] = ()) -> None:
    """Leave any Markdown on the page of a job, cut where GitHub takes no more, and annotations."""
    if is_on_github(call):
        from optbuild.report.ci import cut_markdown

        _append_summary(call, cut_markdown(markdown, _room_bytes(call)))
        _say(annotations)


def show_error_on_ci(call: CliContext, error: ErrorRecord) -> None:
    """Leave an error that came before any run on the page of its job."""
    if is_on_github(call):
        from optbuild.report.ci import annotate_error

        _say(annotate_error(error))


def _room_bytes(call: CliContext) -> int:
    """What the summary of this step may still grow by: earlier commands of the step wrote into the same file."""
    from optbuild.report.ci import SUMMARY_LIMIT_BYTES

    path = _summary_path(call)
    written = path.stat().st_size if path is not None and path.is_file() else 0
    return max(0, SUMMARY_LIMIT_BYTES - written - 1)


def _append_summary(call: CliContext, markdown: str) -> None:
    path = _summary_path(call)
    if path is None or not markdown:
        return
    try:
        with path.open("a", encoding="utf-8", errors="backslashreplace") as stream:
            stream.write(markdown + "\n")
    except OSError as error:
        from optbuild.cli.console import Console
        from optbuild.events import Level, Notice

        message = f"the job summary was not written: {error}"
        advice = "look at GITHUB_STEP_SUMMARY, or leave it out: OPTBUILD_CI=none"
        Console(call).show(Notice(level=Level.WARNING, code="job-summary", message=message, help=advice))


def _summary_path(call: CliContext) -> Path | None:
    name = call.environ.get("GITHUB_STEP_SUMMARY")
    return Path(name) if name else None


def _say(annotations: Iterable[str]) -> None:
    """On standard error, for standard output may be a document; the runner reads both."""
    for line in annotations:
        sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
