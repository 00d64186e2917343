"""Notice that sources change while variants are built: variants of different sources may not be compared."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from optbuild.errors import BuildError, NotComparableError
from optbuild.files import VERSION_CONTROL, atomic_write, sha256_of

_SPACE = re.compile(r"(?<!\\) ")


@dataclass(slots=True, kw_only=True)
class SourceWatch:
    """The content of every source file of the builds so far, dependencies by path and build scripts' inputs included.

    Attributes:
        ignored: Below this directory lie files that builds generate.
        stamp: A file of ours, written anew to learn the time as files have it.
        manifests: Files that decide a build and that dep-info does not name.
        hashes: What was found, None for what is no file.
    """

    ignored: Path
    stamp: Path
    manifests: tuple[Path, ...] = ()
    hashes: dict[Path, str | None] = field(default_factory=dict)

    def add(self, executables: Iterable[Path], build_again: Callable[[], bool], *, since_ns: int) -> None:
        """Watch the files of a build that has just been done, those included that cargo's dep-info names.

        A file that was written since the build began may have been compiled in another state, or may be the work of a
        build script. Cargo knows: it compiles again what has changed since its compilation began.

        Args:
            executables: As cargo built them, in its target directory.
            build_again: Calls cargo once more; whether it found everything fresh.
            since_ns: What `now_ns` said before the build began.

        Raises:
            NotComparableError: A file was edited while it was compiled.
        """
        found = {*self.manifests, *_sources_of(executables)}
        times = {path: _mtime_ns(path) for path in sorted(found) if self._is_watched(path)}
        # Other builds may have begun later, and have compiled a file in a later state than this one did.
        recent = [path for path, time_ns in times.items() if time_ns >= since_ns]
        hashes = {path: _hash(path) for path in times if path not in self.hashes or path in recent}
        recent = [path for path in recent if hashes[path] is not None]
        if recent and not _is_fresh(build_again):
            # What the build itself writes, it has written once more, and with the same content.
            edited = [path for path in recent if _mtime_ns(path) == times[path] or _hash(path) != hashes[path]]
            if edited and not _is_never_fresh(build_again, {path: hashes[path] for path in edited}):
                raise sources_changed(tuple(edited))
        for path, found_hash in hashes.items():
            self.hashes.setdefault(path, found_hash)

    def _is_watched(self, path: Path) -> bool:
        """Whether a file is a source: a build script that asks for the commit names files of version control."""
        return not path.is_relative_to(self.ignored) and VERSION_CONTROL.isdisjoint(path.parts)

    def changed(self) -> tuple[Path, ...]:
        """The files that are not any more what they were."""
        return tuple(path for path, before in self.hashes.items() if _hash(path) != before)

    def now_ns(self) -> int:
        """The time by the clock that dates files: it may run behind the one that programs are told."""
        atomic_write(self.stamp, b"")
        return _mtime_ns(self.stamp)


def sources_changed(paths: tuple[Path, ...]) -> NotComparableError:
    """The error for sources that were edited while variants were built from them."""
    return NotComparableError(
        f"{paths[0]} changed while the variants were built" + f" (and {len(paths) - 1} more)" * (len(paths) > 1),
        help="leave the sources alone until the builds are done, and run again",
        location=str(paths[0]),
    )


def parse_dep_info(text: str) -> tuple[Path, ...]:
    """The files on the right of a dep-info file's first rule; a blank in a name is escaped by a backslash."""
    _, _, names = text.partition("\n")[0].partition(": ")
    return tuple(Path(name.replace("\\ ", " ")) for name in _SPACE.split(names) if name)


def _sources_of(executables: Iterable[Path]) -> Iterator[Path]:
    for executable in executables:
        dep_info = executable.with_suffix(".d")
        if dep_info.is_file():
            yield from parse_dep_info(dep_info.read_text(errors="surrogateescape"))


def _is_fresh(build_again: Callable[[], bool]) -> bool:
    try:
        return build_again()
    except BuildError:
        return False  # edited into something that does not compile


def _is_never_fresh(build_again: Callable[[], bool], hashes: Mapping[Path, str | None]) -> bool:
    """Whether cargo finds something to do each time, though nothing changes; files are compiled as they are by then."""
    try:
        return not build_again() and all(_hash(path) == before for path, before in hashes.items())
    except BuildError:
        return False


def _mtime_ns(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _hash(path: Path) -> str | None:
    try:
        return sha256_of(path)
    except OSError:
        return None  # a directory (`rerun-if-changed=dir`), or gone
