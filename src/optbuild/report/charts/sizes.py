"""Time against size: the cost and the gain of each variant."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from optbuild.report.charts.axes import cut, percent
from optbuild.report.charts.canvas import TONES, Ink, draw, place
from optbuild.report.charts.model import Charts
from optbuild.units import format_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_HEIGHT = 240
_RIM = 0.16


def draw_sizes(charts: Charts) -> str:
    """Draw the variants by size and change; further down is faster, further left is smaller.

    Raises:
        ToolchainError: Matplotlib is not installed.
    """
    from matplotlib.ticker import FuncFormatter, MaxNLocator  # noqa: PLC0415 - an extra, and slow to load

    sizes = [float(point.size_bytes) for point in charts.sizes]
    ends = [end for point in charts.sizes for end in (point.low, point.high)]
    width, height = (max(sizes) - min(sizes)) or max(sizes) * 0.1, (max(ends) - min(ends)) or 0.01

    def paint(axes: Axes) -> None:
        place(axes, left=52, top=12, right=14, bottom=40)
        axes.set_xlim(min(sizes) - width * _RIM, max(sizes) + width * _RIM)
        axes.set_ylim(min(ends) - height * _RIM, max(ends) + height * _RIM)
        axes.axhspan(-charts.margin, charts.margin, color=Ink.BAND.drawn, linewidth=0, zorder=0)
        axes.axhline(0, color=Ink.FAINT.drawn, linewidth=1, zorder=1)
        for point in charts.sizes:
            ink = TONES[point.tone].drawn
            axes.plot([point.size_bytes] * 2, [point.low, point.high], color=ink, linewidth=2, zorder=2)
            axes.plot([point.size_bytes], [point.change], "o", color=ink, markersize=7, zorder=3)
            is_right = point.size_bytes > (min(sizes) + max(sizes)) / 2
            axes.annotate(
                cut(point.label), (point.size_bytes, point.change), xytext=(-9 if is_right else 9, 7),
                textcoords="offset points", ha="right" if is_right else "left", color=Ink.TEXT.drawn, fontsize=11,
            )  # fmt: skip
        axes.grid(visible=True, color=Ink.LINE.drawn, linewidth=0.6)
        unit = 1024 ** int(math.log(max(sizes), 1024))
        ticks = MaxNLocator(4).tick_values(*(end / unit for end in axes.get_xlim()))
        axes.set_xticks([tick * unit for tick in ticks if axes.get_xlim()[0] <= tick * unit <= axes.get_xlim()[1]])
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: format_bytes(value)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: percent(value, axes.get_ylim())))
        axes.set_xlabel("size", color=Ink.FAINT.drawn, fontsize=10)

    return draw(paint, name="sizes", label=f"{charts.heading}, against the size of the binaries", height=_HEIGHT)
