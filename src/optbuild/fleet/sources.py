"""Bring the sources of a project to this machine: a repository at a revision, a crate at a version.

Cargo itself fetches a crate, so the registry, its replacements and its credentials are those of the user's
configuration. What was fetched is kept, and used again.

Sources:
    cargo 1.95, `src/cargo/core/workspace.rs` (`find_root_iter`): the search for a workspace above a package ends at a
    directory `target/package`.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from optbuild.errors import ToolchainError, UsageError
from optbuild.execution.command import Command, Completed, ProgramNotFoundError
from optbuild.files import atomic_write, remove_below, writing
from optbuild.fleet.trees import find_tree
from optbuild.fleet.units import ProjectSource, SourceKind
from optbuild.profile.load import default_build_profile
from optbuild.project.checkout import fill_pointers
from optbuild.project.repository import find_repository
from optbuild.session.opening import discover_for, for_host
from optbuild.session.request import Machine
from optbuild.text import last_lines, sanitize_line
from optbuild.tools import git
from optbuild.tools.cargo_metadata import fetch_argv, find_package

_KEY_DIGITS = 12
_TIMEOUT_S = 1800.0
_STUB = """\
[package]
name = "optbuild-fetch"
version = "0.0.0"
edition = "2021"

[lib]
path = "lib.rs"

[dependencies]
fetched = {{ package = "{name}", version = "={version}" }}

