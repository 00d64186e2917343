"""Records on disk: `runs/<run-id>/record.json`, written as a whole or not at all."""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from optbuild.adapters import adapter_of, make_json_schema
from optbuild.errors import UsageError
from optbuild.events import Emit, Level, Notice
from optbuild.files import atomic_write
from optbuild.record.model import RunRecord, RunStatus

RECORD_NAME = "record.json"
"""What a run's record is called in its directory."""
# In JSON's escapes: a pair of surrogates, an escaped backslash, or else a surrogate that stands alone.
_LONE_SURROGATE = re.compile(r"(?:\\ud[89ab]..\\ud[c-f]..|\\\\)|(\\ud[89a-f]..)")

_CI_COMMAND = re.compile(r"#(?=#\w*\[)")


def make_run_id(now: datetime) -> str:
    """A new run's name: sortable by time, within a second too, and unique among runs that begin together."""
    part_of_second = now.microsecond * (1 << 16) // 1_000_000
    return f"{now:%Y%m%d-%H%M%S}-{part_of_second:04x}{secrets.token_hex(2)}"


def render_record(record: RunRecord) -> str:
    r"""A record as one JSON document in ASCII; non-text bytes of an argument are shown as `\udcff`."""
    return dump_ascii(adapter_of(RunRecord).dump_python(record, mode="json"), indent=2) + "\n"


def dump_ascii(value: object, *, indent: int | None = None) -> str:
    r"""JSON in ASCII, strings exact but for non-text bytes, which are shown as `\udcff`.

    A sharp can only stand in a string. It is escaped where a CI system would take it for the beginning of a command.
    """
    text = json.dumps(value, indent=indent, allow_nan=False)
    return _CI_COMMAND.sub(r"\\u0023", _LONE_SURROGATE.sub(_show_surrogate, text))


def parse_record(text: bytes) -> RunRecord:
    """Read a record.

    Raises:
        ValueError: It is not a record, or has another major version.
    """
    return adapter_of(RunRecord).validate_json(text)


def make_record_schema() -> dict[str, Any]:
    """The JSON schema of a record."""
    return make_json_schema(RunRecord, "optbuild record")


def render_record_schema() -> str:
    """The JSON schema of a record as the text of a file."""
    return json.dumps(make_record_schema(), indent=2, ensure_ascii=False) + "\n"


def _show_surrogate(match: re.Match[str]) -> str:
    return f"\\{match[1]}" if match[1] else match[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordStore:
    """The stored runs of one project.

    Attributes:
        emit: Called for damaged records; None skips them silently.
    """

    directory: Path
    emit: Emit | None = None

    def run_directory(self, run_id: str) -> Path:
        """Where a run keeps its record and its logs."""
        return self.directory / run_id

    def save(self, record: RunRecord) -> Path:
        """Write a record.

        Raises:
            StorageError: It cannot be written; an older record of the same run is intact.
        """
        path = self.run_directory(record.run_id) / RECORD_NAME
        atomic_write(path, render_record(record).encode())
        return path

    def load_all(self) -> tuple[RunRecord, ...]:
        """All readable records, oldest first; a damaged one is reported and skipped."""
        paths = sorted(self.directory.glob(f"*/{RECORD_NAME}"))
        return tuple(record for path in paths if (record := self._load(path)) is not None)

    def _load(self, path: Path) -> RunRecord | None:
        try:
            return parse_record(path.read_bytes())
        except (OSError, ValueError):
            if self.emit is not None:
                message = f"{path} is damaged and was skipped"
                self.emit(Notice(level=Level.WARNING, code="damaged-record", message=message))
            return None

    def load_newest(self, limit: int = 20) -> tuple[RunRecord, ...]:
        """The newest readable records, the newest first; how a project's history is known without reading all of it."""
        paths = sorted(self.directory.glob(f"*/{RECORD_NAME}"), reverse=True)[:limit]
        return tuple(record for path in paths if (record := self._load(path)) is not None)

    def find(self, run_id: str | None) -> RunRecord:
        """One record by its id or an unambiguous beginning of it; the newest that was asked for if none is named.

        Raises:
            UsageError: There is no such record.
        """
        records = self.load_all()
        if run_id is None:
            if not records:
                raise UsageError(
                    f"no stored run below {self.directory}", help="make one: optbuild pgo", location=str(self.directory)
                )
            return next((each for each in reversed(records) if each.made_for is None), records[-1])
        found = [record for record in records if record.run_id.startswith(run_id)]
        if len(found) != 1:
            what = "several stored runs begin" if found else "no stored run begins"
            raise UsageError(f"{what} with {run_id!r}", help="list them: optbuild runs", location=str(self.directory))
        return found[0]

    def find_complete(self, result_key: str) -> RunRecord | None:
        """The newest complete record with this key."""
        found = (
            record
            for record in reversed(self.load_all())
            if record.result_key == result_key and record.status is RunStatus.COMPLETE
        )
        return next(found, None)
