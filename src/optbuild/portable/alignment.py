"""Give counts to a function by what its blocks do, where the numbers of its counters say nothing.

The numbers follow from the whole control flow; one branch more renumbers many, and another compiler counts other edges
of the same one. The blocks stay in order, as lines do in a text that was edited. So the outlines of both versions are
compared as two texts are: first by blocks with their neighbours, where these differ by blocks alone, and where these
differ by how they begin and end. Blocks and edges that are found again run as often as they did. What is new gets what
flows from the others.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Iterator, Mapping, Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from itertools import chain

from optbuild.portable.flow import Flows, Known, know_counters, solve_flows
from optbuild.portable.matching import How, Match, Matching
from optbuild.portable.model import (
    FunctionCounts,
    Located,
    OutlineBlock,
    Outlines,
    Site,
    ValueKind,
)
from optbuild.portable.names import read_name
from optbuild.tools.instrumentation import InstrumentedFunction
from optbuild.tools.mangling import without_unit

LEAST_SURE = 2 / 3
"""The share of a function's blocks that must be found by what they do: with fewer it is another function."""
LEAST_FOUND = 0.8
"""The share of its counts whose block or edge must be found: what is not would be guessed."""
_KEYS: tuple[Callable[[OutlineBlock], int], ...] = (
    lambda block: block.near,
    lambda block: block.code,
    lambda block: block.shape,
)


def find_changed(
    matching: Matching, program: Collection[InstrumentedFunction]
) -> list[tuple[FunctionCounts, InstrumentedFunction]]:
    """Lost functions with an outline, each with the only function that it can have become."""
    matched = {found.function.name for found in matching.matches}
    left: dict[str, list[InstrumentedFunction]] = {}
    for function in program:
        if function.name not in matched:
            left.setdefault(read_name(function.name).path, []).append(function)
    taken: set[str] = set()
    changed = []
    for counts in matching.lost:
        successor = _find_successor(counts, left.get(counts.name.path, ()))
        if counts.outline and successor is not None and successor.name not in taken:
            taken.add(successor.name)
            changed.append((counts, successor))
    return changed


def _find_successor(counts: FunctionCounts, functions: Sequence[InstrumentedFunction]) -> InstrumentedFunction | None:
    wanted = counts.name
    same_unit = [function for function in functions if read_name(function.name).unit == wanted.unit]
    exact = [function for function in functions if read_name(function.name) == wanted]
    candidates = exact or same_unit or functions
    return candidates[0] if len(candidates) == 1 else None


def locate(function: InstrumentedFunction) -> Located:
    """What a function is called where its outline is told."""
    return (without_unit(function.name), function.hash)


def find_moved(matching: Matching, program: Collection[InstrumentedFunction]) -> set[Located]:
    """The functions of a program whose outlines are needed for `move_counts`."""
    matched = (found.function for found in matching.matches if any(each.outline for each in found.sources))
    return {locate(function) for function in chain(matched, (each for _, each in find_changed(matching, program)))}


def move_counts(matching: Matching, program: Collection[InstrumentedFunction], outlines: Outlines) -> Matching:
    """Give counts to what blocks do in place of what number they have, and find functions that have changed.

    Args:
        matching: By name, control flow and number of counters.
        program: All functions.
        outlines: Those of `find_moved`, as far as they are known.
    """
    return _align_changed(_renumber(matching, outlines), program, outlines)


def _renumber(matching: Matching, outlines: Outlines) -> Matching:
    """Give the counts of matched functions to the counters that count the same, whatever numbers these have.

    Equal control flow does not mean equal counters: LLVM counts the edges that it expects to be rare.
    """
    return replace(matching, matches=tuple(_renumbered(found, outlines) for found in matching.matches))


def _renumbered(found: Match, outlines: Outlines) -> Match:
    new = outlines.get(locate(found.function), ())
    if not new:
        return found
    counts = found.counts
    if not counts.outline or _has_same_counters(counts.outline, new):
        return found
    moved = _move(counts, found.function, new)
    return replace(found, moved=moved)


def _has_same_counters(old: Sequence[OutlineBlock], new: Sequence[OutlineBlock]) -> bool:
    """Whether each counter counts in both what it counts in the other."""
    return [(block.counters, block.choices, block.edges) for block in old] == [
        (block.counters, block.choices, block.edges) for block in new
    ]


def _align_changed(matching: Matching, program: Collection[InstrumentedFunction], outlines: Outlines) -> Matching:
    """Give counts of lost functions to what these have become, where enough of their blocks are found there."""
    found = {}
    for source, function in find_changed(matching, program):
        moved = _move(source, function, outlines.get(locate(function), ()))
        if moved is not None:
            found[source.key] = source, Match(function=function, sources=(source,), how=How.CHANGED, moved=moved)
    return replace(
        matching,
        matches=(*matching.matches, *(match for _, match in found.values())),
        lost=tuple(counts for counts in matching.lost if counts.key not in found),
        approximate=tuple(source for source, _ in found.values()),
    )


