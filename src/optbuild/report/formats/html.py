"""One self-contained page: tables, charts, footnotes, and how everything was built."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from itertools import groupby

from optbuild.report.charts.canvas import can_draw
from optbuild.report.charts.changes import draw_changes, draw_differences
from optbuild.report.charts.course import draw_drift, draw_timeline
from optbuild.report.charts.model import Charts
from optbuild.report.charts.sizes import draw_sizes
from optbuild.report.display import inert_on_ci
from optbuild.report.formats.style import PAGE
from optbuild.report.model import Align, BuildStep, Cell, Column, Report, Table, Tone

_NAMESPACE = ' xmlns="http://www.w3.org/2000/svg"'  # a page needs none
NO_CHARTS = "No charts: matplotlib is not installed. Install it: pip install 'cargo-optbuild[charts]'"


def render_html(report: Report, charts: Charts | None = None, figures: tuple[str, ...] = ()) -> str:
    """Write a page without scripts or external resources; all text is escaped here, or by the drawing code."""
    title = escape(report.title)
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        '<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{title}</title>",
        f"<style>{PAGE}</style></head>",
        f"<body><h1>{title}</h1>",
        *(f'<p class="status">{escape(line)}</p>' for line in report.status),
        *(render_table(table) for table in report.tables[:1]),
        *_charts(charts or Charts()),
        *(render_table(table) for table in report.tables[1:]),
        *figures,
        *_notes(report.footnotes),
        *_steps(report.steps),
        "</body></html>",
    ]
    return inert_on_ci("\n".join(parts) + "\n")


def render_table(table: Table) -> str:
    """Write one table with its caption."""
    caption = f"<h2>{escape(table.caption)}</h2>\n" if table.caption else ""
    headings = "".join(_tag("th", column.heading, column) for column in table.columns)
    body = "\n".join(_row(table, row) for row in table.rows)
    return (
        f'{caption}<div class="wide"><table>\n<thead><tr>{headings}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody>\n</table></div>"
    )


def _row(table: Table, row: tuple[Cell, ...]) -> str:
    pairs = zip(row, table.columns, strict=True)
    return f"<tr>{''.join(_tag('td', cell.text, column, cell.tone) for cell, column in pairs)}</tr>"


def _tag(name: str, text: str, column: Column, tone: Tone = Tone.PLAIN) -> str:
    classes = ["right"] * (column.align is Align.RIGHT) + ["prose"] * column.prose
    classes += [str(tone)] * (tone is not Tone.PLAIN)
    attribute = f' class="{" ".join(classes)}"' if classes else ""
    return f"<{name}{attribute}>{escape(text)}</{name}>"


def _charts(charts: Charts) -> list[str]:
    if not charts:
        return []
    if not can_draw():
        return [f'<p class="notes">{escape(NO_CHARTS)}</p>']
    return ['<div class="charts">', *(render_figure(*figure) for figure in _figures(charts)), "</div>"]


def _figures(charts: Charts) -> Iterator[tuple[str, str, str]]:
    """Title, caption and drawing of each."""
    margin = f"; the band is the margin of ±{charts.margin * 100:.3g}%" if charts.margin else ""
    if charts.changes:
        yield (
            f"Change in {charts.heading}",
            f"With its interval; left is faster. Grey is unproven{margin}.",
            draw_changes(charts),
        )
    if charts.has_differences:
        yield "The rounds behind it", "A dot is one round's change, the line their median.", draw_differences(charts)
    if charts.sizes:
        yield "Time against size", "Lower is faster, further left is smaller.", draw_sizes(charts)
    if charts.drift:
        caption = "Each variant's time against its own median: all move together if the machine changed its speed."
        yield "Drift over the rounds", caption, draw_drift(charts)
    if charts.timeline:
        caption = "What ran at the same time. Each action is drawn once, at the variant that first needed it."
        yield "The build", caption, draw_timeline(charts)


def render_figure(title: str, caption: str, drawing: str) -> str:
    """Write a chart with what it is called and how it is read; the drawing is SVG already."""
    drawing = drawing.replace(_NAMESPACE, "", 1)
    return f"<figure><h2>{escape(title)}</h2>\n<figcaption>{escape(caption)}</figcaption>\n{drawing}\n</figure>"


def _notes(footnotes: tuple[str, ...]) -> list[str]:
    items = "\n".join(f"<li>{escape(note)}</li>" for note in footnotes)
    return [f'<ul class="notes">\n{items}\n</ul>'] if footnotes else []


def _steps(steps: tuple[BuildStep, ...]) -> list[str]:
    if not steps:
        return []
    groups = (
        f"<h2>{escape(variant)}</h2>\n<ol>\n{''.join(map(_step, group))}</ol>"
        for variant, group in groupby(steps, key=lambda step: step.variant)
    )
    return ["\n".join(["<details><summary>How each variant was built</summary>", *groups, "</details>"])]


def _step(step: BuildStep) -> str:
    return f"<li>{escape(step.kind)} ({escape(step.duration)})<br><code>{escape(step.command)}</code></li>\n"
