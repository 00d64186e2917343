"""Where and how a project of a fleet is built: which build profile, for which target, in which directories."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from optbuild.errors import UsageError
from optbuild.files import claim_directory
from optbuild.fleet.sources import PlacedSource
from optbuild.fleet.units import Unit
from optbuild.profile.load import find_build_profile, load_build_profile, parse_build_profile
from optbuild.profile.model import BuildProfile
from optbuild.project.layout import Layout
from optbuild.session.init import propose
from optbuild.session.opening import discover_for, for_host, open_project
from optbuild.session.placement import Placement
from optbuild.session.request import Machine


@dataclass(frozen=True, slots=True, kw_only=True)
class Placer:
    """Decides how the projects of a fleet are built.

    Attributes:
        fleet: The directory of the fleet's file, which build profiles are relative to.
        owned: The directory for results; finished binaries lie below it.
        proposed: What `init` proposed on another machine, which stands for a proposal here.
    """

    fleet: Path
    owned: Path
    machine: Machine
    proposed: str | None = None

    def place(self, unit: Unit, source: PlacedSource) -> Placement:
        """Find the build profile of a unit, and the directories for its builds.

        Raises:
            UsageError: The build profile cannot be used, or nothing can be built.
            ToolchainError: The machine lacks something.
            StorageError: A directory cannot be written.
        """
        build_profile, manifest = self.find_profile(unit, source)
        root = self._find_root(build_profile, manifest, source)
        layout = Layout(root=root, artifacts=self.owned / "artifacts" / unit.id)
        return Placement(build_profile=build_profile, manifest=manifest, layout=layout)

    def propose(self, unit: Unit, source: PlacedSource) -> str | None:
        """What `init` proposes for a project without a build profile; None if there is one.

        Raises:
            UsageError: Nothing can be built.
            ToolchainError: cargo cannot be run.
        """
        if unit.build_profile is not None or self._find_own(source) is not None:
            return None
        return propose(source.directory, None, self.machine).after

    def find_profile(self, unit: Unit, source: PlacedSource) -> tuple[BuildProfile, Path]:
        """The build profile of a unit, for its target, and the project's `Cargo.toml`.

        Raises:
            UsageError: The build profile cannot be used, or none can be proposed.
        """
        found, manifest = self._read_profile(unit, source)
        if unit.target is not None:
            found = replace(found, project=replace(found.project, target=unit.target, targets=()))
        elif found.project.targets:
            named = ", ".join(f'"{target}"' for target in found.project.targets)
            raise UsageError(
                "the build profile names several targets, and a unit of a fleet is about one",
                help=f"name them in the fleet's file, at this project: targets = [{named}]",
                location=None if found.path is None else str(found.path),
            )
        return found, manifest

    def _read_profile(self, unit: Unit, source: PlacedSource) -> tuple[BuildProfile, Path]:
        directory = source.directory
        if unit.build_profile is not None:
            given = load_build_profile(self.fleet / unit.build_profile, directory=self.fleet)
            return given, (directory / given.project.manifest).resolve()
        own = self._find_own(source)
        if own is not None:
            found = load_build_profile(own, directory=own.parent)
            return found, (own.parent / found.project.manifest).resolve()
        text = self.proposed or self.propose(unit, source) or ""
        found = parse_build_profile(text, label="what `init` proposes", directory=directory)
        return found, (directory / found.project.manifest).resolve()

    def _find_own(self, source: PlacedSource) -> Path | None:
        own = find_build_profile(source.directory)
        return own if own is None or source.top is None or own.is_relative_to(source.top) else None

    def _find_root(self, build_profile: BuildProfile, manifest: Path, source: PlacedSource) -> Path:
        if source.home is not None:
            root = source.home / "build"
            claim_directory(root)
            return root
        placed = replace(build_profile, directory=manifest.parent)
        placed = replace(placed, project=replace(placed.project, manifest=manifest.name))
        toolchain = discover_for(for_host(placed), self.machine, trusted=True)
        return open_project(manifest, toolchain, self.machine).target_directory / "optbuild"
