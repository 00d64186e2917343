"""The report of a fleet: from its summary to a report, and from that to text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from optbuild.fleet.results import UnitStatus
from optbuild.fleet.summary import FleetMean, FleetReport, UnitSummary, render_fleet_report
from optbuild.measure.model import Comparison, Verdict
from optbuild.record.model import ErrorRecord
from optbuild.report.charts.model import ChangeGroup, ChangeRow, Charts
from optbuild.report.display import change_cell, digits_for, interval_cell, sentence, tone_of, verdict_cell
from optbuild.report.formats.html import render_html
from optbuild.report.formats.markdown import render_markdown
from optbuild.report.formats.terminal import render_terminal
from optbuild.report.model import NOTHING, Align, Cell, Column, Report, Screen, Table, Tone
from optbuild.text import name_some, sanitize_line
from optbuild.units import format_percent

_MOST_DRAWN = 200
_MOST_NAMED = 20
_ID_DIGITS = 8


def assemble_fleet(report: FleetReport) -> Report:
    """Write what is known of a fleet: verdicts, means, failures, what is missing, and the machines."""
    tables = (_verdict_table(report), _mean_table(report), _failure_table(report), _host_table(report))
    return Report(
        title=_title(report),
        status=tuple(_status(report)),
        tables=tuple(table for table in tables if table.rows),
        footnotes=tuple(_footnotes(report)),
    )


def assemble_fleet_charts(report: FleetReport) -> Charts:
    """The changes of each variant, a row for each project; empty where there are too many to look at."""
    variants = dict.fromkeys(item.candidate for unit in report.units for item in unit.comparisons)
    means = {mean.variant: mean for mean in report.means}
    groups = [ChangeGroup(title=sanitize_line(name), rows=tuple(_chart_rows(report, name, means))) for name in variants]
    groups = [group for group in groups if group.rows]
    if sum(len(group.rows) for group in groups) > _MOST_DRAWN:
        return Charts()
    return Charts(heading="time, each project against its own baseline", changes=tuple(groups))


FLEET_FORMATS: Mapping[str, Callable[[FleetReport, Screen], str]] = {
    "terminal": lambda report, screen: render_terminal(assemble_fleet(report), screen),
    "markdown": lambda report, _screen: render_markdown(assemble_fleet(report)),
    "html": lambda report, _screen: render_html(assemble_fleet(report), assemble_fleet_charts(report)),
    "json": lambda report, _screen: render_fleet_report(report),
}
"""Formats of the report of a fleet."""


def _title(report: FleetReport) -> str:
    counts = {status: sum(unit.status is status for unit in report.units) for status in (*UnitStatus, None)}
    words = {
        UnitStatus.COMPLETE: "complete",
        UnitStatus.INCOMPLETE: "incomplete",
        UnitStatus.FAILED: "failed",
        None: "missing",
    }
    projects = len({unit.project for unit in report.units})
    ended = ", ".join(f"{counts[status]} {word}" for status, word in words.items() if counts[status])
    noun = f"{projects} project{'s' * (projects != 1)}"
    units = "" if projects == len(report.units) else f" in {len(report.units)} units"
    return f"Fleet: {noun}{units}: {ended}"


def _status(report: FleetReport) -> Iterator[str]:
    missing = [unit for unit in report.units if unit.status is None]
    if missing:
        known = _names(report)
        named = name_some([f"{known[unit.id]} [{unit.id[:_ID_DIGITS]}]" for unit in missing], _MOST_NAMED)
        yield f"Without a result: {named}."
        yield "Do what is missing: optbuild fleet run FLEET.toml, with the same --out and --shard."


def _verdict_table(report: FleetReport) -> Table:
    columns = (
        Column(heading="project"),
        Column(heading="target", optional=True),
        Column(heading="variant"),
        Column(heading="change against baseline", align=Align.RIGHT),
        Column(heading="interval, %"),
        Column(heading="verdict"),
    )
    rows = [row for unit in report.units for row in _verdict_rows(unit)]
    return Table(caption="", columns=columns, rows=tuple(rows))


def _verdict_rows(unit: UnitSummary) -> Iterator[tuple[Cell, ...]]:
    who = (Cell(text=sentence(unit.project), foreign=True), _foreign(unit.target))
    if not unit.comparisons:
        word = "missing" if unit.status is None else "not measured" if unit.error is None else "failed"
        tone = Tone.PLAIN if unit.status is None or unit.error is None else Tone.SLOWER
        yield (*who, NOTHING, NOTHING, NOTHING, Cell(text=word, tone=tone))
    for item in unit.comparisons:
        yield (
            *who,
            Cell(text=sentence(item.candidate), foreign=True),
            change_cell(item),
            interval_cell(item),
            verdict_cell(item),
        )


def _mean_table(report: FleetReport) -> Table:
    columns = (
        Column(heading="variant"),
        Column(heading="projects", align=Align.RIGHT),
        Column(heading="geometric mean", align=Align.RIGHT),
        Column(heading="95% interval, %"),
    )
    rows = tuple(
        (
            Cell(text=sentence(mean.variant), foreign=True),
            Cell(text=str(len(mean.projects))),
            *_mean_cells(mean),
        )
        for mean in report.means
    )
    return Table(caption="Over the projects", columns=columns, rows=rows)


def _mean_cells(mean: FleetMean) -> tuple[Cell, Cell]:
    if mean.ci_low is None or mean.ci_high is None:
        return Cell(text=f"({format_percent(mean.change, 0)})"), Cell(text="too few projects")
    digits = digits_for((mean.ci_high - mean.ci_low) / 2)
    low, high = (format_percent(end, digits).rstrip("%") for end in (mean.ci_low, mean.ci_high))
    tone = _mean_tone(mean)
    text = format_percent(mean.change, digits)
    return Cell(text=text if tone is not Tone.PLAIN else f"~ {text}", tone=tone), Cell(text=f"[{low}, {high}]")


def _mean_tone(mean: FleetMean) -> Tone:
    if mean.ci_low is None or mean.ci_high is None:
        return Tone.PLAIN
    return Tone.FASTER if mean.ci_high < 0 else Tone.SLOWER if mean.ci_low > 0 else Tone.PLAIN


def _failure_table(report: FleetReport) -> Table:
    columns = (
        Column(heading="project"),
        Column(heading="failed"),
        Column(heading="why", prose=True),
        Column(heading="what helps", prose=True),
    )
    names = _names(report)
    rows = tuple(
        (
            Cell(text=names[unit.id], foreign=True),
            Cell(text=sentence(unit.error.code), foreign=True),
            Cell(text=sentence(unit.error.message), foreign=True),
            Cell(text=sentence(_remedy(unit.error)), foreign=True),
        )
        for unit in report.units
        if unit.error is not None
    )
    return Table(caption="What failed, and why", columns=columns, rows=rows)


def _remedy(error: ErrorRecord) -> str:
    return error.help if error.location is None else f"{error.help} ({error.location})"


def _host_table(report: FleetReport) -> Table:
    """Which machines measured, where there are several."""
    hosts: dict[tuple[str, int, str], int] = {}
    for unit in report.units:
        if unit.host is not None and unit.comparisons:
            key = (unit.host.cpu or "unknown", unit.host.cores, unit.host.kernel)
            hosts[key] = hosts.get(key, 0) + 1
    columns = (
        Column(heading="machine"),
        Column(heading="cores", align=Align.RIGHT),
        Column(heading="kernel"),
        Column(heading="measured", align=Align.RIGHT),
    )
    rows = tuple(
        (Cell(text=sentence(cpu), foreign=True), Cell(text=str(cores)), _foreign(kernel), Cell(text=str(count)))
        for (cpu, cores, kernel), count in hosts.items()
    )
    return Table(caption="Machines", columns=columns, rows=rows if len(rows) > 1 else ())


def _footnotes(report: FleetReport) -> Iterator[str]:
    if any(unit.comparisons for unit in report.units):
        yield (
            "Each project is compared with its own baseline, on one machine from beginning to end; less is faster. "
            "Times of different projects are not compared."
        )
    if any(unit.in_sample for unit in report.units):
        known = _names(report)
        names = [known[unit.id] for unit in report.units if unit.in_sample]
        shown = ", ".join(names[:_MOST_NAMED]) + (", …" if len(names) > _MOST_NAMED else "")
        yield f"In-sample: measured on an input of the training, so PGO gains less on others: {shown}."
    if any(mean.ci_low is not None for mean in report.means):
        yield (
            "The interval over the projects takes them for a sample of projects like them (Student's t of the "
            "logarithms); a project with several targets counts once."
        )
    if report.duplicates:
        yield f"{len(report.duplicates)} of the units had several results; each counts once."


def _chart_rows(report: FleetReport, variant: str, means: Mapping[str, FleetMean]) -> Iterator[ChangeRow]:
    names = _names(report)
    for unit in report.units:
        for item in unit.comparisons:
            if item.candidate == variant and _has_interval(item):
                yield ChangeRow(
                    label=names[unit.id],
                    note="in-sample" if unit.in_sample else "",
                    change=item.change,
                    low=item.ci_low or 0.0,
                    high=item.ci_high or 0.0,
                    tone=tone_of(item),
                )
    mean = means.get(variant)
    if mean is not None and mean.ci_low is not None and mean.ci_high is not None:
        yield ChangeRow(
            label="all projects",
            note="",
            change=mean.change,
            low=mean.ci_low,
            high=mean.ci_high,
            tone=_mean_tone(mean),
        )


def _has_interval(item: Comparison) -> bool:
    return item.verdict is not Verdict.INVALID and item.ci_low is not None and item.ci_high is not None


def _names(report: FleetReport) -> dict[str, str]:
    """Each unit's project by its id, and the target where a project has several units."""
    counts = Counter(unit.project for unit in report.units)
    return {
        unit.id: sanitize_line(unit.project)
        + (f" ({sanitize_line(unit.target)})" if counts[unit.project] > 1 and unit.target else "")
        for unit in report.units
    }


def _foreign(text: str | None) -> Cell:
    return NOTHING if text is None else Cell(text=sentence(text), foreign=True)
