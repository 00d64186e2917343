from __future__ import annotations

from pathlib import Path

import pytest

from optbuild.build.evidence import PgoEvidence, prove_applied
from optbuild.build.model import Artifact, Compiled, PgoProfile, ProfileUse
from optbuild.errors import ProfileDataError
from optbuild.plan.model import ActionId

PROFILE = PgoProfile(
    path=Path("/d/ab.profdata"),
    sha256="ab",
    functions=100,
    functions_with_counts=60,
    total_count=1000,
    raw_profiles=1,
)


def artifacts(**hashes: str) -> dict[str, Artifact]:
    """Binaries with these hashes."""
    return {
        name: Artifact(bin=name, path=Path("/b") / name, sha256=sha256, size_bytes=1, produced_by=ActionId("compile-1"))
        for name, sha256 in hashes.items()
    }


def compiled(missing: int = 0, mismatched: int = 0, **hashes: str) -> Compiled:
    """An optimising compilation of which rustc said this much."""
    return Compiled(
        artifacts=artifacts(**(hashes or {"demo": "new"})),
        duration_s=1.0,
        units=1,
        fresh=False,
        executables=(),
        log=Path("/logs/build.log"),
        profile_use=ProfileUse(missing_functions=missing, mismatched_functions=mismatched),
    )


def test_a_profile_that_fits_is_evidence() -> None:
    """Few functions without counts are normal: the linker drops some from the instrumented binary."""
    result = compiled(missing=8, mismatched=2)
    assert prove_applied("pgo", PROFILE, result, artifacts(demo="old")) == PgoEvidence(
        profile=PROFILE, missing_functions=8, mismatched_functions=2, unmatched_ratio=0.1
    )


@pytest.mark.parametrize(("missing", "mismatched", "accepted"), [(50, 0, True), (30, 21, False), (0, 51, False)])
def test_a_profile_of_other_code_is_refused(missing: int, mismatched: int, *, accepted: bool) -> None:
    """Where more than half of the functions find no counts, the profile does not fit; half is the limit."""
    result = compiled(missing, mismatched)
    if accepted:
        assert prove_applied("pgo", PROFILE, result, artifacts(demo="old")).unmatched_ratio == 0.5
        return
    with pytest.raises(ProfileDataError, match=r"variant pgo: the profile does not fit .* 51\.0% of the 100") as caught:
        prove_applied("pgo", PROFILE, result, artifacts(demo="old"))
    assert caught.value.location == "/logs/build.log"


def test_an_unchanged_binary_is_refused() -> None:
    """The same bytes as without the profile prove that it did nothing."""
    with pytest.raises(ProfileDataError, match="the profile changed nothing: demo is the same binary") as caught:
        prove_applied("pgo", PROFILE, compiled(demo="same"), artifacts(demo="same"))
    assert caught.value.location == "/d/ab.profdata"


def test_one_changed_binary_of_several_is_enough() -> None:
    """A second binary may hold no code of its own."""
    result = compiled(demo="new", tiny="same")
    assert prove_applied("pgo", PROFILE, result, artifacts(demo="old", tiny="same")).missing_functions == 0


def test_without_another_binary_what_rustc_said_decides() -> None:
    """A baseline with PGO has nothing to be held against; a profile of other code is refused all the same."""
    assert prove_applied("pgo", PROFILE, compiled(missing=1), {}).missing_functions == 1
    with pytest.raises(ProfileDataError, match="does not fit"):
        prove_applied("pgo", PROFILE, compiled(missing=80), {})
