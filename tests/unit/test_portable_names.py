"""Function names of both manglings in one spelling; the names are those of real programs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optbuild.portable.names import read_name
from optbuild.portable.spelling import for_any_type

PATHS = [
    # legacy
    ("_ZN5tokio7runtime4park10drop_waker17h53be693611eecb40E", "tokio::runtime::park::drop_waker"),
    (
        "tokio.fe25fb05f89c7535-cgu.0;_ZN5tokio7runtime4park10drop_waker17h53be693611eecb40E",
        "tokio::runtime::park::drop_waker",
    ),
    (
        "_ZN66_$LT$dyn$u20$serde..de..Expected$u20$as$u20$core..fmt..Display$GT$3fmt17h1654c5fede4f79a7E",
        "<dyn serde::de::Expected as core::fmt::Display>::fmt",
    ),
    (
        (
            "_ZN10serde_json2de83_$LT$impl$u20$core..str..traits..FromStr$u20$for$u20$serde_json..number..Number$GT$"
            "8from_str17h02039e171540f3b1E"
        ),
        "<serde_json::number::Number as core::str::traits::FromStr>::from_str",
    ),
    (
        (
            "_ZN10serde_json5value10partial_eq100_$LT$impl$u20$core..cmp..PartialEq$LT$isize$GT$$u20$for$u20$$RF$mut"
            "$u20$serde_json..value..Value$GT$2eq17h50d98b143762ebd3E"
        ),
        "<&_ as core::cmp::PartialEq>::eq",
    ),
    (
        (
            "_ZN4core3ptr81drop_in_place$LT$core..result..Result$LT$$LP$$RP$$C$std..io..error..Error$GT$$GT$"
            "17ha8d03714f96d3c56E"
        ),
        "core::ptr::drop_in_place<core::result::Result<(),std::io::error::Error>>",
    ),
    (
        "_ZN3std2rt10lang_start28_$u7b$$u7b$closure$u7d$$u7d$17h0fd49f68a4a08341E",
        "std::rt::lang_start::{closure}",
    ),
    ("_ZN5alloc3vec16Vec$LT$T$C$A$GT$4push17h0123456789abcdefE", "alloc::vec::Vec::push"),
    ("_ZN5alloc3vec16Vec$LT$T$C$A$GT$4push17h0123456789abcdefE.llvm.123", "alloc::vec::Vec::push"),
    # v0
    (
        "_RNvXsK_NtCsgEmfK2I1SDS_4core3fmtNtB5_5ErrorNtB5_5Debug3fmt",
        "<core::fmt::Error as core::fmt::Debug>::fmt",
    ),
    (
        "_RNvXsZ_NtCslNYArtu3iFV_5alloc6stringNtB5_6StringNtNtCsgEmfK2I1SDS_4core3fmt5Write10write_char",
        "<alloc::string::String as core::fmt::Write>::write_char",
    ),
    # neither
    ("main", "main"),
    ("_ZN3foo", "_ZN3foo"),
    ("_RNv", "_RNv"),
    ("_RNvB_3foo", "_RNvB_3foo"),
]


@pytest.mark.parametrize(("symbol", "path"), PATHS)
def test_a_function_has_its_path(symbol: str, path: str) -> None:
    """A path is what another build, compiler or mangling says as well; what is no name of rustc stays as it is."""
    assert read_name(symbol).path == path


SAME = [
    (
        "inherent methods",
        "_ZN5alloc3vec16Vec$LT$T$C$A$GT$4push17h0123456789abcdefE",
        "_RNvMs_NtCs1_5alloc3vecINtB4_3VechE4push",
    ),
    (
        "methods of primitives",
        "_ZN4core3str21_$LT$impl$u20$str$GT$4trim17h0123456789abcdefE",
        "_RNvMNtCs1_4core3stre4trim",
    ),
    (
        "default methods of traits",
        "_ZN4core4iter6traits8iterator8Iterator4fold17h0123456789abcdefE",
        "_RINvYNtCs2_3app4ThatNtNtNtNtCs1_4core4iter6traits8iterator8Iterator4foldmECs2_3app",
    ),
    (
        "implementations away from their type",
        "_ZN4core3str6traits54_$LT$impl$u20$core..cmp..PartialEq$u20$for$u20$str$GT$2eq17h0123456789abcdefE",
        "_RNvXs_NtNtCs1_4core3str6traitseNtNtB8_3cmp9PartialEq2eq",
    ),
    (
        "drop glue, default arguments of types left out",
        "_ZN4core3ptr46drop_in_place$LT$alloc..vec..Vec$LT$u8$GT$$GT$17h0123456789abcdefE",
        "_RINvNtCs1_4core3ptr13drop_in_placeINtNtCs3_5alloc3vec3VechNtNtCs3_5alloc5alloc6GlobalEECs2_3app",
    ),
    (
        "closures",
        "_ZN3app3run28_$u7b$$u7b$closure$u7d$$u7d$17h0123456789abcdefE",
        "_RNCNvCs2_3app3run0Cs2_3app",
    ),
]


@pytest.mark.parametrize(("legacy", "v0"), [pair[1:] for pair in SAME], ids=[pair[0] for pair in SAME])
def test_both_manglings_have_one_spelling(legacy: str, v0: str) -> None:
    """A function has the same path under its legacy name and under its v0 name."""
    assert read_name(legacy).path == read_name(v0).path


def test_instances_differ_in_their_details_only() -> None:
    """Two instances of generic code have one path, and a v0 name tells them apart."""
    of_u8 = read_name("_RNvMs_NtCs1_5alloc3vecINtB4_3VechE4push")
    of_u16 = read_name("_RNvMs_NtCs1_5alloc3vecINtB4_3VectE4push")
    assert of_u8.path == of_u16.path
    assert of_u8.detail != of_u16.detail


def test_an_implementation_for_any_type_is_one_of_its_instances() -> None:
    """A v0 name says the type of an instance, a legacy name the parameter: both lead to the same."""
    legacy = read_name("_ZN50_$LT$T$u20$as$u20$core..convert..Into$LT$U$GT$$GT$4into17h0123456789abcdefE").path
    v0 = read_name("_RNvXs_NtCs1_4core7converthINtB4_4IntotE4into").path
    assert for_any_type(v0) == legacy == "<_ as core::convert::Into>::into"
    assert for_any_type("alloc::vec::Vec::push") is None


@given(st.text(alphabet="CMXYNIBRQPATSFDWKLEGpsu_0123456789abcxyz", max_size=60))
def test_any_text_is_read_to_an_end(text: str) -> None:
    """Names are foreign text: whatever follows the mark of a mangling, there is an answer."""
    assert read_name(f"_R{text}").path
    assert read_name(f"_ZN{text}").path
