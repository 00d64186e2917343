"""Notice that sources change while variants are built: variants of different sources may not be compared."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from optbuild.files import sha256_of

_SPACE = re.compile(r"(?<!\\) ")


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSnapshot:
    """The content of every source file of a build, dependencies by path and build scripts' inputs included."""

    hashes: Mapping[Path, str | None]

    @classmethod
    def take(cls, executables: Iterable[Path], *, ignored: Path) -> SourceSnapshot:
        """Hash the files that cargo's dep-info names for these executables.

        Args:
            executables: As cargo built them, in its target directory.
            ignored: Below this directory lie files that builds generate.
        """
        found: set[Path] = set()
        for executable in executables:
            dep_info = executable.with_name(f"{executable.name}.d")
            if dep_info.is_file():
                found |= set(parse_dep_info(dep_info.read_text(errors="surrogateescape")))
        return cls(hashes={path: _hash(path) for path in sorted(found) if not path.is_relative_to(ignored)})

    def changed(self) -> tuple[Path, ...]:
        """The files that are not any more what they were."""
        return tuple(path for path, before in self.hashes.items() if _hash(path) != before)


def parse_dep_info(text: str) -> tuple[Path, ...]:
    """The files on the right of a dep-info file's first rule; a blank in a name is escaped by a backslash."""
    _, _, names = text.partition("\n")[0].partition(": ")
    return tuple(Path(name.replace("\\ ", " ")) for name in _SPACE.split(names) if name)


def _hash(path: Path) -> str | None:
    try:
        return sha256_of(path)
    except OSError:
        return None  # a directory (`rerun-if-changed=dir`), or gone
