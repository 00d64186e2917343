"""Results of finished actions, kept for the next run by result key. A damaged one is a miss, never a crash."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeVar

from pydantic import ValidationError

from optbuild.adapters import adapter_of
from optbuild.events import Emit, Level, Notice
from optbuild.files import atomic_write

_SCHEMA: Final = "optbuild/result/1"

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stored:
    """A result's file. The body is text, so its checksum covers exactly the bytes that are read."""

    schema: Literal["optbuild/result/1"] = _SCHEMA
    key: str
    sha256: str
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultStore:
    """A directory of small JSON files, each with a checksum.

    Attributes:
        fresh: Find nothing, so everything is done again; results are still kept.
    """

    directory: Path
    emit: Emit
    fresh: bool = False

    def load(self, key: str, kind: type[T]) -> T | None:
        """The result kept under a key; None if there is none or the file is damaged."""
        path = self._path(key)
        if self.fresh or not path.is_file():
            return None
        try:
            stored = adapter_of(_Stored).validate_json(path.read_bytes())
            if stored.key == key and stored.sha256 == _checksum(stored.body):
                return adapter_of(kind).validate_json(stored.body)
        except (OSError, ValidationError):
            pass  # truncated, or foreign: reported below like a wrong checksum
        self.emit(
            Notice(
                level=Level.WARNING,
                code="damaged-result",
                message=f"{path} is damaged: repeating its step",
            )
        )
        return None

    def save(self, key: str, result: object) -> None:
        """Keep a result, a dataclass."""
        body = adapter_of(type(result)).dump_json(result).decode()
        stored = _Stored(key=key, sha256=_checksum(body), body=body)
        atomic_write(self._path(key), adapter_of(_Stored).dump_json(stored, indent=1))

    def _path(self, key: str) -> Path:
        return self.directory / f"{key}.json"


def _checksum(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()
