"""Prove that PGO took effect. Rustc says nothing when it cannot use a profile, so silence proves nothing.

A variant with PGO is accepted only where the profile has counts, rustc found them for the functions it compiled, and
the binary is another one than without the profile.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from optbuild.build.model import Artifact, Compiled, PgoProfile
from optbuild.errors import ProfileDataError
from optbuild.units import format_percent

# A profile that fits leaves few functions without counts: those that the linker dropped from the instrumented binary.
# A profile that does not fit (another Cargo profile, other sources) leaves nearly all of them.
MAX_UNMATCHED_RATIO = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class PgoEvidence:
    """What is known of one variant's PGO.

    Attributes:
        missing_functions: Functions compiled without counts, over all crates.
        mismatched_functions: Functions whose counts were discarded because their control flow had changed.
        unmatched_ratio: Both, as a share of the functions that the profile knows.
    """

    profile: PgoProfile
    missing_functions: int
    mismatched_functions: int
    unmatched_ratio: float


def prove_applied(
    variant: str, profile: PgoProfile, compiled: Compiled, unprofiled: Mapping[str, Artifact]
) -> PgoEvidence:
    """Check that a variant's binaries were really optimised with a profile.

    Args:
        variant: Its name.
        profile: What it was compiled with.
        compiled: The optimising compilation.
        unprofiled: The same binaries without the profile: of the same recipe, or of the baseline; empty where there
            are none, and only what rustc said can tell.

    Raises:
        ProfileDataError: They were not, or nothing shows that they were.
    """
    use = compiled.profile_use
    missing, mismatched = (0, 0) if use is None else (use.missing_functions, use.mismatched_functions)
    ratio = (missing + mismatched) / profile.functions
    if ratio > MAX_UNMATCHED_RATIO:
        raise ProfileDataError(
            f"variant {variant}: the profile does not fit what was compiled: {missing} functions have no counts and "
            f"{mismatched} have another control flow, {format_percent(ratio).lstrip('+')} of the {profile.functions} "
            "that the profile knows",
            help="build and train with the same sources and Cargo profile; `optbuild pgo --fresh` does both again",
            location=str(compiled.log),
        )
    unchanged = [name for name, plain in unprofiled.items() if plain.sha256 == compiled.artifacts[name].sha256]
    if len(unchanged) == len(compiled.artifacts):
        raise ProfileDataError(
            f"variant {variant}: the profile changed nothing: {', '.join(unchanged)} is the same binary as without it",
            help="train on a workload that runs the program's own code",
            location=str(profile.path),
        )
    return PgoEvidence(
        profile=profile, missing_functions=missing, mismatched_functions=mismatched, unmatched_ratio=ratio
    )
