"""The output of a run on the page of a GitHub Actions job: a summary, and annotations within the limits. Pure.

Sources:
    GitHub Docs, "Workflow commands for GitHub Actions", adding a job summary: 1 MiB a step,
    https://docs.github.com/actions/reference/workflow-commands-for-github-actions; 10 warning and 10 error annotations
    a step, https://docs.github.com/rest/checks/runs and https://github.com/orgs/community/discussions/26680.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from optbuild.measure.model import Verdict
from optbuild.record.model import ErrorRecord, RunRecord
from optbuild.report.assemble import assemble
from optbuild.report.display import sentence
from optbuild.report.formats.github import make_annotation
from optbuild.report.formats.markdown import render_markdown
from optbuild.text import sanitize_line

SUMMARY_LIMIT_BYTES = 1 << 20
"""What GitHub keeps of a step's summary; of a larger one it keeps nothing."""
_MOST_OF_A_LEVEL = 10
_CUT = "\n\n> [!NOTE]\n> Cut here: GitHub accepts no more. The whole report: `optbuild report --format markdown`\n"


def make_job_summary(record: RunRecord, *, limit_bytes: int = SUMMARY_LIMIT_BYTES) -> str:
    """Write the report of a run as Markdown that fits into a job summary."""
    return cut_markdown(render_markdown(assemble(record)), limit_bytes)


def cut_markdown(text: str, limit_bytes: int) -> str:
    """Shorten Markdown at the end of a line, and add a note; empty if not even the note fits."""
    if len(text.encode()) <= limit_bytes:
        return text
    room = limit_bytes - len(_CUT.encode())
    if room < 0:
        return ""
    kept = text.encode()[:room].decode(errors="ignore")
    return kept[: kept.rfind("\n") + 1] + _CUT


def make_annotations(record: RunRecord) -> tuple[str, ...]:
    """A run's error, its warnings, and the verdicts over its suite, as commands to the runner."""
    warnings = [
        ("warning", f"optbuild: {sanitize_line(w.code)}", _with_help(w.message, w.help)) for w in record.warnings
    ]
    suite = [item for item in record.comparisons if item.workload is None and item.verdict is Verdict.SLOWER]
    slower = [
        ("warning", f"optbuild: {sanitize_line(item.candidate)} is slower", f"over all workloads: {item.change:+.1%}")
        for item in suite
    ]
    return (*annotate_error(record.error), *_limited([*slower, *warnings]))


def annotate_error(error: ErrorRecord | None) -> tuple[str, ...]:
    """Why something failed, as a command to the runner."""
    if error is None:
        return ()
    where = f" ({sanitize_line(error.location)})" if error.location else ""
    title = f"optbuild: {sanitize_line(error.code)}"
    return (make_annotation("error", title, _with_help(error.message + where, error.help)),)


def _with_help(message: str, advice: str) -> str:
    return sentence(message) + (f"; help: {sentence(advice)}" if advice else "")


def _limited(found: Sequence[tuple[str, str, str]]) -> Iterable[str]:
    """As many as GitHub shows; the last one gives the number of those that are left out."""
    left_out = len(found) - _MOST_OF_A_LEVEL
    shown = found if left_out <= 0 else found[: _MOST_OF_A_LEVEL - 1]
    yield from (make_annotation(*item) for item in shown)
    if left_out > 0:
        yield make_annotation("warning", "optbuild", f"{left_out + 1} more warnings are in the job summary")
