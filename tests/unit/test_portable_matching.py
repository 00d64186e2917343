"""Counts find the functions of another build."""

from __future__ import annotations

import pytest
from inline_snapshot import snapshot

from optbuild.portable.fit import judge_fit, render_fit
from optbuild.portable.matching import How, match, render_translated
from optbuild.portable.model import FunctionCounts, Site, ValueKind
from optbuild.portable.names import read_name
from optbuild.portable.profile_records import join, parse_record, parse_records
from optbuild.tools.instrumentation import InstrumentedFunction
from optbuild.tools.profile_text import FunctionRecord, read_records

OLD = "17h0000000000000000E"
NEW = "17h1111111111111111E"


def count(symbol: str, *counters: int, flow: int = 1, values: dict[ValueKind, tuple[Site, ...]] | None = None,
          ) -> FunctionCounts:  # fmt: skip
    """What was counted in a function of that name."""
    return FunctionCounts(name=read_name(symbol), hash=flow, instances=1, counters=counters, values=values or {})


def function(
    symbol: str, counters: int = 1, *, flow: int = 1, sites: tuple[int, ...] = (0, 0, 0)
) -> InstrumentedFunction:
    """A function of the program that is built."""
    return InstrumentedFunction(symbol, flow, counters, sites)


STEPS = [
    (How.INSTANCE, count(f"_ZN3app3run{OLD}", 5), function(f"_ZN3app3run{NEW}")),
    (How.INSTANCE, count(f"_ZN3app3run{OLD}", 5), function(f"app.1f-cgu.3;_ZN3app3run{NEW}")),
    (How.PATH, count(f"_ZN3app3run{OLD}", 5), function("_RINvCs1_3app3runmECs1_3app")),
    (
        How.ANY_TYPE,
        count(f"_ZN50_$LT$T$u20$as$u20$core..convert..Into$LT$U$GT$$GT$4into{OLD}", 5),
        function("_RNvXs_NtCs1_4core7converthINtB4_4IntotE4into"),
    ),
    (How.ANY_CRATE, count(f"_ZN5serde2de5visit{OLD}", 5), function(f"_ZN10serde_core2de5visit{NEW}")),
    (How.INSTANCE_OF_OTHER_FLOW, count(f"_ZN3app3run{OLD}", 5), function(f"_ZN3app3run{NEW}", flow=2)),
    (How.PATH_OF_OTHER_FLOW, count(f"_ZN3app3run{OLD}", 5), function("_RINvCs1_3app3runmECs1_3app", flow=2)),
]


@pytest.mark.parametrize(("how", "counts", "found"), STEPS)
def test_a_function_is_found_under_another_name(how: How, counts: FunctionCounts, found: InstrumentedFunction) -> None:
    """Hashes, units, manglings and generic arguments may differ, and the control flow if counters are as many."""
    matching = match([counts], [found])
    assert [(item.how, item.function) for item in matching.matches] == [(how, found)]
    assert matching.matched_ratio == 1


@pytest.mark.parametrize(
    "other",
    [
        function(f"_ZN3app4walk{NEW}"),
        function(f"_ZN3app3run{NEW}", counters=2, flow=2),
        function(f"_ZN3app3run{NEW}", counters=2),
    ],
)
def test_counts_of_another_function_are_lost(other: InstrumentedFunction) -> None:
    """Another path, or another number of counters, is another function: its counts are named as lost."""
    matching = match([count(f"_ZN3app3run{OLD}", 5), count(f"_ZN3app5never{OLD}", 0)], [other])
    assert matching.matches == ()
    assert [item.name.path for item in matching.lost] == ["app::run"]
    assert matching.matched_ratio == 0


def test_what_found_its_instance_is_not_given_to_another() -> None:
    """An instance that was not counted does not get the counts of one that was, and that is there as well."""
    counted, other = "_RINvCs1_3app3runmECs1_3app", "_RINvCs1_3app3runhECs1_3app"
    matching = match([count(counted, 5)], [function(counted), function(other)])
    assert [item.function.name for item in matching.matches] == [counted]


def test_a_copy_that_a_crate_compiled_gets_the_counts_of_that_crate() -> None:
    """Crates compile generic and inlined functions for themselves: hot in one, a copy may never run in another."""
    profile = join([count(f"app.1f-cgu.0;_ZN3lib4push{OLD}", 900), count(f"cold.2e-cgu.0;_ZN3lib4push{OLD}", 1)])
    program = [function(f"{unit};_ZN3lib4push{NEW}") for unit in ("cold.77-cgu.3", "app.88-cgu.1", "new.99-cgu.0")]
    matching = match(profile, program)
    assert [item.counts.counters for item in matching.matches] == [(1,), (900,)], "a copy of another crate gets none"
    assert [item.counts.counters for item in match(profile, program[2:]).matches] == [(901,)], (
        "unless it is the only one"
    )


