"""Files of a project that look like inputs of its programs. Looks at names and sizes only; not for who reads them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

_DATA_NAMES = ("corpus", "data", "fixtures", "inputs", "samples", "testdata", "test-data", "test_data")
_PARENTS = ("benches", "examples", "tests")
# What is built, or describes the project, is not an input of its programs.
_NOT_DATA = frozenset(
    {".rs", ".toml", ".lock", ".md", ".sh", ".py", ".rlib", ".so", ".o", ".snap", ".stderr", ".stdout"}
)
# What a test expects to come out is not what goes in.
_EXPECTED = re.compile(
    r"expect|golden|snapshot|(?:^|[._-])(?:out|output|outputs|stdout|stderr|result|results|ok|want)(?:$|[._-])"
)
_LARGEST_BYTES = 256 << 20
_MOST_ENTRIES = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleFile:
    """A file that may be an input.

    Attributes:
        path: Relative to the directory that was looked at, with `/`.
        size_bytes: Never 0.
    """

    path: str
    size_bytes: int

    @property
    def suffix(self) -> str:
        """Its extension with the dot, in lower case; empty where there is none."""
        return os.path.splitext(self.path)[1].lower()  # noqa: PTH122 - a text, not a path on this machine


def find_data_directories(directory: Path, package: Path) -> tuple[str, ...]:
    """Directories named as those with sample files are, below the project or the package, relative to the project."""
    found = (
        place / parent / name
        for place in dict.fromkeys((directory, package))
        if place.is_relative_to(directory)
        for parent in ("", *_PARENTS)
        for name in _DATA_NAMES
    )
    return tuple(path.relative_to(directory).as_posix() for path in found if path.is_dir())


def find_sample_files(directory: Path, package: Path) -> tuple[SampleFile, ...]:
    """What lies in directories with sample files, and next to tests, benches and examples; the largest first."""
    own = [package.relative_to(directory) / parent for parent in _PARENTS] if package.is_relative_to(directory) else []
    parents = (*map(Path, _PARENTS), *own)
    places = dict.fromkeys((*find_data_directories(directory, package), *(place.as_posix() for place in parents)))
    found = {file.path: file for place in places for file in _files_below(directory, place)}
    return tuple(sorted(found.values(), key=lambda file: (-file.size_bytes, file.path)))


def _files_below(directory: Path, place: str) -> Iterator[SampleFile]:
    for number, path in enumerate(_walk(directory / place)):
        if number >= _MOST_ENTRIES:
            return
        name = path.relative_to(directory).as_posix()
        if path.suffix.lower() in _NOT_DATA or _EXPECTED.search(name.lower()) or not name.isprintable():
            continue
        size_bytes = path.stat().st_size
        if 0 < size_bytes <= _LARGEST_BYTES:
            yield SampleFile(path=name, size_bytes=size_bytes)


def _walk(place: Path) -> Iterator[Path]:
    """Regular files below a directory; neither links nor hidden entries, which may lead elsewhere."""
    for parent, directories, files in os.walk(place):
        directories[:] = sorted(name for name in directories if not name.startswith(".") and name != "target")
        paths = (Path(parent) / name for name in sorted(files) if not name.startswith("."))
        yield from (path for path in paths if path.is_file() and not path.is_symlink())


def largest_kind(files: Iterable[SampleFile]) -> tuple[SampleFile, ...]:
    """The files of the extension that has the most bytes, in their order."""
    listed = tuple(files)
    total: dict[str, int] = {}
    for file in listed:
        total[file.suffix] = total.get(file.suffix, 0) + file.size_bytes
    return tuple(file for file in listed if total and file.suffix == max(total, key=lambda suffix: total[suffix]))
