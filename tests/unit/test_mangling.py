from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optbuild.tools.mangling import crate_of, function_path

HASH = "17h0123456789abcdefE"


def legacy(*path: str) -> str:
    """A legacy name of this path."""
    return "_ZN" + "".join(f"{len(part)}{part}" for part in path) + HASH


@pytest.mark.parametrize(
    ("name", "crate"),
    [
        (legacy("demo", "main"), "demo"),
        (legacy("alloc", "raw_vec", "RawVecInner$LT$A$GT$", "reserve"), "alloc"),
        (f"demo.78807bcf48cbd3f9-cgu.1;{legacy('core', 'ptr', 'drop_in_place$LT$demo..Big$GT$')}", "core"),
        (legacy("_$LT$alloc..vec..Vec$LT$T$C$A$GT$$u20$as$u20$core..ops..drop..Drop$GT$", "drop"), "alloc"),
        (legacy("_$LT$alloc..vec..Vec$LT$u8$GT$$u20$as$u20$demo..Show$GT$", "show"), "demo"),
        (legacy("_$LT$demo..Item$u20$as$u20$core..fmt..Debug$GT$", "fmt"), "demo"),
        (legacy("_$LT$$RF$mut$u20$demo..Item$u20$as$u20$core..fmt..Write$GT$", "write_str"), "demo"),
        (legacy("_$LT$$u5b$T$u5d$$u20$as$u20$demo..Show$GT$", "show"), "demo"),
        (legacy("_$LT$mutants..Item$u20$as$u20$core..fmt..Debug$GT$", "fmt"), "mutants"),
        (legacy("_$LT$T$u20$as$u20$core..any..Any$GT$", "type_id"), "core"),
        (legacy("_$LT$u32$u20$as$u20$T$GT$", "odd"), None),
        ("_RNvCs6Pd0Vb2q1tE_4demo4main", "demo"),
        ("_RNvNtC3std3env3var", "std"),
        ("_RNvXs_Cs6Pd0Vb2q1tE_4demoNtB4_4ItemNtNtCskXyz_4core3fmt7Display3fmt", "demo"),
        ("_RINvNtCs1_4core3ptr13drop_in_placeNtNtCs2_5alloc6string6StringECs3_4demo", "core"),
        ("_RNvYNtNtCs2_5alloc6string6StringNtCs3_4demo4Show4show", "alloc"),
        ("_RNvMs0_Cs6_10hyper_utilNtB5_6Client3get", "hyper_util"),
        ("_RNvCs6_u8gdel_5qa4main", "gdel_5qa"),
        ("_Rodd", None),
        ("main", None),
        ("lib.c;sum", None),
        ("_ZNodd", None),
        ("", None),
    ],
)
def test_a_mangled_name_tells_its_crate(name: str, crate: str | None) -> None:
    """Both manglings, functions of one unit, implementations for types and for traits; C has no crate."""
    assert crate_of(name) == crate


@given(st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True), st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True))
def test_every_crates_own_functions_are_told_alike(crate: str, function: str) -> None:
    """Whatever the names: a length stands before each, and an underscore where a digit or another would follow."""
    assert crate_of(legacy(crate, function)) == crate
    separator = "_" if crate.startswith("_") else ""
    assert crate_of(f"_RNvCs1a2B_{len(crate)}{separator}{crate}{len(function)}{function}") == crate


@given(st.text())
def test_any_text_has_an_answer(text: str) -> None:
    """A profile that someone else made may hold any names."""
    for name in (text, f"_ZN{text}", f"_R{text}", f"_RNvC{text}"):
        assert crate_of(name) is None or crate_of(name)
        assert function_path(name) is None or function_path(name)


def test_a_path_is_the_same_in_every_build() -> None:
    """The hash of a legacy name, the crate's disambiguator of a v0 name and the unit are left out."""
    assert function_path(legacy("demo", "main")) == function_path("demo.1f-cgu.0;_ZN4demo4main17hffffffffffffffffE")
    assert function_path("_RNvCs6Pd0_4demo4main") == function_path("_RNvCsX_4demo4main")
    assert function_path("main") is None
