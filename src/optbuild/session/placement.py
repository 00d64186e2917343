"""Where a project is built that does not lie where its build profile names it, such as another revision of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from optbuild.profile.model import BuildProfile
from optbuild.project.layout import Layout


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """A project, and how and where it is built.

    Attributes:
        build_profile: Its workloads and their files stay where they are.
        manifest: The project's `Cargo.toml`.
        layout: Where its builds are written.
    """

    build_profile: BuildProfile
    manifest: Path
    layout: Layout

    @property
    def placed(self) -> BuildProfile:
        """The build profile as if it lay next to the manifest, for whoever looks at the project."""
        project = replace(self.build_profile.project, manifest=self.manifest.name)
        return replace(self.build_profile, directory=self.manifest.parent, project=project)
