"""Counts of a function that has changed go to those of its counters that are still there."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from inline_snapshot import snapshot

from optbuild.portable.alignment import find_changed, find_moved, locate, move_counts
from optbuild.portable.fit import judge_fit, render_fit
from optbuild.portable.matching import How, Matching, match, render_translated
from optbuild.portable.model import FunctionCounts, OutlineBlock, ValueKind
from optbuild.portable.names import read_name
from optbuild.portable.outline import outline
from optbuild.tools.instrumentation import InstrumentedFunction
from optbuild.tools.llvm_ir import parse_functions

OLD, NEW = "_ZN3app3run17h0000000000000000E", "_ZN3app3run17h1111111111111111E"
HOT, CALLS = 1000, 5000


def count(flow: int, size: int, number: int) -> str:
    """A counter."""
    return f"call void @llvm.instrprof.increment(ptr @p, i64 {flow}, i32 {size}, i32 {number})"


def write_ir(symbol: str, flow: int, steps: list[str], skips: tuple[int, ...] = ()) -> str:
    """A function that does one thing after another, each in a block that may be left out, or counted when it is."""
    size = len(steps) + 1
    lines = ["  " + count(flow, size, len(steps))]
    for number, step in enumerate(steps):
        lines += [f"  %c{number} = icmp eq ptr %0, null", f"  br i1 %c{number}, label %s{number}, label %r{number}", ""]
        lines += [f"s{number}:", *([] if number in skips else ["  " + count(flow, size, number)])]
        lines += [f"  {step}", f"  br label %e{number}", ""]
        lines += [f"r{number}:", *(["  " + count(flow, size, number)] if number in skips else [])]
        lines += [f"  br label %e{number}", "", f"e{number}:"]
    return "\ndefine void @" + symbol + "(ptr %0) {\n" + "\n".join([*lines, "  ret void", "}", ""])


def outline_of(symbol: str, flow: int, steps: list[str], skips: tuple[int, ...] = ()) -> tuple[OutlineBlock, ...]:
    """The outline of such a function."""
    (function,) = parse_functions(write_ir(symbol, flow, steps, skips), {(symbol, flow)})
    return outline(function)


def call(name: str, build: str = "0") -> str:
    """A step."""
    note = ord(build)
    return f"call void @_ZN3app{len(name)}{name}17h{build * 16}E(i32 noundef range(i32 0, {note}) 7), !dbg !{note}"


STEPS = [call(name) for name in ("wash", "peel", "slice", "fry", "salt", "serve")]
CHANGED = [*STEPS[:2], call("taste"), *STEPS[2:]]
FLOW, CHANGED_FLOW = 1, 2
COUNTED = FunctionCounts(
    name=read_name(OLD),
    hash=FLOW,
    instances=1,
    counters=(*(HOT + number for number in range(len(STEPS))), CALLS),
    values={ValueKind.SIZE: (((8, 5),),)},
    outline=outline_of(OLD, FLOW, STEPS),
)
FUNCTION = InstrumentedFunction(f"app.1f-cgu.0;{NEW}", CHANGED_FLOW, len(CHANGED) + 1, (0, 2, 0))
TOLD = {locate(FUNCTION): outline_of(NEW, CHANGED_FLOW, CHANGED)}


def align(counts: FunctionCounts = COUNTED, *program: InstrumentedFunction) -> Matching:
    """Match, and then look for what has changed."""
    functions = program or (FUNCTION,)
    return move_counts(match([counts], functions), functions, TOLD)


def test_a_step_more_moves_the_counts_of_those_after_it() -> None:
    """Every counter gets its own count under its new number, and the new one none; that is told apart from matched."""
    matching = align()
    (found,) = matching.matches
    assert (found.function, found.how) == (FUNCTION, How.CHANGED)
    assert found.counts.counters == (HOT, HOT + 1, 0, HOT + 2, HOT + 3, HOT + 4, HOT + 5, CALLS)
    assert (matching.lost, matching.matched_ratio, matching.approximate_ratio) == ((), 0, 1)
    text = "".join(render_translated(matching, [FUNCTION]))
    assert text.startswith(f":ir\n{FUNCTION.name}\n{CHANGED_FLOW}\n{len(CHANGED) + 1}\n{HOT}\n"), "under its own hash"
    assert text.endswith("1\n1\n2\n0\n0\n\n"), "LLVM demands as many places for values as the function has"


def test_a_step_less_moves_them_back() -> None:
    """A count without a counter is dropped."""
    counts = replace(COUNTED, outline=outline_of(OLD, FLOW, CHANGED), counters=(*range(1, len(CHANGED) + 1), CALLS))
    function = InstrumentedFunction(NEW, CHANGED_FLOW, len(STEPS) + 1, (0, 0, 0))
    told = {locate(function): outline_of(NEW, CHANGED_FLOW, STEPS)}
    (found,) = move_counts(match([counts], [function]), [function], told).matches
    assert found.counts.counters == (1, 2, 4, 5, 6, 7, CALLS)


def test_outlines_do_not_depend_on_the_build() -> None:
    """Names of values, hashes in names and notes of the optimiser are left out; functions and constants are not."""
    again = [call(name, "5") for name in ("wash", "peel", "slice", "fry", "salt", "serve")]
    text = re.sub(r"%([cser])(\d)", r"%\1\g<2>0", write_ir(NEW, FLOW, again))
    (function,) = parse_functions(re.sub(r"^([cser])(\d):", r"\1\g<2>0:", text, flags=re.MULTILINE), {(NEW, FLOW)})
    assert outline(function) == COUNTED.outline
    other = outline_of(OLD, FLOW, [*STEPS[:-1], STEPS[-1].replace(" 7)", " 8)")])
    differing = [old.code != new.code for old, new in zip(COUNTED.outline, other, strict=True)]
    assert differing.count(True) == 1


def test_counters_of_one_control_flow_are_told_apart_by_what_they_count() -> None:
    """LLVM counts the other edge of a branch once it takes that one for rarer; the hash of the flow is the same."""
    skips = (1, 3)
    function = InstrumentedFunction(NEW, FLOW, len(STEPS) + 1, (0, 1, 0))
    told = {locate(function): outline_of(NEW, FLOW, STEPS, skips)}
    matching = match([COUNTED], [function])
    assert find_moved(matching, [function]) == {locate(function)}
    (found,) = move_counts(matching, [function], told).matches
    rare = [CALLS - HOT - number if number in skips else HOT + number for number in range(len(STEPS))]
    assert found.counts.counters == (*rare, CALLS)
    assert (found.how, matching.matched_ratio) == (How.INSTANCE, 1)
    (same,) = move_counts(matching, [function], {locate(function): COUNTED.outline}).matches
    assert same.sources == (COUNTED,)


def test_values_go_to_the_places_where_they_are_seen() -> None:
    """A place more or less in front of them gives them another number."""

    def with_sites(outline: tuple[OutlineBlock, ...], *blocks: int) -> tuple[OutlineBlock, ...]:
        sites = {block: ((ValueKind.SIZE, number),) for number, block in enumerate(blocks)}
        return tuple(replace(block, sites=sites.get(number, ())) for number, block in enumerate(outline))

    last_old, last_new = len(COUNTED.outline) - 2, len(TOLD[locate(FUNCTION)]) - 2
    counts = replace(COUNTED, outline=with_sites(COUNTED.outline, last_old))
    told = {locate(FUNCTION): with_sites(TOLD[locate(FUNCTION)], 2, last_new)}
    (found,) = move_counts(match([counts], [FUNCTION]), [FUNCTION], told).matches
    assert found.counts.values == {ValueKind.SIZE: ((), ((8, 5),))}


def test_what_was_rewritten_is_lost() -> None:
    """With too few blocks found, it is another function under the old name."""
    steps = [*STEPS[:2], *(call(name) for name in ("boil", "drain", "mash", "stir", "cool"))]
    told = {locate(FUNCTION): outline_of(NEW, CHANGED_FLOW, steps)}
    matching = move_counts(match([COUNTED], [FUNCTION]), [FUNCTION], told)
    assert (matching.matches, matching.lost, matching.approximate_ratio) == ((), (COUNTED,), 0)


def test_what_would_leave_most_counts_behind_is_lost() -> None:
    """Most blocks are found but the hot one, which is gone: what took its place would be a guess."""
    counts = replace(COUNTED, counters=(1, 1, 1, 1, 1, HOT, HOT))
    function = replace(FUNCTION, counters=len(STEPS))
    told = {locate(function): outline_of(NEW, CHANGED_FLOW, STEPS[:-1])}
    assert move_counts(match([counts], [function]), [function], told).lost == (counts,)
    assert move_counts(match([COUNTED], [function]), [function], told).lost == ()


@pytest.mark.parametrize(
    "program",
    [
        (replace(FUNCTION, name="_ZN3app4walk17h1111111111111111E"),),
        (FUNCTION, replace(FUNCTION, name="_ZN3app3run17h2222222222222222E")),
        (replace(FUNCTION, counters=len(CHANGED) + 2),),
    ],
    ids=["another path", "two of that path", "another number of counters than was told"],
)
def test_counts_are_given_only_where_it_is_clear_to_what(program: tuple[InstrumentedFunction, ...]) -> None:
    """Otherwise they are lost, as before."""
    assert align(COUNTED, *program).lost == (COUNTED,)


def test_a_function_without_outline_or_counts_is_not_looked_for() -> None:
    """Profiles without outlines, and cold functions, are read as ever."""
    assert align(replace(COUNTED, outline=())).lost == (replace(COUNTED, outline=()),)
    assert find_changed(match([COUNTED], [replace(FUNCTION, hash=FLOW, counters=len(STEPS) + 1)]), [FUNCTION]) == []


def test_a_fit_says_what_would_be_approximate() -> None:
    """The cheap gate shows what a build would keep of a changed function, and does not count it as matched."""
    steps = len(STEPS) * HOT + CALLS
    unplaced = replace(COUNTED, name=read_name("_ZN3app4gone17h0000000000000000E"), counters=(steps,), outline=())
    profile, program = [COUNTED, unplaced], [FUNCTION]
    matching = move_counts(match(profile, program), program, TOLD)
    fit = judge_fit(matching, profile, program)
    assert (fit.matched_ratio, fit.approximate_ratio) == (0, matching.approximate_ratio)
    assert render_fit(fit, 1.0) == snapshot("""\
0.0% of the counts still fit (was 100.0%)
50.0% more are approximate: their function has changed
hot and new:
   50.0%  app::run (approximate: 50.0%)
hot and gone:
   50.0%  app::gone
""")
    lost = judge_fit(match(profile, program), profile, program)
    assert [function.share for function in fit.hot_and_new] == [function.share for function in lost.hot_and_new]
    assert (lost.approximate_ratio, lost.hot_and_new[0].approximate_share) == (0, 0)
