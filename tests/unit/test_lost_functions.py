from __future__ import annotations

from dataclasses import replace

import pytest

from optbuild.errors import AttemptFault, ProfileDataError
from optbuild.making.proof.lost_functions import check_nothing_lost, check_nothing_more, find_lost
from optbuild.plan.counts import ProfileContents
from optbuild.plan.results import Compiled, ProfileUse
from optbuild.testing import make_compiled

RAN = "_ZN4demo4work17haaaaaaaaaaaaaaaaE"
IDLE = "_ZN4demo4idle17haaaaaaaaaaaaaaaaE"
LOCAL = "_ZN4demo5inner17haaaaaaaaaaaaaaaaE"
V0 = "_RNvCsaaaa_4demo4run"
KNOWN = (RAN, IDLE, f"demo.1f2e-cgu.0;{LOCAL}", V0)


def contents(*names: str, idle: str = IDLE) -> ProfileContents:
    """What a profile knows of these functions, of which all but one ran."""
    known = frozenset(names or KNOWN)
    return ProfileContents(names=known, names_with_counts=known - {idle}, crates=())


def rebuilt(name: str) -> str:
    """The same function in another build of its crate."""
    return name.replace("aaaa", "bbbb")


@pytest.mark.parametrize(
    ("missing", "lost"),
    [
        (LOCAL, True),  # behind another unit's name
        (rebuilt(RAN), True),
        (rebuilt(LOCAL), True),
        (rebuilt(V0), True),
        (rebuilt(IDLE), False),
        ("_ZN4demo5other17haaaaaaaaaaaaaaaaE", False),
        ("plain_c_name", False),
    ],
)
def test_a_function_that_ran_under_another_name_is_lost(missing: str, *, lost: bool) -> None:
    """It is recognised by its symbol or its path; what never ran in training is no loss."""
    assert find_lost([missing], contents(), {}) == ({missing} if lost else set())


@pytest.mark.parametrize(
    ("missing", "lost"),
    [
        (f"demo.1f2e-cgu.3;{LOCAL}", True),  # the same crate, another unit
        (f"demo.1f2e-cgu.3;{rebuilt(LOCAL)}", True),
        (f"other.77aa-cgu.0;{LOCAL}", False),  # each has an instance of its own
        (f"other.77aa-cgu.0;{rebuilt(LOCAL)}", False),
        (f"other.77aa-cgu.0;{RAN}", True),  # that one is known to all, whoever compiled it
    ],
)
def test_what_one_crate_counted_is_no_loss_for_another(missing: str, *, lost: bool) -> None:
    """Crates that instantiate the same generic code have functions of the same symbol, which only their units see."""
    assert find_lost([missing], contents(), {}) == ({missing} if lost else set())


OWN, OTHER = "demo.1f2e-cgu.0", "demo.9d00-cgu.0"


@pytest.mark.parametrize("function", [RAN, V0])
def test_what_one_version_of_a_crate_counted_is_no_loss_for_another(function: str) -> None:
    """Many programs have two versions of a crate, whose functions have the same paths; one of them has the counts."""
    one, other = (f"{unit};{rebuilt(function)}" for unit in (OWN, OTHER))
    two = {"demo": 2}
    assert find_lost([other], contents(), two) == frozenset()
    assert find_lost([one, other], contents(), two) == {one, other}
    assert find_lost([other], contents(), {"another": 2}) == {other}


def test_what_only_one_version_of_a_crate_sees_is_its_own() -> None:
    """Its unit's name tells which one it is."""
    assert find_lost([f"{OTHER};{rebuilt(LOCAL)}"], contents(), {}) == frozenset()


def test_one_more_instance_of_generic_code_is_no_loss() -> None:
    """Instances share a path: where the profile knows two, one that never ran may be missing."""
    instances = [f"_ZN4demo4sort17h{digit * 16}E" for digit in "123"]
    assert find_lost(instances[2:], contents(*instances[:2]), {}) == frozenset()
    assert find_lost(instances[1:2], contents(*instances[:2]), {}) == {instances[1]}


def compiled(*missing: str, mismatched: int = 0) -> Compiled:
    """An optimising compilation that found no data for these functions."""
    use = ProfileUse(
        missing_functions=len(missing), mismatched_functions=mismatched, missing_names={"": frozenset(missing)}
    )
    return make_compiled(profile_use=use)


def test_functions_that_never_ran_may_be_missing() -> None:
    """The linker drops others from a binary without LTO, and the optimiser learns nothing from them."""
    check_nothing_lost("pgo", "lto-free", compiled(rebuilt(IDLE)), look_into=contents)
    check_nothing_lost("pgo", "lto-free", replace(compiled(), profile_use=None), look_into=contents)


def test_the_profile_is_not_looked_into_where_nothing_is_missing() -> None:
    """Listing a large profile takes time."""

    def unasked() -> ProfileContents:
        raise AssertionError

    check_nothing_lost("pgo", "lto-free", compiled(), look_into=unasked)


@pytest.mark.parametrize("found", [compiled(rebuilt(RAN), rebuilt(V0)), compiled(mismatched=1)])
def test_one_lost_function_rejects_the_attempt(found: Compiled) -> None:
    """The error says how many, names one, and can be mended by another way of training."""
    with pytest.raises(ProfileDataError, match="training as lto-free lost") as caught:
        check_nothing_lost("pgo", "lto-free", found, look_into=contents)
    assert caught.value.fault is AttemptFault.UNFIT
    assert 'training-lto = "same"' in caught.value.help
    assert caught.value.location == "/logs/build.log"
    if found.profile_use is not None and found.profile_use.missing_functions:
        assert f"lost 2 functions with counts, {rebuilt(V0)} among them" in caught.value.message


def test_what_is_there_for_one_cpu_alone_rejects_the_counts_of_another_variant() -> None:
    """It may be hot, and no profile of another CPU knows it; what neither has data for proves nothing."""
    twin = compiled(rebuilt(IDLE))
    check_nothing_more("pgo-v3", compiled(rebuilt(IDLE)), twin)
    check_nothing_more("pgo-v3", compiled(), twin)
    with pytest.raises(
        ProfileDataError, match="1 functions exist only with its own settings and have no counts"
    ) as caught:
        check_nothing_more("pgo-v3", compiled(rebuilt(IDLE), "_ZN4demo8dot_avx217h0123456789abcdefE"), twin)
    assert caught.value.fault is AttemptFault.UNFIT


def test_without_the_other_variant_no_function_may_lack_data() -> None:
    """It was skipped, or trained otherwise: what has data for every function needs no comparison, and no training."""
    check_nothing_more("pgo-v3", compiled(), None)
    check_nothing_more("thin", compiled(), None, are_renamed=True)
    for found in (compiled(rebuilt(IDLE)), replace(compiled(), profile_use=None)):
        with pytest.raises(ProfileDataError, match="nothing to compare it with") as caught:
            check_nothing_more("pgo-v3", found, None)
        assert caught.value.fault is AttemptFault.UNFIT


def test_where_names_differ_functions_are_compared_by_path() -> None:
    """Every name differs between two builds of other settings; code that only one of them has still shows."""
    check_nothing_more("thin", compiled(rebuilt(IDLE)), compiled(IDLE), are_renamed=True)
    with pytest.raises(ProfileDataError, match="1 functions exist only with its own settings"):
        check_nothing_more("thin", compiled(rebuilt(IDLE), RAN), compiled(IDLE), are_renamed=True)
