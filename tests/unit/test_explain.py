"""What `optbuild explain` says of two programs, given their functions and the counts of training."""

from __future__ import annotations

import json

import jsonschema
import pytest

from optbuild.explain.compare import ProfileCounts, explain_program
from optbuild.explain.functions import Counted, find_hot_paths, group_counts, group_symbols, readable, split_symbol
from optbuild.portable.profile_records import parse_record
from optbuild.record.explanation import (
    ExplainedProgram,
    Explanation,
    FunctionChange,
    FunctionCode,
    UsedProfile,
    render_explanation,
    render_explanation_schema,
)
from optbuild.report.explanation import assemble_explanation
from optbuild.report.formats.terminal import render_terminal
from optbuild.report.model import Screen
from optbuild.tools.profile_text import FunctionRecord
from optbuild.tools.symbols import FunctionSymbol, ProgramSymbols, is_same_code, read_symbols

MAIN = "_ZN4demo4main17h0123456789abcdefE"
WORK = "_ZN4demo4work17h0123456789abcdefE"
HELP = "_ZN4demo4help17h0123456789abcdefE"
IDLE = "_ZN4idle4load17h0123456789abcdefE"
CLOSURE = "_ZN4demo4work28_$u7b$$u7b$closure$u7d$$u7d$17h0123456789abcdefE"
V0_WORK = "_RNvCs1_4demo4work"


def elsewhere(name: str) -> str:
    """The same function in a build of other settings."""
    return name.replace("0123456789abcdef", "fedcba9876543210")


def program(*functions: tuple[str, bytes], machine: str = "EM_X86_64", start: int = 0x1000) -> ProgramSymbols:
    """A program of these functions, one behind the other."""
    found, address = [], start
    for name, code in functions:
        found.append(FunctionSymbol(name=name, address=address, code=code))
        address += len(code)
    return ProgramSymbols(machine=machine, functions=tuple(found))


def counts(**paths: int) -> ProfileCounts:
    """A profile of functions of crates, `crate__function=count`."""
    by_path = {
        name.replace("__", "::"): Counted(crate=name.partition("__")[0], total=count) for name, count in paths.items()
    }
    used = UsedProfile(of="pgo", path="/p/a.profdata", functions=9, functions_with_counts=3, total_count=100)
    return ProfileCounts(used=used, by_path=by_path)


def explained() -> ExplainedProgram:
    """A program in which one function was inlined, one is new, one has grown, and a crate never ran."""
    before = program((elsewhere(MAIN), b"a" * 100), (elsewhere(WORK), b"b" * 50), (elsewhere(IDLE), b"c" * 5000))
    after = program((MAIN, b"a" * 160), (HELP, b"h" * 40), (IDLE, b"c" * 5000))
    return explain_program("demo", after, before, counts(demo__main=30, demo__work=70, demo__help=0, idle__load=0))


def test_a_function_with_counts_that_has_no_code_of_its_own_any_more_was_inlined() -> None:
    """The hottest come first; names of the two builds differ in their hashes."""
    found = [(each.name, each.change, each.share) for each in explained().functions]
    assert found == [
        ("demo::work", FunctionChange.INLINED, 0.7),
        ("demo::main", FunctionChange.GROWN, 0.3),
        ("demo::help", FunctionChange.NEW, 0.0),
    ]


def test_what_never_ran_is_told_by_crate() -> None:
    """With what to do, where nearly all of a crate is idle."""
    program_ = explained()
    idle, demo = program_.crates
    assert (idle.crate, idle.never_ran_bytes, idle.never_ran_functions) == ("idle", 5000, 1)
    assert (demo.ran_bytes, demo.never_ran_bytes, demo.uncounted_bytes) == (160, 40, 0)
    (dominant, advice) = program_.advice
    assert dominant.startswith("demo::work has 70.0% of all counts")
    assert advice.endswith("cargo tree -e features -i idle")


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [
        (b"\x90" * 40, b"\x90" * 40, FunctionChange.SAME),
        (b"\x90" * 40, b"\x91" * 40, FunctionChange.REARRANGED),
        (b"\x90" * 400, b"\x90" * 300, FunctionChange.SHRUNK),
        (b"\x90" * 40, b"\x90" * 50, FunctionChange.REARRANGED),  # a few bytes of alignment
        (b"\x90" * 40, b"\x90" * 60, FunctionChange.GROWN),
        (b"\x90" * 40, None, FunctionChange.GONE),
    ],
)
def test_what_became_of_a_function(before: bytes, after: bytes | None, change: FunctionChange) -> None:
    """By its size first, then by its code."""
    ours = program(*([] if after is None else [(MAIN, after)]), (WORK, b"w"))
    found = explain_program("demo", ours, program((MAIN, before), (WORK, b"w")), None)
    assert [each.change for each in found.functions] == ([] if change is FunctionChange.SAME else [change])


def test_a_function_whose_cold_part_is_elsewhere_is_split() -> None:
    """The two parts are one function; LLVM and BOLT name them differently."""
    for suffix in (".cold", ".cold.1", ".cold.0"):
        ours = program((MAIN, b"m" * 30), (f"{MAIN}{suffix}", b"c" * 80))
        (found,) = explain_program("demo", ours, program((MAIN, b"m" * 100)), counts(demo__main=1)).functions
        assert (found.change, found.variant) == (
            FunctionChange.SPLIT,
            FunctionCode(size_bytes=30, cold_bytes=80, copies=1),
        )


