from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from optbuild.making.training.translation import describe_lost, find_unknown, write_matched, write_translated
from optbuild.tools.instrumentation import InstrumentedFunction
from optbuild.tools.profile_text import read_records

HEADER = "# IR level Instrumentation Flag\n:ir\n"
MAIN = "_ZN4demo4main17h0123456789abcdefE"
PARSE = "_ZN4demo5parse17h0123456789abcdefE"
PARSE_IN_TEST = "_ZN4demo5parse17hfedcba9876543210E"
OTHER_IN_TEST = "_ZN4demo5parse17h00000000deadbeefE"
HARNESS = "_ZN4test3run17hfedcba9876543210E"


def record(name: str, hash_: int, *counters: int, values: str = "") -> str:
    """A function's record as `llvm-profdata merge --text` writes it."""
    counts = "\n".join(map(str, counters))
    return f"{name}\n# Func Hash:\n{hash_}\n# Num Counters:\n{len(counters)}\n# Counter Values:\n{counts}\n{values}\n"


def projected(directory: Path, functions: Mapping[str, int], *records: str) -> tuple[list[tuple[str, int, str]], int]:
    """Names, hashes and last lines of what is left of a profile, and how many have got another name."""
    source, target = directory / "of-tests.proftext", directory / "of-program.proftext"
    source.write_text(HEADER + "".join(records))
    known, renamed = write_translated(source, target, functions)
    text = target.read_text()
    assert text.startswith(HEADER)
    found = [(item.name, item.hash, item.lines[-1]) for item in read_records(text.splitlines())]
    assert known == len({name for name, _, _ in found})
    return found, renamed


def test_what_has_the_same_name_keeps_it(tmp_path: Path) -> None:
    """An integration test uses the library that the program uses."""
    found = projected(tmp_path, {MAIN: 1, PARSE: 2}, record(PARSE, 2, 30))
    assert found == ([(PARSE, 2, "30")], 0)


def test_a_function_of_another_name_is_the_same_by_path_and_control_flow(tmp_path: Path) -> None:
    """Other features of a dependency change the name of every function."""
    found = projected(tmp_path, {MAIN: 1, PARSE: 2}, record(PARSE_IN_TEST, 2, 30))
    assert found == ([(PARSE, 2, "30")], 1)


def test_another_control_flow_is_another_function(tmp_path: Path) -> None:
    """Its counters would count something else."""
    assert projected(tmp_path, {PARSE: 2}, record(PARSE_IN_TEST, 3, 30), record(PARSE, 4, 1)) == ([], 0)


def test_instances_of_one_path_add_up(tmp_path: Path) -> None:
    """Generic code has a name for each instance, and nothing in it tells which of the other program's it would be."""
    records = (record(OTHER_IN_TEST, 2, 5), record(PARSE_IN_TEST, 2, 30))
    found = projected(tmp_path, {PARSE: 2}, *records)
    assert found == ([(PARSE, 2, "5"), (PARSE, 2, "30")], 1)


def test_a_name_that_is_known_inherits_nothing(tmp_path: Path) -> None:
    """The instance itself was there, and others may be used in another way."""
    records = (record(PARSE, 2, 0), record(PARSE_IN_TEST, 2, 30))
    assert projected(tmp_path, {PARSE: 2}, *records) == ([(PARSE, 2, "0")], 0)


def test_one_record_may_have_several_heirs(tmp_path: Path) -> None:
    """Each instance of the program's gets the counts."""
    found, renamed = projected(tmp_path, {PARSE: 2, OTHER_IN_TEST: 2}, record(PARSE_IN_TEST, 2, 30))
    assert sorted(found) == [(OTHER_IN_TEST, 2, "30"), (PARSE, 2, "30")]
    assert renamed == 2


def test_what_only_its_unit_sees_is_found_behind_the_units_name(tmp_path: Path) -> None:
    """Units are called by their crate and its hash."""
    local, in_test = f"demo.57-cgu.0;{PARSE}", f"demo.99-cgu.3;{PARSE_IN_TEST}"
    assert projected(tmp_path, {local: 2}, record(in_test, 2, 30)) == ([(local, 2, "30")], 1)


def test_what_is_not_the_programs_is_left_out(tmp_path: Path) -> None:
    """The harness ran far more often than anything else."""
    found = projected(tmp_path, {MAIN: 1, "main": 9}, record(HARNESS, 5, 10**9), record("main", 9, 1))
    assert found == ([("main", 9, "1")], 0)


def test_values_that_were_seen_stay_with_their_function(tmp_path: Path) -> None:
    """Sizes of copies and targets of calls are part of a record."""
    values = "# Num Value Kinds:\n1\n# ValueKind = IPVK_MemOPSize:\n1\n# NumValueSites:\n1\n1\n4:2\n"
    assert projected(tmp_path, {PARSE: 2}, record(PARSE_IN_TEST, 2, 30, values=values)) == ([(PARSE, 2, "4:2")], 1)


def test_a_text_of_another_form_is_refused(tmp_path: Path) -> None:
    """Rather than a profile that means something else."""
    with pytest.raises(ValueError, match="invalid literal"):
        projected(tmp_path, {PARSE: 2}, f"{PARSE}\nno number\n\n")


def test_counts_of_another_variant_get_the_names_of_this_one_and_so_do_the_functions_that_were_called(
    tmp_path: Path,
) -> None:
    """A called function is promoted only under the name that it has in the build."""
    source, target = tmp_path / "of-other.proftext", tmp_path / "of-this.proftext"
    seen = f"1\n0\n1\n1\n{PARSE_IN_TEST}:7"
    source.write_text(
        HEADER + record(PARSE_IN_TEST, 2, 90) + record(OTHER_IN_TEST, 5, 9) + record(MAIN, 3, 1, values=seen)
    )
    program = [
        InstrumentedFunction(name=PARSE, hash=2, counters=1, value_sites=(0, 0)),
        InstrumentedFunction(name=MAIN, hash=3, counters=1, value_sites=(1, 0)),
        # As many counters with another control flow are those of other code.
        InstrumentedFunction(name=f"{PARSE[:-2]}0E", hash=6, counters=1, value_sites=(0, 0)),
    ]
    matching = write_matched(source, target, program)
    found = {item.name: item.lines[-1] for item in read_records(target.read_text().splitlines())}
    assert found == {PARSE: "90", MAIN: f"{PARSE}:7"}
    assert matching.matched_ratio == 0.91
    assert describe_lost(matching) == "    9.0%  demo::parse"


def test_a_function_that_the_trained_program_does_not_have_is_unknown() -> None:
    """By its path: every name differs between two variants."""
    program = [InstrumentedFunction(name=name, hash=1, counters=1, value_sites=()) for name in (PARSE, HARNESS)]
    trained = [replace(program[0], name=PARSE_IN_TEST, hash=2)]
    assert find_unknown(program, trained) == {"test::run"}
