from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import pytest

from optbuild.errors import UsageError
from optbuild.record.model import RunRecord, RunStatus
from optbuild.record.store import (
    RecordStore,
    make_record_schema,
    make_run_id,
    parse_record,
    render_record,
    render_record_schema,
)
from optbuild.testing import make_comparison, make_run_record, make_variant_record

COMMITTED = Path(__file__).parents[2] / "schemas" / "optbuild-record.schema.json"
FULL = make_run_record()
BARE = replace(
    FULL,
    status=RunStatus.FAILED,
    project=None,
    toolchain=None,
    host=None,
    build_profile=None,
    variants=(),
    outputs=(),
    benchmarks=(),
    resources=(),
    comparisons=(),
    measure=None,
    noise=None,
)


@pytest.mark.parametrize("record", [FULL, BARE], ids=["full", "bare"])
def test_a_record_comes_back_as_it_was_written(tmp_path: Path, record: RunRecord) -> None:
    """Nothing is lost between a run and its file."""
    store = RecordStore(directory=tmp_path)
    assert store.save(record) == tmp_path / record.run_id / "record.json"
    assert store.find(None) == record


def test_unknown_fields_are_ignored() -> None:
    """A newer optbuild of the same major may add fields anywhere."""
    document = json.loads(render_record(FULL))
    document["added"] = {"later": True}
    document["variants"][0]["added"] = 1
    document["comparisons"][0]["added"] = None
    assert parse_record(json.dumps(document).encode()) == FULL


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"\xff", b'{"schema": "optbuild/record/1"}'])
def test_what_is_no_record_is_refused(text: bytes) -> None:
    """A reader gets a record or an error."""
    with pytest.raises(ValueError, match=r"validation error|Invalid"):
        parse_record(text)


def test_another_major_version_is_refused() -> None:
    """Its fields may mean something else."""
    document = json.loads(render_record(FULL)) | {"schema": "optbuild/record/2"}
    with pytest.raises(ValueError, match="optbuild/record/1"):
        parse_record(json.dumps(document).encode())


def test_there_is_no_nan() -> None:
    """A number that is none is a defect, and never reaches a file."""
    with pytest.raises(ValueError, match="JSON compliant"):
        render_record(replace(FULL, comparisons=(make_comparison(change=float("nan")),)))


def test_run_ids_sort_by_time_and_are_unique() -> None:
    """Two runs of one moment have two names, and later runs stand behind earlier ones, within a second too."""
    now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    ids = {make_run_id(now) for _ in range(50)}
    assert len(ids) > 1
    assert all(run_id.startswith("20260102-030405-") for run_id in ids)
    moments = [now.replace(microsecond=part) for part in (0, 16, 999, 500_000, 999_999)]
    made = [make_run_id(moment) for moment in (*moments, now.replace(second=6))]
    assert made == sorted(made)


def test_damaged_records_are_passed_over(tmp_path: Path) -> None:
    """A record cut at any place, or one that cannot be read, hides no other."""
    store = RecordStore(directory=tmp_path)
    store.save(FULL)
    text = render_record(FULL).encode()
    for number, length in enumerate(range(0, len(text) - 2, 200)):
        path = tmp_path / f"1999-{number:03d}" / "record.json"
        path.parent.mkdir()
        path.write_bytes(text[:length])
    (tmp_path / "2000" / "record.json").mkdir(parents=True)
    assert store.load_all() == (FULL,)


@pytest.fixture
def store(tmp_path: Path) -> RecordStore:
    """Three runs: complete, complete, failed."""
    store = RecordStore(directory=tmp_path)
    store.save(replace(FULL, run_id="20260101-000000-aaaa"))
    store.save(replace(FULL, run_id="20260102-000000-bbbb"))
    store.save(replace(FULL, run_id="20260103-000000-cccc", status=RunStatus.FAILED))
    return store


def test_without_a_name_the_newest_is_found(store: RecordStore) -> None:
    """`optbuild report` means the last run."""
    assert store.find(None).run_id == "20260103-000000-cccc"


def test_the_last_run_is_one_that_was_asked_for(store: RecordStore) -> None:
    """`explain`, `train` and `verify` build as well; what is to be reported or judged is what ran before them."""
    store.save(replace(FULL, run_id="20260104-000000-dddd", made_for="explain"))
    assert store.find(None).run_id == "20260103-000000-cccc"
    assert store.find("20260104").made_for == "explain"


def test_a_run_that_a_command_made_for_itself_is_found_where_there_is_no_other(tmp_path: Path) -> None:
    """It is more than nothing."""
    store = RecordStore(directory=tmp_path)
    store.save(replace(FULL, run_id="20260104-000000-dddd", made_for="train"))
    assert store.find(None).run_id == "20260104-000000-dddd"


@pytest.mark.parametrize("name", ["20260102-000000-bbbb", "20260102"])
def test_a_run_is_found_by_its_beginning(store: RecordStore, name: str) -> None:
    """As much of the id as is needed will do."""
    assert store.find(name).run_id == "20260102-000000-bbbb"


@pytest.mark.parametrize(
    ("name", "message"), [("202601", "several stored runs begin"), ("bbbb", "no stored run begins")]
)
def test_an_ambiguous_or_unknown_name_is_refused(store: RecordStore, name: str, message: str) -> None:
    """The help lists the runs."""
    with pytest.raises(UsageError, match=f"{message} with '{name}'") as caught:
        store.find(name)
    assert caught.value.help == "list them: optbuild runs"


def test_a_project_without_runs_says_so(tmp_path: Path) -> None:
    """The help says how to make one."""
    with pytest.raises(UsageError, match="no stored run below") as caught:
        RecordStore(directory=tmp_path / "nowhere").find(None)
    assert "optbuild pgo" in caught.value.help


def test_only_a_complete_run_with_the_same_key_is_used_again(store: RecordStore) -> None:
    """The newest such run counts; a failed one, or one of other binaries, does not."""
    assert FULL.result_key is not None
    found = store.find_complete(FULL.result_key)
    assert found is not None
    assert found.run_id == "20260102-000000-bbbb"
    assert store.find_complete("measure-another") is None


def test_a_record_answers_what_reports_ask() -> None:
    """The baseline, and a variant's comparison over all workloads."""
    assert FULL.baseline == make_variant_record("release")
    assert BARE.baseline is None
    assert FULL.suite_comparison("pgo") == make_comparison()
    assert FULL.suite_comparison("lto") is None


def test_the_committed_schema_is_the_one_the_model_gives() -> None:
    """To mend a drift, write `optbuild.record.store.render_record_schema()` into the file."""
    assert COMMITTED.read_text("utf-8") == render_record_schema()


@pytest.mark.parametrize("record", [FULL, BARE], ids=["full", "bare"])
def test_records_fit_the_schema(record: RunRecord) -> None:
    """What is written is what the schema describes."""
    schema = make_record_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(render_record(record)), schema)
