"""Changes with their intervals, and the rounds behind them, a row for each variant and workload."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from optbuild.report.charts.axes import cut, show_changes
from optbuild.report.charts.canvas import TONES, Ink, draw, place
from optbuild.report.charts.model import ChangeGroup, ChangeRow, Charts
from optbuild.units import format_percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LEFT, _TITLE, _ROW, _GAP, _BOTTOM = 116, 24, 23, 4, 22
_NOTE_RISE = 5
_TITLE_LENGTH = 44
_VALUES = 58
_JITTER = (0.0, 0.2, -0.2, 0.1, -0.1)
_WHISKER = 0.28
Placed = tuple[float, ChangeGroup | ChangeRow]


def draw_changes(charts: Charts, *, only_suite: bool = False, heading: str = "") -> str:
    """Draw the intervals; with `only_suite` only those over all workloads, below a separate heading.

    Raises:
        ToolchainError: Matplotlib is not installed.
    """
    groups = charts.changes
    if only_suite:
        groups = (replace(groups[0], title=f"{heading}, {groups[0].title}"),)

    def paint(axes: Axes) -> None:
        rows = _lay_out(axes, groups, right=_VALUES)
        for y, row in rows:
            ink = TONES[row.tone].drawn
            axes.plot([row.low, row.high], [y, y], color=ink, linewidth=2.4, solid_capstyle="round", zorder=3)
            axes.plot([row.change], [y], "o", color=ink, markersize=6.5, zorder=4, clip_on=False)
            axes.annotate(
                format_percent(row.change, 0 if row.high - row.low > 0.04 else 1),  # noqa: PLR2004 - what it supports
                (1, y), xycoords=("axes fraction", "data"), xytext=(10, 0), textcoords="offset points",
                va="center", color=ink if row.tone.value != "plain" else Ink.TEXT.drawn,
            )  # fmt: skip
        show_changes(axes, [end for _, row in rows for end in (row.low, row.high)], charts.margin)

    return draw(paint, name="changes", label=f"{charts.heading}: changes with their intervals", height=_height(groups))


def draw_differences(charts: Charts) -> str:
    """Draw the change of every round as a dot, and a line at their median.

    Raises:
        ToolchainError: Matplotlib is not installed.
    """
    groups = tuple(
        replace(group, rows=rows)
        for group in charts.changes
        if (rows := tuple(row for row in group.rows if row.differences))
    )

    def paint(axes: Axes) -> None:
        rows = _lay_out(axes, groups, right=14)
        for y, row in rows:
            ink = TONES[row.tone].drawn
            offsets = [y + _JITTER[number % len(_JITTER)] for number in range(len(row.differences))]
            axes.plot(row.differences, offsets, "o", color=ink, alpha=0.5, markersize=4.5, markeredgewidth=0, zorder=3)
            middle = statistics.median(row.differences)
            axes.plot([middle, middle], [y - _WHISKER, y + _WHISKER], color=Ink.TEXT.drawn, linewidth=1.8, zorder=4)
        show_changes(axes, [value for _, row in rows for value in row.differences], charts.margin)

    label = f"{charts.heading}: the change in each round"
    return draw(paint, name="differences", label=label, height=_height(groups))


def _height(groups: tuple[ChangeGroup, ...]) -> float:
    return _BOTTOM + sum(_TITLE + _GAP + _ROW * len(group.rows) for group in groups)


def _lay_out(axes: Axes, groups: tuple[ChangeGroup, ...], *, right: float) -> list[tuple[float, ChangeRow]]:
    """Write titles and labels, with one unit of the vertical axis per row; return the position of each row."""
    place(axes, left=_LEFT, top=0, right=right, bottom=_BOTTOM)
    axes.set_ylim((_height(groups) - _BOTTOM) / _ROW, 0)
    axes.set_yticks([])
    found = []
    for y, item in _places(groups):
        if isinstance(item, ChangeRow):
            found.append((y, item))
            _write_label(axes, y, item)
        else:
            axes.annotate(
                cut(item.title, _TITLE_LENGTH), (0, y), xycoords=("figure fraction", "data"), va="center",
                color=Ink.FAINT.drawn, fontweight="bold",
            )  # fmt: skip
    return found


def _write_label(axes: Axes, y: float, row: ChangeRow) -> None:
    """Write a variant's name, and its note below in small print."""
    place_of: Any = {
        "xycoords": ("axes fraction", "data"),
        "textcoords": "offset points",
        "ha": "right",
        "va": "center",
    }
    up = _NOTE_RISE if row.note else 0
    axes.annotate(cut(row.label), (0, y), xytext=(-10, up), color=Ink.TEXT.drawn, **place_of)
    if row.note:
        axes.annotate(row.note, (0, y), xytext=(-10, -up - 1), color=Ink.FAINT.drawn, fontsize=8.5, **place_of)


def _places(groups: tuple[ChangeGroup, ...]) -> Iterator[Placed]:
    top = 0.0
    for group in groups:
        yield (top + (_TITLE + _GAP) / 2) / _ROW, group
        top += _TITLE + _GAP
        for row in group.rows:
            yield (top + _ROW / 2) / _ROW, row
            top += _ROW
