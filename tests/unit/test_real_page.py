from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from optbuild.measure.statistics import detectable_effect
from validation import real, real_page
from validation.real_page import Report, render

HOST = {"cpu": "Slide Rule 9", "cores": 1, "kernel": "Linux 9", "governor": None}


def make_report(share: float = 0.0, change: float = 0.0, half_width: float = 0.01, **given: Any) -> Report:  # noqa: ANN401 - its fields
    """A report whose interval lies evenly around the change."""
    return {
        "share": share,
        "seconds": 10,
        "change": change,
        "ci_low": change - half_width,
        "ci_high": change + half_width,
        "verdict": "inconclusive",
        "rounds": 10,
        "aa": "ok",
        "steal_ratio": 0.01,
        "noisy": False,
        "host": HOST,
        "hyperfine": None,
        **given,
    }


def row(page: str, *beginnings: str) -> list[str]:
    """The cells of the first row, in the section whose title comes first, that begins so."""
    title, beginning = beginnings
    section = page.partition(f"## {title}")[2].partition("\n## ")[0]
    (line,) = [line for line in section.splitlines() if line.startswith(f"| {beginning} |")]
    return line.strip("| ").split(" | ")


def outcome(page: str, title: str) -> str:
    """What the summary says of a target."""
    (line,) = [line for line in page.splitlines() if line.startswith(f"| {title} |")]
    return line.strip("| ").split(" | ")[-1]


@pytest.mark.parametrize(
    ("false", "of", "bound", "judged"),
    [(0, 200, "1.5%", "met"), (4, 200, "4.5%", "met"), (5, 200, "5.2%", "missed"), (0, 199, "1.5%", "undecided")],
)
def test_false_verdicts_are_told_in_one_sentence(false: int, of: int, bound: str, judged: str) -> None:
    """With the bound that the claim rests on: of 200 reports four may err, and of fewer nothing is claimed."""
    verdicts = ["slower", "faster", "invalid", "faster", "slower"][:false]
    page = render([make_report(verdict=verdict) for verdict in verdicts] + [make_report()] * (of - false))
    assert f"\n\nIn {of} A/A reports, {false} false verdicts (95% upper bound {bound}).\n\n" in page
    assert outcome(page, "False verdicts") == judged


def test_all_reports_false_are_no_division_by_zero() -> None:
    """The bound is then all of them."""
    assert "In 1 A/A reports, 1 false verdicts (95% upper bound 100.0%)." in render([make_report(verdict="slower")])


def test_what_a_report_says_without_a_margin_is_counted_too() -> None:
    """Intervals that exclude zero, and what the harness said of itself."""
    reports = [make_report(change=0.02), make_report(aa="warning"), make_report(aa="invalid"), make_report(ci_low=None)]
    page = render(reports)
    assert row(page, "False verdicts", "the same without a margin: the 95% interval excludes zero")[1][:6] == "1 of 3"
    assert row(page, "False verdicts", "the harness called invalid")[1][:6] == "1 of 4"
    assert row(page, "False verdicts", "the harness warned about")[1][:6] == "1 of 4"


def with_every_share(held: int, of: int) -> list[Report]:
    """So many of so many intervals hold the share, at each share."""
    return [
        make_report(share, change=share + (number >= held) * 0.5)
        for share in (0.0, *real_page.SHARES)
        for number in range(of)
    ]


@pytest.mark.parametrize(
    ("held", "of", "judged"),
    [(95, 100, "met"), (90, 100, "met"), (88, 100, "missed"), (100, 100, "missed"), (95, 99, "undecided")],
)
def test_coverage_is_held_against_95_percent_at_each_share(held: int, of: int, judged: str) -> None:
    """Its own interval has to contain 95%, and a hundred reports are asked for; too much is as wrong as too little."""
    page = render(with_every_share(held, of))
    assert outcome(page, "Coverage") == judged
    assert row(page, "Coverage", "5.0%")[6] == judged
    assert row(page, "Coverage", "0.5%")[:4] == ["0.5%", "0.50%", str(of), "+0.50%"]
    assert ("does not contain 95% at 0.0%, 0.5%, 1.0%, 2.0%, 5.0%, 10.0%." in page) == (judged == "missed")


def test_the_change_is_smaller_than_the_share_by_what_is_no_work() -> None:
    """Reports with all of the work again tell how much; each program has its own."""
    whole = [make_report(1.0, change=change, program=2) for change in (0.8, 0.9, 0.99)]
    mended = [make_report(0.1, change=0.08, half_width=0.011, program=2)] * 3
    page = render([make_report(0.05, change=0.05), *mended, *whole])
    assert row(page, "Coverage", "5.0%")[1] == "5.00%"
    assert row(page, "Coverage", "10.0%")[1:4] == ["9.00%", "3", "+8.00%"]
    assert row(page, "Coverage", "10.0%")[4].startswith("100.0%")
    assert row(page, "Coverage", "10.0%")[5] == "0"
    assert "90.0% in the median of 3, with version 2 of the program (met by 10.0%). " in page


