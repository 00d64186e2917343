"""Where and how a project of a fleet is built: which build profile, for which target, in which directories."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from optbuild.files import claim_directory
from optbuild.fleet.sources import PlacedSource
from optbuild.fleet.units import Unit
from optbuild.profile.load import FILE_NAME, find_build_profile, load_build_profile, parse_build_profile
from optbuild.profile.model import BuildProfile
from optbuild.project.layout import Layout
from optbuild.session.init import propose
from optbuild.session.placement import Placement
from optbuild.session.prepare import discover_for, for_host, open_project
from optbuild.session.request import Machine


@dataclass(frozen=True, slots=True, kw_only=True)
class Placer:
    """Decides how the projects of a fleet are built.

    Attributes:
        fleet: The directory of the fleet's file, which build profiles are relative to.
        owned: The directory for results; finished binaries lie below it.
    """

    fleet: Path
    owned: Path
    machine: Machine

    def place(self, unit: Unit, source: PlacedSource) -> Placement:
        """Find the build profile of a unit, and the directories for its builds.

        Raises:
            UsageError: The build profile cannot be used, or nothing can be built.
            ToolchainError: The machine lacks something.
            StorageError: A directory cannot be written.
        """
        build_profile, manifest = self._find_profile(unit, source)
        if unit.target is not None:
            build_profile = replace(build_profile, project=replace(build_profile.project, target=unit.target))
        root = self._find_root(build_profile, manifest, source)
        layout = Layout(root=root, artifacts=self.owned / "artifacts" / unit.id)
        return Placement(build_profile=build_profile, manifest=manifest, layout=layout)

    def _find_profile(self, unit: Unit, source: PlacedSource) -> tuple[BuildProfile, Path]:
        directory = source.directory
        if unit.build_profile is not None:
            given = load_build_profile(self.fleet / unit.build_profile, directory=self.fleet)
            return given, (directory / given.project.manifest).resolve()
        # above what was fetched lies something else: the fleet's own directory
        own = find_build_profile(directory) if source.home is None else directory / FILE_NAME
        if own is not None and own.is_file():
            found = load_build_profile(own, directory=own.parent)
            return found, (own.parent / found.project.manifest).resolve()
        proposal = propose(directory, None, self.machine)
        found = parse_build_profile(proposal.after, label="what `init` proposes", directory=directory)
        return found, (directory / found.project.manifest).resolve()

    def _find_root(self, build_profile: BuildProfile, manifest: Path, source: PlacedSource) -> Path:
        if source.home is not None:
            root = source.home / "build"
            claim_directory(root)
            return root
        placed = replace(build_profile, directory=manifest.parent)
        placed = replace(placed, project=replace(placed.project, manifest=manifest.name))
        toolchain = discover_for(for_host(placed), self.machine, trusted=True)
        return open_project(manifest, toolchain, self.machine).target_directory / "optbuild"
