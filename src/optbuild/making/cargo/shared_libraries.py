"""The shared libraries that a program is linked with and that cargo has built, or was told of, or brings.

`cargo run` tells the loader where they are; nobody else does. So they are kept with the program, and stand beside it
wherever it runs: each variant then loads its own.

Sources:
    The Cargo Book, "Environment variables", dynamic library paths:
    https://doc.rust-lang.org/cargo/reference/environment-variables.html#dynamic-library-paths
"""

from __future__ import annotations

import mmap
from collections.abc import Iterable
from pathlib import Path

from optbuild.workloads.words import is_shared_library


def libraries_in(directories: Iterable[Path]) -> list[Path]:
    """The shared libraries that lie in some directories; one that is not there has none."""
    return [
        path
        for directory in directories
        if directory.is_dir()
        for path in sorted(directory.iterdir())
        if is_shared_library(path.name) and path.is_file()
    ]


def find_loaded(programs: Iterable[Path], candidates: Iterable[Path]) -> dict[str, Path]:
    """Which libraries some programs load, by their own names or those of others that they load; the first of a name.

    A program names in plain text what the loader has to find. It may name a library without loading it; then that one
    stands beside it for nothing.
    """
    known: dict[str, Path] = {}
    for path in candidates:
        known.setdefault(path.name, path)
    found: dict[str, Path] = {}
    left = [*programs]
    while left:
        for name in _named_in(left.pop(), [name for name in known if name not in found]):
            found[name] = known[name]
            left.append(known[name])
    return dict(sorted(found.items()))


def _named_in(program: Path, names: list[str]) -> list[str]:
    if not names or program.stat().st_size == 0:
        return []
    with program.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return [name for name in names if content.find(b"\0" + name.encode() + b"\0") >= 0]