def test_shares_that_are_not_yet_there_leave_coverage_open() -> None:
    """A page can be written while reports are being taken."""
    page = render(with_every_share(95, 100)[:300])
    assert outcome(page, "Coverage") == "undecided"
    assert "Fewer than 100 reports at 2.0%, 5.0%, 10.0%." in page


def test_a_report_promises_what_it_prints_by_the_rule_of_today() -> None:
    """From the ends of its interval, with the margin that it had."""
    report = make_report(change=0.02, ci_low=0.01, ci_high=0.05, rounds=12)
    reach = math.log(1.05) - math.log(1.02)
    assert real_page.detectable_effect(report) == pytest.approx(
        math.expm1(detectable_effect(reach, 12, math.log(1.01), 0.05))
    )
    assert real_page.detectable_effect({**report, "margin": 0.03}) == pytest.approx(
        math.expm1(detectable_effect(reach, 12, math.log(1.03), 0.05))
    )
    assert real_page.detectable_effect({**report, "aa": "warning"}) is None
    assert real_page.detectable_effect({**report, "aa": "warning", "margin": 0.03}) is not None
    assert real_page.detectable_effect({**report, "ci_low": None, "ci_high": None}) is None


def test_power_is_asked_of_reports_that_promise_what_they_met() -> None:
    """Four of five have to find it; those that print a larger effect promised nothing, and have no say."""
    able = [make_report(0.05, half_width=0.01, verdict="slower")] * 90
    failing = [make_report(0.05, half_width=0.01)] * 10
    unable = [make_report(0.05, half_width=0.04)] * 100
    page = render([make_report(), *able, *failing, *unable])
    assert row(page, "Power at the printed detectable effect", "5.0%")[2:] == [
        "100 of 200",
        "90 of 100: 90.0% [82.4, 95.1]",
    ]
    assert outcome(page, "Power at the printed detectable effect") == "met"
    assert outcome(render([make_report(), *failing, *unable]), "Power at the printed detectable effect") == "missed"
    nothing = render([make_report(), *unable])
    assert outcome(nothing, "Power at the printed detectable effect") == "undecided"
    assert "Too few reports promise what they met" in nothing


def test_hyperfine_is_told_beside_it() -> None:
    """Its own words, its σ, and Welch's test on its samples, for the same pairs of identical files."""
    near = {"base": {"times_s": [1.00, 1.02, 0.98]}, "other": {"times_s": [1.01, 1.03, 0.99]}}
    far = {"base": {"times_s": [1.00, 1.01, 1.02]}, "other": {"times_s": [1.20, 1.21, 1.22]}}
    page = render([make_report(change=0.001, hyperfine=near), make_report(change=-0.004, hyperfine=far)])
    title = "hyperfine on the same pairs"
    assert row(page, title, "difference shown, worst")[1:] == ["0.40%", "19.80%"]
    assert row(page, title, "called different by its own words")[1][:6] == "0 of 2"
    assert row(page, title, "called different by its own words")[2][:6] == "2 of 2"
    assert row(page, title, "1 lies outside of mean ± σ")[2][:6] == "1 of 2"
    assert row(page, title, "called different at 5%")[2][:6] == "1 of 2"
    assert "After each of 2 A/A reports" in page


def test_the_machine_is_told() -> None:
    """What it was, and how quiet it was by the reports' own account."""
    page = render([make_report(noisy=True, steal_ratio=0.03), make_report(steal_ratio=None), make_report()])
    assert "Machine: Slide Rule 9, 1 core for the measuring, Linux 9, governor unknown. 10 s a report" in page
    assert "2.0% in the median report, 3.0% in the worst" in page
    assert "1 of 3 reports were taken on a noisy machine" in page
    assert "hypervisor took: unknown" in render([make_report(steal_ratio=None)])


def test_reports_that_are_set_aside_are_told_and_not_counted() -> None:
    """Whatever they say, with the reason that stands in the raw results."""
    wrong = [make_report(share, verdict="faster", set_aside="Taken beside tests.") for share in (0.0, 0.1, 0.1)]
    page = render([make_report(), *wrong])
    assert "In 1 A/A reports, 0 false verdicts" in page
    told = "1 with 0.0% of extra work, 2 with 10.0% of extra work. Taken beside tests."
    assert f"Not counted, though kept among the raw results: {told}\n" in page


def test_the_page_can_be_written_at_any_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the reports that there are, and only if there are some; none is taken."""
    monkeypatch.setattr(real, "RAW", tmp_path / "raw" / "real.jsonl")
    monkeypatch.setattr(real, "PAGE", tmp_path / "page.md")
    with pytest.raises(SystemExit):
        real.main(["--page"])
    real.append(make_report())
    real.append(make_report(0.005))
    real.main(["--page"])
    assert (tmp_path / "page.md").read_text() == render(real.load())
    assert [json.loads(line)["share"] for line in (tmp_path / "raw" / "real.jsonl").read_text().splitlines()] == [
        0,
        0.005,
    ]
