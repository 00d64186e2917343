from __future__ import annotations

import json
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from optbuild.observe.heap import find_load_address
from optbuild.observe.points import points_of_dhat
from optbuild.observe.sites import (
    RUNTIME,
    AllocationSite,
    Amounts,
    Cause,
    compare_sites,
    find_sites,
    is_standard,
    join_sites,
    total_of,
)
from optbuild.tools.addr2line import Place, parse_places
from optbuild.tools.dhat import DhatProfile, make_heap_argv, parse_frame, parse_profile
from optbuild.tools.heap_frame import Frame

FRAMES = (
    "[root]",
    "0x48417B4: malloc (in /usr/libexec/valgrind/vgpreload_dhat-amd64-linux.so)",
    "0x11F8E7: alloc::raw_vec::RawVec<T,A>::grow_one (library/alloc/src/raw_vec/mod.rs:188)",
    "0x12250F: app::parse (src/parse.rs:12)",
    "0x122572: app::main (src/main.rs:4)",
    "0x122999: serde_json::de::from_str (/u/.cargo/registry/src/index.crates.io-1949/serde_json-1.0.1/src/de.rs:9)",
    "0x1202CB: main (in /tmp/app)",
    "0x1203CB: UnknownInlinedFun (src/main.rs:6)",
)


def make_point(frames: tuple[int, ...], *, size: int = 64, blocks: int = 2, lifetime: int = 10) -> dict[str, object]:
    """A program point as DHAT writes it."""
    return {"tb": size, "tbk": blocks, "tl": lifetime, "mb": 1, "gb": 8, "gbk": 1, "eb": 0, "fs": frames, "acc": [1]}


def make_file(*points: dict[str, object], **changed: object) -> bytes:
    """A file as valgrind writes it."""
    document = {
        "dhatFileVersion": 2,
        "mode": "heap",
        "verb": "Allocated",
        "bklt": True,
        "bkacc": True,
        "tu": "instrs",
        "tuth": 500,
        "cmd": "/p/app x",
        "pid": 1,
        "te": 9,
        "tg": 8,
        "pps": points,
        "ftbl": FRAMES,
    }
    return json.dumps({**document, **changed}).encode()


def find_sites_of(profile: DhatProfile) -> tuple[AllocationSite, ...]:
    """The sites of a process that DHAT has watched."""
    return find_sites(points_of_dhat(profile))


def test_dhat_gets_a_file_for_each_process() -> None:
    """And as many frames of a stack as a chain of iterators has."""
    argv = make_heap_argv("/usr/bin/valgrind", Path("/p/dhat"), ("/p/app", "x"), names_inlined=False)
    assert argv == snapshot(
        (
            "/usr/bin/valgrind",
            "--quiet",
            "--tool=dhat",
            "--trace-children=yes",
            "--num-callers=48",
            "--demangle=no",
            "--read-inline-info=no",
            "--dhat-out-file=/p/dhat.%p",
            "/p/app",
            "x",
        )
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "it is not a file of DHAT, or it is cut short"),
        (make_file()[:-9], "it is not a file of DHAT, or it is cut short"),
        (b"[1]", "it is not a file of DHAT, or it is cut short"),
        (make_file(dhatFileVersion=3), "it has version 3 of DHAT's format, and only 2 is known"),
        (make_file(mode="rust-ad-hoc"), "it counts no allocations: its mode is 'rust-ad-hoc'"),
        (make_file(make_point((99,))), "it is damaged: a stack names a frame that is not there"),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_reason(text: bytes, reason: str) -> None:
    """Events that a program counts itself are no allocations."""
    with pytest.raises(ValueError, match=reason):
        parse_profile(text)


@pytest.mark.parametrize(
    ("text", "frame"),
    [
        ("[root]", None),
        ("0x10: main (in /tmp/app)", Frame(address=16, function="main", object="/tmp/app")),
        ("0x10: call<(), ()> (a.rs:3)", Frame(address=16, function="call<(), ()>", file="a.rs", line=3)),
        ("0x10: app::x (a b.rs:3:17)", Frame(address=16, function="app::x", file="a b.rs", line=3)),
        ("0x10: ???", Frame(address=16, function="???")),
        ("0x10: <fn() as app::X>::y (a.rs)", Frame(address=16, function="<fn() as app::X>::y", file="a.rs")),
    ],
)
def test_a_frame_is_read_as_both_tools_write_it(text: str, frame: Frame | None) -> None:
    """The crate writes columns as well; names contain brackets."""
    assert parse_frame(text) == frame


def test_a_site_is_the_first_code_that_is_not_of_the_standard_library() -> None:
    """Blocks of one site add up; short-lived are those of a site whose blocks live briefly on average."""
    profile = parse_profile(
        make_file(
            make_point((1, 2, 3, 4, 6)),
            make_point((1, 2, 3, 4, 6), size=100, lifetime=5000),
            make_point((1, 2, 6), blocks=1, lifetime=501),
        )
    )
    sites = find_sites_of(profile)
    assert [(site.function, site.location, site.bytes, site.blocks, site.short_lived_blocks) for site in sites] == [
        ("app::parse", "src/parse.rs:12", 164, 4, 2),
        (RUNTIME, None, 64, 1, 0),
    ]
    assert [frame.function for frame in sites[0].stack] == ["app::parse", "app::main"]
    assert total_of(sites) == Amounts(
        bytes=228, blocks=5, short_lived_blocks=2, peak_bytes=24, peak_blocks=3, end_bytes=0
    )


