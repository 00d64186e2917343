from __future__ import annotations

import csv
import io
import json
import re
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from optbuild.record.model import RunRecord
from optbuild.report.assemble import assemble
from optbuild.report.formats import FORMATS
from optbuild.report.model import Screen
from optbuild.report.runs_table import render_runs
from optbuild.report.samples import samples_of
from optbuild.report.template import render_template
from optbuild.text import sanitize_line
from tests.unit.report_cases import make_cross_validated, make_measured, make_skipped, rename, with_samples

MARKUP = ("|", "\\", "\\|", "`", "<script>", "</td>", "&lt;", "-->", "[bold]", "[/]", ":smile:", '"', "'")
CONTROLS = ("\n", "\r\n", "\x1b[31m", "\x1b]0;t\x07", "\u202e", "\u2028", "\x85", "\x00")
OTHERS = ("=cmd()", ",", "::error::", "##[error]", "漢字", "e\u0301")
HOSTILE = st.sampled_from(MARKUP + CONTROLS + OTHERS)
NAMES = st.one_of(st.text(max_size=30), st.lists(HOSTILE, min_size=1, max_size=6).map("".join))


RECORDS = (make_measured("a", "b"), make_cross_validated("a", "b", "books"), make_skipped())
NAMED = ("release", "lto", "pgo", "a", "b", "books")


@st.composite
def records(draw: st.DrawFn) -> RunRecord:
    """Records with two workloads and hostile names for everything."""
    return rename(draw(st.sampled_from(RECORDS)), {name: draw(NAMES) for name in NAMED})


@st.composite
def sampled_records(draw: st.DrawFn) -> RunRecord:
    """The same with the measured values; a build profile has no name twice."""
    made = with_samples(draw(st.sampled_from(RECORDS)), rounds=2)
    names = draw(st.lists(NAMES, min_size=len(NAMED), max_size=len(NAMED), unique_by=sanitize_line))
    return rename(made, dict(zip(NAMED, names, strict=True)))


def render(record: RunRecord, name: str, *, width: int = 100, colour: bool = False) -> str:
    """Assemble and write in one format."""
    return FORMATS[name](record, assemble(record), Screen(width=width, colour=colour))


