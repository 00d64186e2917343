from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optbuild.errors import ProfileDataError
from optbuild.profile.values import HOT_SHARES
from optbuild.tools import llvm_profdata
from optbuild.tools.llvm_profdata import LlvmVersion, ProfileHeader, ProfileSummary

RECORDED = Path(__file__).parents[1] / "recorded" / "llvm_profdata"


def _recorded(case: str) -> str:
    return (RECORDED / f"{case}.txt").read_text()


@pytest.mark.parametrize(
    ("banner", "version"),
    [
        (_recorded("version.llvm22"), LlvmVersion(version="22.1.2-rust-1.95.0-stable", major=22)),
        (_recorded("version.llvm14"), LlvmVersion(version="14.0.6", major=14)),
        ("Ubuntu LLVM version 18.1.3\n  Optimized build.\n", LlvmVersion(version="18.1.3", major=18)),
        ("Homebrew LLVM version 20.1.8\n", LlvmVersion(version="20.1.8", major=20)),
        ("Apple LLVM version 15.0.0 (clang-1500.3.9.4)\n", LlvmVersion(version="15.0.0", major=None)),
    ],
)
def test_every_vendors_banner_tells_the_llvm_major(banner: str, version: LlvmVersion) -> None:
    """The major is read whoever built the tool, but for Apple, whose numbers are not LLVM's."""
    assert llvm_profdata.parse_version(banner) == version


def test_a_program_that_is_no_llvm_tool_is_told() -> None:
    """Text without an LLVM version is refused."""
    with pytest.raises(ValueError, match="no LLVM version"):
        llvm_profdata.parse_version("profdata 1.0\n")


def test_argvs() -> None:
    """Inputs go through a list file, however many they are."""
    tool = Path("/llvm/llvm-profdata")
    assert llvm_profdata.version_argv(tool) == ("/llvm/llvm-profdata", "merge", "--version")
    assert llvm_profdata.merge_argv(tool, inputs_file=Path("/w/list"), output=Path("/w/o")) == (
        *("/llvm/llvm-profdata", "merge", "--input-files=/w/list", "--output=/w/o"),
        "--failure-mode=any",
    )
    assert llvm_profdata.show_argv(tool, Path("/w/o")) == (
        *("/llvm/llvm-profdata", "show", "--value-cutoff=1", "--detailed-summary", "/w/o"),
    )


def test_the_list_file_gives_each_input_its_weight() -> None:
    """Every line begins with a weight, so that a comma in a name belongs to the name."""
    weighted = [(1, Path("/w/a.profraw")), (30, Path("/w/with space, comma.profraw")), (1, Path("/w/Größe.profraw"))]
    assert llvm_profdata.make_input_list(weighted) == (
        b"1,/w/a.profraw\n30,/w/with space, comma.profraw\n1,/w/Gr\xc3\xb6\xc3\x9fe.profraw\n"
    )


@pytest.mark.parametrize("name", ["two\nlines", "trailing ", "tab\t", "return\r"])
def test_names_that_a_list_file_cannot_express_are_refused(name: str) -> None:
    """llvm-profdata ends a name at a newline and drops blanks at its end: it would read another file."""
    with pytest.raises(ProfileDataError) as caught:
        llvm_profdata.make_input_list([(1, Path("/w") / name)])
    assert "move the project" in caught.value.help


@pytest.mark.parametrize(
    ("case", "summary"),
    [
        (
            "show.llvm22",
            ProfileSummary(
                functions=11,
                functions_with_counts=6,
                total_count=2706,
                maximum_function_count=2000,
                maximum_block_count=668,
                blocks=49,
                is_ir_level=True,
            ),
        ),
        (
            "show.llvm14",
            ProfileSummary(
                functions=28,
                functions_with_counts=12,
                total_count=2732,
                maximum_function_count=2000,
                maximum_block_count=668,
                blocks=70,
                is_ir_level=True,
            ),
        ),
    ],
)
def test_the_summary_is_read_in_any_order_of_lines(case: str, summary: ProfileSummary) -> None:
    """LLVM 14 and 22 print the same numbers in different orders."""
    assert replace(llvm_profdata.parse_show(_recorded(case)), hot_counts={}) == summary


@pytest.mark.parametrize("case", ["show.llvm14", "show.llvm22"])
def test_the_counts_from_which_on_code_is_hot_are_read(case: str) -> None:
    """By the share of all counts that such blocks make up, for every share that a variant may name."""
    hot = llvm_profdata.parse_show(_recorded(case)).hot_counts
    assert hot["p95"] == 668
    assert set(HOT_SHARES) <= hot.keys()


def test_a_coverage_profile_is_not_ir_level() -> None:
    """What `-C instrument-coverage` writes can be merged, but optimises nothing."""
    text = _recorded("show.llvm22").replace("Instrumentation level: IR", "Instrumentation level: Front-end")
    assert not llvm_profdata.parse_show(text).is_ir_level


