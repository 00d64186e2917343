"""Raw profiles on disk: which of a training's files can be merged, and where the others are kept.

Not for what a merge finds out about them: `merging` asks `llvm-profdata`, and `salvage` decides what follows.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from optbuild.errors import ProfileDataError
from optbuild.files import remove_below, writing
from optbuild.plan.counts import RawProfiles, Unusable
from optbuild.text import sanitize_line
from optbuild.tools.llvm_profdata import HEADER_BYTES, read_profile_header
from optbuild.units import format_bytes

# One file per process and per binary. %m also makes the runtime merge into an existing file: a process that gets the
# pid of an earlier one adds to its counts instead of replacing them.
PER_PROCESS = "%m_%p.profraw"
# A few files per binary, to which each process adds its counts under a lock when it ends.
POOLED = "%4m.profraw"
MANY_PROCESSES = 1000
"""From here on, one file per process is too many: for a program of 30 MB that is some 2 GB."""

_LOOKING_SHARE = 0.05  # of the time: checking very many files takes a while itself


@dataclass(slots=True, kw_only=True)
class DiskBudget:
    """Watches what a training writes, and stops it before it fills the disk.

    Attributes:
        workload: The name of what is run.
        pooled: Its processes add to a pool of files.
    """

    directory: Path
    most_bytes: int
    workload: str
    pooled: bool
    clock: Callable[[], float] = time.monotonic
    _next_at: float = field(default=0.0, init=False)

    def watch(self) -> None:
        """Check the size, unless that was just done.

        Raises:
            ProfileDataError: It has written too much.
        """
        started = self.clock()
        if started >= self._next_at:
            self.check()
            now = self.clock()
            self._next_at = now + (now - started) / _LOOKING_SHARE

    def check(self) -> None:
        """Check the size now.

        Raises:
            ProfileDataError: It has written too much.
        """
        files, size_bytes = _occupied(self.directory)
        if size_bytes <= self.most_bytes:
            return
        share = "" if self.pooled else 'let processes share a pool of files: `files = "pool"` under [raw-profiles]; or '
        raise ProfileDataError(
            f"training on {sanitize_line(self.workload)!r} has written {format_bytes(size_bytes)} of raw profiles "
            f"({files:,} of them); its disk budget is {format_bytes(self.most_bytes)}",
            help=f"{share}raise `disk-budget` under [raw-profiles], or train on less",
            location=str(self.directory),
        )


def _occupied(directory: Path) -> tuple[int, int]:
    """The number of files and their total size; a file that vanishes meanwhile counts as empty."""
    files = size_bytes = 0
    with os.scandir(directory) as entries:
        for entry in entries:
            try:
                size_bytes += entry.stat(follow_symlinks=False).st_size
            except FileNotFoundError:
                continue
            files += 1
    return files, size_bytes


def collect(directory: Path) -> RawProfiles:
    """Inspect every file of a training by its size and its first bytes.

    A merge silently skips an empty file, and silently accepts coverage counts as counts for PGO.
    """
    names, unusable, size_bytes = [], [], 0
    for name in sorted(os.listdir(directory)):  # noqa: PTH208 - 50,000 paths would take 30 MB
        reason, length = _look_at(f"{directory}/{name}")
        if reason is None:
            names.append(name)
            size_bytes += length
        else:
            unusable.append(Unusable(name=name, reason=reason))
    return RawProfiles(directory=directory, names=tuple(names), size_bytes=size_bytes, unusable=tuple(unusable))


def _look_at(path: str) -> tuple[str | None, int]:
    """What is wrong with a file, if anything, and its size. There may be 50,000: as few calls as possible for each."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError as error:
        return f"cannot be read ({error.strerror})", 0
    try:
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode):
            return "not a file", 0
        return _judge(os.read(descriptor, HEADER_BYTES)), state.st_size
    finally:
        os.close(descriptor)


@lru_cache(maxsize=64)  # most files begin with the same bytes
def _judge(first_bytes: bytes) -> str | None:
    if not first_bytes:
        return "empty"
    header = read_profile_header(first_bytes)
    if header is None:
        return "cut short" if len(first_bytes) < HEADER_BYTES else "not a raw profile"
    if header.kind != "raw":
        return "a merged profile, not a raw one"
    return None if header.is_ir_level else "counts of coverage instrumentation, not of PGO"


def set_aside(directory: Path, unusable: Iterable[Unusable], *, root: Path, kept: Path) -> dict[Path, str]:
    """Move files that cannot be merged to a place for inspection, replacing those of an earlier run.

    Args:
        directory: Where they are.
        unusable: The files.
        root: The directory with optbuild's marker.
        kept: Their new place: a directory of this run below one of this training.

    Returns:
        The new place of each, and what is wrong with it.

    Raises:
        StorageError: They cannot be moved.
    """
    remove_below(root, kept.parent)
    moved = {}
    with writing(kept):
        kept.mkdir(parents=True)
        for item in unusable:
            (directory / item.name).rename(kept / item.name)
            moved[kept / item.name] = item.reason
    return moved
