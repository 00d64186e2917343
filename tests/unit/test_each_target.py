"""Several targets: what one record and one table say of all of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from optbuild.errors import BuildProfileError
from optbuild.profile.load import load_build_profile
from optbuild.project.layout import Layout
from optbuild.record.model import RunRecord, RunStatus, TargetRecord
from optbuild.report.assemble import assemble
from optbuild.report.formats.terminal import render_terminal
from optbuild.report.model import Screen
from optbuild.session.each_target import summarise
from tests.unit.report_cases import make_measured

RECORD = make_measured("parse")
FAR = "aarch64-unknown-linux-gnu"
FIRST = TargetRecord(
    target="host",
    run_id=RECORD.run_id,
    status=RECORD.status,
    exit_code=0,
    variants=RECORD.variants,
    resources=RECORD.resources,
    comparisons=RECORD.comparisons,
)
UNMEASURED = TargetRecord(
    target=FAR,
    run_id="other",
    status=RunStatus.COMPLETE,
    exit_code=0,
    not_measured="a program for it does not run here",
    variants=RECORD.variants,
)


def record_of(*targets: TargetRecord) -> RunRecord:
    """A record with these targets."""
    return replace(RECORD, targets=targets)


def test_a_row_of_the_table_is_a_variant_for_a_target() -> None:
    """What was not measured is labelled so, and has no figure."""
    table = assemble(record_of(FIRST, UNMEASURED)).tables[1]
    assert table.caption.startswith("Each target: ")
    rows = [[cell.text for cell in row] for row in table.rows]
    assert len(rows) == 2 * len(RECORD.variants)
    far = rows[len(RECORD.variants) :]
    assert far[0][0] == FAR
    assert {row[2] for row in far} == {"–"}
    assert {row[4] for row in far} <= {"not measured here", "skipped", "failed"}


def test_a_narrow_screen_leaves_out_the_size_before_the_counts() -> None:
    """100 columns hold where the counts come from, also if an emulator has a long name; what is missing is named."""
    emulated = replace(FIRST, target=FAR, runner=("/usr/bin/qemu-aarch64", "-L", "/usr/aarch64-linux-gnu"))
    report = assemble(record_of(FIRST, emulated, UNMEASURED))
    table = replace(report, tables=(report.tables[1],))

    def shown(width: int) -> str:
        return render_terminal(table, Screen(width=width, colour=False))

    assert "not shown" not in shown(120)
    assert "(not shown at this width: size)" in shown(100)
    assert "by qemu-aarch64" in shown(100)
    assert "(not shown at this width: counts, size)" in shown(80)


def test_one_target_needs_no_table_of_its_own() -> None:
    """The report is the one that it always was."""
    assert assemble(RECORD).tables == assemble(replace(RECORD, targets=())).tables
    assert RECORD.views() == (RECORD,)


def test_a_view_is_the_record_of_one_target() -> None:
    """With what all targets have in common, such as the project."""
    _, view = record_of(FIRST, replace(UNMEASURED, variants=RECORD.variants[:1])).views()
    assert (view.run_id, view.variants, view.comparisons) == ("other", RECORD.variants[:1], ())
    assert (view.project, view.targets) == (RECORD.project, ())


@pytest.mark.parametrize(
    ("status", "exit_code", "expected"),
    [
        (RunStatus.COMPLETE, 0, (RECORD.status, RECORD.exit_code)),
        (RunStatus.INCOMPLETE, 10, (RunStatus.INCOMPLETE, 10)),
        (RunStatus.FAILED, 11, (RunStatus.FAILED, 11)),
        (RunStatus.INTERRUPTED, 130, (RunStatus.INTERRUPTED, 130)),
    ],
)
def test_a_target_that_fails_decides_how_the_run_has_ended(
    status: RunStatus, exit_code: int, expected: tuple[RunStatus, int]
) -> None:
    """The first one's results stay in the record."""
    far = replace(RECORD, status=status, exit_code=exit_code)
    combined = summarise([RECORD, far], (FIRST, UNMEASURED))
    assert (combined.status, combined.exit_code) == expected
    assert combined.comparisons == RECORD.comparisons


def test_each_target_has_its_own_artifacts_and_all_share_the_rest() -> None:
    """The first one's runs are those of the project, which reports and lists show."""
    layout = Layout.of(Path("/p/target"))
    first, far = layout.for_target("host", is_first=True), layout.for_target(FAR, is_first=False)
    assert (first.artifacts, far.artifacts) == (layout.artifacts / "host", layout.artifacts / FAR)
    assert (first.runs, far.runs) == (layout.runs, layout.root / "targets" / FAR / "runs")
    assert far.binaries == layout.binaries
    assert layout.for_target("specs/thumb.json", is_first=True).artifacts.name == "thumb"


@pytest.mark.parametrize(
    ("keys", "fault"),
    [
        ('target = "host"\ntargets = ["host"]', "cannot be combined with `targets`"),
        ('targets = ["host", "host"]', "twice"),
    ],
)
def test_targets_that_contradict_each_other_are_faults(tmp_path: Path, keys: str, fault: str) -> None:
    """Found with all others, each with its line."""
    path = tmp_path / "optbuild.toml"
    path.write_text(f"schema = 1\n[project]\n{keys}\n")
    with pytest.raises(BuildProfileError) as caught:
        load_build_profile(path, directory=tmp_path)
    assert fault in str(caught.value)
