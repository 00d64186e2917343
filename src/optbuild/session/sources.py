"""What a comparison of versions is built from: a revision, the working tree, or nothing, for a program that is there.

Every source has its own files below optbuild's directory, at paths of equal length: paths are in programs. Cargo
looks for a workspace in the directories above a package, and would find the user's; it ends that search at a directory
`target/package`, where it builds packages for itself.

Sources:
    cargo 1.95, `src/cargo/core/workspace.rs` (`find_root_iter`)
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from optbuild.errors import UsageError
from optbuild.files import atomic_copy, atomic_write, claim_directory, remove_below, sha256_of, storage_error, writing
from optbuild.project.checkout import Checkout, fill_pointers
from optbuild.project.discover import discover_git_state
from optbuild.project.layout import Layout
from optbuild.project.repository import Repository
from optbuild.project.working_copy import WorkingCopy
from optbuild.session.request import Machine
from optbuild.session.seeding import seed_builds
from optbuild.text import sanitize_line

WORKING_TREE = "working tree"
_KEY_DIGITS = 12
_WORKING_COPY = "working-copy"  # as long as a key of a revision
_IN_PLACE = "working-tree"
_MOST_REVISIONS = 4
"""So many revisions are kept, with what cargo has built of them, for comparisons to come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One version of a project.

    Attributes:
        name: For people: the revision as it was named, or `working tree`.
        commit: The hash; None without git.
        dirty: There are changes that are not in the commit; None where that is not known.
        home: Where the user has these files: the working tree; of a revision, where they were put.
        files: Where they are built.
        layout: Where the builds are written.
    """

    name: str
    commit: str | None
    dirty: bool | None
    home: Path
    files: Path
    layout: Layout

    def describe(self) -> str:
        """Its name and its commit, for people."""
        commit = "" if self.commit is None else f" ({self.commit[:_KEY_DIGITS]}{' + changes' * bool(self.dirty)})"
        return f"{self.name}{commit}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineProgram:
    """A program that was built before, in the place of an old version.

    Attributes:
        path: Where the user has it.
        copy: Ours, which nobody replaces meanwhile.
    """

    path: Path
    copy: Path
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceMaker:
    """Puts the files of versions where they are built.

    Attributes:
        layout: Of the project itself.
    """

    layout: Layout
    machine: Machine

    @property
    def directory(self) -> Path:
        """Below it every source has a directory."""
        return self.layout.versions / "target" / "package"

    def from_revision(self, repository: Repository, revision: str, commit: str) -> Source:
        """The files of a revision; those of an earlier comparison are used again.

        Raises:
            UsageError: Something of it is not in the user's clone.
            StorageError: They cannot be written.
        """
        name = sanitize_line(revision)
        place = self.directory / commit[:_KEY_DIGITS]
        files, stamp = place / "source", place / "commit"
        if not stamp.is_file() or stamp.read_text("ascii") != commit:
            remove_below(self.layout.root, files)  # builds stay: cargo knows what of them is fresh
            checkout = Checkout(executor=self.machine.executor, environ=self.machine.environ, label=name)
            checkout.make(repository, commit, files)
            atomic_write(stamp, commit.encode("ascii"))
        with writing(stamp):
            os.utime(stamp)  # it was used now
        return Source(name=name, commit=commit, dirty=False, home=files, files=files, layout=self._layout(place))

    def from_working_tree(self, repository: Repository) -> Source:
        """A copy of the working tree as it is now.

        Raises:
            UsageError: A file is a pointer of Git LFS whose content is not here.
            StorageError: The copy cannot be written.
        """
        place = self.directory / _WORKING_COPY
        copy = WorkingCopy(
            source=repository,
            directory=place / "source",
            owned=self.layout.root,
            placed=place / "placed.json",
            without=self.layout.root,
        )
        names = copy.update()
        if any(name.rpartition("/")[2] == ".gitattributes" for name in names):
            fill_pointers(list(names), copy.directory, repository.common / "lfs", WORKING_TREE)
        commit = repository.find_commit("HEAD")
        if commit is not None:
            checkout = Checkout(executor=self.machine.executor, environ=self.machine.environ, label=WORKING_TREE)
            checkout.describe(repository, commit, copy.directory)
        return Source(
            name=WORKING_TREE,
            commit=commit,
            dirty=discover_git_state(repository.top, self.machine.executor, self.machine.environ).dirty,
            home=repository.top,
            files=copy.directory,
            layout=self._layout(place),
        )

    def in_place(self, directory: Path) -> Source:
        """The files of a directory without git, where they are."""
        layout = self._layout(self.directory / _IN_PLACE)
        return Source(name=WORKING_TREE, commit=None, dirty=None, home=directory, files=directory, layout=layout)

    def copy_program(self, path: Path, *, as_name: str) -> BaselineProgram:
        """Take a copy of a program, under the name that the new one has: programs may print theirs.

        Raises:
            UsageError: It is not a program.
            StorageError: The copy cannot be written.
        """
        if not path.is_file() or not os.access(path, os.X_OK):
            raise UsageError(
                f"--baseline-binary: {path} is missing or not executable",
                help="name a program that was built before, such as one of an earlier release",
                location=str(path),
            )
        copy = copy_as(path, self.layout.versions / "renamed" / as_name, owned=self.layout.root)
        return BaselineProgram(path=path, copy=copy, sha256=sha256_of(copy), size_bytes=copy.stat().st_size)

    def seed(self, source: Source) -> tuple[Path, ...]:
        """Let the first build of a version begin with what cargo has built of the one that was used last.

        Returns:
            The target directories that no version has yet.

        Raises:
            StorageError: The copy cannot be written.
        """
        if not source.files.is_relative_to(self.directory):
            return ()
        places = sorted(self.directory.glob("*"), key=_last_use_ns, reverse=True)
        return seed_builds(source.layout, (*map(self._layout_of, places), self.layout), source.files)

    def prune(self, *used: Source) -> None:
        """Remove the revisions whose last use is longest ago, apart from those in use.

        First goes what a comparison that was killed has left: files of a revision that are not known to be complete.
        """
        in_use = {source.layout.root.parent for source in used}
        kept = {*in_use, self.directory / _WORKING_COPY, self.directory / _IN_PLACE}
        places = [place for place in self.directory.glob("*") if place not in kept]
        try:
            places.sort(key=_last_use_ns, reverse=True)
        except OSError as error:
            raise storage_error(self.directory, error) from error
        for place in places[max(_MOST_REVISIONS - len(in_use), 0) :]:
            remove_below(self.layout.root, place)

    def _layout(self, place: Path) -> Layout:
        layout = self._layout_of(place)
        claim_directory(layout.root)
        return layout

    def _layout_of(self, place: Path) -> Layout:
        return Layout.apart(place / "build", shared=self.layout.root)


def _last_use_ns(place: Path) -> int:
    """When a revision was used; zero where its files are not complete."""
    stamp = place / "commit"
    return stamp.stat().st_mtime_ns if stamp.is_file() else 0


def copy_as(program: Path, target: Path, *, owned: Path) -> Path:
    """Copy a program to its own directory, under another name.

    Raises:
        StorageError: It cannot be written.
    """
    remove_below(owned, target.parent)
    atomic_copy(program, target)
    return target
