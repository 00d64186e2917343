"""The first build of a version begins with what cargo has built of another one: most dependencies are the same.

Packages of a registry have the same hash wherever the workspace lies, and cargo uses them again from a copy of its
target directory. Packages of the workspace have the same hash as well, and cargo decides by time stamps whether their
files have changed since. A copy is therefore given time stamps that are older than every file of the version, so that
cargo builds these packages again.

Not for the user's own target directory, nor for results of optbuild: the keys of those say what they hold for.

Sources:
    cargo 1.95, `src/cargo/core/compiler/fingerprint/mod.rs` ("Fingerprints and Metadata", `find_stale_file`)
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from optbuild.files import VERSION_CONTROL, disk_bytes_of, remove_below, writing
from optbuild.project.layout import Layout

_SPARE_RATIO = 2.0
"""A copy is made only where so many times its size is free: the builds that follow need space as well."""
_SECOND_NS = 1_000_000_000  # some file systems keep no fractions


def seed_builds(layout: Layout, others: Iterable[Layout], files: Path) -> tuple[Path, ...]:
    """Give a version that was never built copies of cargo's target directories.

    Args:
        layout: Of the version.
        others: Where other versions were built, the best to begin with first.
        files: The version's files, all of them optbuild's own copies.

    Returns:
        Those of its target directories that no other version has.

    Raises:
        StorageError: A copy cannot be written.
    """
    sources = [other for other in others if other.root != layout.root]
    missing = [place for place in (layout.cargo_target, layout.cargo_pgo_target) if not place.exists()]
    nowhere = []
    for directory in missing:
        found = next((place for other in sources if (place := other.root / directory.name).is_dir()), None)
        if found is None:
            nowhere.append(directory)
        else:
            seed_directory(layout, found, files)
    return tuple(nowhere)


def seed_directory(layout: Layout, found: Path, files: Path) -> None:
    """Give a version a copy of one target directory of another; without the space for it, it gets none.

    Raises:
        StorageError: The copy cannot be written.
    """
    if found.is_dir():
        _copy(found, layout.root / found.name, owned=layout.root, before_ns=_oldest_ns(files))


def _oldest_ns(files: Path) -> int:
    """When the oldest file below a directory was changed; zero if there is none."""
    with writing(files):
        return min((os.lstat(path).st_mtime_ns for path in _walk(files)), default=0)


def _walk(directory: Path) -> Iterator[str]:
    for place, directories, names in os.walk(directory):
        directories[:] = [name for name in directories if name not in VERSION_CONTROL]
        yield from (os.path.join(place, name) for name in names)  # noqa: PTH118 - there may be many


def _copy(found: Path, directory: Path, *, owned: Path, before_ns: int) -> None:
    """Copy a directory; it appears complete or not at all, and all of it was changed before a point in time."""
    latest_ns = before_ns - _SECOND_NS
    if latest_ns <= 0:  # nothing is older than such files
        return

    def copy(source: str, target: str) -> None:
        shutil.copy2(source, target, follow_symlinks=False)
        times = os.lstat(target)
        changed_ns = min(times.st_mtime_ns, latest_ns)
        os.utime(target, ns=(times.st_atime_ns, changed_ns), follow_symlinks=False)

    partial = directory.with_name(f"{directory.name}.partial")
    remove_below(owned, partial)
    with writing(directory):
        if shutil.disk_usage(owned).free < _SPARE_RATIO * disk_bytes_of(found):
            return
        try:
            shutil.copytree(found, partial, symlinks=True, copy_function=copy)
        except shutil.Error as error:  # it holds a line for each file: which one, where to, and why
            raise OSError(str(error.args[0][0][2])) from error
        partial.replace(directory)
