from __future__ import annotations

import csv
import io
import re
import sys
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from inline_snapshot import snapshot

from optbuild.measure.model import Verdict
from optbuild.record.compared import ArmRecord
from optbuild.record.model import HostRecord, RunRecord
from optbuild.record.series import make_series
from optbuild.report.formats.history import render_history_csv, render_history_html
from optbuild.report.formats.terminal import render_terminal
from optbuild.report.history import History, assemble_history, draw_bars
from optbuild.report.model import Screen
from optbuild.testing import make_comparison, make_run_record

HOST = HostRecord(cpu="A CPU", cores=2, memory_bytes=8 << 30, kernel="Linux 6.1", governor=None)


def run(number: int, change: float, host: HostRecord = HOST, **changes: Any) -> RunRecord:  # noqa: ANN401
    """One weekly run."""
    comparison = make_comparison(change=change, ci_low=change - 0.01, ci_high=change + 0.01)
    started = f"2026-{1 + number // 28:02}-{1 + number % 28:02}T03:04:05+00:00"
    record = make_run_record(run_id=f"run-{number:02}", started_at=started, host=host, comparisons=(comparison,))
    return replace(record, **changes)


def runs(changes: Iterable[float], **keywords: Any) -> tuple[RunRecord, ...]:  # noqa: ANN401
    """A run each week."""
    return tuple(run(number, change, **keywords) for number, change in enumerate(changes))


def noisy(count: int, level: float, seed: int = 0) -> list[float]:
    """Changes that differ by noise."""
    return [float(value) for value in np.random.default_rng(seed).normal(level, 0.003, count)]


def history(records: Iterable[RunRecord]) -> History:
    """All of it."""
    listed = tuple(records)
    return assemble_history(make_series(listed), runs=len(listed))


def test_machines_are_never_mixed() -> None:
    """CPU, cores, memory, governor and target make a machine; the kernel and pages of memory do not."""
    hosts = (
        HOST,
        replace(HOST, kernel="Linux 6.2", memory_bytes=(8 << 30) - (90 << 20)),
        replace(HOST, cpu="Another CPU"),
        replace(HOST, cores=4),
        replace(HOST, governor="powersave"),
    )
    series = make_series(run(number, -0.1, host) for number, host in enumerate(hosts))
    assert [len(each.points) for each in series] == [2, 1, 1, 1]
    assert len({each.key.machine.fingerprint for each in series}) == 4


def test_a_run_counts_once_and_in_its_order() -> None:
    """A record that is named and stored is one; the oldest comes first, whatever the order of files."""
    first, second = run(1, -0.1), run(2, -0.2)
    (series,) = make_series((second, first, second))
    assert series.changes == (-0.1, -0.2)


def test_what_proves_nothing_is_in_no_series() -> None:
    """Invalid comparisons, those without an interval, and runs that do not know their machine."""
    invalid = make_comparison(verdict=Verdict.INVALID)
    bare = make_comparison(ci_low=None, ci_high=None)
    records = (run(1, -0.1, comparisons=(invalid, bare)), replace(run(2, -0.1), host=None))
    assert make_series(records) == ()
    assert history(records).report.footnotes == (
        "No run has both an interval and a known machine; measure longer: optbuild pgo --max-time 20m",
    )


def test_comparisons_of_versions_are_in_no_series() -> None:
    """The old version is another program each time, so it is no baseline; how many there are is said."""
    arms = (
        ArmRecord(name="old", source="v1", variant="pgo"),
        ArmRecord(name="new", source="working tree", variant="pgo"),
    )
    between = make_comparison(baseline="old", candidate="new")
    compared = tuple(replace(run(number, -0.1), comparisons=(between,), arms=arms) for number in (3, 4))
    records = (*runs([-0.1, -0.11]), *compared)
    (series,) = make_series(records)
    assert series.changes == (-0.1, -0.11)
    found = assemble_history(make_series(records), runs=4, of_versions=2)
    assert found.report.footnotes[-1] == (
        "Left out: 2 comparisons of versions: an old version is not a baseline that later runs share; see them: "
        "optbuild runs"
    )


def test_without_matplotlib_the_page_has_its_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what is missing, and how to install it."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    page = render_history_html(history(runs([-0.1, -0.12])))
    assert "<svg" not in page
    assert "<table>" in page
    assert "cargo-optbuild[charts]" in page


