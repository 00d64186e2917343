"""The shared libraries that a program is linked with and that come from cargo: built, searched, or shipped by it.

Only `cargo run` points the loader to them. So they are kept with the program and placed next to it wherever it runs:
each variant then loads its own.

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
    """The shared libraries in some directories; a missing directory has none."""
    return [
        path
        for directory in directories
        if directory.is_dir()
        for path in sorted(directory.iterdir())
        if is_shared_library(path.name) and path.is_file()
    ]


def find_loaded(programs: Iterable[Path], candidates: Iterable[Path]) -> dict[str, Path]:
    """Which libraries some programs load, directly or through other libraries; the first of each name.

    A program names in plain text what the loader has to find. If it names a library without loading it, the copy is
    unused.
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
