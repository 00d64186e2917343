"""Reports from a project's own template: jinja2 in its sandbox, with the contents of a report as variables.

Foreign names are escaped on output, for the kind of text that the template's file name indicates.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape as escape_html
from pathlib import PurePath
from types import TracebackType
from typing import Any

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from optbuild.errors import UsageError
from optbuild.measure.model import Comparison, Verdict
from optbuild.record.model import RunRecord
from optbuild.record.variants import VariantRecord
from optbuild.report.display import change_cell, inert_on_ci, interval_cell
from optbuild.report.footnotes import describe_commit
from optbuild.report.formats.html import render_table as html_table
from optbuild.report.formats.markdown import escape as escape_markdown
from optbuild.report.formats.markdown import render_table as markdown_table
from optbuild.report.in_sample import in_sample_label
from optbuild.report.model import Report, Table
from optbuild.report.tables import baseline_first, workloads_of
from optbuild.text import sanitize_line
from optbuild.units import format_bytes, format_duration

_MARKUP = frozenset({".html", ".htm", ".xml", ".svg"})
_PLAIN = frozenset({".txt"})
_ENDING = frozenset({".j2", ".jinja", ".jinja2"})
_FAULTS = (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError, RecursionError)
"""The errors that an expression of a template can raise; all are the template's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """How a kind of text is escaped."""

    escape: Callable[[str], str]
    table: Callable[[Table], str]


_MARKDOWN = _Kind(escape=escape_markdown, table=markdown_table)
_HTML = _Kind(escape=escape_html, table=html_table)
_TEXT = _Kind(escape=str, table=markdown_table)


def render_template(text: str, name: str, record: RunRecord, report: Report) -> str:
    """Fill in a template.

    Args:
        text: The template.
        name: Its file name: for `.html`, `.htm`, `.xml` and `.svg` names are escaped as markup, for `.txt` not at all,
            otherwise as Markdown.
        record: The run.
        report: The report of the run.

    Raises:
        UsageError: The template cannot be read or filled in; its line is named.

    Sources:
        Jinja, "Sandbox", https://jinja.palletsprojects.com/en/stable/sandbox/.
    """
    kind = _kind_of(name)
    # Everything except `Markup` is escaped here, and nothing twice: macros and blocks give `Markup`.
    environment = ImmutableSandboxedEnvironment(
        autoescape=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: value if isinstance(value, Markup) else Markup(kind.escape(_text(value))),  # noqa: S704
    )
    try:
        template = environment.from_string(text)
    except TemplateSyntaxError as error:
        raise _fault(str(error.message), name, error.lineno) from error
    try:
        return inert_on_ci(template.render(make_variables(record, report, kind)))
    except SecurityError as error:
        raise _fault(f"{error}; templates run in a sandbox", name, _line_of(error.__traceback__)) from error
    except _FAULTS as error:
        raise _fault(str(error), name, _line_of(error.__traceback__)) from error


def make_variables(record: RunRecord, report: Report, kind: _Kind = _MARKDOWN) -> dict[str, Any]:
    """The variables of a template; docs/how-to/share-results.md lists them. Texts are single inert lines."""
    tables = [_describe_table(table, kind) for table in report.tables]
    return {
        "title": report.title,
        "status": list(report.status),
        "tables": tables,
        "table": tables[0] if tables else None,
        "footnotes": list(report.footnotes),
        "variants": [_describe_variant(record, variant) for variant in baseline_first(record)],
        "workloads": [sanitize_line(name) for name in workloads_of(record)],
        "run": _describe_run(record),
    }


def _describe_table(table: Table, kind: _Kind) -> dict[str, Any]:
    return {
        "caption": table.caption,
        "headings": [column.heading for column in table.columns],
        "rows": [[cell.text for cell in row] for row in table.rows],
        "text": Markup(kind.table(table)),  # noqa: S704 - a format has escaped it
    }


def _describe_variant(record: RunRecord, variant: VariantRecord) -> dict[str, Any]:
    found = record.suite_comparison(variant.name)
    size_bytes = variant.size_bytes
    peaks = [item.peak_rss_bytes for item in record.resources if item.variant == variant.name]
    return {
        "name": sanitize_line(variant.name),
        "baseline": variant.baseline,
        "status": str(variant.status),
        "size_bytes": size_bytes or None,
        "size": format_bytes(size_bytes) if size_bytes else None,
        "max_rss_bytes": max(peaks, default=None),
        "max_rss": format_bytes(max(peaks)) if peaks else None,
        "build_s": variant.build_s,
        "build": None if variant.build_s is None else format_duration(variant.build_s),
        "in_sample": in_sample_label(record, variant.name, None),
        "sha256": {sanitize_line(item.bin): item.sha256 for item in variant.artifacts},
        **_describe_change(found),
    }


def _describe_change(found: Comparison | None) -> dict[str, Any]:
    """The comparisons; an invalid one has no numbers here either."""
    valid = found is not None and found.verdict is not Verdict.INVALID
    return {
        "change": change_cell(found).text if found is not None and valid else None,
        "interval": interval_cell(found).text if found is not None and valid else None,
        "verdict": None if found is None else str(found.verdict),
        "change_ratio": found.change if found is not None and valid else None,
        "ci_low": found.ci_low if found is not None and valid else None,
        "ci_high": found.ci_high if found is not None and valid else None,
    }


def _describe_run(record: RunRecord) -> dict[str, Any]:
    host, toolchain = record.host, record.toolchain
    return {
        "id": sanitize_line(record.run_id),
        "started_at": sanitize_line(record.started_at),
        "status": str(record.status),
        "optbuild": sanitize_line(record.optbuild_version),
        "package": sanitize_line(record.project.package) if record.project else None,
        "commit": describe_commit(record) or None,
        "rustc": sanitize_line(toolchain.rustc) if toolchain else None,
        "target": sanitize_line(toolchain.target) if toolchain else None,
        "cpu": sanitize_line(host.cpu) if host and host.cpu else None,
        "cores": host.cores if host else None,
        "kernel": sanitize_line(host.kernel) if host else None,
        "rounds": record.measure.rounds if record.measure else None,
        "confidence": record.measure.confidence if record.measure else None,
    }


def _kind_of(name: str) -> _Kind:
    path = PurePath(name)
    suffix = (PurePath(path.stem) if path.suffix in _ENDING else path).suffix.lower()
    return _HTML if suffix in _MARKUP else _TEXT if suffix in _PLAIN else _MARKDOWN


def _text(value: object) -> str:
    """The printed form of a value: empty for a missing one; lists and maps are a mistake."""
    if isinstance(value, Mapping | list | tuple):
        raise TypeError("a list or a map cannot be printed; name one of its values, or join them")
    return "" if value is None else str(value)


def _line_of(trace: TracebackType | None) -> int | None:
    """The last line of the template that was being filled in."""
    line = None
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<template>":
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def _fault(message: str, name: str, line: int | None) -> UsageError:
    return UsageError(
        f"the template cannot be filled in: {sanitize_line(message)}",
        help="the variables are listed in docs/how-to/share-results.md",
        location=sanitize_line(name) + (f":{line}" if line else ""),
    )
