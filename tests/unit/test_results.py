from __future__ import annotations

import json
from pathlib import Path

import pytest

from optbuild.events import Event, Level, Notice
from optbuild.making.result_store import ResultStore
from optbuild.plan.results import Compared

RESULT = Compared(sha256="ab", equal=True, reused=True)
KEY = "compare-00112233-0011"


def store_in(directory: Path, heard: list[Event] | None = None, *, fresh: bool = False) -> ResultStore:
    """A store in a test's directory."""
    return ResultStore(directory=directory, emit=(heard if heard is not None else []).append, fresh=fresh)


def test_a_result_is_found_under_its_key(tmp_path: Path) -> None:
    """What was saved comes back, and nothing under another key."""
    store = store_in(tmp_path)
    store.save(KEY, RESULT)
    assert store.load(KEY, Compared) == RESULT
    assert store.load("another", Compared) is None


def test_a_fresh_run_finds_nothing_and_still_keeps_results(tmp_path: Path) -> None:
    """With `--fresh` all is done again, for later runs to find."""
    store_in(tmp_path).save(KEY, RESULT)
    fresh = store_in(tmp_path, fresh=True)
    assert fresh.load(KEY, Compared) is None
    fresh.save(KEY, Compared(sha256="cd", equal=True, reused=True))
    assert store_in(tmp_path).load(KEY, Compared) == Compared(sha256="cd", equal=True, reused=True)


def test_a_result_cut_at_any_byte_is_a_miss(tmp_path: Path) -> None:
    """A file that was not written to its end is told and passed over, never a crash, never a wrong result."""
    heard: list[Event] = []
    store = store_in(tmp_path, heard)
    store.save(KEY, RESULT)
    path = tmp_path / f"{KEY}.json"
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert store.load(KEY, Compared) is None
    assert len(heard) == len(whole)
    warning = heard[0]
    assert isinstance(warning, Notice)
    assert (warning.level, warning.code) == (Level.WARNING, "damaged-result")
    assert str(path) in warning.message


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe\x00",
        b"[]",
        b"3",
        b"[" * 100_000,
        b'{"schema": "optbuild/result/1", "key": "compare-00112233-0011", "sha256": "x", "body": 3}',
        b'{"schema": "optbuild/result/1", "key": "compare-00112233-0011", "sha256": "x", "body": "{}"}',
    ],
)
def test_garbage_is_a_miss(tmp_path: Path, content: bytes) -> None:
    """Whatever a file holds, the step is done again."""
    heard: list[Event] = []
    (tmp_path / f"{KEY}.json").write_bytes(content)
    assert store_in(tmp_path, heard).load(KEY, Compared) is None
    assert len(heard) == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [("schema", "optbuild/result/2"), ("sha256", "00"), ("body", '{"sha256":"cd"}'), ("key", "another-key")],
)
def test_a_result_that_was_changed_is_a_miss(tmp_path: Path, field: str, value: str) -> None:
    """Schema, checksum, body and key belong together."""
    store = store_in(tmp_path)
    store.save(KEY, RESULT)
    path = tmp_path / f"{KEY}.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {field: value}))
    assert store.load(KEY, Compared) is None


def test_a_result_of_another_kind_is_a_miss(tmp_path: Path) -> None:
    """A checksum proves what was written, not what it means."""
    store = store_in(tmp_path)
    store.save(KEY, {"sha256": 3})
    assert store.load(KEY, Compared) is None
