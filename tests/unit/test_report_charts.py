from __future__ import annotations

import re
import sys
from collections import Counter
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from optbuild.errors import ToolchainError, UsageError
from optbuild.record.model import RunRecord
from optbuild.record.variants import StepRecord
from optbuild.report.assemble import assemble
from optbuild.report.charts.assemble import assemble_charts
from optbuild.report.formats import FORMATS
from optbuild.report.formats.style import DARK, LIGHT
from optbuild.report.model import Screen, Tone
from tests.unit.report_cases import (
    make_inconclusive,
    make_invalid,
    make_measured,
    make_unmeasured,
    make_variant,
    with_samples,
)


def render(record: RunRecord, name: str) -> str:
    """Assemble and write in one format."""
    return FORMATS[name](record, assemble(record), Screen())


def make_step(action: str, started_s: float | None, duration_s: float, *, reused: bool = False) -> StepRecord:
    """An action of a build."""
    return StepRecord(
        action=action, kind="compile", argv=(), duration_s=duration_s, reused=reused, log=None, started_s=started_s
    )


def test_all_workloads_come_before_each() -> None:
    """A row for each variant that has an interval; one workload alone needs no mean."""
    charts = assemble_charts(with_samples(make_measured("a", "b")))

    assert [group.title for group in charts.changes] == ["all 2 workloads", "a", "b"]
    assert [row.label for row in charts.changes[0].rows] == ["lto", "pgo"]
    assert [group.title for group in assemble_charts(make_measured()).changes] == ["books"]


def test_a_round_s_change_is_that_of_means_of_logarithms() -> None:
    """Shifts that all variants of a round share cancel out: every round has the change of the medians."""
    rows = assemble_charts(with_samples(make_measured("a", "b"), rounds=4)).changes[0].rows

    assert [len(row.differences) for row in rows] == [4, 4]
    assert rows[1].differences == pytest.approx([-0.118] * 4)


def test_colour_is_for_what_is_proven() -> None:
    """Rows that prove nothing are grey."""
    rows = assemble_charts(make_inconclusive()).changes[0].rows
    assert {row.tone for row in rows} == {Tone.PLAIN}


def test_invalid_changes_are_not_drawn() -> None:
    """No chart shows what no table shows."""
    charts = assemble_charts(with_samples(make_invalid()))
    assert charts.changes == ()
    assert charts.sizes == ()


def test_drift_is_against_a_variant_s_own_median() -> None:
    """What the machine did shows, and what the variant gains does not."""
    lines = assemble_charts(with_samples(make_measured(), rounds=5)).drift

    assert [line.label for line in lines] == ["release", "lto", "pgo"]
    assert lines[0].values == pytest.approx(lines[2].values)
    assert sorted(lines[0].values)[2] == pytest.approx(0.0)


def test_the_timeline_draws_each_action_once() -> None:
    """A training that two variants share stands at the first; what ran at the same time has rows of its own."""
    shared = make_step("train", 0.0, 4.0)
    variants = (
        make_variant("release", steps=(shared, make_step("a", 1.0, 2.0), make_step("b", 4.5, 1.0, reused=True))),
        make_variant("pgo", steps=(shared, make_step("c", 5.0, 1.0))),
        make_variant("lto", steps=(make_step("d", None, 1.0),)),
    )
    lanes = assemble_charts(make_unmeasured(variants=variants)).timeline

    assert [lane.label for lane in lanes] == ["release", "pgo"]
    assert [[bar.started_s for bar in row] for row in lanes[0].rows] == [[0.0, 4.5], [1.0]]
    assert lanes[0].rows[0][1].reused


def test_a_page_has_every_chart_in_one_piece() -> None:
    """Five drawings with real text, whose ids are each used once in the page, and no colour but the page's own."""
    record = with_samples(make_measured("a", "b"))
    record = replace(
        record, variants=(make_variant("release", steps=(make_step("a", 0.0, 1.0),)), *record.variants[1:])
    )
    page = render(record, "html")
    drawings = re.findall("<svg.*?</svg>", page, flags=re.DOTALL)

    assert len(drawings) == 5
    assert all("<text" in drawing for drawing in drawings)
    ids = Counter(re.findall(r'\bid="([^"]+)"', page))
    assert set(ids.values()) == {1}
    assert set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', page)) == {(one, "") for one in ids if "-m" in one} | {
        ("", one) for one in ids if "-p" in one
    }
    assert set(re.findall(r"#[0-9a-fA-F]{6}", page)) <= {*LIGHT.values(), *DARK.values()}
    assert set(re.findall(r"var\((--[a-z]+)\)", page)) <= LIGHT.keys()
    assert LIGHT.keys() == DARK.keys()


def test_drawings_are_the_same_each_time() -> None:
    """A committed picture changes only where the run does."""
    record = with_samples(make_measured("a", "b"))
    assert render(record, "svg") == render(record, "svg")
    assert render(record, "html") == render(record, "html")


def test_the_picture_stands_alone() -> None:
    """One SVG document with both colour schemes and its own paper, which asks for nothing else."""
    text = render(make_measured("a", "b"), "svg")
    root = ET.fromstring(text)  # noqa: S314 - our own

    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "prefers-color-scheme: dark" in text
    assert "--paper" in text.split("<rect")[1].split("/>")[0]
    assert re.findall('https?://[^"]*', text) == ["http://www.w3.org/2000/svg"]


@pytest.mark.parametrize("record", [make_unmeasured(), make_invalid()])
def test_a_picture_of_nothing_is_refused(record: RunRecord) -> None:
    """An empty chart would be committed unseen."""
    with pytest.raises(UsageError, match="holds no measurements"):
        render(record, "svg")


def test_without_matplotlib_there_are_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """The base install is without the extra: a page says what to install, a picture is refused with the same words."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    page = render(make_measured(), "html")

    assert "<table>" in page
    assert "<svg" not in page
    assert "pip install &#x27;cargo-optbuild[charts]&#x27;" in page
    with pytest.raises(ToolchainError, match="matplotlib") as caught:
        render(make_measured(), "svg")
    assert caught.value.help == "pip install 'cargo-optbuild[charts]'"


@pytest.mark.parametrize("name", ["$x$", "a\nb", "漢字", "<script>", "&amp;", "\u202eabc", "-" * 200, ""])
def test_names_are_text_in_drawings(name: str) -> None:
    """No formula, no markup, no warning for want of a font; what is too long is cut."""
    record = with_samples(make_measured())
    record = replace(record, comparisons=tuple(replace(item, candidate=name) for item in record.comparisons))
    text = render(record, "svg")

    ET.fromstring(text)  # noqa: S314 - our own
    assert "<script" not in text
    assert "-" * 100 not in text
