"""Files that travel to another machine: a list of names with hashes, and the contents by hash.

Each content travels once, however many files have it, and is checked where it arrives.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Self

from optbuild.errors import ToolchainError, UsageError
from optbuild.files import atomic_write, remove_below, writing
from optbuild.fleet.load import Fleet
from optbuild.fleet.trees import Tree, TreeFile, describe_file, list_files
from optbuild.fleet.units import Unit
from optbuild.profile.confine import find_workspace
from optbuild.profile.document import load_document
from optbuild.profile.load import load_build_profile
from optbuild.profile.model import BuildProfile
from optbuild.session.request import Machine
from optbuild.units import format_bytes

MOST_BYTES = 1 << 30
"""A parcel of more is refused: it would have to fit into the memory of every machine on its way."""
Contents = dict[str, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Files below one directory, without their contents.

    Attributes:
        start: A directory in it that the receiver needs to know, relative.
        files: By their relative paths.
    """

    start: str = "."
    files: Mapping[str, TreeFile] = field(default_factory=dict)

    @classmethod
    def of(cls, tree: Tree) -> Self:
        """The list of a tree."""
        return cls(start=tree.project, files=tree.files)


def pack(tree: Tree) -> Contents:
    """The contents of a tree by their hashes.

    Raises:
        UsageError: They are too large to travel, or a file has changed since the tree was looked at.
    """
    contents: Contents = {}
    size_bytes = 0
    for name, file in tree.files.items():
        if file.link is not None or file.sha256 in contents:
            continue
        data = (tree.root / name).read_bytes()
        if hashlib.sha256(data).hexdigest() != file.sha256:
            raise UsageError(f"{tree.root / name} changed while it was read", help="run the same command again")
        contents[file.sha256] = data
        size_bytes += len(data)
        if size_bytes > MOST_BYTES:
            raise UsageError(
                f"{tree.root} holds more than {format_bytes(MOST_BYTES)} of files, too much to send to other machines",
                help="keep large data outside of the project and name it by an absolute path that all machines have; "
                "or run it in shards: optbuild fleet run --shard K/N",
                location=str(tree.root),
            )
    return contents


def unpack(listing: Listing, contents: Mapping[str, bytes], directory: Path, *, owned: Path) -> Path:
    """Write files in a directory, which is emptied first; the directory that the list starts at.

    Raises:
        ToolchainError: Something arrived damaged, or would lie outside of the directory.
        StorageError: It cannot be written.
    """
    remove_below(owned, directory)
    with writing(directory):
        directory.mkdir(parents=True)
    links = [(name, file.link) for name, file in listing.files.items() if file.link is not None]
    for name, file in listing.files.items():
        if file.link is None:
            place = directory / _safe(name)
            data = contents.get(file.sha256)
            if data is None or hashlib.sha256(data).hexdigest() != file.sha256:
                raise ToolchainError(f"{name} arrived damaged", help="run the same command again", location=name)
            atomic_write(place, data)
            with writing(place):
                place.chmod(0o755 if file.executable else 0o644)
    for name, link in links:  # last: no file may be written through one
        place = directory / _safe(name)
        with writing(place):
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(link)
    return directory / _safe(listing.start)


def _safe(name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise ToolchainError(f"{name} would lie outside of its directory", help="run the same command again")
    return path


def find_fleet_files(unit: Unit, fleet: Fleet, machine: Machine) -> Tree:
    """The files next to the fleet's that a unit needs: its build profile, what that extends, and what workloads name.

    Files outside of the workspace are taken to be on every machine.

    Raises:
        BuildProfileError: The build profile cannot be used.
    """
    if unit.build_profile is None:
        return Tree(root=fleet.directory, project=".", files={})
    path = fleet.directory / unit.build_profile
    build_profile = load_build_profile(path, directory=fleet.directory)
    workspace = find_workspace(fleet.directory)
    named = {*_chain(path), *_named_files(build_profile)}
    files = {
        file
        for place in named
        if place.resolve().is_relative_to(workspace)
        for file in (list_files(place, machine) if place.is_dir() else [place])
    }
    tops = [fleet.directory, *(file.parent for file in files)]
    root = Path(os.path.commonpath([os.path.abspath(top) for top in tops]))  # noqa: PTH100 - links stay as they are
    names = sorted(os.path.relpath(file, root) for file in files)
    return Tree(
        root=root,
        project=os.path.relpath(fleet.directory, root),
        files={name: describe_file(root / name) for name in names},
    )


def _chain(path: Path) -> Iterator[Path]:
    """A build profile and the files that it extends; it was loaded before, so there is no circle."""
    yield path
    extends = load_document(path).tree.get("extends")
    if isinstance(extends, str) and not extends.startswith("preset:"):
        yield from _chain(path.parent / extends)


def _named_files(build_profile: BuildProfile) -> Iterator[Path]:
    """The files and directories that exist and that a workload names; those of `cwd` are what they are relative to."""
    for workload in build_profile.workloads:
        commands = (workload.command, workload.server, workload.load, workload.prepare, workload.conclude)
        words = [word for command in commands for word in command or ()]
        cwd = build_profile.directory / workload.cwd
        yield from _existing(cwd, (*words, *(word.partition("=")[2] for word in words)))
        stdin = () if workload.stdin is None else (workload.stdin,)
        yield from _existing(build_profile.directory, (*workload.inputs, *stdin))


def _existing(directory: Path, words: Iterable[str]) -> Iterator[Path]:
    for word in words:
        if word.strip() and "\0" not in word and not Path(word).is_absolute():
            place = Path(os.path.normpath(directory / word))
            if place != directory and place.exists():
                yield place
