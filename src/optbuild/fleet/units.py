"""The units of work of a fleet: one project for one target, whose variants are compared on one machine.

Not for doing one (`run`), nor for sharing them out (`shards`). No project code runs here, and nothing is fetched: every
machine that reads the same files finds the same units, with the same names and estimates.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from optbuild.errors import BuildProfileError, located
from optbuild.files import sha256_of
from optbuild.fleet.load import Fleet
from optbuild.fleet.settings import FleetProject
from optbuild.plan.planner import select_variants
from optbuild.profile.load import default_build_profile, find_build_profile, load_build_profile
from optbuild.profile.model import BuildProfile
from optbuild.profile.variants import PgoMode

_ID_DIGITS = 16
_NOT_ASKED_FOR = frozenset({"id", "project", "builds", "estimate_s", "timeout_s"})
_BUILD_S = 60.0
"""What a build is taken for where nobody knows: only the proportions matter, and all units have the same."""


class SourceKind(StrEnum):
    """Where the sources of a project come from."""

    PATH = "path"
    GIT = "git"
    CRATE = "crate"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectSource:
    """Where the sources of a project come from.

    Attributes:
        place: A path as the fleet file has it, a URL, or the name of a crate.
        version: A revision or a version; None for a path.
    """

    kind: SourceKind
    place: str
    version: str | None = None

    def describe(self) -> str:
        """The source for people."""
        return self.place if self.version is None else f"{self.place} {self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """One comparison.

    Attributes:
        id: A hash of what is asked for; the same on every machine.
        project: What reports call the project.
        build_profile: The file next to the fleet's, as written there; None stands for the project's own.
        variants: Empty stands for all.
        target: None stands for what the build profile says.
        builds: About how many builds it takes.
        estimate_s: About how long it takes; from the fleet's files alone.
        timeout_s: How long it may take; None stands for any time.
    """

    id: str = ""
    project: str
    source: ProjectSource
    build_profile: str | None = None
    build_profile_sha256: str | None = None
    variants: tuple[str, ...] = ()
    target: str | None = None
    builds: int = 0
    estimate_s: float = 0.0
    timeout_s: float | None = None

    @property
    def label(self) -> str:
        """The project, and the target where one is named."""
        return self.project if self.target is None else f"{self.project} ({self.target})"


def make_units(fleet: Fleet) -> tuple[Unit, ...]:
    """The units of a fleet, in the order of its file.

    Raises:
        BuildProfileError: A build profile next to the fleet's file is wrong.
        UsageError: A build profile that is known does not have a variant that is named.
    """
    estimator = _Estimator(directory=fleet.directory)
    found = zip(fleet.projects, _make_names(fleet), fleet.origins, strict=True)
    return tuple(unit for project, name, origin in found for unit in _units_of(project, name, origin, fleet, estimator))


def _units_of(project: FleetProject, name: str, origin: str, fleet: Fleet, estimator: _Estimator) -> Iterator[Unit]:
    given = None if project.build_profile is None else fleet.directory / project.build_profile
    with located(origin):
        estimate = estimator.estimate(project, given)
    base = Unit(
        project=name,
        source=_source_of(project),
        build_profile=project.build_profile,
        build_profile_sha256=None if given is None else sha256_of(given),
        variants=project.variants,
        timeout_s=project.timeout_s,
    )
    for target in project.targets or estimate.targets or (None,):
        unit = replace(base, target=target, builds=estimate.builds, estimate_s=estimate.seconds)
        yield replace(unit, id=_make_id(unit))


def _source_of(project: FleetProject) -> ProjectSource:
    if project.git is not None:
        return ProjectSource(kind=SourceKind.GIT, place=project.git, version=project.rev)
    if project.crate is not None:
        return ProjectSource(kind=SourceKind.CRATE, place=project.crate, version=project.version)
    return ProjectSource(kind=SourceKind.PATH, place=project.path or ".")


def _make_id(unit: Unit) -> str:
    """The hash of everything that is asked for; a name, an estimate and a limit of time are not."""
    asked = {key: value for key, value in asdict(unit).items() if key not in _NOT_ASKED_FOR}
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:_ID_DIGITS]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Estimate:
    """About how many builds a comparison takes, and how long all of it; and the targets of the build profile."""

    builds: int
    seconds: float
    targets: tuple[str, ...]


@dataclass(slots=True, kw_only=True)
class _Estimator:
    """Estimates what units cost; each build profile is read once, however many projects have it."""

    directory: Path
    read: dict[Path | None, BuildProfile] = field(default_factory=dict)

    def estimate(self, project: FleetProject, given: Path | None) -> _Estimate:
        """What is known of a project from the files that are here."""
        if given is not None:
            build_profile = self._load(given)
            names = select_variants(build_profile, project.variants)
        else:
            build_profile, names = self._guess_variants(project)
        builds = sum(1 if build_profile.variants[name].pgo is PgoMode.OFF else 2 for name in names)
        seconds = builds * _BUILD_S + build_profile.measure.max_time_s
        return _Estimate(builds=builds, seconds=seconds, targets=build_profile.project.targets)

    def _guess_variants(self, project: FleetProject) -> tuple[BuildProfile, tuple[str, ...]]:
        """What the project's own build profile says, as far as it can be known here."""
        default = self._load(None)
        if project.path is None:
            named = tuple(name for name in project.variants if name in default.variants)
            return default, select_variants(default, named)
        own = find_build_profile(self.directory / project.path)
        try:
            build_profile = self._load(own)
        except BuildProfileError:  # the project's own fault: its unit will say so, and the others go on
            return default, tuple(default.variants)
        return build_profile, select_variants(build_profile, project.variants)

    def _load(self, path: Path | None) -> BuildProfile:
        """A build profile, or the default."""
        if path not in self.read:
            self.read[path] = (
                default_build_profile(self.directory)
                if path is None
                else load_build_profile(path, directory=path.parent)
            )
        return self.read[path]


def _make_names(fleet: Fleet) -> list[str]:
    """What each project is called; those of the same name get a number."""
    names = [project.name or _derive_name(project, fleet.directory) for project in fleet.projects]
    counts, seen = Counter(names), Counter[str]()
    for index, name in enumerate(names):
        if counts[name] > 1 and fleet.projects[index].name is None:
            seen[name] += 1
            names[index] = f"{name} #{seen[name]}"
    return names


def _derive_name(project: FleetProject, directory: Path) -> str:
    if project.crate is not None:
        return f"{project.crate} {project.version}"
    if project.git is not None:
        last = project.git.rstrip("/").rpartition("/")[2].rpartition(":")[2]
        return f"{last.removesuffix('.git') or project.git} {project.rev}"
    return (directory / (project.path or ".")).resolve().name or "root"
