"""Build a variant again, elsewhere and from scratch: are two builds of the same sources alike?

Not for noticing that sources were edited: `sources` does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from optbuild.events import Emit, Level, Notice
from optbuild.files import remove_below
from optbuild.making.cargo.build_scripts import describe_differences
from optbuild.making.cargo.driver import CargoDriver
from optbuild.plan.kinds.compile import Compile
from optbuild.plan.results import Artifact, Compiled
from optbuild.tools.builders import wheels_in
from optbuild.tools.cargo import build_directory_setting


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """A second build.

    Attributes:
        artifacts: Its programs, as long as it is kept.
        differences: What build scripts did differently from the first one.
    """

    artifacts: Mapping[str, Artifact]
    differences: tuple[str, ...]


Rebuild = Callable[[], AbstractContextManager[Rebuilt]]
"""Builds again; the result is deleted on exit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilder:
    """Builds again, below a separate directory.

    Attributes:
        root: The directory that belongs to optbuild.
        place: The directory below it that cargo builds in. Its name has the same length as others, as binaries may hold
            paths.
    """

    cargo: CargoDriver
    root: Path
    place: Path
    logs: Path
    emit: Emit

    @contextmanager
    def rebuild(self, action: Compile, env: Mapping[str, str], first: Compiled) -> Iterator[Rebuilt]:
        """Build again what an action has built.

        Args:
            action: What to build.
            env: Additions to the environment, as for the first build.
            first: The result of the first build.

        Raises:
            BuildError: Cargo failed.
            StorageError: The disk is full.
        """
        message = f"{action.label}: building again elsewhere, from scratch, to see whether two builds are alike"
        self.emit(Notice(level=Level.INFO, code="built-again", message=message))
        old, new = str(action.cargo_target), str(self.place)
        wheels = {str(wheels_in(action.cargo_target)): str(wheels_in(self.place))}
        words = {old: new, **wheels, **_build_directory_words(action.cargo_target, self.place)}
        again = replace(
            action,
            argv=tuple(words.get(word, word) for word in action.argv),
            cargo_target=self.place,
            directory=self.place / "binaries",
        )
        moved = {name: new if value == old else value for name, value in env.items()}
        remove_below(self.root, self.place)
        try:
            compiled = self.cargo.compile(again, moved, self.logs / f"{action.id}.rebuilt.log")
            yield Rebuilt(
                artifacts=compiled.artifacts, differences=describe_differences(first.scripts, compiled.scripts)
            )
        finally:
            remove_below(self.root, self.place)


def _build_directory_words(old: Path, new: Path) -> dict[str, str]:
    """The argument that sets cargo's build directory to the new target directory."""
    before, after = build_directory_setting(old), build_directory_setting(new)
    return {} if before is None or after is None else {"=".join(before): "=".join(after)}
