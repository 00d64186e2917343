"""Give counts to a function whose own code has changed: counters are found again by what their blocks do.

The numbers of counters follow from the whole control flow; one branch more renumbers many. The blocks stay in order, as
lines do in a text that was edited. So the places of both versions are compared as two texts are: first by blocks with
their neighbours, where these differ by blocks alone, and where these differ by how they begin and end.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from difflib import SequenceMatcher

from optbuild.portable.matching import How, Match, Matching
from optbuild.portable.model import FunctionCounts, FunctionKey, Place
from optbuild.portable.names import read_name
from optbuild.tools.instrumentation import InstrumentedFunction
from optbuild.tools.mangling import without_unit

LEAST_SURE = 2 / 3
"""The share of a function's counters that must be found by what their blocks do: with fewer it is another function."""
LEAST_FOUND = 0.8
"""The share of its counts that must find a counter: what finds none would be taken for cold."""
_SURE: tuple[Callable[[Place], int], ...] = (lambda place: place.near, lambda place: place.code)
_KEYS = (*_SURE, lambda place: place.shape)

Located = tuple[str, int]
"""A function's mangled name, without its unit, and its control flow."""


def find_changed(
    matching: Matching, program: Collection[InstrumentedFunction]
) -> list[tuple[FunctionCounts, InstrumentedFunction]]:
    """Lost functions whose counters have places, each with the only function that it can have become."""
    matched = {found.function.name for found in matching.matches}
    left: dict[str, list[InstrumentedFunction]] = {}
    for function in program:
        if function.name not in matched:
            left.setdefault(read_name(function.name).path, []).append(function)
    taken: set[str] = set()
    changed = []
    for counts in matching.lost:
        successor = _find_successor(counts, left.get(counts.name.path, ()))
        if counts.places and successor is not None and successor.name not in taken:
            taken.add(successor.name)
            changed.append((counts, successor))
    return changed


def _find_successor(counts: FunctionCounts, functions: Sequence[InstrumentedFunction]) -> InstrumentedFunction | None:
    exact = [function for function in functions if read_name(function.name) == counts.name]
    candidates = exact or functions
    return candidates[0] if len(candidates) == 1 else None


def locate(function: InstrumentedFunction) -> Located:
    """What a function is called where its counters are told."""
    return (without_unit(function.name), function.hash)


def align_changed(
    matching: Matching, program: Collection[InstrumentedFunction], places: Mapping[Located, Sequence[Place]]
) -> Matching:
    """Give counts of lost functions to what these have become, where enough of their counters are found there.

    Args:
        matching: With the functions that are lost.
        program: All functions.
        places: Of the counters of its functions, as far as they are known.
    """
    found: dict[FunctionKey, Match] = {}
    for source, function in find_changed(matching, program):
        counters = _find_counters(source, function, places.get(locate(function), ()))
        if sum(counters) >= LEAST_FOUND * source.total:
            counts = replace(source, counters=counters)
            found[source.key] = Match(function=function, sources=(counts,), how=How.CHANGED)
    return replace(
        matching,
        matches=(*matching.matches, *found.values()),
        lost=tuple(counts for counts in matching.lost if counts.key not in found),
        approximate_count=sum(each.sources[0].total for each in found.values()),
    )


def _find_counters(source: FunctionCounts, function: InstrumentedFunction, places: Sequence[Place]) -> tuple[int, ...]:
    """The counts of a changed function; zero for counters that are not found again, empty if too few are."""
    if len(places) != function.counters or len(source.places) != len(source.counters):
        return ()
    sure = sum(1 for _ in _align(source.places, places, _SURE))
    if sure < LEAST_SURE * max(function.counters, len(source.counters)):
        return ()
    found = dict(_align(source.places, places, _KEYS))
    return tuple(source.counters[found[number]] if number in found else 0 for number in range(function.counters))


def _align(
    old: Sequence[Place], new: Sequence[Place], keys: Sequence[Callable[[Place], int]]
) -> Iterator[tuple[int, int]]:
    """Each counter of the new function that is found in the old one, and its number there."""
    if not keys:
        return
    matcher = SequenceMatcher(
        None, [keys[0](place) for place in old], [keys[0](place) for place in new], autojunk=False
    )
    end_old = end_new = 0
    for block in matcher.get_matching_blocks():
        yield from _align(old[end_old : block.a], new[end_new : block.b], keys[1:])
        end_old, end_new = block.a + block.size, block.b + block.size
        for before, after in zip(old[block.a : end_old], new[block.b : end_new], strict=True):
            yield after.counter, before.counter