def test_a_lasting_change_is_told_with_its_revisions() -> None:
    """Where it began, how large it is, and that the compiler changed with it; the tone is that of less or more time."""
    before = runs(noisy(6, -0.12))
    toolchain = replace(before[0].toolchain, rustc="1.96.0")  # type: ignore[type-var]
    after = tuple(replace(run(6 + n, c), toolchain=toolchain) for n, c in enumerate(noisy(5, -0.04, 1)))
    found = history((*before, *after))
    assert render_terminal(found.report, Screen(width=110)) == snapshot("""\
demo: 11 runs on 1 machine

machine 774cee02: A CPU, 2 cores, 8 GiB, x86_64-unknown-linux-gnu
variant         workload  runs  change, oldest to newest   last  95% CI        lasting change
───────────────────────────────────────────────────────────────────────────────────────────────────────────
pgo vs release  all         11  ▁▁▁▁▁▁███▇█               −3.7%  [−4.7, −2.7]  +8.1 points since 2026-01-07

pgo against release on all workloads moved by +8.1 points (−12.0% to −3.9%) between 57135713 (run run-05) and
57135713 (run run-06); rustc changed from 1.95.0 to 1.96.0; p = 0.009
Each value is a run's own change against its own baseline, measured in the same minutes: machines are never
mixed, and times of different runs are never compared. If baseline and variant slow down equally, the series
does not change; `optbuild compare` measures two revisions against each other.
A lasting change needs 3 runs on each side and 8 in all, is larger than the margin, and is found by a rank
test with false alarms on 5% of machines over all workloads, and on 5% on single ones; a single outlier is not
a lasting change.
""")
    page = render_history_html(found)
    assert page.count("<svg") == 1
    assert page.count("stroke-dasharray") == 1
    assert "<script" not in page


def test_one_run_that_stands_out_is_no_change() -> None:
    """Nor are two."""
    values = noisy(20, -0.12)
    values[9] = 0.5
    values[19] = 0.4
    assert history(runs(values)).judged[0].found == ()


def test_more_series_share_the_rate_of_false_alarms() -> None:
    """A change that eight sessions just show in one series is not shown among ten."""
    values = (0.0, 0.01, 0.02, 0.03, 0.1, 0.11, 0.12, 0.13)
    alone = history(runs(values))
    assert len(alone.judged[0].found) == 1
    many = tuple(
        run(
            number,
            value,
            comparisons=tuple(
                make_comparison(candidate=f"v{index}", change=value if index == 0 else 0.0) for index in range(10)
            ),
        )
        for number, value in enumerate(values)
    )
    assert [each.found for each in history(many).judged] == [()] * 10


def test_the_csv_says_where_a_change_begins() -> None:
    """A row for each run of each series; foreign names are no formulas."""
    records = runs([*noisy(6, -0.12), *noisy(6, -0.04, 1)])
    named = (replace(record, comparisons=(replace(record.comparisons[0], candidate="=x"),)) for record in records)
    rows = list(csv.DictReader(io.StringIO(render_history_csv(history(named)))))
    assert [row["run_id"] for row in rows] == [f"run-{number:02}" for number in range(12)]
    assert [bool(row["lasting_change"]) for row in rows] == [number == 6 for number in range(12)]
    assert {row["variant"] for row in rows} == {"'=x"}


def test_bars_show_the_shape() -> None:
    """The least is the lowest; equal values are one line."""
    assert draw_bars((0.0, 0.5, 1.0)) == "▁▅█"
    assert draw_bars((3.0, 3.0)) == "▁▁"
    assert len(draw_bars([float(n) for n in range(99)])) == 30


def test_foreign_names_stay_inert() -> None:
    """In a page no tag, in a terminal no control character, in a log no command."""
    name = "<b>\x1b[31m\n::error::x"
    records = tuple(
        replace(record, comparisons=(make_comparison(workload=name, candidate=name),)) for record in runs([0.1, 0.2])
    )
    page = render_history_html(history(records))
    assert "<b>" not in page
    shown = render_terminal(history(records).report, Screen(width=200))
    assert "\x1b" not in shown
    assert not re.search(r"(?m)^\s*::", shown + page)
