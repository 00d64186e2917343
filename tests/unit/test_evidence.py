from __future__ import annotations

from dataclasses import replace
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


def names(build: str, count: int = 100) -> frozenset[str]:
    """Mangled names of one build of a crate, in both ways of mangling."""
    legacy = {f"_ZN4demo4work{i}17h{build * 16}E" for i in range(0, count, 2)}
    return frozenset(legacy | {f"_RNvCs{build}xyz_4demo4work{i}" for i in range(1, count, 2)})


def in_profile() -> frozenset[str]:
    """What the profile knows; functions that only their own unit sees have its name before theirs."""
    return frozenset(f"demo.1f-cgu.0;{name}" if name.startswith("_ZN") else name for name in names("a"))


def compiled(missing: int = 0, mismatched: int = 0, **hashes: str) -> Compiled:
    """An optimising compilation of which rustc said this much; what it missed comes from another build."""
    return Compiled(
        artifacts=artifacts(**(hashes or {"demo": "new"})),
        duration_s=1.0,
        units=1,
        fresh=False,
        fresh_target_units=0,
        executables=(),
        log=Path("/logs/build.log"),
        profile_use=ProfileUse(
            missing_functions=missing, mismatched_functions=mismatched, missing_names={"": names("b", missing)}
        ),
    )


def test_a_profile_that_fits_is_evidence() -> None:
    """Few functions without counts are normal: the linker drops some from the instrumented binary."""
    result = compiled(missing=8, mismatched=2)
    assert prove_applied(
        "pgo", PROFILE, result, artifacts(demo="old"), names_in_profile=in_profile, trained_bins={"demo"}
    ) == PgoEvidence(
        profile=PROFILE, missing_functions=8, mismatched_functions=2, strange_functions=8, unmatched_ratio=0.1
    )


@pytest.mark.parametrize(("missing", "mismatched", "accepted"), [(50, 0, True), (30, 21, False), (0, 51, False)])
def test_a_profile_of_other_code_is_refused(missing: int, mismatched: int, *, accepted: bool) -> None:
    """Where more than half of the functions find no counts, the profile does not fit; half is the limit."""
    result = compiled(missing, mismatched)
    if accepted:
        assert (
            prove_applied(
                "pgo", PROFILE, result, artifacts(demo="old"), names_in_profile=in_profile, trained_bins={"demo"}
            ).unmatched_ratio
            == 0.5
        )
        return
    with pytest.raises(ProfileDataError, match=r"variant pgo: the profile does not fit .* 51\.0% of those") as caught:
        prove_applied("pgo", PROFILE, result, artifacts(demo="old"), names_in_profile=in_profile, trained_bins={"demo"})
    assert caught.value.location == "/logs/build.log"


def test_an_unchanged_binary_is_refused() -> None:
    """The same bytes as without the profile prove that it did nothing."""
    with pytest.raises(ProfileDataError, match="the profile changed nothing: demo is the same binary") as caught:
        prove_applied(
            "pgo",
            PROFILE,
            compiled(demo="same"),
            artifacts(demo="same"),
            names_in_profile=in_profile,
            trained_bins={"demo"},
        )
    assert caught.value.location == "/d/ab.profdata"


def test_one_changed_binary_of_several_is_enough() -> None:
    """A second binary may hold no code of its own."""
    result = compiled(demo="new", tiny="same")
    assert (
        prove_applied(
            "pgo",
            PROFILE,
            result,
            artifacts(demo="old", tiny="same"),
            names_in_profile=in_profile,
            trained_bins={"demo"},
        ).missing_functions
        == 0
    )


def test_without_another_binary_what_rustc_said_decides() -> None:
    """A baseline with PGO has nothing to be held against; a profile of other code is refused all the same."""
    assert (
        prove_applied(
            "pgo", PROFILE, compiled(missing=1), {}, names_in_profile=in_profile, trained_bins={"demo"}
        ).missing_functions
        == 1
    )
    with pytest.raises(ProfileDataError, match="does not fit"):
        prove_applied("pgo", PROFILE, compiled(missing=80), {}, names_in_profile=in_profile, trained_bins={"demo"})


def test_functions_that_no_profile_can_know_are_no_fault() -> None:
    """What the linker dropped, or a binary that no workload runs, is missing under any name."""
    use = ProfileUse(
        missing_functions=420,
        mismatched_functions=0,
        missing_names={
            "": frozenset(f"_ZN5other4work{i}17h{'c' * 16}E" for i in range(420)) | {"main"},
            "untrained": names("b"),
        },
    )
    result = replace(compiled(), profile_use=use)
    evidence = prove_applied(
        "pgo", PROFILE, result, artifacts(demo="old"), names_in_profile=in_profile, trained_bins={"demo"}
    )
    assert (evidence.missing_functions, evidence.strange_functions, evidence.unmatched_ratio) == (420, 0, 0.0)


def test_the_standard_librarys_generic_code_is_left_out() -> None:
    """Each crate has instances of its own of the same few functions, so another hash says nothing."""
    std = ("_ZN3std2rt10lang_start17h{}E", "_ZN4core3ptr13drop_in_place17h{}E", "_RNvCs{}_4core3fmt5write")
    use = ProfileUse(
        missing_functions=3, mismatched_functions=0, missing_names={"": frozenset(n.format("b" * 16) for n in std)}
    )
    evidence = prove_applied(
        "pgo",
        PROFILE,
        replace(compiled(), profile_use=use),
        artifacts(demo="old"),
        names_in_profile=lambda: [*in_profile(), *(n.format("a" * 16) for n in std)],
        trained_bins=("demo",),
    )
    assert evidence.strange_functions == 0


def test_a_profile_that_does_not_know_a_trained_binarys_own_code_is_refused() -> None:
    """Cargo compiles no dead code of a binary, so that what it was trained with knows all of it."""
    own = frozenset(f"_ZN4demo5other{i}17h{'b' * 16}E" for i in range(60))
    use = ProfileUse(missing_functions=60, mismatched_functions=0, missing_names={"demo": own})
    with pytest.raises(ProfileDataError, match="60 functions are not in it as they should be"):
        prove_applied(
            "pgo",
            PROFILE,
            replace(compiled(), profile_use=use),
            artifacts(demo="old"),
            names_in_profile=in_profile,
            trained_bins={"demo"},
        )
