"""Prove that PGO took effect. Rustc says nothing when it cannot use a profile, so silence proves nothing.

A variant with PGO is accepted only where the profile has counts, rustc found them for the functions it compiled, and
the binary is another one than the same recipe gives without the profile.

Functions without counts are no fault by themselves: what the linker dropped of a library from the instrumented binary,
and binaries that no workload runs, are in no profile. A profile that does not fit gives itself away by *strange*
functions: the profile knows the same path with another hash, because Cargo's profile, a version or the sources were
others, or it does not know the own functions of a binary that was trained.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from optbuild.build.model import Artifact, Compiled, PgoProfile, ProfileUse
from optbuild.errors import AttemptFault, ProfileDataError
from optbuild.tools.mangling import function_path
from optbuild.units import format_percent

# Where the profile fits, strange functions are instances of generic code that the linker dropped from one side.
# Where it does not, there are about as many of them as the profile knows.
# The standard library is left out: every crate has instances of its own of the same few generic functions.
MAX_UNMATCHED_RATIO = 0.5

_OF_STD = re.compile(
    r"_ZN(?:3std|4core|5alloc)\d"
    r"|_ZN\d+_\$LT\$(?:\$RF\$|\$u5b\$|\$LP\$|std\.\.|core\.\.|alloc\.\.|[A-Z]\$)"
    r"|_R\w*?C(?:3std|4core|5alloc)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PgoEvidence:
    """What is known of one variant's PGO.

    Attributes:
        missing_functions: Functions compiled without counts, over all crates.
        mismatched_functions: Functions whose counts were discarded because their control flow had changed.
        strange_functions: Those compiled without counts that a profile of these very sources would have.
        unmatched_ratio: Strange and mismatched ones, as a share of those that the profile knows.
    """

    profile: PgoProfile
    missing_functions: int
    mismatched_functions: int
    strange_functions: int
    unmatched_ratio: float


def prove_applied(
    variant: str,
    profile: PgoProfile,
    compiled: Compiled,
    unprofiled: Mapping[str, Artifact],
    *,
    names_in_profile: Callable[[], Iterable[str]],
    trained_bins: Collection[str],
) -> PgoEvidence:
    """Check that a variant's binaries were really optimised with a profile.

    Args:
        variant: Its name.
        profile: What it was compiled with.
        compiled: The optimising compilation.
        unprofiled: The binaries of the same recipe without the profile; empty where the plan builds none, and only
            what rustc said can tell.
        names_in_profile: Gives the mangled names of all functions in the profile; asked only if some were missing.
        trained_bins: The binaries that training ran; the own code of others is in no profile.

    Raises:
        ProfileDataError: They were not, or nothing shows that they were.
    """
    use = compiled.profile_use or ProfileUse(missing_functions=0, mismatched_functions=0)
    missing = {name for owner in ("", *trained_bins) for name in use.missing_names.get(owner, ())}
    known = _own_paths(names_in_profile()) if missing else set()
    of_trained_bins = {name for owner in trained_bins for name in use.missing_names.get(owner, ())}
    strange = known & _own_paths(missing) | _own_paths(of_trained_bins)
    ratio = len(strange) / max(1, len(known)) + use.mismatched_functions / profile.functions
    if ratio > MAX_UNMATCHED_RATIO:
        raise ProfileDataError(
            f"variant {variant}: the profile does not fit what was compiled: {len(strange)} functions are not in "
            f"it as they should be and {use.mismatched_functions} have another control flow, "
            f"{format_percent(ratio).lstrip('+')} of those that it knows",
            help="build and train with the same sources and Cargo profile; `optbuild pgo --fresh` does both again",
            location=str(compiled.log),
            fault=AttemptFault.UNFIT,
        )
    unchanged = [name for name, plain in unprofiled.items() if plain.sha256 == compiled.artifacts[name].sha256]
    if len(unchanged) == len(compiled.artifacts):
        raise ProfileDataError(
            f"variant {variant}: the profile changed nothing: {', '.join(unchanged)} is the same binary as without it",
            help="train on a workload that runs the program's own code",
            location=str(profile.path),
            fault=AttemptFault.UNFIT,
        )
    return PgoEvidence(
        profile=profile,
        missing_functions=use.missing_functions,
        mismatched_functions=use.mismatched_functions,
        strange_functions=len(strange),
        unmatched_ratio=ratio,
    )


def _own_paths(names: Iterable[str]) -> set[str]:
    """The paths of functions outside the standard library."""
    paths = filter(None, map(function_path, names))
    return {path for path in paths if _OF_STD.match(path) is None}
