"""Intervals drawn as SVG: a row per variant, the zero line, and the band of changes too small to matter."""

from __future__ import annotations

import math
from html import escape

from optbuild.report.in_sample import labelled
from optbuild.report.model import IntervalPlot, PlottedInterval
from optbuild.units import format_percent

_WIDTH = 400
_LEFT, _RIGHT = 10, 390
_ROW_HEIGHT = 34
_AXIS_HEIGHT = 22
_MOST_TICKS = 6
_LABEL_LENGTH = 28
_NICE = (1, 2, 5, 10)


def render_plot(plot: IntervalPlot) -> str:
    """Draw the plot; colours and fonts come from the page's style, the same facts stand in its table."""
    low = min(-plot.margin, *(row.low for row in plot.rows))
    high = max(plot.margin, *(row.high for row in plot.rows))
    rim = (high - low) * 0.04 or 0.01
    axis = _Axis(low - rim, high + rim)
    bottom = _ROW_HEIGHT * len(plot.rows)
    height = bottom + _AXIS_HEIGHT
    band = axis.at(plot.margin) - axis.at(-plot.margin)
    return "\n".join(
        [
            f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{escape(plot.heading)}">',
            f'<rect class="margin" x="{axis.at(-plot.margin):.1f}" y="0" width="{band:.1f}" height="{bottom}"/>',
            *(_tick(axis, value, bottom) for value in axis.ticks()),
            f'<line class="zero" x1="{axis.at(0):.1f}" y1="0" x2="{axis.at(0):.1f}" y2="{bottom}"/>',
            *(_row(axis, row, index * _ROW_HEIGHT) for index, row in enumerate(plot.rows)),
            "</svg>",
        ]
    )


class _Axis:
    """Changes from left to right."""

    def __init__(self, low: float, high: float) -> None:
        self.low = low
        self.high = high

    def at(self, change: float) -> float:
        return _LEFT + (change - self.low) / (self.high - self.low) * (_RIGHT - _LEFT)

    @property
    def step(self) -> float:
        """The smallest step of 1, 2 or 5 times a power of ten that gives few enough ticks."""
        least = (self.high - self.low) / _MOST_TICKS
        power = 10.0 ** math.floor(math.log10(least))
        return next(nice * power for nice in _NICE if nice * power >= least * (1 - 1e-9))

    def ticks(self) -> list[float]:
        first, last = math.ceil(self.low / self.step), math.floor(self.high / self.step)
        return [number * self.step for number in range(first, last + 1)]


def _tick(axis: _Axis, value: float, bottom: int) -> str:
    digits = max(-math.floor(math.log10(axis.step * 100) + 1e-9), 0)
    x = f"{axis.at(value):.1f}"
    return (
        f'<line class="grid" x1="{x}" y1="0" x2="{x}" y2="{bottom}"/>'
        f'<text class="tick" x="{x}" y="{bottom + 15}">{format_percent(value, digits)}</text>'
    )


def _row(axis: _Axis, row: PlottedInterval, top: int) -> str:
    label = row.label if len(row.label) <= _LABEL_LENGTH else f"{row.label[: _LABEL_LENGTH - 1]}…"
    shown = labelled(label, row.note)
    y = top + 24
    return (
        f'<g class="{row.tone}"><title>{escape(f"{labelled(row.label, row.note)}: {row.words}")}</title>'
        f'<text x="{_LEFT}" y="{top + 14}">{escape(shown)}</text>'
        f'<line class="interval" x1="{axis.at(row.low):.1f}" y1="{y}" x2="{axis.at(row.high):.1f}" y2="{y}"/>'
        f'<circle cx="{axis.at(row.change):.1f}" cy="{y}" r="4"/></g>'
    )
