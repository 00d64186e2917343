"""The formats of a report. To add one, write its function and give it a line in `FORMATS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from optbuild.profile.gates import GateSettings
from optbuild.record.model import RunRecord
from optbuild.report.charts.assemble import assemble_charts
from optbuild.report.formats.bencher import render_bencher
from optbuild.report.formats.csv import render_csv
from optbuild.report.formats.github import render_github
from optbuild.report.formats.github_benchmark import render_github_benchmark
from optbuild.report.formats.html import render_html
from optbuild.report.formats.hyperfine import render_hyperfine
from optbuild.report.formats.in_toto import render_in_toto
from optbuild.report.formats.json import render_evidence_json, render_json
from optbuild.report.formats.junit import render_junit, render_run_junit
from optbuild.report.formats.markdown import render_markdown
from optbuild.report.formats.otava import render_otava
from optbuild.report.formats.svg import render_svg
from optbuild.report.formats.terminal import render_terminal
from optbuild.report.gates import assemble_gates
from optbuild.report.model import Report, Screen
from optbuild.report.release_notes import with_contributions

Format = Callable[[RunRecord, Report, Screen], str]
"""Formats for readers write the report, those for machines the record behind it."""

FORMATS: Mapping[str, Format] = {
    "terminal": lambda _record, report, screen: render_terminal(report, screen),
    "markdown": lambda record, report, _screen: render_markdown(with_contributions(record, report)),
    "html": lambda record, report, _screen: render_html(with_contributions(record, report), assemble_charts(record)),
    "svg": lambda record, _report, _screen: render_svg(record),
    "json": lambda record, _report, _screen: render_json(record),
    "csv": lambda record, _report, _screen: render_csv(record),
    "github-benchmark": lambda record, _report, _screen: render_github_benchmark(record),
    "bencher": lambda record, _report, _screen: render_bencher(record),
    "otava": lambda record, _report, _screen: render_otava(record),
    "hyperfine": lambda record, _report, _screen: render_hyperfine(record),
    "junit": lambda record, _report, _screen: render_run_junit(record),
    "in-toto": lambda record, _report, _screen: render_in_toto(record),
}

TITLED = ("terminal", "markdown", "html")
"""Formats with a heading that `--title` replaces."""

EVIDENCE_FORMATS: Mapping[str, Format] = {
    "terminal": FORMATS["terminal"],
    "markdown": lambda _record, report, _screen: render_markdown(report),
    "html": lambda _record, report, _screen: render_html(report),
    "json": lambda record, _report, _screen: render_evidence_json(record),
}
"""Formats of the page of evidence, which has no comparisons for a spreadsheet."""

GATE_FORMATS: Mapping[str, Callable[[RunRecord, GateSettings, Screen], str]] = {
    "terminal": lambda record, gates, screen: render_terminal(assemble_gates(record, gates), screen),
    "markdown": lambda record, gates, _screen: render_markdown(assemble_gates(record, gates)),
    "junit": lambda record, gates, _screen: render_junit(record, gates),
    "github": lambda record, gates, _screen: render_github(record, gates),
}
"""Formats of the findings of `optbuild check`."""
