"""The formats of series of runs: as text, as a page with charts, and for spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from html import escape

from optbuild.report.charts.canvas import can_draw
from optbuild.report.charts.series import draw_series
from optbuild.report.display import inert_on_ci
from optbuild.report.formats.csv import inert_in_sheets
from optbuild.report.formats.html import NO_CHARTS, render_figure, render_html
from optbuild.report.formats.terminal import render_terminal
from optbuild.report.history import History, JudgedSeries, name_series
from optbuild.report.model import Screen

_HEADINGS = (
    *("machine", "package", "metric", "baseline", "variant", "scope", "workload"),
    *("run_id", "started_at", "commit", "dirty", "rustc"),
    *("change", "ci_low", "ci_high", "confidence", "verdict", "lasting_change", "lasting_change_p_value"),
)


def render_history_csv(history: History) -> str:
    """Write a row for each run of each series, as in RFC 4180; the row that begins a lasting change has its size."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow(_HEADINGS)
    writer.writerows(row for judged in history.judged for row in _rows(judged))
    return inert_on_ci(stream.getvalue())


def render_history_html(history: History) -> str:
    """Write a page without scripts or outside resources: the tables, and a chart for each series."""
    if not history.judged:
        return render_html(history.report)
    if not can_draw():
        return render_html(history.report, figures=(f'<p class="notes">{escape(NO_CHARTS)}</p>',))
    figures = (
        render_figure(
            name_series(judged.series.key),
            f"Machine {judged.series.key.machine.fingerprint}; less is faster, grey is unproven, a dashed line is a "
            "lasting change.",
            draw_series(judged, name=f"series-{number}"),
        )
        for number, judged in enumerate(history.judged)
    )
    return render_html(history.report, figures=('<div class="charts">', *figures, "</div>"))


def _rows(judged: JudgedSeries) -> list[tuple[str | float | None, ...]]:
    key = judged.series.key
    changes = {change.at: change for change in judged.found}
    common = (
        key.machine.fingerprint,
        *map(inert_in_sheets, (key.package, key.metric, key.baseline, key.variant)),
        "suite" if key.workload is None else "workload",
        inert_in_sheets(key.workload or ""),
    )
    return [
        (
            *common,
            *map(inert_in_sheets, (point.run_id, point.started_at, point.commit or "")),
            "" if point.dirty is None else str(point.dirty).lower(),
            inert_in_sheets(point.rustc),
            point.comparison.change,
            point.comparison.ci_low,
            point.comparison.ci_high,
            point.comparison.confidence,
            str(point.comparison.verdict),
            changes[index].after - changes[index].before if index in changes else None,
            changes[index].p_value if index in changes else None,
        )
        for index, point in enumerate(judged.series.points)
    ]


HISTORY_FORMATS: Mapping[str, Callable[[History, Screen], str]] = {
    "terminal": lambda history, screen: render_terminal(history.report, screen),
    "html": lambda history, _screen: render_history_html(history),
    "csv": lambda history, _screen: render_history_csv(history),
}
