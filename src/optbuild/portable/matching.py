"""Find the functions of a program that a portable profile has counts for.

A function is looked for in steps, and the first that finds counts ends the search. Its name is compared in full, then
without generic arguments, then as of an implementation for any type, then in any crate, since code moves from one into
another. In each of these the control flow has to be the same. Then it may differ, as long as the number of counters is
equal: a compiler that lays out blocks in another order gives another hash to what is the same function.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from optbuild.portable.model import FunctionCounts, Name, ValueKind
from optbuild.portable.names import read_name
from optbuild.portable.profile_records import add, render_record
from optbuild.portable.spelling import FunctionName, for_any_type, in_any_crate
from optbuild.tools.instrumentation import InstrumentedFunction

TRANSLATOR = "2"
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
    """A function of a program, and what was counted in it."""

    function: InstrumentedFunction
    sources: tuple[FunctionCounts, ...]
    how: How


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching:
    """What of a profile is in a program.

    Attributes:
        matches: The functions that get counts, in the program's order.
        lost: Counted functions that none of the program is, the hottest first.
        total_count: All counts of the profile.
        matched_count: Those that found a function as it was.
        approximate_count: Those that found one that has changed, see `optbuild.portable.alignment`.
    """

    matches: tuple[Match, ...]
    lost: tuple[FunctionCounts, ...]
    total_count: int
    matched_count: int
    approximate_count: int = 0

    @property
    def matched_ratio(self) -> float:
        """The share of the counts that found a function; 1 for a profile without any."""
        return self.matched_count / self.total_count if self.total_count else 1.0

    @property
    def approximate_ratio(self) -> float:
        """The share of the counts that found a function that has changed."""
        return self.approximate_count / self.total_count if self.total_count else 0.0


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


SAME_FLOW = (How.INSTANCE, How.PATH)
"""The steps that suffice for two builds of the same sources by the same compiler."""


def match(
    profile: Sequence[FunctionCounts], program: Sequence[InstrumentedFunction], steps: Collection[How] = tuple(_STEPS)
) -> Matching:
    """Find for each function of a program what was counted in it, in some of the steps."""
    names = {function.name: read_name(function.name) for function in program}
    found: dict[str, Match] = {}
    used: set[tuple[str, str, int]] = set()
    for how, key_of in ((how, key_of) for how, key_of in _STEPS.items() if how in steps):
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
    by_detail: dict[Name, list[str]] = {}
    by_path: dict[str, list[str]] = {}
    for function in program:
        name = read_name(function.name)
        by_detail.setdefault((name.path, name.detail), []).append(function.name)
        by_path.setdefault(name.path, []).append(function.name)

    def symbols_of(name: Name) -> Sequence[str]:
        return by_detail[name] if name in by_detail else by_path.get(name[0], ())

    yield ":ir\n"
    for found in matching.matches:
        function = found.function
        counts = add(found.sources) if len(found.sources) > 1 else found.sources[0]
        yield render_record(function.name, function.hash, _with_fitting_sites(counts, function), symbols_of)


def _with_fitting_sites(counts: FunctionCounts, function: InstrumentedFunction) -> FunctionCounts:
    """As many places as the function has, which LLVM demands; empty where another number was counted."""
    values = {}
    for kind, places in zip(ValueKind, function.value_sites, strict=False):
        sites = counts.values.get(kind, ())
        if places:
            values[kind] = sites if len(sites) == places else ((),) * places
    return replace(counts, values=values)
