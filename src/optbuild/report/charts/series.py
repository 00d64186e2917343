"""A series of runs: each one's change with its interval, and where it changed for good."""

from __future__ import annotations

from typing import TYPE_CHECKING

from optbuild.measure.model import Verdict
from optbuild.report.charts.axes import PERCENT_STEPS, percent
from optbuild.report.charts.canvas import TONES, Ink, draw, place
from optbuild.report.history import JudgedSeries, name_series
from optbuild.report.model import Tone
from optbuild.text import sanitize_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_HEIGHT = 190
_MOST_TICKS = 6
_DASHES = (0, (4, 3))
_DATE = len("2026-01-02")
_TONES = {Verdict.FASTER: Tone.FASTER, Verdict.SLOWER: Tone.SLOWER}


def draw_series(judged: JudgedSeries, *, name: str) -> str:
    """Draw a series; a dashed line stands before each run with which it changed for good.

    Args:
        judged: The series.
        name: Of this drawing among those of the page.

    Raises:
        ToolchainError: The library that draws is not installed.
    """
    from matplotlib.ticker import FuncFormatter, MaxNLocator  # noqa: PLC0415 - an extra, and slow to load

    points = judged.series.points

    def paint(axes: Axes) -> None:
        place(axes, left=52, top=8, right=14, bottom=26)
        axes.set_xlim(-0.5, len(points) - 0.5)
        for index, point in enumerate(points):
            found = point.comparison
            ink = TONES[_TONES.get(found.verdict, Tone.PLAIN)].drawn
            low, high = found.ci_low, found.ci_high
            if low is not None and high is not None:
                axes.plot([index, index], [low, high], color=ink, linewidth=1.6, solid_capstyle="round", zorder=3)
            axes.plot([index], [found.change], "o", color=ink, markersize=4.5, zorder=4, clip_on=False)
        for change in judged.found:
            axes.axvline(change.at - 0.5, color=Ink.TEXT.drawn, linewidth=1, linestyle=_DASHES, zorder=2)
        axes.axhline(0, color=Ink.FAINT.drawn, linewidth=1, zorder=1)
        axes.grid(visible=True, axis="y", color=Ink.LINE.drawn, linewidth=0.6)
        axes.yaxis.set_major_locator(MaxNLocator(_MOST_TICKS, steps=PERCENT_STEPS))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: percent(value, axes.get_ylim())))
        ends = dict.fromkeys((0, len(points) - 1))
        axes.set_xticks([*ends], [sanitize_line(points[index].started_at[:_DATE]) for index in ends])
        if len(ends) > 1:
            first, last = axes.get_xticklabels()
            first.set_horizontalalignment("left")
            last.set_horizontalalignment("right")

    return draw(paint, name=name, label=name_series(judged.series.key), height=_HEIGHT)
