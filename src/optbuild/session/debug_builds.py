"""Refuse to measure what was built without optimisation: its times say nothing about the program that ships.

Where cargo builds, its profile says so; a file that somebody else built is looked at.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from optbuild.errors import UsageError
from optbuild.profile.model import BuildProfile
from optbuild.profile.variants import Variant
from optbuild.project.cargo_profile import resolve_cargo_profile
from optbuild.project.model import CargoProfile, Project
from optbuild.tools.debug_marks import find_debug_marks
from optbuild.tools.rustc import SWITCHED_OFF, find_codegen_option

ALLOW = "--allow-debug"
_UNOPTIMISED = "0"


def require_optimised(build_profile: BuildProfile, names: Iterable[str], project: Project) -> None:
    """Refuse variants that cargo would build without optimisation, or as a profile for development with its assertions.

    Checks that a release profile has on purpose are what the project ships, and a variant that sets its own `opt-level`
    does so on purpose.

    Raises:
        UsageError: One of them is such a variant.
    """
    cargo_profile = build_profile.project.cargo_profile
    resolved = resolve_cargo_profile(project.cargo_profiles, cargo_profile)
    for name in names:
        seen = _what_is_seen(build_profile.variants[name], resolved, project.rustflags.flags)
        if seen:
            raise UsageError(
                f"variant {name} would be a debug build, whose times say nothing: Cargo profile {cargo_profile} gives "
                + ", ".join(seen),
                help=f'name an optimised Cargo profile (cargo-profile = "release" under [project]), or: {ALLOW}',
                location=build_profile.where("project", "cargo-profile") or build_profile.where("variants", name),
            )


def _what_is_seen(variant: Variant, profile: CargoProfile, inherited: tuple[str, ...]) -> tuple[str, ...]:
    """What makes a variant a debug build; nothing if it is none."""
    flags = (*inherited, *variant.rustflags)
    opt_level = profile.opt_level if variant.opt_level is None else str(variant.opt_level)
    overflow = profile.overflow_checks if variant.overflow_checks is None else variant.overflow_checks
    opt_level = _of_flag(flags, "opt-level") or opt_level  # rustc takes what comes last
    assertions = _switch_of_flag(flags, "debug-assertions", default=profile.debug_assertions)
    overflow = _switch_of_flag(flags, "overflow-checks", default=overflow)
    is_own = variant.opt_level is not None or _of_flag(variant.rustflags, "opt-level") is not None
    unoptimised = opt_level == _UNOPTIMISED and not is_own
    if not unoptimised and not (assertions and profile.is_for_development):
        return ()
    shown = (("opt-level = 0", unoptimised), ("debug assertions", assertions), ("overflow checks", overflow))
    return tuple(text for text, is_seen in shown if is_seen)


def _of_flag(flags: tuple[str, ...], name: str) -> str | None:
    found = find_codegen_option(flags, name)
    return None if found is None else found[1]


def _switch_of_flag(flags: tuple[str, ...], name: str, *, default: bool) -> bool:
    found = find_codegen_option(flags, name)
    return default if found is None else found[1] not in SWITCHED_OFF


def require_optimised_file(path: Path, named: str) -> None:
    """Refuse a program that shows signs of a debug build, or that is instrumented.

    Args:
        path: The program.
        named: How the user calls it.

    Raises:
        UsageError: It does.
    """
    if not path.is_file():
        return  # whoever runs it says so
    marks = find_debug_marks(path.read_bytes())
    if marks.instrumented:
        raise UsageError(
            f"{named} is instrumented and counts while it runs: it has the section {marks.instrumented[0]}",
            help=f"name the optimised program; or: {ALLOW}",
            location=str(path),
        )
    if marks.is_debug_build:
        raise UsageError(
            f"{named} looks like a debug build, whose times say nothing: {', '.join(marks.seen)}",
            help=f"build it with cargo build --release; or, if that is what you ship: {ALLOW}",
            location=str(path),
        )
