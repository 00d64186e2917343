from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from optbuild.plan.planner import make_plan
from optbuild.record.history import History
from optbuild.record.model import MeasureRecord, RunStatus
from optbuild.record.store import RecordStore
from optbuild.record.variants import StepRecord
from optbuild.session.earlier import find_earlier
from optbuild.testing import make_pgo_record, make_plan_inputs, make_run_record, make_variant_record

RECORD = make_run_record()


def step(action: str, duration_s: float, *, reused: bool = False) -> StepRecord:
    """A step of a run."""
    return StepRecord(action=action, kind="compile", argv=(), duration_s=duration_s, reused=reused, log=None)


def test_the_newest_time_counts_that_was_really_taken() -> None:
    """A step that was reused says nothing of how long it takes; checks and measuring are known as well."""
    newest = make_run_record(variants=(make_variant_record(steps=(step("a", 0.1, reused=True), step("b", 2.0))),))
    older = make_run_record(variants=(make_variant_record(steps=(step("a", 5.0), step("b", 9.0))),))
    history = History.of((newest, replace(older, checks=(step("measure-1", 60.0),))))
    assert history.durations_s == {"a": 5.0, "b": 2.0, "measure-1": 60.0}
    assert history.duration_s("c") is None


def test_the_newest_attempt_counts() -> None:
    """A variant's last attempt is expected again."""
    records = [
        make_run_record(variants=(make_variant_record("pgo", pgo=make_pgo_record(attempt=attempt)),))
        for attempt in (None, "exact", "lto-free")
    ]
    assert History.of(records).attempts == {"pgo": "exact"}


def test_the_newest_records_are_found_without_reading_all(tmp_path: Path) -> None:
    """Old runs may be many; damaged ones are passed over."""
    store = RecordStore(directory=tmp_path)
    for number in range(4):
        store.save(replace(RECORD, run_id=f"run-{number}"))
    (tmp_path / "run-3" / "record.json").write_text("{")
    assert [record.run_id for record in store.load_newest(3)] == ["run-2", "run-1"]


@pytest.mark.parametrize(
    ("advice", "max_time_s", "found"), [(None, 1.0, True), ("more time", 300.0, True), ("more time", 1.0, False)]
)
def test_a_result_that_time_cut_short_is_used_as_long_as_there_is_no_more(
    tmp_path: Path, advice: str | None, max_time_s: float, *, found: bool
) -> None:
    """Whoever gives more time gets a more precise result."""
    plan = make_plan(make_plan_inputs(), ("release", "lto"), measure=True)
    assert plan.measure is not None
    action = plan.measure
    assert action.max_time_s == 300.0
    store = RecordStore(directory=tmp_path)
    assert isinstance(RECORD.measure, MeasureRecord)
    measure = replace(RECORD.measure, advice=advice, max_time_s=max_time_s)
    store.save(replace(RECORD, measure=measure))
    assert RECORD.result_key is not None
    assert (find_earlier(RECORD.result_key, action, store) is not None) is found
    store.save(replace(RECORD, measure=measure, status=RunStatus.FAILED))
    assert find_earlier(RECORD.result_key, action, store) is None


def test_how_far_steps_overlapped_is_known_of_a_run_that_did_most_of_them() -> None:
    """A rerun that found nearly everything there says nothing of it; measuring is no part of building."""
    steps = (step("a", 30.0), step("b", 50.0), step("c", 20.0, reused=True))
    checks = (replace(step("measure-1", 60.0), kind="measure"),)
    run = replace(make_run_record(variants=(make_variant_record(steps=steps),)), build_wall_s=60.0, checks=checks)
    idle = replace(run, variants=(make_variant_record(steps=(step("a", 5.0, reused=True), step("b", 1.0))),))
    assert History.of((idle, run)).overlap == pytest.approx(0.6)
    assert History.of((idle,)).overlap == 1.0
    assert History.of((replace(run, build_wall_s=300.0),)).overlap == 1.0
    assert History.of((replace(run, build_wall_s=None),)).overlap == 1.0


def test_the_newest_size_on_disk_counts() -> None:
    """Older versions did not record it."""
    assert History.of((RECORD, replace(RECORD, disk_bytes=7), replace(RECORD, disk_bytes=9))).disk_bytes == 7
