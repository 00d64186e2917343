from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from optbuild.errors import AttemptFault, ProfileDataError
from optbuild.making.proof.checks import check_evidence, find_refusal
from optbuild.making.proof.evidence import Check, PgoEvidence
from optbuild.plan.results import Compiled, ProfileUse
from optbuild.profile.model import EvidenceSettings
from optbuild.testing import make_compiled, make_pgo_profile
from optbuild.tools.llvm_profdata import ProfileHeader

GOOD = PgoEvidence(
    profile=make_pgo_profile(),
    header=ProfileHeader(kind="indexed", version=13, is_ir_level=True),
    crates=(),
    missing_functions=25,
    mismatched_functions=2,
    strange_functions=8,
    missing_ratio=0.2,
    mismatched_ratio=0.02,
    unmatched_ratio=0.1,
    differs=True,
)
USE = ProfileUse(missing_functions=25, mismatched_functions=2, profiled=("demo", "helper"))
COMPILED = make_compiled(units=2, profile_use=USE)


def judge(
    evidence: PgoEvidence = GOOD,
    compiled: Compiled = COMPILED,
    settings: EvidenceSettings | None = None,
    *,
    does_rustc_warn: bool = True,
) -> PgoEvidence:
    """The evidence with what it had to show."""
    checks = check_evidence(evidence, compiled, settings or EvidenceSettings(), does_rustc_warn=does_rustc_warn)
    return replace(evidence, checks=checks)


def refusal(evidence: PgoEvidence) -> ProfileDataError:
    """Why this proves nothing."""
    found = find_refusal("pgo", evidence, COMPILED)
    assert found is not None
    assert found.location == "/logs/build.log"
    return found


def test_good_evidence_passes_every_check() -> None:
    """Each check says what it is about; where it is a number, what was found, what is demanded, and the key."""
    evidence = judge()
    assert find_refusal("pgo", evidence, COMPILED) is None
    assert [(check.name, check.passed) for check in evidence.checks] == [
        ("a merged profile of IR level", True),
        ("passed to rustc for every crate", True),
        ("read by rustc without complaint", True),
        ("rustc reports what a profile lacks", True),
        ("the binary differs from the one without it", True),
        ("functions with counts", True),
        ("share of functions with counts", True),
        ("share without data, over all crates", True),
        ("share with a different control flow", True),
        ("share that does not fit", True),
    ]
    assert [(check.key, check.value, check.limit, check.unit) for check in evidence.checks if check.key] == [
        ("min-functions", 60, 1, "count"),
        ("min-covered", 0.6, 0.01, "ratio"),
        ("max-missing", 0.2, 1.0, "ratio"),
        ("max-mismatched", 0.02, 0.05, "ratio"),
        ("max-unmatched", 0.1, 0.5, "ratio"),
    ]


@pytest.mark.parametrize(
    "header",
    [
        None,
        ProfileHeader(kind="raw", version=10, is_ir_level=True),
        ProfileHeader(kind="indexed", version=13, is_ir_level=False),
    ],
)
def test_what_is_no_merged_profile_of_pgo_is_refused(header: ProfileHeader | None) -> None:
    """Rustc takes any file without an error."""
    assert refusal(judge(replace(GOOD, header=header))).message == (
        "variant pgo: ab.profdata is not a merged PGO profile"
    )


def test_a_crate_that_was_compiled_without_the_profile_is_named() -> None:
    """A wrapper, or a configuration that wins over ours, can lose the flag."""
    use = replace(USE, unprofiled=("odd\x1b", "other"))
    told = refusal(judge(compiled=replace(COMPILED, profile_use=use)))
    assert told.message == "variant pgo: rustc was called without the profile for odd^[, other"
    assert "RUSTC_WRAPPER" in told.help


def test_a_compilation_that_nobody_heard_of_is_no_evidence() -> None:
    """Where cargo says that it compiled and shows no call of rustc, nothing is known of its flags."""
    unheard = replace(COMPILED, profile_use=replace(USE, profiled=()))
    assert "called without the profile" in refusal(judge(compiled=unheard)).message
    assert "called without the profile" in refusal(judge(compiled=replace(COMPILED, profile_use=None))).message
    assert find_refusal("pgo", judge(compiled=replace(unheard, reused=True)), COMPILED) is None


