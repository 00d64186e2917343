from __future__ import annotations

from pathlib import Path

import pytest

from optbuild.observe.points import points_of_heaptrack
from optbuild.observe.sites import find_sites, total_of
from optbuild.tools.heap_frame import Frame
from optbuild.tools.heaptrack import Heaptrack, make_variables, parse_profile, parse_script

STRINGS = (
    "/p/app",
    "/lib/libc.so.6",
    "malloc",
    "alloc::vec::Vec$LT$T$GT$::push::h0123456789abcdef",
    "/rustc/59807616/library/alloc/src/vec/mod.rs",
    "_RNvCs1234_3app4grow",
    "/p/src/main.rs",
)
TABLES = (
    "X /p/app x y",
    "I 1000 5e298d",
    *(f"s {len(text):x} {text}" for text in STRINGS),
    "i 7f01 2 3",
    "i 5501 1 4 5 bc 6 7 a",  # push, inlined into grow
    "i 5502 1",
    "t 1 0",
    "t 2 0",
    "t 3 2",
    "a 10 3",
    "a 20 3",
    "a 8 1",
)


def make_file(*events: str, version: str = "v 10400 3", tables: tuple[str, ...] = TABLES) -> list[bytes]:
    """A data file as heaptrack writes it."""
    return [f"{line}\n".encode() for line in (version, *tables, *events, "c 2a2", "R 44c", "# strings: 7")]


def test_blocks_are_counted_by_stack_with_the_moment_of_most_bytes() -> None:
    """Two sizes of one stack are one; what is freed at once is temporary; the peak is that of the whole program."""
    profile = parse_profile(make_file("+ 0", "- 0", "+ 0", "+ 1", "+ 2", "- 1", "- 0", "+ 0"))
    grown, other = profile.traces
    assert profile.command == "/p/app x y"
    assert (grown.total_bytes, grown.blocks, grown.temporary) == (3 * 0x10 + 0x20, 4, 1)
    assert (grown.peak_bytes, grown.peak_blocks, grown.end_bytes) == (0x30, 2, 0x10)
    assert (other.total_bytes, other.peak_bytes, other.end_bytes) == (8, 8, 8)


def test_a_later_peak_replaces_an_earlier_one() -> None:
    """With what was alive then, and not with all that ever was."""
    (trace, _) = parse_profile(make_file("+ 0", "+ 0", "- 0", "- 0", "+ 1", "+ 1")).traces
    assert (trace.peak_bytes, trace.peak_blocks) == (0x40, 2)


def test_frames_have_their_names_back_and_libraries_are_told_apart() -> None:
    """A legacy name is read as one of C++ by heaptrack; an inlined function stands before the one that it is in."""
    grown, other = parse_profile(make_file("+ 0", "+ 2")).traces
    assert grown.frames == (
        Frame(
            address=0x5501,
            function="_ZN5alloc3vec12Vec$LT$T$GT$4push17h0123456789abcdefE",
            file="/rustc/59807616/library/alloc/src/vec/mod.rs",
            line=0xBC,
        ),
        Frame(address=0x5501, function="_RNvCs1234_3app4grow", file="/p/src/main.rs", line=10),
    )
    assert other.frames == (Frame(address=0x7F01, function="malloc", object="/lib/libc.so.6"),)


def test_sites_are_those_that_any_tool_would_find() -> None:
    """The first function that is not of the standard library, below the project's directory."""
    profile = parse_profile(make_file("+ 0", "- 0", "+ 2"))
    grown, runtime = find_sites(points_of_heaptrack(profile, Path("/p")))
    assert (grown.function, grown.location, grown.blocks) == ("app::grow", "src/main.rs:10", 1)
    assert runtime.stack == ()
    assert total_of((grown, runtime)).short_lived_blocks == 1


def test_texts_of_an_earlier_version_have_no_length() -> None:
    """A text may contain blanks in both."""
    tables = tuple(f"s {line.split(' ', 2)[2]}" if line.startswith("s ") else line for line in TABLES)
    before = parse_profile(make_file("+ 0", version="v 10200 2", tables=tables))
    assert before == parse_profile(make_file("+ 0"))


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([], "it is not a data file of heaptrack"),
        ([b"{}\n"], "it is not a data file of heaptrack"),
        (make_file(version="v 10900 4"), "it has version 4 of heaptrack's format, and only 2 and 3 are known"),
        (make_file("x 6 /p/app"), "it is raw, without names of functions"),
        (make_file("+ 9"), "it is damaged"),
        (make_file("+ z"), "it is damaged"),
        (make_file("t 1"), "it is damaged"),
        (make_file("i 1 1 4 5"), "it is damaged"),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_reason(lines: list[bytes], reason: str) -> None:
    """Before any figure is made of it."""
    with pytest.raises(ValueError, match=reason):
        parse_profile(lines)


def test_the_parts_are_where_the_script_says() -> None:
    """Distributions differ in it."""
    text = 'A="x"\nLIB_REL_PATH="../lib64/heaptrack"\nLIBEXEC_REL_PATH="../lib64/heaptrack/libexec"\n'
    assert parse_script(text, Path("/usr/bin")) == Heaptrack(
        library=Path("/usr/bin/../lib64/heaptrack/libheaptrack_preload.so"),
        interpreter=Path("/usr/bin/../lib64/heaptrack/libexec/heaptrack_interpret"),
    )
    assert parse_script('LIB_REL_PATH="$HERE"\n', Path("/usr/bin")) is None


def test_a_program_keeps_what_is_loaded_into_it_already() -> None:
    """Its own variables stay as they are."""
    parts = Heaptrack(library=Path("/l/a.so"), interpreter=Path("/l/i"))
    made = make_variables(parts, Path("/o/log"), {"LD_PRELOAD": "/own.so", "HOME": "/h"})
    assert made == {"LD_PRELOAD": "/l/a.so:/own.so", "HOME": "/h", "DUMP_HEAPTRACK_OUTPUT": "/o/log"}
    assert make_variables(parts, Path("/o/log"), {})["LD_PRELOAD"] == "/l/a.so"