def test_hot_code_is_told_by_the_pages_that_it_lies_on() -> None:
    """Functions that lie beside each other need fewer pages."""
    spread = program((MAIN, b"m" * 10), (IDLE, b"i" * 8000), (WORK, b"w" * 10))
    together = program((MAIN, b"m" * 10), (WORK, b"w" * 10), (IDLE, b"i" * 8000))
    found = explain_program("demo", together, spread, counts(demo__main=50, demo__work=50, idle__load=0))
    assert found.hot_code is not None
    assert found.hot_code_against is not None
    assert (found.hot_functions, found.hot_code.pages, found.hot_code_against.pages) == (2, 1, 2)


def test_instances_and_copies_are_one_function_and_two_names_of_one_place_one_copy() -> None:
    """A person reads the source, where there is one."""
    aliased = FunctionSymbol(name="alias", address=0x1000, code=b"m" * 10)
    functions = program((MAIN, b"m" * 10), (elsewhere(MAIN), b"n" * 20), (f"{MAIN}.llvm.123", b"o" * 5)).functions
    (body,) = group_symbols((functions[0], aliased, *functions[1:])).values()
    assert (body.crate, len(body.parts), body.size_bytes) == ("demo", 3, 35)


def test_counts_of_instances_add_up_whatever_the_mangling() -> None:
    """The unit before a local function's name is left out."""
    records = [
        FunctionRecord(name=name, hash=1, lines=("1", "2", "3", "4"))
        for name in (WORK, f"demo.1f-cgu.0;{elsewhere(WORK)}", V0_WORK)
    ]
    found = group_counts((record.name, parse_record(record)) for record in records)
    assert found == {"demo::work": Counted(crate="demo", total=21)}
    assert find_hot_paths(found, 0.95) == ["demo::work"]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("demo::work", "demo::work"),
        ("demo::work::{closure}", "closure in demo::work"),
        ("demo::work::{closure}::{closure}", "closure in demo::work"),
        ("core::ptr::drop_in_place<demo::Value>", "drop of demo::Value"),
        ("core::ops::FnOnce::call_once::{shim:vtable}", "core::ops::FnOnce::call_once"),
        ("<demo::A as core::fmt::Debug>::fmt", "<demo::A as core::fmt::Debug>::fmt"),
    ],
)
def test_names_are_those_that_a_person_would_write(path: str, name: str) -> None:
    """A closure is known by the function that it is in."""
    assert readable(path) == name


@pytest.mark.parametrize(
    ("symbol", "name", "is_cold"),
    [
        (MAIN, MAIN, False),
        (f"{MAIN}.cold", MAIN, True),
        (f"{MAIN}.llvm.8423.cold.0", MAIN, True),
        (f"{MAIN}.cold.0/1", MAIN, True),
        ("memcpy", "memcpy", False),
    ],
)
def test_what_compilers_append_to_a_symbol_is_left_out(symbol: str, name: str, *, is_cold: bool) -> None:
    """A part that was split off keeps its function's name."""
    assert split_symbol(symbol) == (name, is_cold)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("e8 11223344 c3", "e8 55667788 c3", True),  # call
        ("0f84 11000000 c3", "0f84 22000000 c3", True),  # a conditional jump
        ("488d05 11223344 c3", "488d05 51223344 c3", True),  # an address relative to the instruction
        ("b8 11223344 c3", "b8 55667788 c3", False),  # a constant
        ("e8 11223344 c3", "e8 11223344 c2", False),
        ("90", "9090", False),
    ],
)
def test_distances_to_other_code_are_no_difference(one: str, other: str, *, same: bool) -> None:
    """The linker fills them in; a constant is the function's own."""
    assert is_same_code(bytes.fromhex(one), bytes.fromhex(other), "EM_X86_64") is same
    assert not is_same_code(bytes.fromhex(one), bytes.fromhex(other), "EM_AARCH64")


def test_other_files_have_no_functions_that_can_be_read() -> None:
    """Another format is not an error yet; a damaged file is."""
    assert read_symbols(b"MZ") is None
    with pytest.raises(ValueError, match="cut short"):
        read_symbols(b"\x7fELF\x02\x01\x01" + bytes(20))


def explanation(found: ExplainedProgram) -> Explanation:
    """A document about one program."""
    return Explanation(
        optbuild_version="1", variant="pgo", against="lto", run_id="1", built_with=("-Cstrip=none",), programs=(found,)
    )


def test_the_document_fits_its_schema() -> None:
    """`--json` gives what the schema says."""
    document = json.loads(render_explanation(explanation(explained())))
    jsonschema.validate(document, json.loads(render_explanation_schema()))


def test_a_person_reads_what_happened_before_the_tables() -> None:
    """Each sentence with its figure."""
    (report,) = assemble_explanation(explanation(explained()))
    text = render_terminal(report, Screen(width=110))
    assert "Code: 5.0 KiB in lto, 5.1 KiB in pgo (+1.0%)." in text
    assert "Functions: 1 that ran are inlined wherever they are called, 1 are new, 1 have grown." in text
    assert "Both were built with -Cstrip=none" in text
    assert "1 of the new functions never ran in training (40 B)" in text


def test_without_counts_only_sizes_are_compared() -> None:
    """And it is said how to see counts."""
    found = explain_program("demo", program((MAIN, b"a" * 400)), program((MAIN, b"a" * 100)), None)
    (report,) = assemble_explanation(explanation(found))
    assert [table.caption for table in report.tables] == ["The largest changes in size"]
    assert any("Explain a PGO variant" in note for note in report.footnotes)