@pytest.mark.parametrize(
    ("function", "cause"),
    [
        ("alloc::raw_vec::RawVec<T,A>::grow_one", Cause.GROWTH),
        ("<alloc::vec::Vec<T> as core::clone::Clone>::clone", Cause.COPY),
        ("<str as alloc::string::SpecToString>::spec_to_string", Cause.COPY),
        ("alloc::fmt::format", Cause.FORMAT),
        ("alloc::boxed::Box<T>::new", Cause.OTHER),
    ],
)
def test_what_asked_for_the_memory_is_known_by_the_standard_library(function: str, cause: Cause) -> None:
    """By its functions below the site; those above it have other reasons."""
    frames = ["[root]", f"0x1: {function} (a.rs:1)", "0x2: app::x (src/a.rs:2)", "0x3: alloc::fmt::format (b.rs:1)"]
    (site,) = find_sites_of(parse_profile(make_file(make_point((1, 2, 3)), ftbl=frames)))
    assert site.cause is cause


def test_a_dependency_is_shown_with_who_calls_it() -> None:
    """Its location is that of its package, wherever cargo keeps it; a function without a name has its file's."""
    site = find_sites_of(parse_profile(make_file(make_point((1, 5, 5, 4)), make_point((7, 6), size=1))))
    assert site[0].location == "serde_json-1.0.1/src/de.rs:9"
    assert [frame.function for frame in site[0].stack] == ["serde_json::de::from_str", "app::main"]
    assert site[0].caller is not None
    assert site[0].caller.function == "app::main"
    assert site[1].function == "(inlined, main.rs)"


def test_lifetimes_that_are_not_known_are_not_counted() -> None:
    """None, and not zero."""
    sites = find_sites_of(parse_profile(make_file(make_point((3,)), bklt=False)))
    assert total_of(sites).short_lived_blocks is None


def test_two_builds_are_compared_by_the_paths_of_their_stacks() -> None:
    """Lines may move; a site that one build lacks is shown as such, and the largest difference comes first."""
    before = find_sites_of(parse_profile(make_file(make_point((3, 4)), make_point((4,), size=500))))
    moved = [text.replace("parse.rs:12", "parse.rs:40") for text in FRAMES]
    after = find_sites_of(parse_profile(make_file(make_point((3, 4), size=80), make_point((5, 4)), ftbl=moved)))
    found = compare_sites(before, after)
    assert [(each.function, each.location, each.more_bytes, each.more_blocks) for each in found] == [
        ("app::main", "src/main.rs:4", -500, -2),
        ("serde_json::de::from_str", "serde_json-1.0.1/src/de.rs:9", 64, 2),
        ("app::parse", "src/parse.rs:40", 16, 0),
    ]
    assert found[0].variant is None
    assert found[1].base is None


def test_processes_are_joined_by_site() -> None:
    """A program that starts itself allocates at the same places."""
    sites = find_sites_of(parse_profile(make_file(make_point((3, 4)))))
    joined = join_sites([sites, sites])
    assert [(site.function, site.blocks) for site in joined] == [("app::parse", 4)]


@pytest.mark.parametrize(
    ("function", "file", "expected"),
    [
        ("alloc::vec::Vec<T>::push", None, True),
        ("<alloc::vec::Vec<T> as core::clone::Clone>::clone", None, True),
        ("push", "/rustc/59807616e1fa/library/alloc/src/vec/mod.rs", True),
        ("insert", "/rust/deps/hashbrown-0.16.0/src/raw.rs", True),
        ("push", "/root/.rustup/toolchains/stable/lib/rustlib/src/rust/library/alloc/src/vec/mod.rs", True),
        ("__rustc::__rust_alloc", None, True),
        ("__rust_realloc", None, True),
        ("malloc", None, True),
        ("main", None, True),
        ("app::main", None, False),
        ("alloc_pages::alloc", "src/lib.rs", False),
        ("<T as alloc::slice::hack::ConvertVec>::to_vec", "alloc/src/slice.rs", True),
        ("<app::Tree as alloc::string::ToString>::to_string", "src/tree.rs", False),
        ("allocator::take", None, False),
        ("<app::Tree as core::fmt::Display>::fmt", None, False),
    ],
)
def test_the_standard_library_is_known_by_file_or_path(function: str, file: str | None, *, expected: bool) -> None:
    """A module of the project may be called `core`."""
    assert is_standard(function, file) is expected


def test_names_lose_what_differs_between_two_builds() -> None:
    """However they are mangled, and those that the crate has demangled already."""
    names = ("_ZN3app4grow17h0c61f9cc42869aa4E.llvm.123", "app::grow::h0c61f9cc42869aa4", "_RNvCs1234_3app4grow")
    for name in names:
        frames = ["[root]", f"0x10: {name} (src/main.rs:1)"]
        assert find_sites_of(parse_profile(make_file(make_point((1,)), ftbl=frames)))[0].function == "app::grow"


def test_places_in_the_source_are_read_as_symbolizers_write_them() -> None:
    """The innermost function first; what is not known has no name."""
    found = parse_places(
        "0x1a50e\n_RNvC3app4grow\n/p/main.rs:3 (discriminator 4)\nmain\n/p/main.rs:?\n0x99\n??\n??:0\n"
    )
    assert found == {
        0x1A50E: (Place(symbol="_RNvC3app4grow", file="/p/main.rs", line=3), Place(symbol="main", file="/p/main.rs")),
        0x99: (Place(symbol=""),),
    }


def test_a_program_is_found_in_memory_by_its_main() -> None:
    """Without one nothing is named: a wrong address would name other functions."""
    main = Frame(address=0x108000 + 0x200, function="main")
    named = {0x200: (Place(symbol="main"),)}
    assert find_load_address([main], named) == 0x108000
    assert find_load_address([main], {}) is None
    assert find_load_address([], named) is None
