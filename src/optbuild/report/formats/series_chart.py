"""One series drawn as SVG: each run's change with its interval, the zero line, and lasting changes."""

from __future__ import annotations

from html import escape

from optbuild.report.history import JudgedSeries, name_series
from optbuild.text import sanitize_line
from optbuild.units import format_percent

_WIDTH, _HEIGHT = 400, 150
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 390, 10, 140


def render_series_chart(judged: JudgedSeries) -> str:
    """Draw a series; colours and fonts come from the page's style, and its table has the same facts."""
    points = judged.series.points
    ends = [end for point in points for end in _ends(point.comparison.ci_low, point.comparison.ci_high)]
    low, high = min(0.0, *ends), max(0.0, *ends)
    rim = (high - low) * 0.06 or 0.01
    low, high = low - rim, high + rim

    def x(index: float) -> str:
        return f"{_LEFT + (_RIGHT - _LEFT) * (index + 0.5) / len(points):.1f}"

    def y(change: float) -> str:
        return f"{_BOTTOM - (change - low) / (high - low) * (_BOTTOM - _TOP):.1f}"

    rows = (
        f"<g><title>{escape(sanitize_line(f'{point.started_at[:10]} {point.run_id}: {point.comparison.change:+.1%}'))}"
        f'</title><line class="interval" x1="{x(index)}" y1="{y(point.comparison.ci_low or 0.0)}" x2="{x(index)}" '
        f'y2="{y(point.comparison.ci_high or 0.0)}"/>'
        f'<circle cx="{x(index)}" cy="{y(point.comparison.change)}" r="3"/></g>'
        for index, point in enumerate(points)
    )
    marks = (
        f'<line class="zero" stroke-dasharray="4 3" x1="{x(change.at - 0.5)}" y1="{_TOP}" x2="{x(change.at - 0.5)}" '
        f'y2="{_BOTTOM}"/>'
        for change in judged.found
    )
    return "\n".join(
        [
            f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(name_series(judged.series.key))}">',
            *(
                f'<line class="grid" x1="{_LEFT}" y1="{y(value)}" x2="{_RIGHT}" y2="{y(value)}"/>'
                f'<text class="tick" x="{_LEFT - 22}" y="{y(value)}">{format_percent(value)}</text>'
                for value in dict.fromkeys((low + rim, 0.0, high - rim))
            ),
            f'<line class="zero" x1="{_LEFT}" y1="{y(0.0)}" x2="{_RIGHT}" y2="{y(0.0)}"/>',
            *marks,
            *rows,
            "</svg>",
        ]
    )


def _ends(low: float | None, high: float | None) -> tuple[float, ...]:
    return tuple(end for end in (low, high) if end is not None)
