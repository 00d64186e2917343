"""What flows into a block flows out of it, so a few counts tell the others."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optbuild.portable.flow import Flows, Known, know_counters, solve_flows
from optbuild.portable.model import Edge, OutlineBlock


def block(*to: int, counters: tuple[int, ...] = (), counted: dict[int, int] | None = None) -> OutlineBlock:
    """A block that leads to others; some edges have a counter, by their position."""
    edges = tuple(
        Edge(to=target, counters=(counted[position],) if counted and position in counted else ())
        for position, target in enumerate(to)
    )
    return OutlineBlock(near=0, code=0, shape=0, counters=counters, edges=edges)


DIAMOND = (block(1, 2, counters=(0,)), block(3, counters=(1,)), block(3), block())
LOOP = (block(1), block(1, 2, counted={0: 0}), block(counters=(1,)))


def flows_of(outline: tuple[OutlineBlock, ...], *counters: int) -> Flows:
    """How often everything runs, by a function's own counters."""
    return solve_flows(outline, know_counters(outline, counters))


def test_what_no_counter_counts_follows_from_what_one_does() -> None:
    """Of a branch that was taken 30 times of 100, the other way was taken 70 times."""
    flows = flows_of(DIAMOND, 100, 30)
    assert flows.blocks == pytest.approx((100, 30, 70, 100))
    assert flows.edges == pytest.approx({(0, 0): 30, (0, 1): 70, (1, 0): 30, (2, 0): 70})


def test_a_loop_runs_as_often_as_its_counted_edge() -> None:
    """An edge that only LLVM's splitting made a block of counts like one."""
    assert flows_of(LOOP, 90, 10).blocks == pytest.approx((10, 100, 10))


def test_a_counter_that_stands_twice_counts_both() -> None:
    """The head of a loop is copied before counters become code, and its counter with it."""
    outline = (block(1, 3), block(2, counters=(0,)), block(3, counters=(0,)), block(counters=(1,)))
    assert flows_of(outline, 20, 50).blocks == pytest.approx((50, 10, 10, 50))


def test_counts_that_contradict_each_other_are_changed_least() -> None:
    """Threads that count at once lose some counts; what is taken agrees with itself."""
    flows = flows_of((block(1, counters=(0,)), block(2, counters=(1,)), block(counters=(2,))), 100, 97, 100)
    assert flows.blocks == pytest.approx((100, 100, 100))


def test_what_nothing_is_known_of_does_not_run() -> None:
    """Flow takes no way that it need not take."""
    known = Known()
    known.add(40, blocks=[0])
    known.add(40, edges=[(0, 0)])
    assert solve_flows(DIAMOND, known).blocks == pytest.approx((40, 40, 0, 40))


@given(st.integers(2, 9), st.integers(0, 10_000))
def test_walks_through_any_graph_are_found_again(size: int, seed: int) -> None:
    """With a count for each edge but those of a spanning tree, every block and edge is told, as LLVM does it."""
    random = Random(seed)  # noqa: S311 - no secret
    targets = [[random.randrange(1, size) for _ in range(random.randint(1, 3))] for _ in range(size - 1)] + [[]]
    walked: Counter[tuple[int, int]] = Counter()
    ran: Counter[int] = Counter()
    walks = 0
    for _ in range(30):
        at, way = 0, list[tuple[int, int]]()
        while targets[at] and len(way) < 60:
            position = random.randrange(len(targets[at]))
            way.append((at, position))
            at = targets[at][position]
        if not targets[at]:  # a walk that does not end is none that a counter sees whole
            walks += 1
            walked.update(way)
            ran.update([number for number, _ in way] + [at])
    keys = [(number, position) for number, each in enumerate(targets) for position in range(len(each))]
    counters = {key: number for number, key in enumerate(_outside_a_tree(targets, keys))}
    outline = tuple(
        block(*each, counted={position: counters[number, position] for position in range(len(each))
                              if (number, position) in counters})
        for number, each in enumerate(targets)
    )  # fmt: skip
    known = know_counters(outline, [walked[key] for key in counters])
    known.add(walks, blocks=[size - 1])
    flows = solve_flows(outline, known)
    assert flows.edges == pytest.approx({key: float(walked[key]) for key in keys}, abs=1e-3)
    assert flows.blocks == pytest.approx([ran[number] for number in range(size)], abs=1e-3)


def _outside_a_tree(targets: list[list[int]], keys: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The edges that a spanning tree of the graph leaves out; the function's end leads back to its beginning."""
    group = list(range(len(targets)))
    group = [0 if number == len(targets) - 1 else number for number in group]
    outside = []
    for number, position in keys:
        a, b = group[number], group[targets[number][position]]
        if a == b:
            outside.append((number, position))
        else:
            group = [a if each == b else each for each in group]
    return outside
