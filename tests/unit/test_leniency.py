from __future__ import annotations

from pathlib import Path

import pytest

from optbuild.making.outputs.leniency import Leniency, condition_of, propose_leniency

DAY, HASH = r"\b\d{4}-\d\d-\d\d\b", r"\bg?(?=\d*[a-f])[0-9a-f]{7,}\b"
TIME = r"\d\d:\d\d:\d\d"


def write_pair(directory: Path, expected: str, found: str) -> tuple[Path, Path]:
    """Two files with these texts."""
    paths = directory / "expected", directory / "found"
    for path, text in zip(paths, (expected, found), strict=True):
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
    return paths


@pytest.mark.parametrize(
    ("filters", "expected", "found", "equal"),
    [
        ((TIME,), "at 10:00:01 x\n", "at 10:00:59 x\n", True),
        ((TIME,), "at 10:00:01 x\n", "at 10:00:01 y\n", False),
        ((TIME, r"\d+ ms"), "10:00:01 5 ms\nx", "10:00:02 61 ms\nx", True),
        (("^progress .*$",), "progress 1\nx\n", "progress 1\nprogress 2\nx\n", True),
        (("^progress .*$",), "progress 1\n\nx\n", "progress 1\nx\n", False),
        ((r"a\sb",), "a\nb\n", "\n", False),
        (("x",), "\udcff x", "\udcfe x", False),
    ],
)
def test_what_a_filter_matches_does_not_count(
    tmp_path: Path, filters: tuple[str, ...], expected: str, found: str, *, equal: bool
) -> None:
    """Line by line; a line of which nothing is left is none, one that was empty before is one."""
    left, right = map(Leniency(filters=filters).digest, write_pair(tmp_path, expected, found))
    assert (left[0] == right[0]) is equal


def test_a_filter_that_leaves_nothing_leaves_nothing_to_compare(tmp_path: Path) -> None:
    """Its size is that of what counts."""
    path, _ = write_pair(tmp_path, "10:00:01\n", "")
    assert Leniency(filters=(TIME,)).digest(path)[1] == 0
    assert Leniency().digest(path)[1] == 9


@pytest.mark.parametrize(
    ("expected", "found", "close"),
    [
        ("x = 1.0000000001\n", "x = 1.0000000002\n", True),
        ("x = 1.001\n", "x = 1.002\n", False),
        ("-1.5e300 .5", "-1.5000000001e300 0.5", True),
        ("1.0", "1", True),
        ("6364136223846793005", "6364136223846793006", False),
        ("0.0", "1e-30", False),
        ("x = 1.0", "y = 1.0", False),
        ("1.0\n", "1.0\n2.0\n", False),
        ("1.5", "-1.5", False),
    ],
)
def test_floats_may_differ_by_the_tolerance(tmp_path: Path, expected: str, found: str, *, close: bool) -> None:
    """Relative to the larger; whole numbers, words and the count of lines may not."""
    paths = write_pair(tmp_path, expected, found)
    assert Leniency(tolerance=1e-9).are_close(*paths) is close
    assert Leniency().are_close(*paths) is False


def test_what_is_close_enough_is_shown_as_equal(tmp_path: Path) -> None:
    """The first difference is then the first that counts."""
    paths = write_pair(tmp_path, "10:00:01 a\n1.0\nb\n", "10:00:02 a\n1.00000000001\nc\n")
    leniency = Leniency(filters=(TIME,), tolerance=1e-9)
    assert leniency.align(*paths) == (b" a\n1.0\nb\n", b" a\n1.0\nc\n")


def test_a_hash_is_let_pass_under_a_condition() -> None:
    """What looks like a program's own hash may be the result of a program that hashes."""
    assert "if this is not a result, but changes with each build" in condition_of(f"compare-filter = ['{HASH}']")
    assert condition_of('compare-tolerance = "1e-9"') == "if such a difference is none to you"


@pytest.mark.parametrize(
    ("expected", "found", "key"),
    [
        ("took 12.5 ms", "took 9.75 ms", r"compare-filter = ['\d+(\.\d+)? ?(ns|us|µs|ms|s|sec|secs|seconds)\b']"),
        ("at 9:01:02.5", "at 9:01:03", r"compare-filter = ['\b\d\d?:\d\d:\d\d([.,]\d+)?']"),
        ("x = 1.00000000012", "x = 1.00000000018", 'compare-tolerance = "1e-10"'),
        ("a 1.5\nb 2.00001", "a 1.5\nb 2.00003", 'compare-tolerance = "1e-5"'),
        ("a 1.5", "a 1.7", None),
        ("9:01:02\nb 1", "9:01:03\nb 2", None),
        ("app 1.2.3 (0a1b2c3 2026-11-29)", "app 1.2.3 (f00baa4 2026-11-30)", f"compare-filter = ['{DAY}', '{HASH}']"),
        ("v1.2.3-4-g0a1b2c3d", "v1.2.3-4-gf00baa45", f"compare-filter = ['{HASH}']"),
        (f"me: {'0a' * 32}", f"me: {'b1' * 32}", f"compare-filter = ['{HASH}']"),
        ("at 0x7ffe10", "at 0x7ffd98", r"compare-filter = ['\b0x[0-9a-fA-F]+\b']"),
        ("sum 1234567", "sum 7654321", None),
        ("a 15", "a 16", None),
        ("same", "same", None),
        ("a\nb", "a\nb\nc", None),
        ("\udcff", "\udcfe", None),
    ],
)
def test_the_key_that_fits_is_proposed(expected: str, found: str, key: str | None) -> None:
    """Only where all that differs looks like a time or like another rounding."""
    assert propose_leniency(*(text.encode("utf-8", "surrogateescape") for text in (expected, found))) == key


@pytest.mark.parametrize(
    ("expected", "found"),
    [
        ("2026-01-02T03:04:05Z x", "2026-01-02T03:04:06Z x"),
        ("[2026-01-02 03:04:05.123+01:00] 5 s", "[2026-01-02 03:04:07.001+01:00] 16 s"),
        ("built Fri Jan  2 03:04:05 UTC 2026", "built Sat Jan  3 13:14:15 UTC 2026"),
        ("Fri, 02 Jan 2026 03:04:05 +0000", "Fri, 02 Jan 2026 13:14:15 +0000"),
        ("built on 2 Jan 2026\nat 03:04:05", "built on 13 Feb 2026\nat 13:14:15"),
        ("12345678-90ab-cdef-1234-567890abcdef", "02345678-90ab-cdef-1234-567890abcde0"),
        ("app 1.2.3 (0a1b2c3 2026-11-29)\n0xdeadbeef", "app 1.2.3 (f00baa4 2026-11-30)\n0xfeedbeef"),
    ],
)
def test_what_is_proposed_lets_the_outputs_pass(tmp_path: Path, expected: str, found: str) -> None:
    """The patterns are written as they have to stand in the build profile."""
    proposal = propose_leniency(expected.encode(), found.encode()) or ""
    patterns = tuple(proposal.removeprefix("compare-filter = ['").removesuffix("']").split("', '"))
    left, right = map(Leniency(filters=patterns).digest, write_pair(tmp_path, expected, found))
    assert left == right
