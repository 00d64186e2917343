"""What came of the units of a fleet, on disk: `units/<id>.json`, each written as a whole or not at all."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import ValidationError

from optbuild import __version__
from optbuild.adapters import adapter_of, make_json_schema
from optbuild.errors import UsageError
from optbuild.files import atomic_write
from optbuild.fleet.units import Unit
from optbuild.record.model import ErrorRecord, HostRecord, RunRecord, WarningRecord
from optbuild.record.store import dump_ascii

UNIT_SCHEMA: Final = "optbuild/fleet-unit/1"
UNITS_SCHEMA: Final = "optbuild/fleet-units/1"
_LIST_NAME = "fleet.json"


class UnitStatus(StrEnum):
    """How a unit ended."""

    COMPLETE = "complete"
    INCOMPLETE = "incomplete"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitResult:
    """What came of one unit.

    Attributes:
        source_identity: What exactly was built: a commit, the checksum of a crate, a hash of files; None if it was not
            found.
        host: The machine that measured.
        record: The run; None where it could not begin.
        warnings: Those that are not in the record.
        log: The end of the log that the error names, where that is on another machine.
    """

    schema: Literal["optbuild/fleet-unit/1"] = UNIT_SCHEMA
    optbuild_version: str = __version__
    unit: Unit
    status: UnitStatus
    exit_code: int
    source_identity: str | None
    started_at: str
    finished_at: str
    host: HostRecord | None
    record: RunRecord | None
    warnings: tuple[WarningRecord, ...] = ()
    error: ErrorRecord | None = None
    log: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitList:
    """All units of a fleet, which a part of it stores with its results, so a merge knows what is missing."""

    schema: Literal["optbuild/fleet-units/1"] = UNITS_SCHEMA
    optbuild_version: str = __version__
    units: tuple[Unit, ...]


def render_result(result: UnitResult) -> str:
    """A result as one JSON document."""
    return dump_ascii(adapter_of(UnitResult).dump_python(result, mode="json"), indent=1) + "\n"


def parse_result(text: bytes | str) -> UnitResult:
    """Read a result.

    Raises:
        ValueError: It is not one.
    """
    return adapter_of(UnitResult).validate_json(text)


def make_unit_schema() -> dict[str, Any]:
    """The JSON schema of a result."""
    return make_json_schema(UnitResult, "optbuild fleet unit")


def render_unit_schema() -> str:
    """The JSON schema of a result as the text of a file."""
    return json.dumps(make_unit_schema(), indent=2, ensure_ascii=False) + "\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultStore:
    """The results in one directory."""

    directory: Path

    @property
    def list_path(self) -> Path:
        """The file that lists all units of the fleet."""
        return self.directory / _LIST_NAME

    def path_of(self, unit_id: str) -> Path:
        """Where the result of a unit is kept."""
        return self.directory / "units" / f"{unit_id}.json"

    def save_list(self, units: tuple[Unit, ...]) -> None:
        """Write which units there are.

        Raises:
            StorageError: It cannot be written.
        """
        document = adapter_of(UnitList).dump_python(UnitList(units=units), mode="json")
        atomic_write(self.list_path, (dump_ascii(document, indent=1) + "\n").encode())

    def load_list(self) -> tuple[Unit, ...]:
        """Which units there are.

        Raises:
            UsageError: The directory has no list, or a damaged one.
        """
        try:
            return adapter_of(UnitList).validate_json(self.list_path.read_bytes()).units
        except (OSError, ValidationError) as error:
            reason = "is damaged" if isinstance(error, ValidationError) else f"cannot be read: {error.strerror}"
            raise UsageError(
                f"{self.directory} holds no results of a fleet: {self.list_path.name} {reason}",
                help="name directories that `optbuild fleet run` has written: optbuild fleet merge DIR…",
                location=str(self.list_path),
            ) from error

    def save(self, result: UnitResult) -> None:
        """Write a result; an older one of the same unit is replaced. A log gets a file next to it.

        Raises:
            StorageError: It cannot be written; the older one is intact.
        """
        if result.log and result.error is not None:
            log = self.directory / "logs" / f"{result.unit.id}.log"
            atomic_write(log, result.log.encode())
            result = replace(result, error=replace(result.error, location=str(log)))
        atomic_write(self.path_of(result.unit.id), render_result(result).encode())

    def find(self, unit_id: str) -> UnitResult | None:
        """The result of a unit; None where there is none, or a damaged one."""
        try:
            return parse_result(self.path_of(unit_id).read_bytes())
        except (OSError, ValidationError):
            return None