class TagCollector(HTMLParser):
    """Collects the elements of a page and checks that they are closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        assert {name for name, _ in attrs} <= ATTRIBUTES | COORDINATES
        if tag not in {"meta", "br"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        assert {name for name, _ in attrs} <= ATTRIBUTES | COORDINATES

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


PAGE = {"html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "div", "ul", "ol", "li", "br", "code"}
TABLES = {"table", "thead", "tbody", "tr", "th", "td", "details", "summary"}
DRAWING = {"figure", "figcaption", "svg", "g", "path", "defs", "use", "clippath", "rect", "text"}
ATTRIBUTES = {
    "lang",
    "charset",
    "name",
    "content",
    "class",
    "viewbox",
    "role",
    "aria-label",
    "xmlns",
    "id",
    "style",
    "href",
}
COORDINATES = {"x", "y", "width", "height", "d", "transform", "clip-path", "rx"}


@given(record=records())
def test_markdown_tables_keep_their_shape(record: RunRecord) -> None:
    """Every line of a table has as many cells as its rule, whatever the names; no name begins a line."""
    lines = render(record, "markdown").splitlines()
    cells = None
    for line in lines:
        if line.startswith("|"):
            here = len(re.findall(r"(?:\\.|[^|\\])*\|", line))
            assert cells in (None, here)
            cells = here
        else:
            cells = None
            assert re.match(r"$|### |- |\*\*", line)
    assert not re.search(r"(?<!\\)<", "\n".join(lines))


@settings(max_examples=12)  # drawing takes its time, and names are all that differs
@given(record=sampled_records())
@pytest.mark.parametrize("name", ["html", "svg"])
def test_pages_and_pictures_hold_only_our_elements(name: str, record: RunRecord) -> None:
    """Names never become elements, attributes or formulas, and every element is closed."""
    text = render(record, name)
    collector = TagCollector()
    collector.feed(text)
    collector.close()

    assert collector.open == []
    assert collector.tags <= PAGE | TABLES | DRAWING
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]", text)
    if name == "svg":
        ET.fromstring(text)  # noqa: S314 - our own


@given(record=records())
def test_csv_reads_back_what_was_written(record: RunRecord) -> None:
    """A row for each comparison, with the names as they are shown, and none that begins a formula."""
    rows = list(csv.DictReader(io.StringIO(render(record, "csv"), newline=""), strict=True))

    folds = record.cross_validation
    comparisons = (*record.comparisons, *((*folds.trained, *folds.held_out, *folds.optimism) if folds else ()))
    assert len(rows) == len(comparisons)
    for row, comparison in zip(rows, comparisons, strict=True):
        shown = row["candidate"].replace("\u200b", "")
        assert shown.removeprefix("'") == sanitize_line(comparison.candidate).replace("\u200b", "").removeprefix("'")
        assert not shown.startswith(("=", "+", "-", "@"))
        assert float(row["change"]) == comparison.change


@settings(max_examples=30)  # a template is compiled each time
@given(record=records())
def test_a_template_shows_names_as_text(record: RunRecord) -> None:
    """In Markdown no name ends a cell or begins an element, in HTML none is markup, and none commands a CI."""
    report = assemble(record)
    template = "{% for item in variants %}\n| {{ item.name }} |\n{% endfor %}\n{{ table.text }}\n"
    lines = render_template(template, "a.md", record, report).splitlines()
    assert all(len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) == 2 for line in lines[: len(record.variants)])
    assert not any(re.search(r"(?<!\\)<", line) or line.lstrip().startswith("::") for line in lines)

    collector = TagCollector()
    collector.feed(render_template(template, "a.html", record, report))
    assert collector.tags <= PAGE | TABLES


@given(measured=sampled_records())
def test_exports_hold_every_name_in_one_piece(measured: RunRecord) -> None:
    """Trackers find as many series as there are, and no name commands a CI, opens a formula or holds a control."""
    series = {(item.workload, item.variant) for item in samples_of(measured)}
    written = {name: render(measured, name) for name in ("github-benchmark", "bencher", "otava", "hyperfine")}
    for text in written.values():
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]|##\w*\[", text)
        assert not any(line.lstrip().startswith("::") for line in text.splitlines())

    assert len(json.loads(written["github-benchmark"])) >= len(series)
    assert len(json.loads(written["hyperfine"])["results"]) == len(series)
    headings, values = csv.reader(io.StringIO(written["otava"], newline=""), strict=True)
    assert len(headings) == len(values)
    assert not any(cell.startswith(("=", "+", "-", "@")) for cell in headings)


@given(record=records(), width=st.integers(1, 200))
def test_terminal_text_is_inert_without_colour_and_fits(record: RunRecord, width: int) -> None:
    """No control characters but line breaks and no line too long, whatever the names and the width."""
    text = render(record, "terminal", width=width)

    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]", text)
    assert not any(line.lstrip().startswith("::") for line in text.splitlines())
    assert all(cell_len(line) <= max(width, 20) for line in text.splitlines())


@given(record=records())
def test_colour_adds_only_colours(record: RunRecord) -> None:
    """Without its colour sequences a coloured report is the plain one."""
    coloured = render(record, "terminal", colour=True)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", coloured)

    assert "\x1b" not in plain
    assert re.sub(r" +\n", "\n", plain) == render(record, "terminal")


@given(record=records())
def test_every_run_is_one_line_of_the_list(record: RunRecord) -> None:
    """However it is called, a run takes one line below the headings."""
    assert len(render_runs([record, record]).splitlines()) == 3
