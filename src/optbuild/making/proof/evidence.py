"""Prove that PGO took effect. Rustc says nothing when it cannot use a profile, so silence proves nothing.

A PGO variant is accepted only if the profile has counts, rustc found them for the functions it compiled, and the binary
differs from the one that the same recipe gives without the profile. Each condition is a *check*: what was found, what
is required, and the key that sets it. A check that fails, or whose value is unknown, fails the variant.

Functions without counts are not a fault by themselves: no profile has functions that the linker dropped from the
instrumented binary, or binaries that no workload runs. A profile that does not fit gives itself away by *strange*
functions: the profile has the same path with a different hash, because Cargo's profile, a version or the sources
    differ, or it lacks a trained binary's own functions.

Not for judging any of it: `checks` does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from optbuild.plan.counts import CheckedProfile, CrateCounts, PgoProfile
from optbuild.plan.results import Artifact, Compiled
from optbuild.tools.llvm_profdata import HEADER_BYTES, ProfileHeader, read_profile_header
from optbuild.tools.mangling import function_path

# The standard library is left out: every crate has its own instances of the same few generic functions.
_OF_STD = re.compile(
    r"_ZN(?:3std|4core|5alloc)\d"
    r"|_ZN\d+_\$LT\$(?:\$RF\$|\$u5b\$|\$LP\$|std\.\.|core\.\.|alloc\.\.|[A-Z]\$)"
    r"|_R\w*?C(?:3std|4core|5alloc)"
)


class Unit(StrEnum):
    """The unit of a check's number."""

    COUNT = "count"
    RATIO = "ratio"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One condition that a profile has to meet.

    Attributes:
        name: What was checked, phrased so that it holds if `passed` is True.
        passed: None if it cannot be determined, and need not be.
        value: What was found, if that is a number.
        limit: What is required of it.
        key: The setting under [evidence] that sets it; its first word shows whether the limit is a minimum or a
            maximum.
        fault: What is wrong if it did not pass.
        help: What fixes that.
        is_of_attempt: Another way of training may pass it.
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
    """The facts about one variant's PGO.

    Attributes:
        header: The information in the profile's first bytes; None if it is not a profile.
        crates: The counts of each crate, in descending order.
        missing_functions: Functions compiled without counts, over all crates.
        mismatched_functions: Functions whose counts were discarded because their control flow had changed.
        strange_functions: Those compiled without counts that a profile of these very sources would have.
        missing_ratio: Functions compiled without counts, as a share of them and those in the profile.
        mismatched_ratio: Mismatched functions, as a share of those in the profile.
        unmatched_ratio: Strange and mismatched functions, as a share of those in the profile.
        differs: A binary differs from the one without the profile; None if the plan does not build that one.
        checks: The conditions that were checked.
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
        """The failed checks."""
        return tuple(check for check in self.checks if check.passed is False)


def gather_evidence(
    merged: CheckedProfile,
    compiled: Compiled,
    unprofiled: Mapping[str, Artifact],
    *,
    names_in_profile: Callable[[], Iterable[str]],
    trained_bins: Collection[str],
) -> PgoEvidence:
    """Gather the facts about a variant's PGO, without judging them.

    Args:
        merged: The profile that it was compiled with.
        compiled: The optimising compilation.
        unprofiled: The binaries of the same recipe without the profile; empty if the plan builds none; then only
            rustc's output can show it.
        names_in_profile: Gives the mangled names of all functions in the profile; asked only if some were missing.
        trained_bins: The binaries that training ran; no profile has the own code of others.
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
    """Whether any binary differs; one of several may hold no code that training ran."""
    pairs = [(compiled.artifacts[name].sha256, plain.sha256) for name, plain in unprofiled.items()]
    return any(profiled != plain for profiled, plain in pairs) if pairs else None


def _own_paths(names: Iterable[str]) -> set[str]:
    """The paths of functions outside the standard library."""
    paths = filter(None, map(function_path, names))
    return {path for path in paths if _OF_STD.match(path) is None}
