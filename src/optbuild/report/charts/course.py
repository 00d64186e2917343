"""The course of a run: how fast the machine was in each round, and when each action ran."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from optbuild.report.charts.axes import cut, percent
from optbuild.report.charts.canvas import SERIES, Ink, draw, place
from optbuild.report.charts.model import Bar, Charts

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.patches import Patch

_HEIGHT = 220
_LEFT, _LEGEND, _BOTTOM = 92, 28, 22
_ROW, _LANE_GAP, _BAR = 17, 9, 11
_LEAST_SHARE = 0.004
"""The minimum length of a visible bar, as a share of the time axis."""
_KINDS = {"compile": Ink.FIRST, "train": Ink.SECOND, "merge": Ink.THIRD}
_WORDS = {"compile": "build", "train": "train", "merge": "merge"}
_OTHER = "other"
_UNITS = {"h": 3600, "min": 60, "s": 1}
_STEPS_S = (0.1, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 3600, 7200, 21600, 86400)
_MOST_TICKS = 6


def draw_drift(charts: Charts) -> str:
    """Draw each variant's time in each round, against its own median.

    Raises:
        ToolchainError: Matplotlib is not installed.
    """
    from matplotlib.ticker import FuncFormatter, MaxNLocator  # noqa: PLC0415 - an extra, and slow to load

    def paint(axes: Axes) -> None:
        place(axes, left=52, top=_LEGEND, right=14, bottom=40)
        for number, line in enumerate(charts.drift):
            rounds = range(1, len(line.values) + 1)
            ink = SERIES[number % len(SERIES)].drawn
            style = ("-", "--", ":")[number // len(SERIES) % 3]
            axes.plot(
                rounds,
                line.values,
                style,
                marker="o",
                markersize=3.5,
                linewidth=1.5,
                color=ink,
                label=cut(line.label, 14),
            )
        axes.axhline(0, color=Ink.FAINT.drawn, linewidth=1, zorder=1)
        axes.grid(visible=True, axis="y", color=Ink.LINE.drawn, linewidth=0.6)
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: percent(value, axes.get_ylim())))
        axes.set_xlabel("round", color=Ink.FAINT.drawn, fontsize=10)
        _legend(axes)

    return draw(paint, name="drift", label="time in each round against the variant's own median", height=_HEIGHT)


def draw_timeline(charts: Charts) -> str:
    """Draw each action as a bar; concurrent ones are on separate rows.

    Raises:
        ToolchainError: Matplotlib is not installed.
    """
    from matplotlib.patches import Patch as Swatch  # noqa: PLC0415 - an extra, and slow to load
    from matplotlib.ticker import FuncFormatter, MultipleLocator  # noqa: PLC0415

    lanes = charts.timeline
    bars = [bar for lane in lanes for row in lane.rows for bar in row]
    end_s = max(bar.started_s + bar.duration_s for bar in bars) or 1.0
    step_s = next((step for step in _STEPS_S if end_s / step <= _MOST_TICKS), end_s / _MOST_TICKS)
    unit, unit_s = next((found for found in _UNITS.items() if step_s >= found[1]), ("s", 1))
    height = _LEGEND + _BOTTOM + sum(_LANE_GAP + _ROW * len(lane.rows) for lane in lanes)

    def paint(axes: Axes) -> None:
        place(axes, left=_LEFT, top=_LEGEND, right=18, bottom=_BOTTOM)
        axes.set_ylim(height - _LEGEND - _BOTTOM, 0)
        axes.set_xlim(0, end_s * 1.01)
        axes.set_yticks([])
        top = 0.0
        for lane in lanes:
            axes.axhline(top, color=Ink.LINE.drawn, linewidth=0.6)
            middle = top + (_LANE_GAP + _ROW * len(lane.rows)) / 2
            axes.annotate(
                cut(lane.label, 12), (0, middle), xycoords=("axes fraction", "data"), xytext=(-10, 0),
                textcoords="offset points", ha="right", va="center", color=Ink.TEXT.drawn, fontsize=11,
            )  # fmt: skip
            top += _LANE_GAP / 2
            for row in lane.rows:
                for bar in row:
                    _draw_bar(axes, bar, top + _ROW / 2, end_s)
                top += _ROW
            top += _LANE_GAP / 2
        axes.xaxis.set_major_locator(MultipleLocator(step_s))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / unit_s:g} {unit}" if value else "0"))
        axes.grid(visible=True, axis="x", color=Ink.LINE.drawn, linewidth=0.6)
        found = {_WORDS.get(bar.kind, _OTHER) for bar in bars}
        kinds = [kind for kind in (*_WORDS.values(), _OTHER) if kind in found]
        inks = {_WORDS[kind]: ink for kind, ink in _KINDS.items()}
        handles = [Swatch(color=inks.get(kind, Ink.FOURTH).drawn, label=kind) for kind in kinds]
        if any(bar.reused for bar in bars):
            handles.append(Swatch(facecolor="none", edgecolor=Ink.FAINT.drawn, label="reused"))
        _legend(axes, handles)

    return draw(paint, name="timeline", label="when each action of the build ran", height=height)


def _draw_bar(axes: Axes, bar: Bar, y: float, end_s: float) -> None:
    ink = _KINDS.get(bar.kind, Ink.FOURTH).drawn
    face = "none" if bar.reused else ink
    width = max(bar.duration_s, end_s * _LEAST_SHARE)
    axes.barh(y, width, left=bar.started_s, height=_BAR, facecolor=face, edgecolor=ink, linewidth=1, zorder=3)


def _legend(axes: Axes, handles: list[Patch] | None = None) -> None:
    options: Any = {} if handles is None else {"handles": handles}
    axes.legend(
        **options, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=5, frameon=False, fontsize=10, borderaxespad=0.3,
        handlelength=1.1, handletextpad=0.5, columnspacing=1.3, labelcolor=Ink.TEXT.drawn,
    )  # fmt: skip
