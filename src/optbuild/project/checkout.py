"""Make the files of a revision in a directory of our own, without a write to the user's repository.

The directory gets a small repository that borrows the user's objects ("alternates"). Build scripts that ask
`git describe` hear of the revision that is built, `.gitattributes` work as in any checkout, and nothing is registered
in the user's `.git` that an interruption could leave there.

Sources:
    gitrepository-layout(5), `objects/info/alternates`, `packed-refs`: https://git-scm.com/docs/gitrepository-layout
    Git LFS, "pointer files": https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from optbuild.errors import UsageError
from optbuild.execution.command import Completed, Executor
from optbuild.files import atomic_copy, atomic_write, sha256_of, writing
from optbuild.project.repository import Repository, run_git
from optbuild.text import last_lines, sanitize_line
from optbuild.tools import git

_POINTER = re.compile(rb"version https://git-lfs\.github\.com/spec/v1\n(?:.*\n)*oid sha256:([0-9a-f]{64})\n")
_MOST_POINTER_BYTES = 1024
_LFS_ATTRIBUTE = b"filter=lfs"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Store:
    """Where the objects of a repository, or of a submodule, are borrowed from.

    Attributes:
        top: The working tree that the user has of it; it may have none.
        common: The git directory.
    """

    top: Path
    common: Path
    object_format: str
    refs: tuple[git.Ref, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """Makes the files of revisions.

    Attributes:
        label: What is checked out, for people.
    """

    executor: Executor
    environ: Mapping[str, str]
    label: str

    def make(self, repository: Repository, commit: str, directory: Path) -> None:
        """Make the files of a commit in an empty directory, those of submodules and of Git LFS included.

        Raises:
            UsageError: Something of it is not in the user's clone.
            StorageError: The directory cannot be written.
        """
        self._make(_store_of(repository), commit, directory)

    def describe(self, repository: Repository, commit: str, directory: Path) -> None:
        """Give files that are there already a repository of the same kind, in which they may be changed."""
        store = _store_of(repository)
        head = directory / ".git" / "HEAD"
        is_new = not head.is_file()
        if is_new:
            self._init(store, directory)
        self._borrow(store, directory)
        if _write_changed(head, f"{commit}\n") or is_new:
            self._git(git.reset_argv(hard=False), directory)

    def _make(self, store: _Store, commit: str, directory: Path) -> None:
        self._init(store, directory)
        self._borrow(store, directory)
        if self._git(git.commit_argv(commit), directory).exit_code != 0:
            raise self._missing(store, f"the commit {commit[:12]}", b"")
        _write_changed(directory / ".git" / "HEAD", f"{commit}\n")
        done = self._git(git.reset_argv(hard=True), directory)
        if done.exit_code != 0:
            raise self._missing(store, "all of its files", done.stderr)
        entries = git.parse_entries(self._git(git.entries_argv(commit), directory).stdout)
        if any(_LFS_ATTRIBUTE in _read(directory / entry.path) for entry in entries if _is_attributes(entry.path)):
            fill_pointers([entry.path for entry in entries], directory, store.common / "lfs", self.label)
        submodules = [entry for entry in entries if entry.is_submodule]
        names = git.parse_submodules(self._git(git.submodules_argv(), directory).stdout) if submodules else {}
        for entry in submodules:
            self._make_submodule(store, entry, names.get(entry.path, entry.path), directory / entry.path)

    def _make_submodule(self, store: _Store, entry: git.Entry, name: str, directory: Path) -> None:
        places = (store.top / entry.path / ".git", store.common / "modules" / name)
        common = next((found for place in places if (found := _git_directory(place)) is not None), None)
        shown = sanitize_line(entry.path)
        if common is None:
            raise UsageError(
                f"{self.label}: the submodule {shown} is not here",
                help=f"git submodule update --init --recursive -- {shown}",
                location=str(store.top),
            )
        inner = _Store(top=store.top / entry.path, common=common, object_format=store.object_format)
        try:
            self._make(inner, entry.hash, directory)
        except UsageError as error:
            if error.location == str(inner.common):
                error.message = f"{self.label}: the submodule {shown} lacks the commit {entry.hash[:12]}"
                error.help = f"git -C {shown} fetch origin {entry.hash}"
            raise

    def _init(self, store: _Store, directory: Path) -> None:
        with writing(directory):
            directory.mkdir(parents=True, exist_ok=True)
        done = self._git(git.init_argv(store.object_format), directory)
        if done.exit_code != 0:
            raise self._missing(store, "a repository to borrow from", done.stderr)

    def _borrow(self, store: _Store, directory: Path) -> None:
        own = directory / ".git"
        _write_changed(own / "objects" / "info" / "alternates", f"{store.common / 'objects'}\n")
        _write_changed(own / "packed-refs", git.render_packed_refs(store.refs))
        shallow = _read(store.common / "shallow")
        if shallow:
            _write_changed(own / "shallow", shallow.decode("ascii", "replace"))

    def _missing(self, store: _Store, what: str, stderr: bytes) -> UsageError:
        return UsageError(
            f"{self.label}: this clone does not hold {what}",
            help="fetch what is missing: git fetch --tags; git fetch --unshallow, where the clone is shallow; "
            "git fetch --refetch --no-filter, where it is partial",
            location=str(store.common),
            detail=last_lines(stderr) or None,
        )

    def _git(self, argv: tuple[str, ...], directory: Path) -> Completed:
        return run_git(argv, directory, self.executor, self.environ)


def fill_pointers(paths: list[str], directory: Path, lfs: Path, label: str) -> None:
    """Put what Git LFS has fetched in the place of its pointers.

    Args:
        paths: Files below `directory`.
        directory: Where they lie.
        lfs: What Git LFS keeps in the user's git directory.
        label: Whose files they are, for people.

    Raises:
        UsageError: Something was not fetched: a program with a pointer in it would be another one.
    """
    for path in paths:
        place = directory / path
        found = _POINTER.match(_read(place)) if _is_small_file(place) else None
        if found is None:
            continue
        digest = found[1].decode("ascii")
        content = lfs / "objects" / digest[:2] / digest[2:4] / digest
        if not content.is_file() or sha256_of(content) != digest:
            raise UsageError(
                f"{label}: {sanitize_line(path)} is a pointer of Git LFS, and its content was not fetched",
                help=f"git lfs fetch origin {label}" if " " not in label else "git lfs pull",
                location=str(place),
            )
        mode = place.stat().st_mode
        atomic_copy(content, place)
        with writing(place):
            place.chmod(mode)


def _store_of(repository: Repository) -> _Store:
    return _Store(
        top=repository.top,
        common=repository.common,
        object_format=repository.object_format,
        refs=repository.refs(),
    )


def _git_directory(place: Path) -> Path | None:
    """The git directory at a place, or that a file there names."""
    if place.is_file():
        named = _read(place).decode("utf-8", "surrogateescape").partition("gitdir:")[2].strip()
        place = (place.parent / named).resolve() if named else place
    return place if (place / "objects").is_dir() else None


def _is_attributes(path: str) -> bool:
    return path.rpartition("/")[2] == ".gitattributes"


def _is_small_file(place: Path) -> bool:
    return place.is_file() and not place.is_symlink() and place.stat().st_size <= _MOST_POINTER_BYTES


def _read(path: Path) -> bytes:
    """A file's content; nothing where there is none."""
    return path.read_bytes() if path.is_file() else b""


def _write_changed(path: Path, text: str) -> bool:
    """Write a file whose content is another one: build scripts watch some of these files by their times."""
    data = text.encode("utf-8", "surrogateescape")
    if path.is_file() and path.read_bytes() == data:
        return False
    atomic_write(path, data)
    return True
