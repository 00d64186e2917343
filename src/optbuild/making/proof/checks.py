"""Judge the evidence that PGO took effect: all conditions, what was found, and what is required.

If a profile fits, strange functions are instances of generic code that the linker dropped from one side, and hardly any
function has a different control flow. If it does not fit, there are about as many strange functions as functions in the
profile.
"""

from __future__ import annotations

from collections.abc import Iterator

from optbuild.errors import AttemptFault, ProfileDataError
from optbuild.making.proof.evidence import Check, PgoEvidence, Unit
from optbuild.plan.results import Compiled
from optbuild.profile.model import EvidenceSettings
from optbuild.text import sanitize_line
from optbuild.units import format_percent


def check_evidence(
    evidence: PgoEvidence, compiled: Compiled, settings: EvidenceSettings, *, does_rustc_warn: bool
) -> tuple[Check, ...]:
    """Judge the evidence.

    Args:
        evidence: The facts.
        compiled: The optimising compilation.
        settings: The requirements.
        does_rustc_warn: It would have warned about functions that are not in the profile.
    """
    return (*check_use(evidence, compiled, does_rustc_warn=does_rustc_warn), *_check_limits(evidence, settings))


def check_use(evidence: PgoEvidence, compiled: Compiled, *, does_rustc_warn: bool) -> Iterator[Check]:
    """The conditions that no setting can waive: the profile is valid, was passed on and read, and had an effect."""
    header, use = evidence.header, compiled.profile_use
    retry = "run again with --fresh, which builds and trains anew"
    yield Check(
        name="a merged profile of IR level",
        passed=header is not None and header.kind == "indexed" and header.is_ir_level,
        fault=f"{evidence.profile.path.name} is not a merged PGO profile",
        help=retry,
    )
    unprofiled = () if use is None else use.unprofiled
    yield Check(
        name="passed to rustc for every crate",
        passed=use is not None and not unprofiled and (bool(use.profiled) or compiled.reused),
        fault="rustc was called without the profile"
        + (f" for {', '.join(map(sanitize_line, unprofiled))}" if unprofiled else ""),
        help="check RUSTC_WRAPPER and the rustflags that cargo received, in the log",
    )
    complaints = () if use is None else use.complaints
    yield Check(
        name="read by rustc without complaint",
        passed=not complaints,
        fault=f"rustc could not use the profile: {'; '.join(map(sanitize_line, complaints))}",
        help=f"optbuild doctor; {retry}",
    )
    yield Check(
        name="rustc reports what a profile lacks",
        passed=does_rustc_warn,
        fault="rustc did not warn about a function that cannot be in the profile, so its silence proves nothing",
        help="use a rustc whose warnings optbuild recognises, or report this with the output of `rustc -vV`",
    )
    names = ", ".join(compiled.artifacts)
    yield Check(
        name="the binary differs from the one without it",
        passed=evidence.differs,
        fault=f"the profile changed nothing: {names} is identical to the binary without it",
        help="train on a workload that runs the program's own code",
        is_of_attempt=True,
    )


def _check_limits(evidence: PgoEvidence, settings: EvidenceSettings) -> Iterator[Check]:
    profile = evidence.profile
    covered = profile.functions_with_counts / profile.functions
    train_more = "train on workloads that run more of the program"
    same_sources = "build and train with the same sources and Cargo profile; `optbuild pgo --fresh` does both again"
    yield Check(
        name="functions with counts",
        passed=profile.functions_with_counts >= settings.min_functions,
        value=profile.functions_with_counts,
        limit=settings.min_functions,
        unit=Unit.COUNT,
        key="min-functions",
        fault=f"the profile covers too little: only {profile.functions_with_counts:,} functions have counts",
        help=train_more,
    )
    yield Check(
        name="share of functions with counts",
        passed=covered >= settings.min_covered,
        value=covered,
        limit=settings.min_covered,
        unit=Unit.RATIO,
        key="min-covered",
        fault=f"the profile covers too little: {profile.functions_with_counts:,} of {profile.functions:,} functions "
        "have counts",
        help=train_more,
    )
    yield Check(
        name="share without data, over all crates",
        passed=evidence.missing_ratio <= settings.max_missing,
        value=evidence.missing_ratio,
        limit=settings.max_missing,
        unit=Unit.RATIO,
        key="max-missing",
        fault=f"{evidence.missing_functions:,} functions were compiled without data",
        help=same_sources,
        is_of_attempt=True,
    )
    yield Check(
        name="share with a different control flow",
        passed=evidence.mismatched_ratio <= settings.max_mismatched,
        value=evidence.mismatched_ratio,
        limit=settings.max_mismatched,
        unit=Unit.RATIO,
        key="max-mismatched",
        fault=f"the profile does not fit what was compiled: {evidence.mismatched_functions:,} functions have a "
        "different control flow than the one that was counted",
        help=same_sources,
        is_of_attempt=True,
    )
    yield Check(
        name="share that does not fit",
        passed=evidence.unmatched_ratio <= settings.max_unmatched,
        value=evidence.unmatched_ratio,
        limit=settings.max_unmatched,
        unit=Unit.RATIO,
        key="max-unmatched",
        fault=f"the profile does not fit what was compiled: {evidence.strange_functions:,} functions are missing "
        f"from it or have other hashes, and {evidence.mismatched_functions:,} have a different control flow",
        help=same_sources,
        is_of_attempt=True,
    )


def find_refusal(
    variant: str, evidence: PgoEvidence, compiled: Compiled, *, remedy: str | None = None
) -> ProfileDataError | None:
    """Why a variant is not accepted; None if every check passed.

    Args:
        variant: Its name.
        evidence: With its checks.
        compiled: The optimising compilation.
        remedy: What to do first, if more is known than the check shows.

    Returns:
        The error, with the first check that failed in full.
    """
    if not evidence.failed:
        return None
    first, *others = evidence.failed
    remedy = remedy or first.help
    if first.key is not None and first.value is not None and first.limit is not None:
        remedy += f"; or set `{first.key}` under [evidence]"
    return ProfileDataError(
        f"variant {variant}: {first.fault}{_against(first)}",
        help=remedy,
        location=str(compiled.log),
        detail="\n".join(f"{check.fault}{_against(check)}" for check in others) or None,
        fault=AttemptFault.UNFIT if all(check.is_of_attempt for check in evidence.failed) else None,
    )


def _against(check: Check) -> str:
    """The number that was found, and the required one."""
    if check.value is None or check.limit is None or check.key is None:
        return ""
    value, limit = (_number(number, check.unit) for number in (check.value, check.limit))
    return f" ({value}; `{check.key}` is {limit})"


def _number(value: float, unit: Unit | None) -> str:
    return format_percent(value).lstrip("+") if unit is Unit.RATIO else f"{value:,.0f}"
