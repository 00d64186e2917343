"""What a run of a workload writes: its standard output, and the files that it makes or changes.

Not for judging it: `checker` does that.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from optbuild.files import sha256_of, storage_error
from optbuild.making.outputs.leniency import Leniency
from optbuild.workloads.inputs import InputHashes
from optbuild.workloads.invocation import Invocation
from optbuild.workloads.output_files import SCRATCH

STDOUT = "standard output"
_AGED_NS = 10**9  # a second after the epoch: no current run dates a file so


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One output of a run.

    Attributes:
        sha256: Of its relevant content; None for an expected file that was not written.
        size_bytes: Of its relevant content.
        path: Its place until the next run.
    """

    sha256: str | None
    size_bytes: int
    path: Path


@dataclass(slots=True, kw_only=True)
class OutputWatch:
    """Watches the runs of a workload that has been set up once.

    Attributes:
        stdout: The file that holds its standard output.
        hashes: Its inputs, which are watched as well.
        parts: The outputs of the last run to compare, by name.
    """

    invocation: Invocation
    stdout: Path
    leniency: Leniency
    hashes: InputHashes
    parts: dict[str, Part] = field(default_factory=dict)
    _made: set[Path] = field(default_factory=set)

    def age_files(self) -> None:
        """Date the files of earlier runs back: a file that a run does not write must not count as its output."""
        for path in {*self._declared().values(), *self._created().values(), *self._made}:
            if path.is_file():
                try:
                    os.utime(path, ns=(_AGED_NS, _AGED_NS))
                except OSError as error:
                    raise storage_error(path, error) from error

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Look at the files before the program starts, and at its changes afterwards.

        Raises:
            NotComparableError: A declared input has changed since the first run.
        """
        before = {path: sha256_of(path) for path in self._in_scratch().values() if not _is_aged(path)}
        with self.hashes.watch(self.invocation):
            yield
        self.parts = self._find(before)
        self._made |= {part.path for part in self.parts.values() if part.path.is_relative_to(self.invocation.scratch)}

    def _find(self, before: dict[Path, str]) -> dict[str, Part]:
        mode = self.invocation.compare_output
        if mode == "none":
            return {}
        if not isinstance(mode, str):
            return {name: self._part(path) for name, path in self._declared().items()}
        parts = {STDOUT: self._part(self.stdout)}
        if mode == "auto":
            files = {**self._created(), **self._in_scratch()}
            written = {name: self._part(path) for name, path in files.items() if not _is_aged(path)}
            parts |= {name: part for name, part in written.items() if not _is_left(part.path, before)}
            gone = [path for path in before if not path.is_file()]
            parts |= {self._name(path): Part(sha256=None, size_bytes=0, path=path) for path in gone}
        return parts

    def _part(self, path: Path) -> Part:
        if not path.is_file() or _is_aged(path):
            return Part(sha256=None, size_bytes=0, path=path)
        try:
            sha256, size_bytes = self.leniency.digest(path)
        except OSError as error:
            raise storage_error(path, error) from error
        return Part(sha256=sha256, size_bytes=size_bytes, path=path)

    def _declared(self) -> dict[str, Path]:
        return dict(self.invocation.output_files)

    def _created(self) -> dict[str, Path]:
        """Files that its command names and that it created: they did not exist before it ran."""
        if self.invocation.compare_output != "auto":
            return {}
        places = [path for path in self.invocation.creates if not path.is_relative_to(self.invocation.scratch)]
        return {self._name(path): path for place in places for path in _files_at(place)}

    def _in_scratch(self) -> dict[str, Path]:
        # Programs that cargo runs keep their measurements there, which differ each time.
        if self.invocation.compare_output != "auto" or self.invocation.call is not None:
            return {}
        return {self._name(path): path for path in _files_at(self.invocation.scratch)}

    def _name(self, path: Path) -> str:
        for place, prefix in ((self.invocation.scratch, f"{SCRATCH}/"), (self.invocation.cwd, "")):
            if path.is_relative_to(place):
                return f"{prefix}{path.relative_to(place)}"
        return str(path)


def _files_at(place: Path) -> list[Path]:
    """A file, or the regular files below a directory; nothing if neither exists."""
    try:
        found = [place] if place.is_file() else sorted(path for path in place.rglob("*") if path.is_file())
        return [path for path in found if os.access(path, os.R_OK)]
    except (OSError, ValueError):  # a long argument is not a file name
        return []


def _is_aged(path: Path) -> bool:
    return path.stat().st_mtime_ns == _AGED_NS


def _is_left(path: Path, before: dict[Path, str]) -> bool:
    return path in before and sha256_of(path) == before[path]
