"""Put the programs of one variant where they run: all in one directory, as they ship, and nothing else.

A program may start another one in its directory. An older one left there would run instead, unnoticed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from optbuild.files import atomic_copy, remove_below, writing
from optbuild.tools.wheels import WHEEL, unpack_wheel
from optbuild.workloads.words import is_wheel

_SITE = "site"


def place_together(
    binaries: Mapping[str, Path], directory: Path, *, root: Path, put: Callable[[Path, Path], None] = atomic_copy
) -> dict[str, Path]:
    """Recreate a directory with these files under their own names; return the path of each, by its given name.

    Args:
        binaries: Programs and libraries of one variant.
        directory: Where they go.
        root: The directory with optbuild's marker, which it is below.
        put: Puts a file in its place. A wheel is unpacked into a directory.

    Raises:
        StorageError: A file cannot be written, or the old files cannot be deleted.
    """
    remove_below(root, directory)
    placed = {name: directory / (_SITE if name == WHEEL else path.name) for name, path in binaries.items()}
    for name, path in binaries.items():
        if name == WHEEL:
            with writing(placed[name]):
                unpack_wheel(path, placed[name])
        elif not is_wheel(path.name):  # one for another interpreter
            put(path, placed[name])
    return placed


def even_name(stem: str, binaries: Mapping[str, Path], arms: Iterable[Mapping[str, Path]]) -> str:
    """The name of an arm's directory, lengthened if its programs have shorter names than another arm's.

    A path is on a program's stack and may move its data, so all compared programs have paths of equal length.

    Args:
        stem: The end of the name, of equal length for all arms.
        binaries: Those of the arm.
        arms: Those of all arms.
    """
    return "0" * (max(map(_longest_name, arms)) - _longest_name(binaries)) + stem


def _longest_name(binaries: Mapping[str, Path]) -> int:
    return max((len(path.name) for path in binaries.values()), default=0)
