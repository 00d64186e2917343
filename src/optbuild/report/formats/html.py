"""One page that needs nothing else: tables, intervals drawn, footnotes, and how everything was built."""

from __future__ import annotations

from html import escape
from itertools import groupby

from optbuild.report.display import inert_on_ci
from optbuild.report.formats.interval_plot import render_plot
from optbuild.report.model import Align, BuildStep, Cell, Report, Table, Tone

_STYLE = """
:root { color-scheme: light dark; --ink: #1a1a1a; --paper: #fff; --faint: #666; --line: #d5d5d5; --band: #eee;
  --faster: #146c2e; --slower: #b3261e; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e6e6; --paper: #161616; --faint: #a0a0a0; --line: #3a3a3a; --band: #262626;
    --faster: #7bd88f; --slower: #ff8a80; } }
body { margin: 0 auto; padding: 1.25rem; max-width: 60rem; color: var(--ink); background: var(--paper);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.3rem; } h2 { font-size: 1.05rem; margin-top: 2rem; }
.status { border-left: 4px solid var(--slower); padding-left: .75rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; overflow-wrap: normal; }
th, td { padding: .3rem .75rem; text-align: left; white-space: nowrap; border-bottom: 1px solid var(--line); }
th { vertical-align: bottom; white-space: normal; } .right { text-align: right; }
td.faster { color: var(--faster); } td.slower { color: var(--slower); }
figure { margin: 1.5rem 0; max-width: 36rem; } figcaption { color: var(--faint); font-size: .9rem; }
svg { width: 100%; height: auto; font: 12px system-ui, sans-serif; fill: currentColor; }
svg .margin { fill: var(--band); } svg .grid { stroke: var(--line); stroke-width: .5; }
svg .zero { stroke: currentColor; } svg .tick { fill: var(--faint); text-anchor: middle; font-size: 10px; }
svg .interval { stroke: currentColor; stroke-width: 2; } svg g { color: var(--faint); }
svg g.faster { color: var(--faster); } svg g.slower { color: var(--slower); } svg g text { fill: var(--ink);
  stroke: var(--paper); stroke-width: 3; paint-order: stroke; }
.notes { padding-left: 1.1rem; color: var(--faint); font-size: .9rem; }
@media (max-width: 30rem) { th, td { padding: .3rem .4rem; } }
details { margin-top: 1.5rem; } summary { cursor: pointer; }
code { font-size: .85rem; white-space: pre-wrap; }
"""


def render_html(report: Report, figures: tuple[str, ...] = ()) -> str:
    """Write a page without scripts or outside resources; all text is escaped here, but for figures of our own."""
    title = escape(report.title)
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        '<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{title}</title>",
        f"<style>{_STYLE}</style></head>",
        f"<body><h1>{title}</h1>",
        *(f'<p class="status">{escape(line)}</p>' for line in report.status),
        *(_table(table) for table in report.tables[:1]),
        *_figure(report),
        *(_table(table) for table in report.tables[1:]),
        *figures,
        *_notes(report.footnotes),
        *_steps(report.steps),
        "</body></html>",
    ]
    return inert_on_ci("\n".join(parts) + "\n")


def _table(table: Table) -> str:
    caption = f"<h2>{escape(table.caption)}</h2>\n" if table.caption else ""
    headings = "".join(_tag("th", column.heading, column.align) for column in table.columns)
    body = "\n".join(_row(table, row) for row in table.rows)
    return (
        f'{caption}<div class="wide"><table>\n<thead><tr>{headings}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody>\n</table></div>"
    )


def _row(table: Table, row: tuple[Cell, ...]) -> str:
    pairs = zip(row, table.columns, strict=True)
    return f"<tr>{''.join(_tag('td', cell.text, column.align, cell.tone) for cell, column in pairs)}</tr>"


def _tag(name: str, text: str, align: Align, tone: Tone = Tone.PLAIN) -> str:
    classes = ["right"] * (align is Align.RIGHT) + [str(tone)] * (tone is not Tone.PLAIN)
    attribute = f' class="{" ".join(classes)}"' if classes else ""
    return f"<{name}{attribute}>{escape(text)}</{name}>"


def _figure(report: Report) -> list[str]:
    if report.plot is None:
        return []
    caption = f"{report.plot.heading}; the band is the margin of ±{report.plot.margin * 100:.3g}%"
    return [f"<figure>\n{render_plot(report.plot)}\n<figcaption>{escape(caption)}</figcaption>\n</figure>"]


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
