"""`optbuild init`: propose a build profile for a project, or what an existing one lacks. Runs no project code."""

from __future__ import annotations

from pathlib import Path

from optbuild.errors import UsageError
from optbuild.events import Level, Notice
from optbuild.profile.document import load_document
from optbuild.profile.edit import SCHEMA_FILE_NAME, Outline, add_schema_version, make_profile_text
from optbuild.profile.load import FILE_NAME, default_build_profile, find_build_profile, load_build_profile
from optbuild.project.model import Package, Project
from optbuild.project.selection import enabled_features, is_buildable, select_targets
from optbuild.session.prepare import discover_for, for_host, open_project
from optbuild.session.proposal import Proposal
from optbuild.session.request import Machine

_MANIFEST = "Cargo.toml"
_DATA_PARENTS = ("", "benches", "examples", "tests")
_DATA_NAMES = ("corpus", "data", "fixtures", "inputs", "samples", "testdata")
_FILL_IN = "fill in the [[workloads]] of {path}, then run: optbuild pgo; or at once: optbuild pgo -- {{bin}} ARGS"


def propose(directory: Path, package: str | None, machine: Machine) -> Proposal:
    """Look at a Cargo project, and say what its build profile should be; writes nothing.

    Args:
        directory: The project.
        package: The package to build, where there are several.
        machine: What to look with.

    Raises:
        UsageError: There is no project, no binary, or more than one package to choose from.
        BuildProfileError: There is a build profile that cannot be used.
        ToolchainError: Cargo cannot be asked.
    """
    directory = directory.resolve()
    path = directory / FILE_NAME
    if path.exists():
        return _complete(path, package)
    _require_manifest(directory)
    above = find_build_profile(directory.parent)
    outline = make_outline(_load(directory, machine), package, directory)
    if above is not None:
        message = f"{above} was the build profile of {directory} so far; a new one here takes its place"
        machine.emit(Notice(level=Level.INFO, code="init", message=message))
    return _proposal(path, None, make_profile_text(outline), _FILL_IN.format(path=path.name))


def make_outline(project: Project, package: str | None, directory: Path) -> Outline:
    """What a new build profile in a directory is to say about a project.

    Raises:
        UsageError: There is no such package, no binary, or more than one package to choose from.
    """
    chosen = _choose_package(project, package)
    default = enabled_features(chosen, (), with_default=True)
    open_bins = [target for target in chosen.bins if is_buildable(target, default)]
    built = open_bins or chosen.bins
    features = {name for target in built for name in target.required_features} - default
    return Outline(
        package=None if _is_default(project, chosen) else chosen.name,
        bins=tuple(target.name for target in built),
        libs=tuple(dict.fromkeys(lib.name for lib in chosen.libs)) if not built else (),
        features=tuple(sorted(features)),
        left_out=tuple((target.name, target.required_features) for target in chosen.bins if target not in built),
        # What cannot be shown is no help to anybody.
        benches=tuple(name for name in chosen.benches if name.isprintable()),
        data=_find_data(directory, chosen.manifest.parent),
        has_schema_file=(directory / SCHEMA_FILE_NAME).is_file(),
    )


def _complete(path: Path, package: str | None) -> Proposal:
    """Propose for a build profile that exists: nothing that its owner did not leave out by mistake."""
    if package is not None:
        raise UsageError(
            f"{path} exists; --package is for a new build profile",
            help=f'write package = "{package}" under [project] in {path.name}',
            location=str(path),
        )
    document = load_document(path)
    text = path.read_bytes().decode()
    if "schema" not in document.tree:
        return _proposal(path, text, add_schema_version(text), "look at it: optbuild plan")
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
        f"there is no {_MANIFEST} in {directory}",
        help=f"name the directory of a Cargo project: optbuild init {above}",
        location=str(directory),
    )


def _load(directory: Path, machine: Machine) -> Project:
    toolchain = discover_for(for_host(default_build_profile(directory)), machine, trusted=False)
    return open_project(directory / _MANIFEST, toolchain, machine)


def _choose_package(project: Project, package: str | None) -> Package:
    try:
        return select_targets(project, () if package is None else (package,), ()).packages[0]
    except UsageError as error:
        choices = [other.name for other in project.packages if other.bins]
        if not choices:
            raise
        # What the error advises is an edit of the very file that is to be made.
        commands = " or ".join(f"optbuild init --package {name}" for name in choices)
        raise UsageError(error.message, help=f"choose a package: {commands}", location=error.location) from error


def _is_default(project: Project, package: Package) -> bool:
    """Whether a build profile that names no package means this one."""
    try:
        return select_targets(project, (), ()).packages == (package,)
    except UsageError:
        return False


def _find_data(directory: Path, package: Path) -> tuple[str, ...]:
    """Directories below the project or the package that are named as those with sample files are."""
    found = (
        place / parent / name
        for place in dict.fromkeys((directory, package))
        if place.is_relative_to(directory)
        for parent in _DATA_PARENTS
        for name in _DATA_NAMES
    )
    return tuple(path.relative_to(directory).as_posix() for path in found if path.is_dir())
