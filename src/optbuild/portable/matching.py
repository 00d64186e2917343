"""Find the functions of a program that a portable profile has counts for.

A function is looked for in steps, and the first that finds counts ends the search. Its name is compared in full, then
without generic arguments, then as of an implementation for any type, then in any crate, since code moves from one into
another. In each of these the control flow has to be the same. Then it may differ, as long as the number of counters is
equal: a compiler that lays out blocks in another order gives another hash to what is the same function.

Crates compile copies of generic and inlined functions for themselves. In each step the copy of the same crate is looked
for first: `Vec::push` may be hot in one crate and never run in another.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from optbuild.portable.model import FunctionCounts, FunctionKey, ValueKind
from optbuild.portable.names import read_name
from optbuild.portable.profile_records import add, render_record
from optbuild.portable.spelling import FunctionName, for_any_type, in_any_crate
from optbuild.tools.instrumentation import InstrumentedFunction

TRANSLATOR = "3"
"""Changes whenever the same profile and the same program would give other counts."""


class How(StrEnum):
    """How a function was found, the surest first."""

    INSTANCE = "instance"
    PATH = "path"
    ANY_TYPE = "any type"
    ANY_CRATE = "any crate"
    INSTANCE_OF_OTHER_FLOW = "instance, other control flow"
    PATH_OF_OTHER_FLOW = "path, other control flow"
    ANY_TYPE_OF_OTHER_FLOW = "any type, other control flow"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A function of a program, and what was counted in it.

    Attributes:
        sources: The functions of the profile that it is.
        how: It was found.
        moved: Their counts under the numbers that its counters have, where these are others.
    """

    function: InstrumentedFunction
    sources: tuple[FunctionCounts, ...]
    how: How
    moved: FunctionCounts | None = None

    @property
    def counts(self) -> FunctionCounts:
        """What it gets."""
        if self.moved is not None:
            return self.moved
        return add(self.sources) if len(self.sources) > 1 else self.sources[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching:
    """What of a profile is in a program.

    Attributes:
        matches: The functions that get counts, in the program's order.
        lost: Counted functions that none of the program is, the hottest first.
        total_count: All counts of the profile.
        matched_count: Those that found a function as it was.
        approximate: Counted functions that the program has with other code, see `optbuild.portable.alignment`.
    """

    matches: tuple[Match, ...]
    lost: tuple[FunctionCounts, ...]
    total_count: int
    matched_count: int
    approximate: tuple[FunctionCounts, ...] = ()

    @property
    def matched_ratio(self) -> float:
        """The share of the counts that found a function; 1 for a profile without any."""
        return self.matched_count / self.total_count if self.total_count else 1.0

    @property
    def approximate_ratio(self) -> float:
        """The share of the counts that found a function that has changed."""
        return sum(each.total for each in self.approximate) / self.total_count if self.total_count else 0.0


_Key = Callable[[FunctionName, int, int], Hashable]


def _path_for_any_type(name: FunctionName) -> str:
    return for_any_type(name.path) or name.path


_STEPS: dict[How, _Key] = {
    How.INSTANCE: lambda name, flow, _: (name.detail, name.path, flow),
    How.PATH: lambda name, flow, _: (name.path, flow),
    How.ANY_TYPE: lambda name, flow, _: (_path_for_any_type(name), flow),
    How.ANY_CRATE: lambda name, flow, _: (in_any_crate(_path_for_any_type(name)), flow),
    How.INSTANCE_OF_OTHER_FLOW: lambda name, _, counters: (name.detail, name.path, counters),
    How.PATH_OF_OTHER_FLOW: lambda name, _, counters: (name.path, counters),
    How.ANY_TYPE_OF_OTHER_FLOW: lambda name, _, counters: (_path_for_any_type(name), counters),
}


def _keys_of(how: How) -> tuple[_Key, _Key]:
    """For a copy of the same crate, and for any."""
    key_of = _STEPS[how]
    return lambda name, flow, counters: (name.unit, key_of(name, flow, counters)), key_of


SAME_FLOW = (How.INSTANCE, How.PATH)
"""The steps that suffice for two builds of the same sources by the same compiler."""


def match(
    profile: Sequence[FunctionCounts], program: Sequence[InstrumentedFunction], steps: Collection[How] = tuple(_STEPS)
) -> Matching:
    """Find for each function of a program what was counted in it, in some of the steps."""
    names = {function.name: read_name(function.name) for function in program}
    found: dict[str, Match] = {}
    used: set[FunctionKey] = set()
    for how, key_of in ((step, key_of) for step in _STEPS if step in steps for key_of in _keys_of(step)):
        sources: dict[Hashable, list[FunctionCounts]] = {}
        for counts in profile:
            # What has found its function already is not given to others that are less sure.
            if counts.key not in used:
                sources.setdefault(key_of(counts.name, counts.hash, len(counts.counters)), []).append(counts)
        for function in program:
            if function.name in found:
                continue
            key = key_of(names[function.name], function.hash, function.counters)
            fitting = tuple(item for item in sources.get(key, ()) if len(item.counters) == function.counters)
            if fitting:
                found[function.name] = Match(function=function, sources=fitting, how=how)
                used.update(item.key for item in fitting)
    lost = sorted((item for item in profile if item.key not in used and item.total), key=lambda item: -item.total)
    total = sum(item.total for item in profile)
    return Matching(
        matches=tuple(found[function.name] for function in program if function.name in found),
        lost=tuple(lost),
        total_count=total,
        matched_count=total - sum(item.total for item in lost),
    )


def render_translated(matching: Matching, program: Iterable[InstrumentedFunction]) -> Iterator[str]:
    """The profile as LLVM's text, under the names that its functions have in a program."""
    symbols: dict[Hashable, list[str]] = {}
    for found in matching.matches:
        for source in found.sources:
            symbols.setdefault(source.key, []).append(found.function.name)
    for function in program:
        for key in _called_by(read_name(function.name)):
            symbols.setdefault(key, []).append(function.name)

    def symbols_of(called: FunctionKey) -> Sequence[str]:
        return next((symbols[key] for key in (called, *_called_by(called[0])) if key in symbols), ())

    yield ":ir\n"
    for found in matching.matches:
        function = found.function
        yield render_record(function.name, function.hash, _with_fitting_sites(found.counts, function), symbols_of)


def _called_by(name: FunctionName) -> tuple[Hashable, ...]:
    """What a called function is looked for by, the surest first."""
    return name, (name.path, name.detail), (name.path, None, name.unit), name.path


def _with_fitting_sites(counts: FunctionCounts, function: InstrumentedFunction) -> FunctionCounts:
    """As many places as the function has, which LLVM demands; empty where another number was counted."""
    values = {}
    for kind, places in zip(ValueKind, function.value_sites, strict=False):
        sites = counts.values.get(kind, ())
        if places:
            values[kind] = sites if len(sites) == places else ((),) * places
    return replace(counts, values=values)
