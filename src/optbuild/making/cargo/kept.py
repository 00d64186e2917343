"""Copies of what a build made, out of cargo's directory, where the next build with other flags overwrites it.

How cargo would run them is kept with them, for those who look before cargo is asked again.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import replace
from pathlib import Path

from optbuild.adapters import adapter_of
from optbuild.files import atomic_copy, atomic_write, sha256_of, writing
from optbuild.making.cargo.products import DEBUG_SUFFIXES
from optbuild.plan.kinds.compile import Compile
from optbuild.plan.results import Artifact
from optbuild.tools.builders import BUILDERS
from optbuild.tools.wheels import WHEEL, name_wheels
from optbuild.workloads.cargo_build import CargoBuild
from optbuild.workloads.words import is_shared_library, is_wheel


def keep_cargo_build(action: Compile, build: CargoBuild) -> None:
    """Keep how cargo would run the programs that an action has built."""
    # Pydantic's own JSON has no room for a value that is not Unicode.
    document = adapter_of(CargoBuild).dump_python(build, mode="json")
    atomic_write(_cargo_build_path(action), json.dumps(document, indent=1).encode())


def find_cargo_build(action: Compile) -> CargoBuild | None:
    """How cargo would have run what the action built in an earlier run; None where that is not known any more."""
    try:
        return adapter_of(CargoBuild).validate_python(json.loads(_cargo_build_path(action).read_bytes()))
    except (OSError, ValueError):  # a ValidationError is one
        return None


def _cargo_build_path(action: Compile) -> Path:
    return action.directory / "cargo-build.json"


def find_kept(action: Compile) -> dict[str, Artifact] | None:
    """What an action built in an earlier run, as it is kept; None where a product is missing."""
    if not action.directory.is_dir():
        return None
    files = sorted(action.directory.iterdir())
    files = [path for path in files if path.suffix not in DEBUG_SUFFIXES]
    by_name = {path.stem: path for path in files} | {path.name: path for path in files}  # a program may have a suffix
    names: Collection[str] = action.recipe.products
    if action.recipe.call is not None:
        build = find_cargo_build(action)
        names = () if build is None else (*build.started, *(program.name for program in build.programs))
    if (action.recipe.call is not None and not names) or not all(name in by_name for name in names):
        return None
    names = dict.fromkeys((*names, *(path.name for path in files if is_shared_library(path.name))))
    if BUILDERS[action.builder].makes_wheels:
        wheels = name_wheels([path for path in files if is_wheel(path.name)], action.python_tag)
        if WHEEL not in wheels:
            return None
        by_name |= wheels
        names |= dict.fromkeys(wheels)
    return {name: _artifact(action, name, by_name[name], sha256_of(by_name[name])) for name in names}


def keep(action: Compile, name: str, built: Path, debug: Iterable[Path]) -> Artifact:
    """Copy a product and its debug information.

    It keeps its file's name, which has a suffix for some targets, and which a library may have to be found by.

    Raises:
        StorageError: It cannot be written.
    """
    kept, sha256 = _copy(action, built)
    return replace(_artifact(action, name, kept, sha256), debug=tuple(_copy(action, path)[0] for path in debug))


def delete_others(action: Compile, artifacts: Iterable[Artifact]) -> None:
    """Delete what an earlier call has left: the files of tests and benches get another name with each change."""
    kept = {path for artifact in artifacts for path in (artifact.path, *artifact.debug)}
    with writing(action.directory):
        action.directory.mkdir(parents=True, exist_ok=True)  # a library for Rust alone leaves nothing to keep
    for path in action.directory.iterdir():
        if path not in kept and path != _cargo_build_path(action):
            with writing(path):
                path.unlink()


def _copy(action: Compile, built: Path) -> tuple[Path, str]:
    sha256 = sha256_of(built)
    kept = action.directory / built.name
    if not kept.is_file() or sha256_of(kept) != sha256:
        atomic_copy(built, kept)
    return kept, sha256


def _artifact(action: Compile, name: str, kept: Path, sha256: str) -> Artifact:
    return Artifact(bin=name, path=kept, sha256=sha256, size_bytes=kept.stat().st_size, produced_by=action.id)
