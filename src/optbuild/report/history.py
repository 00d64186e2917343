"""Describe series of runs: a table for each machine, with lasting changes below it. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from optbuild.measure.change_points import LEAST_SESSIONS, LEAST_SIDE, ChangePoint, find_change_points
from optbuild.record.series import Machine, Point, Series, SeriesKey
from optbuild.report.display import change_cell, interval_cell
from optbuild.report.model import NOTHING, Align, Cell, Column, Report, Table, Tone
from optbuild.text import sanitize_line
from optbuild.units import format_percent

_LEVEL = 0.05
_BARS = "▁▂▃▄▅▆▇█"
_MOST_BARS = 30
_HASH_DIGITS = 8
_DATE = len("2026-01-02")
_COLUMNS = (
    Column(heading="variant"),
    Column(heading="workload"),
    Column(heading="runs", align=Align.RIGHT),
    Column(heading="change, oldest to newest", optional=True),
    Column(heading="last", align=Align.RIGHT),
    Column(heading="95% CI", optional=True),
    Column(heading="lasting change"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedSeries:
    """A series and its lasting changes."""

    series: Series
    found: tuple[ChangePoint, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """All series of some runs.

    Attributes:
        report: For readers.
        judged: The same as data, in the order of the report.
    """

    report: Report
    judged: tuple[JudgedSeries, ...]


def assemble_history(series: Sequence[Series], *, runs: int, of_versions: int = 0) -> History:
    """Judge series and describe them.

    Args:
        series: In any order.
        runs: How many records there were, those without a comparison included.
        of_versions: How many of them compare two versions, and are in no series.
    """
    machines = list(dict.fromkeys(each.key.machine for each in series))
    ordered = sorted(series, key=lambda each: machines.index(each.key.machine))
    groups = groupby(ordered, key=lambda each: each.key.machine)
    judged = tuple(judge for _, group in groups for judge in _judge(tuple(group)))
    tables = tuple(
        _table(machine, [each for each in judged if each.series.key.machine == machine]) for machine in machines
    )
    packages = ", ".join(dict.fromkeys(sanitize_line(each.key.package) for each in series if each.key.package))
    title = f"{packages or 'history'}: {_count(runs, 'run')} on {_count(len(machines), 'machine')}"
    report = Report(
        title=title, tables=tables, footnotes=(*_changes(judged), *_method(judged), *_left_out(of_versions))
    )
    return History(report=report, judged=judged)


def describe_machine(machine: Machine) -> str:
    """A machine in one line, its fingerprint first."""
    parts = (
        machine.cpu or "unknown CPU",
        _count(machine.cores, "core"),
        f"{machine.memory_gib} GiB",
        machine.governor or "",
        machine.target,
    )
    return f"machine {machine.fingerprint}: {', '.join(sanitize_line(part) for part in parts if part)}"


def name_series(key: SeriesKey) -> str:
    """The name of a series in a sentence."""
    where = "all workloads" if key.workload is None else sanitize_line(key.workload)
    return f"{sanitize_line(key.variant)} against {sanitize_line(key.baseline)} on {where}"


def describe_change(point: ChangePoint) -> str:
    """By how much a series moved, in percentage points."""
    moved = format_percent(point.after - point.before).rstrip("%")
    return f"{moved} points ({format_percent(point.before)} to {format_percent(point.after)})"


def _judge(group: tuple[Series, ...]) -> tuple[JudgedSeries, ...]:
    """Look for changes on one machine; all its series share the rate of false alarms."""
    families = Counter(each.key.workload is None for each in group)
    return tuple(
        JudgedSeries(
            series=each,
            found=find_change_points(
                each.changes,
                level=_LEVEL / families[each.key.workload is None],
                least=max(point.min_effect for point in each.points),
            ),
        )
        for each in group
    )


def _table(machine: Machine, judged: Sequence[JudgedSeries]) -> Table:
    return Table(caption=describe_machine(machine), columns=_COLUMNS, rows=tuple(map(_row, judged)))


def _row(judged: JudgedSeries) -> tuple[Cell, ...]:
    key, points = judged.series.key, judged.series.points
    last = points[-1].comparison
    newest = judged.found[-1] if judged.found else None
    against = f"{key.variant} vs {key.baseline}"
    return (
        Cell(text=sanitize_line(against), foreign=True),
        Cell(text="all" if key.workload is None else sanitize_line(key.workload), foreign=key.workload is not None),
        Cell(text=str(len(points))),
        Cell(text=draw_bars(judged.series.changes)),
        change_cell(last),
        interval_cell(last),
        NOTHING if newest is None else Cell(text=_since(newest, points[newest.at]), tone=_tone(newest)),
    )


def draw_bars(values: Sequence[float]) -> str:
    """A sparkline of the newest values: the lowest bar is the smallest, the highest the largest."""
    shown = values[-_MOST_BARS:]
    low, high = min(shown), max(shown)
    steps = len(_BARS) - 1
    return "".join(_BARS[round((value - low) / (high - low) * steps) if high > low else 0] for value in shown)


def _tone(point: ChangePoint) -> Tone:
    return Tone.SLOWER if point.after > point.before else Tone.FASTER


def _since(point: ChangePoint, first: Point) -> str:
    moved = format_percent(point.after - point.before).rstrip("%")
    return f"{moved} points since {sanitize_line(first.started_at[:_DATE])}"


def _changes(judged: Sequence[JudgedSeries]) -> tuple[str, ...]:
    return tuple(_explain(each.series, point) for each in judged for point in each.found)


def _explain(series: Series, change: ChangePoint) -> str:
    before, first = series.points[change.at - 1], series.points[change.at]
    where = f"between {_revision(before)} and {_revision(first)}"
    compiler = "" if before.rustc == first.rustc else f"; rustc changed from {before.rustc} to {first.rustc}"
    return sanitize_line(
        f"{name_series(series.key)} moved by {describe_change(change)} {where}{compiler}; p = {change.p_value:.2g}"
    )


def _revision(point: Point) -> str:
    if point.commit is None:
        return f"run {point.run_id}"
    return f"{point.commit[:_HASH_DIGITS]}{' + changes' * bool(point.dirty)} (run {point.run_id})"


def _method(judged: Sequence[JudgedSeries]) -> tuple[str, ...]:
    if not judged:
        return ("No run has both an interval and a known machine; measure longer: optbuild pgo --max-time 20m",)
    meaning = (
        "Each value is a run's own change against its own baseline, measured in the same minutes: machines are never "
        "mixed, and times of different runs are never compared. If baseline and variant slow down equally, the series "
        "does not change; `optbuild compare` measures two revisions against each other."
    )
    test = (
        f"A lasting change needs {LEAST_SIDE} runs on each side and {LEAST_SESSIONS} in all, is larger than the "
        f"margin, and is found by a rank test with false alarms on {_LEVEL:.0%} of machines over all workloads, and on "
        f"{_LEVEL:.0%} on single ones; a single outlier is not a lasting change."
    )
    return (meaning, test)


def _left_out(of_versions: int) -> tuple[str, ...]:
    if not of_versions:
        return ()
    listed = f"{_count(of_versions, 'comparison')} of versions"
    return (f"Left out: {listed}: an old version is not a baseline that later runs share; see them: optbuild runs",)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