def test_a_called_function_is_the_copy_of_its_crate() -> None:
    """LLVM promotes a call to the function that is named: the copy of another crate would not be what is called."""
    called = (read_name(f"app.1f-cgu.0;_ZN3lib4push{OLD}"), 1)
    profile = [count(f"_ZN3app3run{OLD}", 5, values={ValueKind.CALL_TARGET: (((called, 5),),)})]
    program = [function(f"_ZN3app3run{NEW}", sites=(1, 0, 0)),
               *(function(f"{unit};_ZN3lib4push{NEW}") for unit in ("cold.77-cgu.3", "app.88-cgu.1"))]  # fmt: skip
    text = "".join(render_translated(match(profile, program), program))
    assert f"app.88-cgu.1;_ZN3lib4push{NEW}:5\n" in text


def test_instances_that_cannot_be_told_apart_get_the_sum() -> None:
    """A legacy name does not tell instances apart: each gets what all counted, so that none that is hot is cold."""
    profile = join([count(f"_ZN3app3run{OLD}", 5), count("_ZN3app3run17h2222222222222222E", 7)])
    program = [function(f"_ZN3app3run{NEW}"), function("_ZN3app3run17h3333333333333333E")]
    matching = match(profile, program)
    assert [[source.counters for source in item.sources] for item in matching.matches] == [[(12,)], [(12,)]]


def test_a_profile_without_counts_matches() -> None:
    """Where nothing was counted, nothing is lost."""
    assert match([], []).matched_ratio == 1


TEXT = f"""# IR level Instrumentation Flag
:ir
_ZN3app3run{OLD}
# Func Hash:
77
# Num Counters:
2
# Counter Values:
9
0
# Num Value Kinds:
2
# ValueKind = IPVK_IndirectCallTarget:
0
# NumValueSites:
2
2
_ZN3app4call{OLD}:6
** External Symbol **:3
0
# ValueKind = IPVK_MemOPSize:
1
# NumValueSites:
1
1
16:4

"""


def test_a_record_is_translated_with_its_values() -> None:
    """Counters stay, and a function that was called gets the name that it has in the program."""
    profile = join(parse_records(read_records(TEXT.splitlines(keepends=True))))
    program = [function(f"_ZN3app3run{NEW}", 2, flow=77, sites=(2, 1, 0)), function(f"_ZN3app4call{NEW}", flow=3)]
    text = "".join(render_translated(match(profile, program), program))
    assert text == f":ir\n_ZN3app3run{NEW}\n77\n2\n9\n0\n2\n0\n2\n1\n_ZN3app4call{NEW}:6\n0\n1\n1\n1\n16:4\n\n"
    assert [record.name for record in read_records(text.splitlines(keepends=True))] == [f"_ZN3app3run{NEW}"]


def test_values_are_left_out_where_places_differ() -> None:
    """Which place is which is not known where their number is another one; LLVM wants as many as there are."""
    profile = join(parse_records(read_records(TEXT.splitlines(keepends=True))))
    program = [function(f"_ZN3app3run{NEW}", 2, flow=77, sites=(1, 1, 0))]
    text = "".join(render_translated(match(profile, program), program))
    assert text == f":ir\n_ZN3app3run{NEW}\n77\n2\n9\n0\n2\n0\n1\n0\n1\n1\n1\n16:4\n\n"


@pytest.mark.parametrize("lines", [("77",), ("77", "2", "1"), ("x",), ("1", "1", "1", "1"), ("1", "1", "1", "1", "9")])
def test_a_record_cut_short_is_refused(lines: tuple[str, ...]) -> None:
    """A record that ends too early is an error, and never fewer counts."""
    with pytest.raises(ValueError, match=r".+"):
        parse_record(FunctionRecord(name="_ZN3app3runE", hash=1, lines=lines))


def test_a_fit_names_the_hot_functions_that_are_lost() -> None:
    """What has other code now is told from what is gone, and cold functions are not named."""
    profile = [
        count(f"_ZN3app3run{OLD}", 700),
        count(f"_ZN3app4copy{OLD}", 200),
        count(f"_ZN3app4gone{OLD}", 99),
        count(f"_ZN3app4cold{OLD}", 1),
    ]
    program = [
        function(f"_ZN3app3run{NEW}"),
        function(f"_ZN3app4copy{NEW}", 2, flow=2),
        function(f"_ZN3app4cold{NEW}", 2, flow=2),
    ]
    assert render_fit(judge_fit(match(profile, program), profile, program), 1.0) == snapshot("""\
70.0% of the counts still fit (was 100.0%)
hot and new:
   20.0%  app::copy
hot and gone:
    9.9%  app::gone
""")


def test_a_fit_without_losses_is_one_line() -> None:
    """A lock of an earlier version does not tell what it was."""
    profile, program = [count(f"_ZN3app3run{OLD}", 700)], [function(f"_ZN3app3run{NEW}")]
    fit = judge_fit(match(profile, program), profile, program)
    assert render_fit(fit, None) == "100.0% of the counts still fit\n"
