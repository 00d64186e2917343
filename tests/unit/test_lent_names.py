"""The names of the program that was trained, and when a build takes them."""

from __future__ import annotations

import zlib
from dataclasses import replace
from pathlib import Path

import pytest

from optbuild.errors import AttemptFault, ProfileDataError
from optbuild.plan.kinds.compile import Compile, Role
from optbuild.plan.kinds.merge import MergeProfiles
from optbuild.plan.kinds.profile_data import MatchProfileData
from optbuild.plan.lent_names import LentNames, identify_build
from optbuild.plan.model import Plan
from optbuild.plan.planner import make_plan
from optbuild.plan.variants import draft_recipe
from optbuild.portable.lent_names import as_instrumented, decode_names, encode_names
from optbuild.profile.profile_data import ProfileDataSettings
from optbuild.profile.variants import Counters, PgoMode, Variant
from optbuild.testing import make_build_profile, make_plan_inputs
from optbuild.tools.instrumentation import InstrumentedFunction
from optbuild.tools.profile_text import read_records

FUNCTIONS = (
    InstrumentedFunction("_ZN4demo4work17h0123456789abcdefE", 7, 2, (1, 0, 2)),
    InstrumentedFunction("demo.1f-cgu.0;_ZN4demo4help17h0123456789abcdefE", 2**63, 1, (0, 0, 0)),
)
RECORDS = """\
:ir
_ZN4demo4work17h0123456789abcdefE
# Func Hash:
7
# Num Counters:
2
# Counter Values:
5
0
# Num Value Kinds:
2
# ValueKind = IPVK_IndirectCallTarget:
0
# NumValueSites:
1
0
# ValueKind = IPVK_VTableTarget:
2
# NumValueSites:
2
1
_ZN4demo4help17h0123456789abcdefE:5
0

demo.1f-cgu.0;_ZN4demo4help17h0123456789abcdefE
# Func Hash:
9223372036854775808
# Num Counters:
1
# Counter Values:
0

"""
PGO = Variant(name="pgo", pgo=PgoMode.REQUIRED, counters=Counters.SINGLE)


def test_a_profile_lists_the_functions_of_the_program_with_all_their_places() -> None:
    """Also places where no value was seen: LLVM demands as many as the function has."""
    assert tuple(map(as_instrumented, read_records(RECORDS.splitlines()))) == FUNCTIONS


def test_the_file_holds_them_in_the_same_bytes_whatever_their_order() -> None:
    """A training that finds the same functions changes nothing in the repository."""
    data = encode_names(FUNCTIONS)
    assert encode_names(reversed(FUNCTIONS)) == data
    assert set(decode_names(data, location="here")) == set(FUNCTIONS)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"optbuild-pgonames 2\n",
        encode_names(FUNCTIONS)[:-8],
        b"optbuild-pgonames 1\n" + zlib.compress(b'["a", 1]\n'),
        b"optbuild-pgonames 1\n" + zlib.compress(b"\xff"),
        b"optbuild-pgonames 1\n" + zlib.compress(b"[" * 100_000),
        b"optbuild-pgonames 1\n" + zlib.compress(b'["a\\nb", 1, 1, [0]]'),
    ],
)
def test_a_file_that_is_none_is_refused(data: bytes) -> None:
    """By its name, and with what to do: it may be left out."""
    with pytest.raises(ProfileDataError, match=r"^here ") as caught:
        decode_names(data, location="here")
    assert caught.value.help.startswith("delete it")


def plan_with(*, build: str | None = None, lockfile: str | None = "aa", variant: Variant = PGO) -> Plan:
    """The plan of a project with committed counts and names; by default those of this very build."""
    profile = replace(
        make_build_profile(Variant(name="release"), variant), profile_data=ProfileDataSettings(path="pgo/demo.pgodata")
    )
    inputs = make_plan_inputs(build_profile=profile, has_profile_data=True, lockfile_sha256=lockfile)
    own = identify_build(draft_recipe(variant, inputs), inputs.project, inputs.toolchain, lockfile)
    lent = LentNames(file=Path("/p/pgo/demo.pgodata.names"), build=build or own)
    return make_plan(replace(inputs, lent_names=lent), ("release", "pgo"), measure=False)


def test_the_build_that_was_trained_needs_no_instrumented_one() -> None:
    """Unless the evidence shows that its names are others after all: then one lends them, as ever."""
    plan = plan_with()
    first, second = plan.variants[1].attempts[:2]
    assert (first.name, first.instrument, first.lossless) == ("profile-data by names", None, True)
    assert (second.name, AttemptFault.UNFIT in second.mends) == ("profile-data", True)
    serving = plan.serving(plan.variants[1])
    assert [match.names for match in plan.find(MatchProfileData, serving)] == [Path("/p/pgo/demo.pgodata.names")]
    assert {action.role for action in plan.find(Compile, serving)} == {Role.OPTIMISE}


def test_committed_counts_are_scaled_like_others() -> None:
    """By committed names, by those of a build, and in the training that mends both."""
    plans = [plan_with(variant=replace(PGO, count_scale=scale)) for scale in (None, 0.1)]
    plain, small = ([plan.action(each.merge) for each in plan.variants[1].attempts] for plan in plans)
    assert [action.count_scale for action in small if isinstance(action, MatchProfileData | MergeProfiles)] == [0.1] * 3
    assert not {action.id for action in plain} & {action.id for action in small}
    assert "each count × 0.1" in str(small[0].details()["how"])


@pytest.mark.parametrize("plan", [plan_with(build="b" * 64), plan_with(lockfile=None)])
def test_any_other_build_is_instrumented_for_its_names(plan: Plan) -> None:
    """Another version, compiler or setting has other names; without `Cargo.lock` nothing is known of them."""
    assert plan.variants[1].attempts[0].name == "profile-data"


@pytest.mark.parametrize("changes", [{"lto": "fat"}, {"panic": "abort"}, {"rustflags": ("-Cfoo",)}])
def test_what_a_variant_sets_identifies_its_build(changes: dict[str, object]) -> None:
    """So does the lockfile."""
    inputs = make_plan_inputs()

    def identify(variant: Variant, lockfile: str = "aa") -> str:
        return identify_build(draft_recipe(variant, inputs), inputs.project, inputs.toolchain, lockfile)

    assert identify(PGO) == identify(replace(PGO, name="other"))
    assert identify(replace(PGO, **changes)) != identify(PGO) != identify(PGO, "bb")  # type: ignore[arg-type]
