"""Put the programs of one variant where they run: all of them beside each other, as they ship, and nothing else.

A program may start the one beside it. An older one that is left there would serve in its place, and nobody would see.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from optbuild.files import atomic_copy, remove_below


def place_together(
    binaries: Mapping[str, Path], directory: Path, *, root: Path, put: Callable[[Path, Path], None] = atomic_copy
) -> dict[str, Path]:
    """Make a directory anew that holds these files under their own names; where each is, by the name it was given.

    Args:
        binaries: Programs and libraries of one variant.
        directory: Where they go.
        root: The directory with our marker, which it lies below.
        put: What puts a file in its place.

    Raises:
        StorageError: A file cannot be written, or what lay there not deleted.
    """
    remove_below(root, directory)
    placed = {name: directory / path.name for name, path in binaries.items()}
    for name, path in binaries.items():
        put(path, placed[name])
    return placed


def even_name(stem: str, binaries: Mapping[str, Path], arms: Iterable[Mapping[str, Path]]) -> str:
    """The name of an arm's directory, lengthened where its programs have shorter names than another arm's.

    A path is part of a program's stack and may move its data: all that are compared have paths of equal length.

    Args:
        stem: What the name ends with, of one length for all arms.
        binaries: Those of the arm.
        arms: Those of all arms.
    """
    return "0" * (max(map(_longest_name, arms)) - _longest_name(binaries)) + stem


def _longest_name(binaries: Mapping[str, Path]) -> int:
    return max((len(path.name) for path in binaries.values()), default=0)
