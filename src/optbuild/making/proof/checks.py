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

_TRAIN_MORE = "train on workloads that run more of the program"
_SAME_SOURCES = "build and train with the same sources and Cargo profile; `optbuild pgo --fresh` does both again"


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
    retry = "run again with --fresh, which builds and trains again"
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
    """Compare with each limit of [evidence]: key, its check, the value, the limit, and what is wrong beyond it."""
    profile = evidence.profile
    counted, strange = f"{profile.functions_with_counts:,}", f"{evidence.strange_functions:,}"
    mismatched = f"{evidence.mismatched_functions:,}"
    few, unfit = "the profile covers too little", "the profile does not fit what was compiled"
    limits: dict[str, tuple[str, float, float, str]] = {
        "min-functions": (
            "functions with counts",
            profile.functions_with_counts,
            settings.min_functions,
            f"{few}: only {counted} functions have counts",
        ),
        "min-covered": (
            "share of functions with counts",
            profile.functions_with_counts / profile.functions,
            settings.min_covered,
            f"{few}: {counted} of {profile.functions:,} functions have counts",
        ),
        "max-missing": (
            "share without data, over all crates",
            evidence.missing_ratio,
            settings.max_missing,
            f"{evidence.missing_functions:,} functions were compiled without data",
        ),
        "max-mismatched": (
            "share with a different control flow",
            evidence.mismatched_ratio,
            settings.max_mismatched,
            f"{unfit}: {mismatched} functions have a different control flow than the one that was counted",
        ),
        "max-unmatched": (
            "share that does not fit",
            evidence.unmatched_ratio,
            settings.max_unmatched,
            f"{unfit}: {strange} functions are missing or have other hashes, {mismatched} a different control flow",
        ),
    }
    for key, (name, value, limit, fault) in limits.items():
        is_least = key.startswith("min-")
        yield Check(
            name=name,
            passed=value >= limit if is_least else value <= limit,
            value=value,
            limit=limit,
            unit=Unit.COUNT if key == "min-functions" else Unit.RATIO,
            key=key,
            fault=fault,
            help=_TRAIN_MORE if is_least else _SAME_SOURCES,
            is_of_attempt=not is_least,
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
