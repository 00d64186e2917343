"""The files that a project on this machine is built from, by their hashes; not for where they are put elsewhere.

They are those of the outermost Cargo workspace, and of packages outside it that its manifests name. What git ignores
and what cargo can make anew do not count.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from optbuild.errors import UsageError
from optbuild.files import MARKER, VERSION_CONTROL, sha256_of
from optbuild.profile.confine import find_workspace
from optbuild.project.outside_paths import find_outside_paths
from optbuild.project.repository import find_repository
from optbuild.session.request import Machine
from optbuild.tools import git

_CACHE_TAG = "CACHEDIR.TAG"


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeFile:
    """A file of a tree.

    Attributes:
        sha256: Of its content; of a symlink's target where it is one.
        link: A symlink's target.
    """

    sha256: str
    executable: bool = False
    link: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """Files below one directory.

    Attributes:
        root: The directory on this machine.
        project: The project's directory in it, relative.
        files: By their relative paths, sorted.
    """

    root: Path
    project: str
    files: Mapping[str, TreeFile]

    @property
    def id(self) -> str:
        """A hash of all names and contents."""
        listed = [[name, file.sha256, file.executable, file.link] for name, file in self.files.items()]
        return hashlib.sha256(json.dumps([self.project, listed]).encode()).hexdigest()


def find_tree(directory: Path, machine: Machine) -> Tree:
    """Look at all files that a project is built from.

    Raises:
        ToolchainError: git is not installed, or refuses the repository.
        UsageError: A file cannot be read.
    """
    directory = directory.resolve()
    workspace = find_workspace(directory)
    manifests = (directory / "Cargo.toml", workspace / "Cargo.toml")
    outside = find_outside_paths(manifests, tree=workspace, repository=workspace)
    tops = list(dict.fromkeys([workspace, *(each.path for each in outside if each.path.is_dir())]))
    root = Path(os.path.commonpath(tops))
    names = sorted({str(path.relative_to(root)) for top in tops for path in list_files(top, machine)})
    files = {name: describe_file(root / name) for name in names}
    return Tree(root=root, project=str(directory.relative_to(root)), files=files)


def find_all_files(top: Path, *, start: Path) -> Tree:
    """All files of a directory that holds nothing but a project's sources.

    Raises:
        UsageError: A file cannot be read.
    """
    files = {str(path.relative_to(top)): describe_file(path) for path in sorted(_walk(top))}
    return Tree(root=top, project=str(start.relative_to(top)), files=files)


def list_files(top: Path, machine: Machine) -> Iterator[Path]:
    """The files of a directory that no build makes: those that git knows, or all where there is no repository."""
    repository = find_repository(top, machine.executor, machine.environ)
    if repository is None:
        yield from _walk(top)
        return
    for name in git.parse_names(repository.ask(git.files_argv(), cwd=top).stdout):
        path = top / name
        if not any(_is_made_anew(parent) for parent in path.parents if parent != top and parent.is_relative_to(top)):
            if path.is_symlink() or path.is_file():
                yield path
            elif path.is_dir():  # a submodule, or a repository in the repository
                yield from _walk(path)


def _walk(top: Path) -> Iterator[Path]:
    for folder, directories, names in os.walk(top):
        place = Path(folder)
        directories[:] = sorted(
            name for name in directories if name not in VERSION_CONTROL and not _is_made_anew(place / name)
        )
        links = [name for name in directories if (place / name).is_symlink()]
        yield from (place / name for name in [*links, *names] if stat.S_IFMT((place / name).lstat().st_mode) in _KEPT)


_KEPT = frozenset({stat.S_IFREG, stat.S_IFLNK})


def _is_made_anew(directory: Path) -> bool:
    return (directory / _CACHE_TAG).is_file() or (directory / MARKER).is_file()


def describe_file(path: Path) -> TreeFile:
    """A file by its hash.

    Raises:
        UsageError: It cannot be read.
    """
    try:
        if path.is_symlink():
            link = str(path.readlink())
            return TreeFile(sha256=hashlib.sha256(os.fsencode(link)).hexdigest(), link=link)
        return TreeFile(sha256=sha256_of(path), executable=os.access(path, os.X_OK))
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror or error}",
            help="make it readable, or move it out of the project",
            location=str(path),
        ) from error
