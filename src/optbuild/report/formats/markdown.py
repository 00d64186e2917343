"""GitHub's Markdown, for pull requests and release notes: tables with aligned source."""

from __future__ import annotations

import re

from optbuild.report.columns import column_widths, pad
from optbuild.report.display import inert_on_ci
from optbuild.report.model import Align, Cell, Report, Table

_MARKUP = re.compile(r"([\\`*_\[\]|~$#!])")
_LEAST_RULE = 3


def render_markdown(report: Report) -> str:
    """Write a heading, the tables, and the footnotes as a list."""
    blocks = [
        f"### {escape(report.title)}",
        *(f"**{escape(line)}**" for line in report.status),
        *(render_table(table) for table in report.tables),
        "\n".join(f"- {escape(note)}" for note in report.footnotes),
    ]
    return inert_on_ci("\n\n".join(filter(None, blocks)) + "\n")


def escape(text: str) -> str:
    """Escape one line of text, which then shows literally.

    Sources:
        GitHub Flavored Markdown Spec, 2.4 Backslash escapes and 4.10 Tables, https://github.github.com/gfm/.
    """
    return _MARKUP.sub(r"\\\1", text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))


def render_table(table: Table) -> str:
    """Write one table with its caption."""
    caption = [f"**{escape(table.caption)}**"] if table.caption else []
    rows = [[escape(column.heading) for column in table.columns], *(list(map(_cell, row)) for row in table.rows)]
    widths = [max(width, _LEAST_RULE) for width in column_widths(rows)]
    aligns = [column.align for column in table.columns]
    heading, *body = (
        "| "
        + " | ".join(pad(text, width, align) for text, width, align in zip(row, widths, aligns, strict=True))
        + " |"
        for row in rows
    )
    rules = (
        f":{'-' * (width + 1)}" if align is Align.LEFT else f"{'-' * (width + 1)}:"
        for width, align in zip(widths, aligns, strict=True)
    )
    return "\n\n".join([*caption, "\n".join([heading, f"|{'|'.join(rules)}|", *body])])


def _cell(cell: Cell) -> str:
    """Escape a cell, except for numbers, which contain no markup; an interval's brackets stay bare."""
    return escape(cell.text) if cell.foreign else cell.text