def _move(counts: FunctionCounts, function: InstrumentedFunction, new: Sequence[OutlineBlock]) -> FunctionCounts | None:
    """The counts of a function under the numbers of another version; None if it is another function."""
    old = counts.outline
    for outline, counters in ((old, len(counts.counters)), (new, function.counters)):
        if _find_counters(outline, range(len(outline))) != set(range(counters)):
            return None
    pairs = list(_align(old, new, range(len(old)), range(len(new)), _KEYS))
    old_of = {number: before for number, before, _ in pairs}
    found = _find_counters(old, set(old_of.values()))
    if sum(is_sure for *_, is_sure in pairs) < LEAST_SURE * max(len(old), len(new)):
        return None
    if sum(counts.counters[counter] for counter in found) < LEAST_FOUND * counts.total:
        return None
    flows = solve_flows(old, know_counters(old, counts.counters))
    moved = solve_flows(new, _know_pairs(old, new, flows, old_of))
    moved_counters = _read_counters(new, moved, function.counters)
    for number, before in old_of.items():
        for choice, choice_before in zip(new[number].choices, old[before].choices, strict=False):
            moved_counters[choice] = counts.counters[choice_before]
    values = _move_sites(counts, old, new, function, old_of)
    return replace(counts, counters=tuple(moved_counters), values=values, outline=())


def _find_counters(outline: Sequence[OutlineBlock], blocks: Container[int]) -> set[int]:
    """The counters of some blocks, and of the edges between them."""
    found: set[int] = set()
    for number, block in enumerate(outline):
        if number in blocks:
            found.update(block.counters, block.choices)
            found.update(*(edge.counters for edge in block.edges if edge.to in blocks))
    return found


def _know_pairs(
    old: Sequence[OutlineBlock], new: Sequence[OutlineBlock], flows: Flows, old_of: Mapping[int, int]
) -> Known:
    """How often blocks and edges of the new function run that are those of the old one."""
    known = Known()
    kept = set(old_of.values())
    for number, before in old_of.items():
        known.add(flows.blocks[before], blocks=[number])
        edges, edges_before = new[number].edges, old[before].edges
        for position, (edge, edge_before) in enumerate(zip(edges, edges_before, strict=False)):
            # Where both lead to what has no counterpart, that is what was there before, and does something else now.
            leads_on = old_of[edge.to] == edge_before.to if edge.to in old_of else edge_before.to not in kept
            if len(edges) == len(edges_before) and leads_on:
                known.add(flows.edges[before, position], edges=[(number, position)])
    return known


def _read_counters(outline: Sequence[OutlineBlock], flows: Flows, size: int) -> list[int]:
    counters = [0.0] * size
    for number, block in enumerate(outline):
        for counter in block.counters:
            counters[counter] += flows.blocks[number]
        for position, edge in enumerate(block.edges):
            for counter in edge.counters:
                counters[counter] += flows.edges[number, position]
        for choice in block.choices:
            counters[choice] = flows.blocks[number] / 2  # of one that is new nothing is known: neither is likely
    return [round(count) for count in counters]


def _move_sites(
    counts: FunctionCounts,
    old: Sequence[OutlineBlock],
    new: Sequence[OutlineBlock],
    function: InstrumentedFunction,
    old_of: Mapping[int, int],
) -> dict[ValueKind, tuple[Site, ...]]:
    """The values that were seen, at the places where they are seen in the new function."""
    moved: dict[ValueKind, list[Site]] = {
        kind: [()] * places for kind, places in zip(ValueKind, function.value_sites, strict=False)
    }
    for number, before in old_of.items():
        for (kind, site), (kind_before, site_before) in zip(new[number].sites, old[before].sites, strict=False):
            seen = counts.values.get(ValueKind(kind), ())
            if kind == kind_before and site_before < len(seen) and site < len(moved[ValueKind(kind)]):
                moved[ValueKind(kind)][site] = seen[site_before]
    return {kind: tuple(sites) for kind, sites in moved.items() if sites}


def _align(
    old: Sequence[OutlineBlock],
    new: Sequence[OutlineBlock],
    old_numbers: Sequence[int],
    new_numbers: Sequence[int],
    keys: Sequence[Callable[[OutlineBlock], int]],
) -> Iterator[tuple[int, int, bool]]:
    """Each block of the new function that is found in the old one, its number there, and whether it does the same."""
    if not keys or not old_numbers or not new_numbers:
        return
    key_of = keys[0]
    matcher = SequenceMatcher(
        None, [key_of(old[number]) for number in old_numbers], [key_of(new[number]) for number in new_numbers],
        autojunk=False,
    )  # fmt: skip
    end_old = end_new = 0
    for block in matcher.get_matching_blocks():
        yield from _align(old, new, old_numbers[end_old : block.a], new_numbers[end_new : block.b], keys[1:])
        end_old, end_new = block.a + block.size, block.b + block.size
        found = zip(new_numbers[block.b : end_new], old_numbers[block.a : end_old], strict=True)
        yield from ((number, before, len(keys) > 1) for number, before in found)
