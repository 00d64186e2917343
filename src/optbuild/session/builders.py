"""What a builder cannot do is said when planning: the demands of a build profile, against the row of its builder."""

from __future__ import annotations

from collections.abc import Iterator

from optbuild.errors import UsageError
from optbuild.profile.model import BuildProfile
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


def _demanded(build_profile: BuildProfile) -> Iterator[tuple[Ability, tuple[str, str, str]]]:
    """What a build profile needs of its builder, each with the key that says so."""
    if split_glibc(build_profile.project.target or "")[1] is not None:
        yield Ability.OLDER_GLIBC, ("project", "target", "")
    for workload in build_profile.workloads:
        if workload.cargo is not None:
            yield Ability.CARGO_WORKLOADS, ("workloads", workload.name, "cargo")