def test_a_summary_without_a_number_is_refused() -> None:
    """No number is made up where the tool prints none."""
    text = _recorded("show.llvm22").replace("Total count: 2706\n", "")
    with pytest.raises(ValueError, match="Total count"):
        llvm_profdata.parse_show(text)


@pytest.mark.parametrize(
    ("first_bytes", "header"),
    [
        ("8172666f72706cff0a00000000000001", ProfileHeader(kind="raw", version=10, is_ir_level=True)),
        ("8172666f72706cff0a00000000000000", ProfileHeader(kind="raw", version=10, is_ir_level=False)),
        ("8152666f72706cff0a00000000000001", ProfileHeader(kind="raw", version=10, is_ir_level=True)),
        ("ff6c70726f667281010000000000000a", ProfileHeader(kind="raw", version=10, is_ir_level=True)),
        ("ff6c70726f6669810d00000000000001", ProfileHeader(kind="indexed", version=13, is_ir_level=True)),
        ("ff6c70726f6669810700000000000001", ProfileHeader(kind="indexed", version=7, is_ir_level=True)),
        ("0000000000000000" * 2, None),
        ("8172666f72706cff0a000000000000", None),
        ("", None),
    ],
    ids=["raw", "coverage", "raw-32-bit", "raw-big-endian", "indexed", "indexed-14", "zeros", "cut", "empty"],
)
def test_a_profile_is_known_by_its_first_bytes(first_bytes: str, header: ProfileHeader | None) -> None:
    """Magic, version and level stand in the first sixteen bytes, in the target's byte order for raw profiles."""
    assert llvm_profdata.read_profile_header(bytes.fromhex(first_bytes)) == header


@given(st.binary(max_size=32))
def test_any_bytes_have_an_answer(data: bytes) -> None:
    """No content of a file makes looking at it fail."""
    header = llvm_profdata.read_profile_header(data)
    assert header is None or header.kind in {"raw", "indexed"}


_CORRUPT = "invalid instrumentation profile data (file header is corrupt)"
_TOO_LARGE = "excessively large counter value suggests corrupted profile data: 1152921504606846976"
_MISMATCH = "raw profile version mismatch: Profile uses raw profile format version = 99; expected version = 10"
_UNRECOGNIZED = "unrecognized instrumentation profile encoding format"


@pytest.mark.parametrize(
    ("case", "failed"),
    [
        ("truncated.llvm22", (("truncated.profraw", "too much profile data"),)),
        ("truncated.llvm14", (("truncated.profraw", "too much profile data"),)),
        ("header.llvm22", (("header.profraw", _CORRUPT),)),
        ("magic.llvm22", (("magic.profraw", _UNRECOGNIZED),)),
        ("magic.llvm14", (("magic.profraw", _UNRECOGNIZED),)),
        (
            "text.llvm22",
            (("text.profraw", "malformed instrumentation profile data: function hash is not a valid integer"),),
        ),
        ("format.llvm22", (("format.profraw", _MISMATCH),)),
        ("format.llvm14", (("format.profraw", "unsupported instrumentation profile format version"),)),
        ("names.llvm22", (("names.profraw", "failed to uncompress data (zlib)"),)),
        ("counter.llvm22", (("counter.profraw", _TOO_LARGE),)),
        ("counter.llvm14", ()),
        ("missing.llvm22", (("nowhere.profraw", "No such file or directory"),)),
        ("overflow.llvm22", (("a.profraw", "counter overflow"), ("b.profraw", "counter overflow"))),
        ("overflow.llvm14", (("a.profraw", "counter overflow"), ("b.profraw", "counter overflow"))),
        ("empty.llvm22", ()),
    ],
)
def test_complaints_are_told_by_file(case: str, failed: tuple[tuple[str, str], ...]) -> None:
    """Each file that a merge complained about is named once for each reason; an empty one is never complained about."""
    assert llvm_profdata.failed_inputs(_recorded(f"merge-{case}").splitlines()) == failed


@pytest.mark.parametrize(
    ("line", "failed"),
    [
        ("warning: /a: b/x.profraw: too much profile data", ("/a: b/x.profraw", "too much profile data")),
        ("/a: b/x.profraw: main: counter overflow", ("/a: b/x.profraw", "counter overflow")),
        ("/w/x.profraw: my c/lib.c;sum: counter overflow", ("/w/x.profraw", "counter overflow")),
        ("warning: /w/x.profraw: a reason of tomorrow", ("/w/x.profraw", "a reason of tomorrow")),
    ],
)
def test_names_with_colons_and_blanks_are_told_apart(line: str, failed: tuple[str, str]) -> None:
    """LLVM's own reasons mark where a file's name ends; an unknown reason begins after the first colon."""
    assert llvm_profdata.failed_inputs([line]) == (failed,)
