from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from inline_snapshot import snapshot

from optbuild.errors import WorkloadError
from optbuild.observe.heap import HeapObserver
from optbuild.observe.sites import AllocationSite, Amounts, SiteFrame, compare_sites, total_of
from optbuild.record.heap import HeapDocument, HeapOfWorkload, HeapTool, make_heap_schema, render_heap
from optbuild.report.formats.terminal import render_terminal
from optbuild.report.heap import SortKey, assemble_heap
from optbuild.report.model import Screen
from optbuild.tools.allocators import find_linked_allocator

WORDS = AllocationSite(
    function="app::words",
    location="src/main.rs:7",
    caller=None,
    stack=(SiteFrame(function="app::words", location="src/main.rs:7"),),
    bytes=4096,
    blocks=100,
    short_lived_blocks=90,
    peak_bytes=64,
    peak_blocks=2,
    end_bytes=0,
)
PARSED = replace(
    WORDS,
    function="json::parse",
    location="json-1.0.0/src/de.rs:3",
    caller=SiteFrame(function="app::load", location="src/main.rs:9"),
    stack=(SiteFrame(function="json::parse", is_dependency=True), SiteFrame(function="app::load")),
    bytes=8192,
    blocks=3,
    short_lived_blocks=0,
    peak_bytes=8192,
)


def make_document(
    *sites: AllocationSite,
    base: tuple[AllocationSite, ...] | None = None,
    allocator: str | None = None,
    tool: HeapTool = HeapTool.DHAT,
) -> HeapDocument:
    """What was found on one workload."""
    found = HeapOfWorkload(
        workload="books",
        total=total_of(sites),
        base_total=None if base is None else total_of(base),
        sites=sites,
        differences=() if base is None else compare_sites(base, sites),
    )
    return HeapDocument(
        optbuild_version="1",
        tool=tool,
        variant="pgo",
        base=None if base is None else "release",
        files=(),
        short_lived="500 instructions" if tool is HeapTool.DHAT else None,
        allocator=allocator,
        workloads=(found,),
    )


def show(document: HeapDocument, *, sort: SortKey = SortKey.BYTES, top: int = 20) -> str:
    """The report as a terminal of 100 columns shows it."""
    return render_terminal(assemble_heap(document, sort=sort, top=top), Screen(width=100))


def test_the_largest_sites_come_first() -> None:
    """With who calls a dependency, and what the words mean."""
    assert show(make_document(PARSED, WORDS)) == snapshot("""\
Allocations of pgo

books: 12.0 KiB in 103 blocks, 87.4% of them short-lived; at most 8.1 KiB at once
  bytes  blocks  short-lived  at peak  allocated by
────────────────────────────────────────────────────────────────────────────────────────────────────
                                       json::parse (json-1.0.0/src/de.rs:3) called by app::load
8.0 KiB       3            0  8.0 KiB  (src/main.rs:9)
4.0 KiB     100           90     64 B  app::words (src/main.rs:7)
(not shown at this width: share)

A block is short-lived if the blocks of its site live 500 instructions at most, on average.
At peak: when the program had most bytes. What the standard library allocates is shown at its
caller.
""")


def test_another_order_and_fewer_rows_can_be_asked_for() -> None:
    """What is left out is said."""
    shown = show(make_document(PARSED, WORDS), sort=SortKey.BLOCKS, top=1)
    assert "app::words" in shown
    assert "json::parse" not in shown
    assert "The 1 largest of 2 sites" in shown


def test_two_variants_are_shown_side_by_side() -> None:
    """A site that is new has no value before."""
    less = replace(WORDS, bytes=1024, blocks=50)
    assert show(make_document(PARSED, less, base=(WORDS,))) == snapshot("""\
Allocations of pgo against release

books: 53 blocks, −47.0% against 100
  bytes           blocks
 before      now  before  now  allocated by
────────────────────────────────────────────────────────────────────────────────────────────────────
4.0 KiB  9.0 KiB     100   53  (total)
                               json::parse (json-1.0.0/src/de.rs:3) called by app::load
      –  8.0 KiB       –    3  (src/main.rs:9)
4.0 KiB  1.0 KiB     100   50  app::words (src/main.rs:7)
(not shown at this width: at peak before, now)

A block is short-lived if the blocks of its site live 500 instructions at most, on average.
At peak: when the program had most bytes. What the standard library allocates is shown at its
caller.
""")


def test_a_hidden_allocator_is_named_below_figures_of_the_others() -> None:
    """A program may allocate with two."""
    assert "jemalloc is linked into the program" in show(make_document(WORDS, allocator="jemalloc"))


def test_heaptrack_has_its_own_meaning_of_short_lived() -> None:
    """It is no time, but what happened next."""
    shown = show(make_document(WORDS, tool=HeapTool.HEAPTRACK))
    assert "was freed before the program allocated another one" in shown
    assert "on average" not in shown


def test_the_document_keeps_to_its_schema() -> None:
    """Foreign text included, as one line of ASCII."""
    odd = replace(WORDS, function="app::\x1b[31m<T>\n", location=None)
    for document in (make_document(odd, base=(PARSED,)), make_document()):
        jsonschema.validate(json.loads(render_heap(document)), make_heap_schema())
    assert "\x1b" not in show(make_document(odd))


def test_amounts_without_lifetimes_stay_without() -> None:
    """A sum knows what one of its parts knows."""
    assert Amounts().plus(Amounts()).short_lived_blocks is None
    assert Amounts(short_lived_blocks=2).plus(Amounts()).short_lived_blocks == 2


def test_a_process_that_was_killed_leaves_no_file(tmp_path: Path) -> None:
    """Half a file of one process is passed over; nothing at all is an error."""
    (tmp_path / "000.12").write_text('{"dhatFileVersion":2')
    with pytest.raises(WorkloadError, match="wrote nothing"):
        HeapObserver(path=Path("/usr/bin/valgrind")).read(tmp_path / "000")


@pytest.mark.parametrize("data", [b"", b"MZ", b"\x7fELF", b"\x7fELF\x02\x01\x01" + bytes(60)])
def test_what_is_no_elf_program_has_no_known_allocator(data: bytes) -> None:
    """Nor has a damaged one."""
    assert find_linked_allocator(data) in {None, "the C library's allocator, linked statically"}
