"""The main chart as a separate picture, for a README: its own background makes it readable on light and dark pages."""

from __future__ import annotations

from optbuild.record.model import RunRecord
from optbuild.report.charts.assemble import assemble_charts
from optbuild.report.charts.changes import draw_changes
from optbuild.report.display import inert_on_ci
from optbuild.report.formats.style import DRAWING, SCHEMES
from optbuild.report.samples import nothing_measured

_PAD = 14
_FONT = "svg { font-family: system-ui, -apple-system, 'Segoe UI', sans-serif; }"
_PAPER = (
    f'<rect x="{-_PAD}" y="{-_PAD}" width="100%" height="100%" rx="8" style="fill: var(--paper); stroke: var(--line)"/>'
)


def render_svg(record: RunRecord) -> str:
    """Draw the changes of all variants over all workloads, each with its interval.

    Raises:
        ToolchainError: Matplotlib is not installed.
        UsageError: The run has no measurements to draw.
    """
    charts = assemble_charts(record)
    if not charts.changes:
        raise nothing_measured(record)
    drawing = draw_changes(charts, only_suite=True, heading=charts.heading)
    head, rest = drawing.split(">", 1)
    return inert_on_ci(f"{_widen(head)}><style>{SCHEMES}\n{DRAWING}\n{_FONT}</style>{_PAPER}{rest}\n")


def _widen(head: str) -> str:
    """Leave room around the drawing for its background."""
    width, height = map(float, head.split('viewBox="0 0 ', 1)[1].split('"', 1)[0].split())
    box = f'viewBox="{-_PAD} {-_PAD} {width + 2 * _PAD:g} {height + 1.5 * _PAD:g}"'
    return head.replace(f'viewBox="0 0 {width:g} {height:g}"', box)
