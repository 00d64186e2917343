from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from optbuild.making.proof.evidence import PgoEvidence, gather_evidence
from optbuild.plan.action import ActionId
from optbuild.plan.counts import CheckedProfile, CrateCounts
from optbuild.plan.results import Artifact, Compiled, ProfileUse
from optbuild.testing import make_compiled, make_indexed_profile, make_pgo_profile
from optbuild.tools.llvm_profdata import ProfileHeader

CRATES = (CrateCounts(name="demo", functions=100, functions_with_counts=60, total_count=1000),)


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


def compiled(missing: int = 0, mismatched: int = 0, hashes: dict[str, str] | None = None) -> Compiled:
    """An optimising compilation of which rustc said this much; what it missed comes from another build."""
    use = ProfileUse(
        missing_functions=missing,
        mismatched_functions=mismatched,
        missing_names={"": names("b", missing)},
        profiled=("demo",),
    )
    return make_compiled(artifacts=artifacts(**(hashes or {"demo": "new"})), profile_use=use)


@pytest.fixture
def merged(tmp_path: Path) -> CheckedProfile:
    """A profile of 100 functions."""
    path = tmp_path / "ab.profdata"
    path.write_bytes(make_indexed_profile(b"counts"))
    profile = make_pgo_profile(path=path)
    return CheckedProfile(profile=profile, duration_s=0.0, reused=False, crates=CRATES)


def gather(
    merged: CheckedProfile,
    result: Compiled,
    plain: dict[str, Artifact] | None = None,
    known: Callable[[], Iterable[str]] = in_profile,
    trained: Iterable[str] = ("demo",),
) -> PgoEvidence:
    """What is known of a compilation."""
    unprofiled = artifacts(demo="old") if plain is None else plain
    return gather_evidence(merged, result, unprofiled, names_in_profile=known, trained_bins=set(trained))


def test_everything_that_is_known_is_put_together(merged: CheckedProfile) -> None:
    """Counts, shares, crates and the format of the file."""
    assert gather(merged, compiled(missing=25, mismatched=2)) == PgoEvidence(
        profile=merged.profile,
        header=ProfileHeader(kind="indexed", version=13, is_ir_level=True),
        crates=CRATES,
        missing_functions=25,
        mismatched_functions=2,
        strange_functions=25,
        missing_ratio=0.2,
        mismatched_ratio=0.02,
        unmatched_ratio=0.27,
        differs=True,
    )


def test_names_are_asked_for_only_where_functions_were_missing(merged: CheckedProfile) -> None:
    """To list all functions of a large profile takes a while."""
    evidence = gather(merged, compiled(), known=lambda: pytest.fail("nothing is missing"))
    assert (evidence.missing_ratio, evidence.unmatched_ratio) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("hashes", "plain", "differs"),
    [
        ({"demo": "new"}, {"demo": "old"}, True),
        ({"demo": "same"}, {"demo": "same"}, False),
        ({"demo": "new", "tiny": "same"}, {"demo": "old", "tiny": "same"}, True),
        ({"demo": "new"}, {}, None),
    ],
)
def test_a_binary_differs_or_not(
    merged: CheckedProfile, hashes: dict[str, str], plain: dict[str, str], *, differs: bool | None
) -> None:
    """One of several is enough, for another may hold no code of its own; without another build it is not known."""
    assert gather(merged, compiled(hashes=hashes), artifacts(**plain)).differs is differs


def test_without_a_word_of_rustc_nothing_is_known(merged: CheckedProfile) -> None:
    """No number is made up; the checks see to it that this is no evidence."""
    evidence = gather(merged, replace(compiled(), profile_use=None))
    assert (evidence.missing_functions, evidence.mismatched_functions, evidence.failed) == (0, 0, ())


def test_a_file_that_is_no_profile_is_known_as_such(merged: CheckedProfile) -> None:
    """Rustc would only warn."""
    merged.profile.path.write_bytes(b"something else entirely")
    assert gather(merged, compiled()).header is None


def test_functions_that_no_profile_can_know_are_no_fault(merged: CheckedProfile) -> None:
    """What the linker dropped, or a binary that no workload runs, is missing under any name."""
    use = ProfileUse(
        missing_functions=420,
        mismatched_functions=0,
        missing_names={
            "": frozenset(f"_ZN5other4work{i}17h{'c' * 16}E" for i in range(420)) | {"main"},
            "untrained": names("b"),
        },
    )
    evidence = gather(merged, replace(compiled(), profile_use=use))
    assert (evidence.missing_functions, evidence.strange_functions, evidence.unmatched_ratio) == (420, 0, 0.0)


def test_the_standard_librarys_generic_code_is_left_out(merged: CheckedProfile) -> None:
    """Each crate has instances of its own of the same few functions, so another hash says nothing."""
    std = ("_ZN3std2rt10lang_start17h{}E", "_ZN4core3ptr13drop_in_place17h{}E", "_RNvCs{}_4core3fmt5write")
    use = ProfileUse(
        missing_functions=3, mismatched_functions=0, missing_names={"": frozenset(n.format("b" * 16) for n in std)}
    )
    known = [*in_profile(), *(n.format("a" * 16) for n in std)]
    assert gather(merged, replace(compiled(), profile_use=use), known=lambda: known).strange_functions == 0


def test_a_trained_binarys_own_code_should_be_known(merged: CheckedProfile) -> None:
    """Cargo compiles no dead code of a binary, so that what it was trained with knows all of it."""
    own = frozenset(f"_ZN4demo5other{i}17h{'b' * 16}E" for i in range(60))
    use = ProfileUse(missing_functions=60, mismatched_functions=0, missing_names={"demo": own})
    result = replace(compiled(), profile_use=use)
    assert gather(merged, result).unmatched_ratio == 0.6
    assert gather(merged, result, trained=("other",)).unmatched_ratio == 0.0
