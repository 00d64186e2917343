"""Counts of a function that has changed go to those of its counters that are still there."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from inline_snapshot import snapshot

from optbuild.portable.alignment import align_changed, find_changed, locate
from optbuild.portable.fit import judge_fit, render_fit
from optbuild.portable.matching import How, Matching, match, render_translated
from optbuild.portable.model import FunctionCounts, Place, ValueKind
from optbuild.portable.names import read_name
from optbuild.portable.places import locate_counters
from optbuild.tools.instrumentation import InstrumentedFunction
from optbuild.tools.llvm_ir import parse_functions

OLD, NEW = "_ZN3app3run17h0000000000000000E", "_ZN3app3run17h1111111111111111E"
HOT = 1000


def write_ir(symbol: str, flow: int, steps: list[str]) -> str:
    """A function that does one thing after another, each in a block that has a counter and may be left out."""
    lines = []
    for number, step in enumerate(steps):
        lines += [f"  %c{number} = icmp eq ptr %0, null", f"  br i1 %c{number}, label %s{number}, label %e{number}", ""]
        lines += [
            f"s{number}:",
            f"  call void @llvm.instrprof.increment(ptr @p, i64 {flow}, i32 {len(steps)}, i32 {number})",
        ]
        lines += [f"  {step}", f"  br label %e{number}", "", f"e{number}:"]
    return "\ndefine void @" + symbol + "(ptr %0) {\n" + "\n".join([*lines, "  ret void", "}", ""])


def places_of(symbol: str, flow: int, steps: list[str]) -> tuple[Place, ...]:
    """Where the counters of such a function are."""
    (function,) = parse_functions(write_ir(symbol, flow, steps), {(symbol, flow)})
    return locate_counters(function)


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
    counters=tuple(HOT + number for number in range(len(STEPS))),
    values={ValueKind.SIZE: (((8, 5),),)},
    places=places_of(OLD, FLOW, STEPS),
)
FUNCTION = InstrumentedFunction(f"app.1f-cgu.0;{NEW}", CHANGED_FLOW, len(CHANGED), (0, 2, 0))
TOLD = {locate(FUNCTION): places_of(NEW, CHANGED_FLOW, CHANGED)}


def align(counts: FunctionCounts = COUNTED, *program: InstrumentedFunction) -> Matching:
    """Match, and then look for what has changed."""
    functions = program or (FUNCTION,)
    return align_changed(match([counts], functions), functions, TOLD)


def test_a_step_more_moves_the_counts_of_those_after_it() -> None:
    """Every counter gets its own count under its new number, and the new one none; that is told apart from matched."""
    matching = align()
    (found,) = matching.matches
    assert (found.function, found.how) == (FUNCTION, How.CHANGED)
    assert found.sources[0].counters == (HOT, HOT + 1, 0, HOT + 2, HOT + 3, HOT + 4, HOT + 5)
    assert (matching.lost, matching.matched_ratio, matching.approximate_ratio) == ((), 0, 1)
    text = "".join(render_translated(matching, [FUNCTION]))
    assert text.startswith(f":ir\n{FUNCTION.name}\n{CHANGED_FLOW}\n{len(CHANGED)}\n{HOT}\n"), "under its own hash"
    assert text.endswith("1\n1\n2\n0\n0\n\n"), "LLVM demands as many places for values as the function has"


def test_a_step_less_moves_them_back() -> None:
    """A count without a counter is dropped."""
    counts = replace(COUNTED, places=places_of(OLD, FLOW, CHANGED), counters=tuple(range(1, len(CHANGED) + 1)))
    function = InstrumentedFunction(NEW, CHANGED_FLOW, len(STEPS), (0, 0, 0))
    told = {locate(function): places_of(NEW, CHANGED_FLOW, STEPS)}
    (found,) = align_changed(match([counts], [function]), [function], told).matches
    assert found.sources[0].counters == (1, 2, 4, 5, 6, 7)


def test_places_do_not_depend_on_the_build() -> None:
    """Names of values, hashes in names and notes of the optimiser are left out; functions and constants are not."""
    again = [call(name, "5") for name in ("wash", "peel", "slice", "fry", "salt", "serve")]
    text = re.sub(r"%([cse])(\d)", r"%\1\g<2>0", write_ir(NEW, FLOW, again))
    (function,) = parse_functions(re.sub(r"^([cse])(\d):", r"\1\g<2>0:", text, flags=re.MULTILINE), {(NEW, FLOW)})
    assert locate_counters(function) == COUNTED.places
    other = places_of(OLD, FLOW, [*STEPS[:-1], STEPS[-1].replace(" 7)", " 8)")])
    assert [old.code == new.code for old, new in zip(COUNTED.places, other, strict=True)] == [True] * 5 + [False]


def test_what_was_rewritten_is_lost() -> None:
    """With too few counters found, it is another function under the old name."""
    steps = [*STEPS[:2], *(call(name) for name in ("boil", "drain", "mash", "stir", "cool"))]
    told = {locate(FUNCTION): places_of(NEW, CHANGED_FLOW, steps)}
    matching = align_changed(match([COUNTED], [FUNCTION]), [FUNCTION], told)
    assert (matching.matches, matching.lost, matching.approximate_ratio) == ((), (COUNTED,), 0)


def test_what_would_leave_most_counts_behind_is_lost() -> None:
    """All counters are found but the hot one, which is gone: what took its place would be taken for cold."""
    counts = replace(COUNTED, counters=(1, 1, 1, 1, 1, HOT))
    function = replace(FUNCTION, counters=len(STEPS) - 1)
    told = {locate(function): places_of(NEW, CHANGED_FLOW, STEPS[:-1])}
    assert align_changed(match([counts], [function]), [function], told).lost == (counts,)
    assert align_changed(match([COUNTED], [function]), [function], told).lost == ()


@pytest.mark.parametrize(
    "program",
    [
        (replace(FUNCTION, name="_ZN3app4walk17h1111111111111111E"),),
        (FUNCTION, replace(FUNCTION, name="_ZN3app3run17h2222222222222222E")),
        (replace(FUNCTION, counters=len(CHANGED) + 1),),
    ],
    ids=["another path", "two of that path", "another number of counters than was told"],
)
def test_counts_are_given_only_where_it_is_clear_to_what(program: tuple[InstrumentedFunction, ...]) -> None:
    """Otherwise they are lost, as before."""
    assert align(COUNTED, *program).lost == (COUNTED,)


def test_a_function_without_places_or_counts_is_not_looked_for() -> None:
    """Profiles without places, and cold functions, are read as ever."""
    assert align(replace(COUNTED, places=())).lost == (replace(COUNTED, places=()),)
    assert find_changed(match([COUNTED], [replace(FUNCTION, hash=FLOW, counters=len(STEPS))]), [FUNCTION]) == []


def test_a_fit_says_what_would_be_approximate() -> None:
    """The cheap gate shows what a build would keep of a changed function, and does not count it as matched."""
    steps = len(STEPS) * HOT
    unplaced = replace(COUNTED, name=read_name("_ZN3app4gone17h0000000000000000E"), counters=(steps,), places=())
    profile, program = [COUNTED, unplaced], [FUNCTION]
    matching = align_changed(match(profile, program), program, TOLD)
    fit = judge_fit(matching, profile, program)
    assert (fit.matched_ratio, fit.approximate_ratio) == (0, matching.approximate_ratio)
    assert render_fit(fit, 1.0) == snapshot("""\
0.0% of the counts still fit (was 100.0%)
50.1% more are approximate: their function has changed
hot and new:
   50.1%  app::run (approximate: 50.1%)
hot and gone:
   49.9%  app::gone
""")
    lost = judge_fit(match(profile, program), profile, program)
    assert [function.share for function in fit.hot_and_new] == [function.share for function in lost.hot_and_new]
    assert (lost.approximate_ratio, lost.hot_and_new[0].approximate_share) == (0, 0)
