"""Variants with a separate PGO profile for each program: which workloads train which, and what is refused.

All programs are instrumented in one build and trained as in any variant. Each is then compiled separately, with the
counts of the workloads that run it; the variant gathers them.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from optbuild.errors import UsageError
from optbuild.plan.kinds.compile import Recipe
from optbuild.profile.cargo_words import CargoVerb
from optbuild.profile.placeholders import PlaceholderKind
from optbuild.profile.variants import PgoMode, Profiles, Variant
from optbuild.project.model import Package
from optbuild.project.selection import Targets
from optbuild.workloads.invocation import Invocation
from optbuild.workloads.words import named_in


def has_parts(variant: Variant, targets: Targets) -> bool:
    """Whether each program of a variant has a separate profile; a single program does in any case."""
    is_asked = variant.pgo is not PgoMode.OFF and variant.profiles is Profiles.PER_BIN
    return is_asked and len(targets.bins) + len(targets.libs) > 1


def check_parts(variant: Variant, targets: Targets, benchmarks: Collection[Invocation], where: str | None) -> None:
    """Refuse libraries and benchmarks that belong to no single program.

    Args:
        variant: The variant whose programs each have a profile.
        targets: The targets that it builds.
        benchmarks: The workloads that it is measured on.
        where: The place of the setting in the build profile.

    Raises:
        UsageError: A library, or a benchmark that cargo would run, would need a separate profile as well.
    """
    if targets.libs:
        raise UsageError(
            f'variant {variant.name} has profiles = "per-bin", but {targets.libs[0].file_name} is a library',
            help='set profiles = "merged", or leave the library out of all commands',
            location=where,
        )
    for workload in benchmarks:
        if workload.call is not None:
            raise UsageError(
                f'variant {variant.name} has profiles = "per-bin", but what cargo runs for the benchmark '
                f"{workload.name!r} belongs to no single program",
                help=f'write use = ["train"] in the workload, or profiles = "merged" in {variant.name}',
                location=where,
            )


def trains(workload: Invocation, program: str, packages: Collection[Package]) -> bool:
    """Whether a training workload runs a program; tests and benches may run code of any.

    Args:
        workload: The training workload.
        program: The name of a binary or an example.
        packages: The packages that the variants build.
    """
    if (call := workload.call) is not None:
        named = {option.name for option in call.targets if option.option in {"--bin", "--example"}}
        asked = (package for package in packages if not call.packages or package.name in call.packages)
        return call.verb is not CargoVerb.RUN or program in (named or {package.program_run for package in asked})
    server = () if workload.server is None else workload.server.argv
    return program in named_in((*workload.argv, *server), PlaceholderKind.BIN)


def for_program(recipe: Recipe, program: str) -> Recipe:
    """The same recipe for one of its programs; the packages stay, as their features unify over all of them."""
    return replace(
        recipe,
        bins=tuple(name for name in recipe.bins if name == program),
        examples=tuple(name for name in recipe.examples if name == program),
    )
