"""Whether the build that is planned is the one whose names of functions are committed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from optbuild.plan.fingerprint import fingerprint
from optbuild.plan.kinds.compile import Recipe
from optbuild.project.model import Project
from optbuild.toolchain.model import Toolchain


@dataclass(frozen=True, slots=True, kw_only=True)
class LentNames:
    """The names of the program that was trained.

    Attributes:
        file: Where they are.
        build: Which build they are of, see `identify_build`.
    """

    file: Path
    build: str


def identify_build(recipe: Recipe, project: Project, toolchain: Toolchain, lockfile_sha256: str | None) -> str:
    """What decides the names of functions, as far as it can be known before a build.

    Build scripts and `cfg` may decide more; so equal builds are tried, and the evidence decides.

    Args:
        recipe: Of the variant, without a profile.
        project: With its Cargo profiles.
        toolchain: What compiles.
        lockfile_sha256: The versions of all dependencies; without them nothing is known.
    """
    return fingerprint(
        {
            "recipe": recipe,
            "packages": [(package.name, package.version) for package in project.packages],
            "cargo-profiles": project.cargo_profiles,
            "rustc": toolchain.rustc.version,
            "cargo": toolchain.cargo.version,
            "lockfile": lockfile_sha256,
        }
    )