[workspace]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedSource:
    """The sources of a project on this machine.

    Attributes:
        directory: The one with its `Cargo.toml`.
        identity: What exactly it is: a commit, the checksum of a crate, a hash of the files of a path.
        home: Where its builds are written; None for a path, whose builds are where they always are.
        top: A build profile above it is not the project's own; None if it may be anywhere above.
    """

    directory: Path
    identity: str
    home: Path | None
    top: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceStore:
    """The sources of a fleet.

    Attributes:
        fleet: The directory of the fleet's file, which paths are relative to.
        owned: The directory with our marker.
    """

    fleet: Path
    owned: Path
    machine: Machine

    def place(self, source: ProjectSource) -> PlacedSource:
        """Bring the sources here, or find them here.

        Raises:
            UsageError: There is no such project, revision or version.
            ToolchainError: cargo or git cannot be run, or did not reach the server.
            StorageError: The files cannot be written.
        """
        if source.kind is SourceKind.PATH:
            directory = (self.fleet / source.place).resolve()
            return PlacedSource(directory=directory, identity=find_tree(directory, self.machine).id, home=None)
        place = place_of(source, self.owned)
        files, stamp = place / "source", place / "identity"
        if not stamp.is_file():
            remove_below(self.owned, place)
            with writing(place):
                place.mkdir(parents=True)
            fetch = self._clone if source.kind is SourceKind.GIT else self._fetch_crate
            identity = fetch(source, place, files)
            atomic_write(stamp, identity.encode())
        return PlacedSource(directory=files, identity=stamp.read_text(), home=place, top=files)

    def _clone(self, source: ProjectSource, _place: Path, files: Path) -> str:
        url, rev = self._url(source.place), source.version or "HEAD"
        shown = f"{sanitize_line(source.place)} {sanitize_line(rev)}"
        self._git(git.clone_argv(url, str(files)), files.parent, url, f"{shown} cannot be fetched")
        repository = find_repository(files, self.machine.executor, self.machine.environ)
        if repository is None:
            raise ToolchainError(f"{shown}: git made no repository", help="try it: git clone URL", location=str(files))
        names = (f"refs/tags/{rev}", f"refs/remotes/origin/{rev}", rev)
        commit = next((found for name in names if (found := repository.find_commit(name)) is not None), None)
        if commit is None and self._run(git.fetch_commit_argv(rev), files, url).exit_code == 0:
            commit = repository.find_commit(rev)
        if commit is None:
            commit = repository.resolve(rev)  # which says what there is instead
        self._git(git.checkout_argv(commit), files, url, f"{shown} cannot be checked out")
        self._git(git.fetch_submodules_argv(), files, url, f"a submodule of {shown} cannot be fetched")
        names_of_files = git.parse_names(repository.ask(git.files_argv()).stdout)
        if any(name.rpartition("/")[2] == ".gitattributes" for name in names_of_files):
            fill_pointers(list(names_of_files), files, repository.common / "lfs", shown)
        if not (files / "Cargo.toml").is_file():
            raise UsageError(
                f"{shown} has no Cargo.toml at its top",
                help="name a repository whose top directory is a Cargo project",
                location=source.place,
            )
        return commit

    def _url(self, place: str) -> str:
        """A URL; a path is relative to the fleet's file."""
        here = self.fleet / place
        return str(here.resolve()) if here.exists() else place

    def _git(self, argv: tuple[str, ...], cwd: Path, url: str, failure: str) -> None:
        done = self._run(argv, cwd, url)
        if done.exit_code != 0:
            raise ToolchainError(
                failure,
                help="see that the URL is right and this machine may read it: git ls-remote URL",
                location=sanitize_line(url),
                detail=last_lines(done.stderr) or None,
            )

    def _run(self, argv: tuple[str, ...], cwd: Path, url: str) -> Completed:
        env = {**git.fetching_environment(self.machine.environ, url), "LC_ALL": "C.UTF-8"}
        return self._execute(Command(argv=argv, cwd=cwd, env=env, timeout_s=_TIMEOUT_S), "git")

    def _fetch_crate(self, source: ProjectSource, place: Path, files: Path) -> str:
        stub = place / "fetch"
        text = _STUB.format(name=source.place, version=source.version)
        atomic_write(stub / "Cargo.toml", text.encode())
        atomic_write(stub / "lib.rs", b"")
        toolchain = discover_for(for_host(default_build_profile(stub)), self.machine, trusted=False)
        env = {**self.machine.environ, "CARGO_TERM_COLOR": "never", "RUSTC": str(toolchain.rustc.path)}
        argv = fetch_argv(toolchain.cargo.path, stub / "Cargo.toml", toolchain.target)
        done = self._execute(Command(argv=argv, cwd=stub, env=env, timeout_s=_TIMEOUT_S), "cargo")
        if done.exit_code != 0:
            raise UsageError(
                f"cargo cannot fetch the crate {source.describe()}",
                help=f"see which versions there are: cargo info {source.place}; or use `git` and `rev`",
                location=source.describe(),
                detail=last_lines(done.stderr) or None,
            )
        manifest = find_package(done.stdout, source.place, source.version or "")
        if manifest is None:
            raise ToolchainError(
                f"cargo fetched the crate {source.describe()}, and does not say where it is",
                help="update Rust: rustup update stable",
                location=source.describe(),
            )
        with writing(files):
            shutil.copytree(manifest.parent, files, symlinks=True)
            for path in (files, *files.rglob("*")):  # a vendored crate may be read-only
                if not path.is_symlink():
                    path.chmod(path.stat().st_mode | 0o200)
        return _find_checksum(stub / "Cargo.lock", source)

    def _execute(self, command: Command, what: str) -> Completed:
        try:
            return self.machine.executor.run(command)
        except ProgramNotFoundError as error:
            raise ToolchainError(f"{what} cannot be run: {error.reason}", help=f"install {what}") from error


def place_of(source: ProjectSource, owned: Path) -> Path:
    """Where a source and its builds go; always equally long, for paths are in programs."""
    words = json.dumps([source.kind, source.place, source.version])
    key = hashlib.sha256(words.encode()).hexdigest()[:_KEY_DIGITS]
    return owned / "sources" / "target" / "package" / key


def _find_checksum(lockfile: Path, source: ProjectSource) -> str:
    """The checksum that cargo has checked; without one, as from a directory of vendored crates, name and version."""
    document: Mapping[str, list[dict[str, str]]] = tomllib.loads(lockfile.read_text("utf-8"))
    wanted = (source.place, source.version)
    packages = (each for each in document.get("package", []) if (each.get("name"), each.get("version")) == wanted)
    return next((each["checksum"] for each in packages if "checksum" in each), f"{source.place}-{source.version}")