def test_a_profile_that_rustc_cannot_read_is_refused() -> None:
    """It says so in a warning, and compiles without."""
    use = replace(USE, complaints=("invalid instrumentation profile data (bad magic)",))
    told = refusal(judge(compiled=replace(COMPILED, profile_use=use)))
    assert told.message == (
        "variant pgo: rustc could not use the profile: invalid instrumentation profile data (bad magic)"
    )


def test_silence_of_a_rustc_that_would_not_warn_is_no_evidence() -> None:
    """Where rustc does not warn of the probe, it would not warn of any function."""
    assert "its silence proves nothing" in refusal(judge(does_rustc_warn=False)).message


@pytest.mark.parametrize("differs", [True, None])
def test_a_binary_need_not_be_held_against_another(*, differs: bool | None) -> None:
    """A plan without the same recipe without PGO cannot; then what rustc was given and said is the evidence."""
    assert find_refusal("pgo", judge(replace(GOOD, differs=differs)), COMPILED) is None


def test_an_unchanged_binary_is_refused() -> None:
    """The same bytes as without the profile prove that it did nothing."""
    assert "the profile changed nothing" in refusal(judge(replace(GOOD, differs=False))).message


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"profile": replace(GOOD.profile, functions_with_counts=0)},
            "covers too little: only 0 functions have counts (0; `min-functions` is 1)",
        ),
        (
            {"profile": replace(GOOD.profile, functions=10_000)},
            "covers too little: 60 of 10,000 functions have counts (0.6%; `min-covered` is 1.0%)",
        ),
        (
            {"mismatched_functions": 6, "mismatched_ratio": 0.06},
            (
                "does not fit what was compiled: 6 functions have a different control flow than the one that was "
                "counted (6.0%; `max-mismatched` is 5.0%)"
            ),
        ),
        (
            {"strange_functions": 51, "unmatched_ratio": 0.51},
            (
                "does not fit what was compiled: 51 functions are missing or have other hashes, "
                "2 a different control flow (51.0%; `max-unmatched` is 50.0%)"
            ),
        ),
    ],
)
def test_each_limit_is_explained_by_what_was_found_and_its_key(changes: dict[str, Any], said: str) -> None:
    """The default limits refuse a profile that covers nothing or fits nothing, and say how to set another one."""
    told = refusal(judge(replace(GOOD, **changes)))
    assert told.message == f"variant pgo: the profile {said}"
    assert "; or set `" in told.help
    assert told.help.endswith("` under [evidence]")


def test_limits_can_be_set() -> None:
    """Stricter ones, and the one that is off by default; at the limit itself a check passes."""
    exact = EvidenceSettings(min_functions=60, min_covered=0.6, max_missing=0.2, max_mismatched=0.02, max_unmatched=0.1)
    assert find_refusal("pgo", judge(settings=exact), COMPILED) is None
    for setting in (
        EvidenceSettings(min_functions=61),
        EvidenceSettings(min_covered=0.61),
        EvidenceSettings(max_missing=0.19),
        EvidenceSettings(max_mismatched=0.019),
        EvidenceSettings(max_unmatched=0.09),
    ):
        refusal(judge(settings=setting))
    assert "25 functions were compiled without data (20.0%; `max-missing` is 19.0%)" in (
        refusal(judge(settings=EvidenceSettings(max_missing=0.19))).message
    )


def test_every_failed_check_is_told() -> None:
    """The first in the message, the others below."""
    told = refusal(judge(replace(GOOD, differs=False, mismatched_functions=60, mismatched_ratio=0.6)))
    assert "changed nothing" in told.message
    assert told.detail == (
        "the profile does not fit what was compiled: 60 functions have a different control flow than the one that was "
        "counted (60.0%; `max-mismatched` is 5.0%)"
    )


def test_a_check_without_a_number_names_no_key() -> None:
    """What no setting can waive has none."""
    unkeyed = [check for check in judge().checks if check.key is None]
    assert all((check.value, check.limit, check.unit) == (None, None, None) for check in unkeyed)
    assert Check(name="x", passed=True, fault="", help="").key is None


def test_another_way_of_training_may_mend_what_does_not_fit() -> None:
    """That is for profiles that do not fit; a flag that got lost, or too little training, stays."""
    assert refusal(judge(replace(GOOD, differs=False))).fault is AttemptFault.UNFIT
    assert refusal(judge(replace(GOOD, mismatched_ratio=0.5))).fault is AttemptFault.UNFIT
    assert refusal(judge(settings=EvidenceSettings(min_functions=61))).fault is None
    assert refusal(judge(replace(GOOD, differs=False), does_rustc_warn=False)).fault is None
