"""The common parts of several charts: labels that fit, axes of changes, the band of the margin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from optbuild.report.charts.canvas import Ink
from optbuild.units import format_percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LABEL_LENGTH = 15
_RIM = 0.05
PERCENT_STEPS = (1, 2, 5, 10)
_MOST_TICKS = 5
_WHOLE_PERCENT = 0.00999


def cut(label: str, length: int = LABEL_LENGTH) -> str:
    """Shorten a label to fit."""
    return label if len(label) <= length else f"{label[: length - 1]}…"


def show_changes(axes: Axes, values: list[float], margin: float) -> None:
    """Make the horizontal axis show changes, with the zero line and the band of irrelevant changes."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator  # noqa: PLC0415 - an extra, and slow to load

    low, high = min(-margin, 0.0, *values), max(margin, 0.0, *values)
    rim = (high - low) * _RIM or 0.01
    axes.set_xlim(low - rim, high + rim)
    axes.axvspan(-margin, margin, color=Ink.BAND.drawn, linewidth=0, zorder=0)
    axes.axvline(0, color=Ink.FAINT.drawn, linewidth=1, zorder=1)
    axes.xaxis.set_major_locator(MaxNLocator(_MOST_TICKS, steps=PERCENT_STEPS))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: percent(value, axes.get_xlim())))
    axes.grid(visible=True, axis="x", color=Ink.LINE.drawn, linewidth=0.6)


def percent(value: float, limits: tuple[float, float]) -> str:
    """Format a tick's change with the digits that the axis needs."""
    return format_percent(value, 0 if limits[1] - limits[0] > _MOST_TICKS * _WHOLE_PERCENT else 1)
