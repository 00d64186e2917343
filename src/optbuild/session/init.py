"""`optbuild init`: propose a build profile for a project, or additions to an existing one. Runs no project code."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from optbuild.errors import UsageError
from optbuild.events import Level, Notice
from optbuild.profile.document import load_document
from optbuild.profile.edit import add_schema_version, make_profile_text
from optbuild.profile.load import FILE_NAME, default_build_profile, find_build_profile, load_build_profile
from optbuild.project.model import Project
from optbuild.session.candidates import find_candidates
from optbuild.session.opening import discover_for, for_host, open_project
from optbuild.session.proposal import Proposal
from optbuild.session.request import Machine

_MANIFEST = "Cargo.toml"
_FILL_IN = "fill in the [[workloads]] of {path}, then run: optbuild pgo; or at once: optbuild pgo -- {{bin}} ARGS"
_READ = "read the [[workloads]] of {path}, then run: optbuild pgo"


def propose(directory: Path, package: str | None, machine: Machine) -> Proposal:
    """Look at a Cargo project, and propose its build profile; write nothing.

    Args:
        directory: The project.
        package: The package to build, if there are several.
        machine: The means to look with.

    Raises:
        UsageError: The project does not exist, or nothing can be built.
        BuildProfileError: The existing build profile cannot be used.
        ToolchainError: Cargo cannot be run.
    """
    directory = directory.resolve()
    path = directory / FILE_NAME
    if path.exists():
        return _complete(path, package)
    _require_manifest(directory)
    above = find_build_profile(directory.parent)
    candidates = find_candidates(_load(directory, machine), package, directory)
    chosen = candidates[0]
    if above is not None:
        message = f"{above} was the build profile of {directory} so far; the new one replaces it here"
        machine.emit(Notice(level=Level.INFO, code="init", message=message))
    next_step = (_READ if chosen.outline.runs else _FILL_IN).format(path=path.name)
    proposal = _proposal(path, None, make_profile_text(chosen.outline), next_step)
    others = ", ".join(f"optbuild init --package {other.package.name}" for other in candidates[1:])
    note = f"this is for the package {chosen.package.name}; for another: {others}"
    return replace(proposal, notes=(note,)) if others else proposal


def _complete(path: Path, package: str | None) -> Proposal:
    """Propose additions to an existing build profile: only keys that were left out by mistake."""
    if package is not None:
        raise UsageError(
            f"{path} exists; --package is for a new build profile",
            help=f'set package = "{package}" under [project] in {path.name}',
            location=str(path),
        )
    document = load_document(path)
    text = path.read_bytes().decode()
    if "schema" not in document.tree:
        return _proposal(path, text, add_schema_version(text), "view it: optbuild plan")
    build_profile = load_build_profile(path, directory=path.parent)
    next_step = "run it: optbuild pgo" if build_profile.workloads else _FILL_IN.format(path=path.name)
    return _proposal(path, text, text, next_step)


def _proposal(path: Path, before: str | None, after: str, next_step: str) -> Proposal:
    return Proposal(command="init", path=path, before=before, after=after, next_step=next_step)


def _require_manifest(directory: Path) -> None:
    if (directory / _MANIFEST).is_file():
        return
    above = next((parent for parent in directory.parents if (parent / _MANIFEST).is_file()), "DIR")
    raise UsageError(
        f"{directory} has no {_MANIFEST}",
        help=f"name the directory of a Cargo project: optbuild init {above}",
        location=str(directory),
    )


def _load(directory: Path, machine: Machine) -> Project:
    toolchain = discover_for(for_host(default_build_profile(directory)), machine, trusted=False)
    return open_project(directory / _MANIFEST, toolchain, machine)
