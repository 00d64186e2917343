from __future__ import annotations

from dataclasses import replace

import pytest
from inline_snapshot import snapshot

from optbuild.measure.model import Verdict
from optbuild.record.model import RunStatus
from optbuild.report.display import change_cell, digits_for, inert_on_ci, interval_cell, sentence
from optbuild.report.model import Tone
from optbuild.report.runs_table import render_runs
from tests.unit.report_cases import (
    make_comparison,
    make_failed,
    make_inconclusive,
    make_invalid,
    make_measured,
    rename,
    with_in_sample,
)


@pytest.mark.parametrize(
    ("half_width", "digits"), [(0.2, 0), (0.02, 0), (0.0199, 1), (0.002, 1), (0.0019, 2), (0.00001, 2), (0.0, 2)]
)
def test_digits_end_where_the_interval_does(half_width: float, digits: int) -> None:
    """The half-width is at least two units of the last digit, and there are never more than two digits."""
    assert digits_for(half_width) == digits


@pytest.mark.parametrize(
    ("verdict", "text", "tone"),
    [
        (Verdict.FASTER, "−11.8%", Tone.FASTER),
        (Verdict.SLOWER, "−11.8%", Tone.SLOWER),
        (Verdict.SAME, "~ −11.8%", Tone.PLAIN),
        (Verdict.INCONCLUSIVE, "~ −11.8%", Tone.PLAIN),
        (Verdict.INVALID, "–", Tone.PLAIN),
    ],
)
def test_only_proven_changes_stand_bare_and_in_colour(verdict: Verdict, text: str, tone: Tone) -> None:
    """An invalid one is not printed at all."""
    cell = change_cell(make_comparison("pgo", verdict=verdict))

    assert (cell.text, cell.tone) == (text, tone)


def test_both_ends_of_an_interval_have_signs() -> None:
    """Zero has none."""
    assert interval_cell(make_comparison("pgo", change=0.01, ci_low=0.0, ci_high=0.02)).text == "[0.0, +2.0]"


def test_a_message_of_several_lines_becomes_one() -> None:
    """Controls become visible, line breaks become spaces."""
    assert sentence("a\n  b\x1b[2J\r\nc") == "a b^[[2J c"


@pytest.mark.parametrize("text", ["::error::x", "a\n  ::error::x", "##[error]x", "x ##vso[task.complete]"])
def test_ci_commands_become_inert_without_visible_change(text: str) -> None:
    """Doing it twice changes nothing more; only an invisible space is added."""
    inert = inert_on_ci(text)

    assert inert != text
    assert inert.replace("\u200b", "") == text
    assert inert_on_ci(inert) == inert


@pytest.mark.parametrize("text", ["core::fmt::Display", "## heading", "a: b"])
def test_other_text_passes_ci_inerting(text: str) -> None:
    """Paths of Rust and headings of Markdown are no commands."""
    assert inert_on_ci(text) == text


def test_runs_are_listed_a_line_each() -> None:
    """With the best proven gain, or what became of the best one."""
    measured = make_measured()
    assert measured.project is not None
    bare = replace(
        measured, variants=(), comparisons=(), project=None, status=RunStatus.INTERRUPTED, run_id="20260102-030405-cafe"
    )
    dirty = replace(measured, project=replace(measured.project, git_dirty=True))
    records = [measured, dirty, make_inconclusive(), make_invalid(), make_failed(), bare]

    assert render_runs(records) == snapshot("""\
run                   when              status       commit                  variants           best of the suite
20260102-030405-beef  2026-01-02 03:04  complete     0123456789ab            release, lto, pgo  pgo −11.8% faster
20260102-030405-beef  2026-01-02 03:04  complete     0123456789ab + changes  release, lto, pgo  pgo −11.8% faster
20260102-030405-beef  2026-01-02 03:04  complete     0123456789ab            release, lto, pgo  pgo ~ −1% inconclusive
20260102-030405-beef  2026-01-02 03:04  complete     0123456789ab            release, lto, pgo  pgo invalid
20260102-030405-beef  2026-01-02 03:04  failed       0123456789ab            release, lto, pgo  –
20260102-030405-cafe  2026-01-02 03:04  interrupted  –                       –                  –
""")


def test_runs_put_a_proven_gain_before_a_larger_unproven_one() -> None:
    """The best is what can be believed."""
    comparisons = (
        make_comparison("lto"),
        make_comparison("pgo", verdict=Verdict.INCONCLUSIVE),
    )

    assert "lto −3.1% faster" in render_runs([replace(make_measured(), comparisons=comparisons)])


def test_runs_label_a_gain_on_the_training_input() -> None:
    """The list is read without its reports."""
    record = make_measured("a", "b")
    assert "pgo −11.8% faster (in-sample on 1 of 2)\n" in render_runs([with_in_sample(record, a=True, b=False)])
    assert "pgo −11.8% faster\n" in render_runs([with_in_sample(record, a=False, b=None)])


def test_a_hostile_name_takes_one_line_in_the_list() -> None:
    """Line breaks and escapes are shown, not obeyed."""
    text = render_runs([rename(make_measured(), {"pgo": "a\nb\x1b[31m\r"})])

    assert len(text.splitlines()) == 2
    assert "\x1b" not in text


def test_a_run_that_a_command_made_says_so() -> None:
    """It has no figures, and is not what `optbuild report` takes."""
    assert render_runs([replace(make_failed(), comparisons=(), made_for="verify")]).endswith("  made by verify\n")


def test_no_runs_say_how_to_make_one() -> None:
    """An empty list is an answer with a next step."""
    assert render_runs([]) == "no stored runs; create one: optbuild pgo\n"
