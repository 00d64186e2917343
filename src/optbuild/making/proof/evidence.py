"""Prove that PGO took effect. Rustc says nothing when it cannot use a profile, so silence proves nothing.

A variant with PGO is accepted only where the profile has counts, rustc found them for the functions it compiled, and
the binary is another one than the same recipe gives without the profile. Everything that is looked at is a *check*:
what was found, what is demanded, and the key that says so. One that fails, or that nothing is known of, fails the
variant.

Functions without counts are no fault by themselves: what the linker dropped of a library from the instrumented binary,
and binaries that no workload runs, are in no profile. A profile that does not fit gives itself away by *strange*
functions: the profile knows the same path with another hash, because Cargo's profile, a version or the sources were
others, or it does not know the own functions of a binary that was trained.

Not for judging any of it: `checks` does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from optbuild.plan.results import Artifact, CheckedProfile, Compiled, CrateCounts, PgoProfile
from optbuild.tools.llvm_profdata import HEADER_BYTES, ProfileHeader, read_profile_header
from optbuild.tools.mangling import function_path

# The standard library is left out: every crate has instances of its own of the same few generic functions.
_OF_STD = re.compile(
    r"_ZN(?:3std|4core|5alloc)\d"
    r"|_ZN\d+_\$LT\$(?:\$RF\$|\$u5b\$|\$LP\$|std\.\.|core\.\.|alloc\.\.|[A-Z]\$)"
    r"|_R\w*?C(?:3std|4core|5alloc)"
)


class Unit(StrEnum):
    """What the number of a check is."""

    COUNT = "count"
    RATIO = "ratio"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that a profile has to show.

    Attributes:
        name: What was looked at, and is well where `passed` is True.
        passed: None where it cannot be told, and need not be.
        value: What was found, where that is a number.
        limit: What is demanded of it.
        key: The setting under [evidence] that says so; its first word tells whether the limit is a least or a most.
        fault: What is wrong where it did not pass.
        help: What mends that.
        is_of_attempt: Another way of training may mend it.
    """

    name: str
    passed: bool | None
    fault: str
    help: str
    value: float | None = None
    limit: float | None = None
    unit: Unit | None = None
    key: str | None = None
    is_of_attempt: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PgoEvidence:
    """What is known of one variant's PGO.

    Attributes:
        header: What the first bytes of the profile say; None where they are not those of a profile.
        crates: What was counted in each crate, the one with the most counts first.
        missing_functions: Functions compiled without counts, over all crates.
        mismatched_functions: Functions whose counts were discarded because their control flow had changed.
        strange_functions: Those compiled without counts that a profile of these very sources would have.
        missing_ratio: Functions compiled without counts, as a share of them and those that the profile knows.
        mismatched_ratio: Mismatched functions, as a share of those that the profile knows.
        unmatched_ratio: Strange and mismatched ones, as a share of those that the profile knows.
        differs: A binary is another one than without the profile; None where the plan builds none without it.
        checks: What it had to show.
    """

    profile: PgoProfile
    header: ProfileHeader | None
    crates: tuple[CrateCounts, ...]
    missing_functions: int
    mismatched_functions: int
    strange_functions: int
    missing_ratio: float
    mismatched_ratio: float
    unmatched_ratio: float
    differs: bool | None
    checks: tuple[Check, ...] = ()

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that did not pass."""
        return tuple(check for check in self.checks if check.passed is False)


def gather_evidence(
    merged: CheckedProfile,
    compiled: Compiled,
    unprofiled: Mapping[str, Artifact],
    *,
    names_in_profile: Callable[[], Iterable[str]],
    trained_bins: Collection[str],
) -> PgoEvidence:
    """Put together what is known of a variant's PGO; nothing is judged yet.

    Args:
        merged: The profile that it was compiled with.
        compiled: The optimising compilation.
        unprofiled: The binaries of the same recipe without the profile; empty where the plan builds none, and only
            what rustc said can tell.
        names_in_profile: Gives the mangled names of all functions in the profile; asked only if some were missing.
        trained_bins: The binaries that training ran; the own code of others is in no profile.
    """
    profile, use = merged.profile, compiled.profile_use
    by_owner = {} if use is None else use.missing_names
    missing = {name for owner in ("", *trained_bins) for name in by_owner.get(owner, ())}
    known = _own_paths(names_in_profile()) if missing else set()
    of_trained_bins = {name for owner in trained_bins for name in by_owner.get(owner, ())}
    strange = known & _own_paths(missing) | _own_paths(of_trained_bins)
    missing_functions = 0 if use is None else use.missing_functions
    mismatched_ratio = 0.0 if use is None else use.mismatched_functions / profile.functions
    return PgoEvidence(
        profile=profile,
        header=_read_header(profile),
        crates=merged.crates,
        missing_functions=missing_functions,
        mismatched_functions=0 if use is None else use.mismatched_functions,
        strange_functions=len(strange),
        missing_ratio=missing_functions / (profile.functions + missing_functions),
        mismatched_ratio=mismatched_ratio,
        unmatched_ratio=len(strange) / max(1, len(known)) + mismatched_ratio,
        differs=_differs(compiled, unprofiled),
    )


def _read_header(profile: PgoProfile) -> ProfileHeader | None:
    with profile.path.open("rb") as stream:
        return read_profile_header(stream.read(HEADER_BYTES))


def _differs(compiled: Compiled, unprofiled: Mapping[str, Artifact]) -> bool | None:
    """Whether any binary is another one; one of several may hold no code of its own."""
    pairs = [(compiled.artifacts[name].sha256, plain.sha256) for name, plain in unprofiled.items()]
    return any(profiled != plain for profiled, plain in pairs) if pairs else None


def _own_paths(names: Iterable[str]) -> set[str]:
    """The paths of functions outside the standard library."""
    paths = filter(None, map(function_path, names))
    return {path for path in paths if _OF_STD.match(path) is None}
