"""The hashes of large files, kept from run to run: such a file is read once, and known by its stamp from then on.

A stamp that is younger than clocks are fine proves nothing: a file may be written twice within one tick, and keep its
size. Git calls such an entry racy and reads the file again; here it is not kept, so the next run reads it again.

Sources:
    Git, "Use of index and Racy Git problem": https://git-scm.com/docs/racy-git
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from optbuild.adapters import adapter_of
from optbuild.files import atomic_write, sha256_of

_SMALLEST_BYTES = 64 << 20
"""Less is read faster than anybody would notice."""
_RACY_NS = 2 * 10**9
"""The coarsest time stamps that file systems have, those of FAT, are two seconds apart."""

_Stamp = tuple[int, int, int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    stamp: _Stamp
    sha256: str


@dataclass(slots=True, kw_only=True)
class KnownHashes:
    """A small file with the stamps and hashes of large ones; one that is damaged holds nothing.

    Attributes:
        path: That file; None where nothing is kept.
        smallest_bytes: Smaller files are read each time.
        clock: The time, in nanoseconds since the epoch.
    """

    path: Path | None = None
    smallest_bytes: int = _SMALLEST_BYTES
    clock: Callable[[], int] = time.time_ns
    _known: dict[str, _Known] | None = field(default=None, init=False)
    _is_new: bool = field(default=False, init=False)

    def of(self, path: Path) -> str:
        """The SHA-256 of a file's content, in hexadecimal.

        Raises:
            OSError: It cannot be read.
        """
        stamp = _stamp(path)
        if self.path is None or stamp[2] < self.smallest_bytes:
            return sha256_of(path)
        known = self._load()
        name = os.path.abspath(path)  # noqa: PTH100 - a link to another file is another input, and not resolved
        if (entry := known.get(name)) is not None and entry.stamp == stamp:
            return entry.sha256
        began_ns = self.clock()
        sha256 = sha256_of(path)
        known.pop(name, None)
        self._is_new = True
        if _stamp(path) == stamp and max(stamp[3:]) + _RACY_NS < began_ns:
            known[name] = _Known(stamp=stamp, sha256=sha256)
        return sha256

    def remember(self) -> None:
        """Keep what is known for the next run; of files that are still there.

        Raises:
            StorageError: It cannot be written.
        """
        if self.path is None or not self._is_new:
            return
        kept = {name: entry for name, entry in self._load().items() if Path(name).is_file()}
        shown = {name: {"stamp": entry.stamp, "sha256": entry.sha256} for name, entry in sorted(kept.items())}
        atomic_write(self.path, json.dumps(shown).encode())
        self._is_new = False

    def _load(self) -> dict[str, _Known]:
        if self._known is None:
            try:
                adapter = adapter_of(dict[str, _Known])
                self._known = {} if self.path is None else adapter.validate_json(self.path.read_bytes())
            except (OSError, ValidationError):
                self._known = {}
        return self._known


def _stamp(path: Path) -> _Stamp:
    """What differs when somebody has written to a file; its change time cannot be set back."""
    state = path.stat()
    return state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns
