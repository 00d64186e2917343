"""What a builder cannot do is said when planning: the demands of a build profile, against the row of its builder."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from optbuild.errors import UsageError
from optbuild.execution import container
from optbuild.plan.draft import container_program
from optbuild.profile.model import BuildProfile
from optbuild.project.model import ConfiguredRunner, LibKind, Project
from optbuild.project.selection import Targets
from optbuild.toolchain.model import Toolchain
from optbuild.tools.builders import BUILDERS, Ability, split_glibc


def require_abilities(build_profile: BuildProfile) -> None:
    """Refuse what the builder of a build profile cannot do.

    Raises:
        UsageError: It asks for something of the kind.
    """
    row = BUILDERS[build_profile.project.builder]
    for ability, key in _demanded(build_profile):
        remedy = row.cannot.get(ability)
        if remedy is not None:
            raise UsageError(
                f"the builder {row.name} cannot {ability}",
                help=remedy,
                location=build_profile.where(*key) or build_profile.where("project", "builder"),
            )


def for_builder(targets: Targets, build_profile: BuildProfile) -> Targets:
    """What a builder makes of the targets of a project: wheels hold a library, whatever programs there are.

    Raises:
        UsageError: A wheel is to be built, and there is no library for it.
    """
    if not BUILDERS[build_profile.project.builder].makes_wheels:
        return targets
    libs = tuple(lib for package in targets.packages for lib in package.libs if lib.kind is LibKind.CDYLIB)
    if len(libs) != 1:
        there_are = "has several" if libs else "has no"
        raise UsageError(
            f"a wheel holds one library of Rust, and the package `{targets.packages[0].name}` {there_are} cdylib",
            help='write crate-type = ["cdylib"] below [lib] in Cargo.toml, or name another `package`',
            location=str(targets.packages[0].manifest),
        )
    return replace(targets, bins=(), libs=libs)


def _demanded(build_profile: BuildProfile) -> Iterator[tuple[Ability, tuple[str, str, str]]]:
    """What a build profile needs of its builder, each with the key that says so."""
    if split_glibc(build_profile.project.target or "")[1] is not None:
        yield Ability.OLDER_GLIBC, ("project", "target", "")
    if build_profile.project.auditable:
        yield Ability.AUDITABLE, ("project", "auditable", "")
    if build_profile.project.interpreters:
        yield Ability.INTERPRETERS, ("project", "interpreters", "")
    if build_profile.project.bins:
        yield Ability.PROGRAMS, ("project", "bins", "")
    if len(build_profile.project.packages) > 1:
        yield Ability.SEVERAL_PACKAGES, ("project", "package", "")
    for workload in build_profile.workloads:
        if workload.cargo is not None:
            yield Ability.CARGO_WORKLOADS, ("workloads", workload.name, "cargo")


def with_container(project: Project, toolchain: Toolchain) -> Project:
    """The project with a runner for what its builder builds in a container, if its configuration has none."""
    engine = toolchain.builder.engine
    if engine is None or project.runner is not None:
        return project
    argv = (*container_program(Path(sys.executable)), container.START, toolchain.target)
    runner = ConfiguredRunner(argv=argv, origin=f"the image of {toolchain.builder.name}", engine=engine.name)
    return replace(project, runner=runner)
