"""Check that what was built needs no newer glibc than the target names, by the versions of its symbols."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from optbuild.errors import BuildError
from optbuild.plan.kinds.compile import Compile
from optbuild.plan.results import Artifact
from optbuild.tools.elf import read_needed_versions

_PREFIX = "GLIBC_"


def require_glibc(action: Compile, artifacts: Iterable[Artifact], log: Path) -> None:
    """Refuse a program or library that needs a newer glibc than it was asked to be linked with.

    Raises:
        BuildError: One of them does, or cannot be read.
    """
    limit = _numbers(action.glibc or "")
    for artifact in artifacts:
        try:
            versions = read_needed_versions(artifact.path.read_bytes())
        except ValueError as error:
            raise BuildError(
                f"{action.label}: {artifact.path.name} cannot be read: {error}",
                help="see what was built: file " + str(artifact.path),
                location=str(log),
            ) from error
        newer = sorted({name for name in versions if name.startswith(_PREFIX) and _of(name) > limit}, key=_of)
        if newer:
            raise BuildError(
                f"{action.label}: {artifact.path.name} needs {newer[-1]}, and the target names glibc {action.glibc}",
                help="name a newer glibc in `target`, or find what needs it: objdump -T " + str(artifact.path),
                location=str(log),
            )


def _of(name: str) -> tuple[int, ...]:
    return _numbers(name.removeprefix(_PREFIX))


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".") if part.isdecimal())
