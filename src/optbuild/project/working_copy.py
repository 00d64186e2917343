"""A copy of a working tree as it is: uncommitted changes and new files included, what git ignores by links.

A copy, because paths are in programs: only so do both sides of a comparison lie at paths of equal length. Files that
have not changed keep their times, so cargo finds them fresh.
"""

from __future__ import annotations

import filecmp
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from optbuild.files import atomic_copy, atomic_write, remove_below, writing
from optbuild.project.repository import Repository
from optbuild.tools import git

_CACHE_TAG = "CACHEDIR.TAG"
"""Marks directories that can be made anew, cargo's target directories among them. Sources: https://bford.info/cachedir/"""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkingCopy:
    """Brings a copy up to date.

    Attributes:
        source: What is copied.
        directory: Where the copy lies.
        placed: A file that remembers what was put there.
        without: A directory that is not copied, and what it lies in is not linked: it holds the copy.
        owned: The directory with our marker that the copy lies below.
    """

    source: Repository
    directory: Path
    owned: Path
    placed: Path
    without: Path

    def update(self) -> tuple[str, ...]:
        """Make the copy equal to the working tree; what build scripts have written next to it stays. Its files.

        Raises:
            StorageError: Something cannot be written.
        """
        files = self._files(self.source.top, "")
        links = [path for path in self._ignored() if path not in files]
        names = [*files, *links]
        for name in set(self._placed_before()).difference(names):
            self._remove(name)
        for name in files:
            self._copy(name)
        for name in links:
            self._link(name)
        atomic_write(self.placed, json.dumps(names).encode())
        return tuple(files)

    def _files(self, top: Path, prefix: str) -> dict[str, None]:
        """The files of a working tree and of those in it, such as submodules."""
        found: dict[str, None] = {}
        for name in git.parse_names(self.source.ask(git.files_argv(), cwd=top).stdout):
            path = top / name
            if self._is_below_made_anew(path, top):  # a target directory that git does not ignore
                continue
            if path.is_symlink() or path.is_file():
                found[prefix + name] = None
            elif path.is_dir() and (path / ".git").exists():
                found |= self._files(path, f"{prefix}{name.rstrip('/')}/")
        return found

    def _ignored(self) -> list[str]:
        names = (name.rstrip("/") for name in git.parse_names(self.source.ask(git.ignored_argv()).stdout))
        return [name for name in names if not self._is_made_anew(self.source.top / name)]

    def _is_made_anew(self, path: Path) -> bool:
        return self.without.is_relative_to(path) or path.is_relative_to(self.without) or _is_cache(str(path))

    def _is_below_made_anew(self, path: Path, top: Path) -> bool:
        """Whether a file lies in what can be made anew."""
        if path.is_relative_to(self.without):
            return True
        directories = [parent for parent in path.parents if parent != top and parent.is_relative_to(top)]
        return any(_is_cache(str(directory)) for directory in directories)

    def _placed_before(self) -> list[str]:
        if not self.placed.is_file():
            return []
        names: list[str] = json.loads(self.placed.read_bytes())
        return names

    def _copy(self, name: str) -> None:
        source, target = self.source.top / name, self.directory / name
        if source.is_symlink():
            self._put_link(target, str(source.readlink()))
            return
        is_other = target.is_file() and not filecmp.cmp(source, target, shallow=False)
        if target.is_symlink() or target.is_dir() or is_other:
            remove_below(self.owned, target)
        if not target.is_file():
            atomic_copy(source, target)
        elif source.stat().st_mode != target.stat().st_mode:
            with writing(target):
                target.chmod(source.stat().st_mode)

    def _link(self, name: str) -> None:
        self._put_link(self.directory / name, str(self.source.top / name))

    def _put_link(self, target: Path, content: str) -> None:
        with writing(target):
            if target.is_symlink() and str(target.readlink()) == content:
                return
            if target.is_symlink() or target.is_file():
                target.unlink()
            if not target.exists():  # a build script may have made a directory of what was not there
                target.parent.mkdir(parents=True, exist_ok=True)
                target.symlink_to(content)

    def _remove(self, name: str) -> None:
        target = self.directory / name
        with writing(target):
            if target.is_symlink() or target.is_file():
                target.unlink()


@cache
def _is_cache(directory: str) -> bool:
    return (Path(directory) / _CACHE_TAG).is_file()
