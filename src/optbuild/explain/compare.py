"""Compare the functions of two programs, and say which of them training never ran."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from optbuild.explain.advice import advise
from optbuild.explain.functions import Body, Counted, find_hot_paths, group_symbols, readable
from optbuild.record.explanation import (
    CrateUse,
    ExplainedFunction,
    ExplainedProgram,
    FunctionChange,
    FunctionCode,
    HotCode,
    UsedProfile,
)
from optbuild.tools.symbols import ProgramSymbols, is_same_code

HOT_SHARE = 0.95
_PAGE_BYTES = 4096
_LEAST_BYTES, _LEAST_RATIO = 16, 0.1
"""Both are needed for a function to have grown or shrunk: alignment and register names change a few bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileCounts:
    """The counts of a profile.

    Attributes:
        used: What it is.
        by_path: The counts of every function that it knows, also of those that never ran.
    """

    used: UsedProfile
    by_path: Mapping[str, Counted]


def explain_program(
    name: str, variant: ProgramSymbols, against: ProgramSymbols, profile: ProfileCounts | None
) -> ExplainedProgram:
    """Compare a program of a variant with that of another.

    Args:
        name: The program's.
        variant: Its functions in the variant.
        against: Its functions in the other one.
        profile: The counts; None where neither has any.
    """
    ours, theirs = group_symbols(variant.functions), group_symbols(against.functions)
    counts = {} if profile is None else profile.by_path
    total = sum(each.total for each in counts.values())
    paths = [*dict.fromkeys((*ours, *theirs, *(path for path, each in counts.items() if each.total)))]
    functions = [
        _explain_function(path, ours.get(path), theirs.get(path), counts.get(path), total, variant.machine)
        for path in paths
    ]
    hot = find_hot_paths(counts, HOT_SHARE)
    crates = tuple(_find_use(ours, counts)) if profile is not None else ()
    told = sorted(
        (each for each in functions if each.count or each.change is not FunctionChange.SAME),
        key=lambda each: (-(each.count or 0), -_moved_bytes(each), each.name),
    )
    found = ExplainedProgram(
        bin=name,
        profile=None if profile is None else profile.used,
        code_bytes=_all_bytes(ours.values()),
        code_bytes_against=_all_bytes(theirs.values()),
        hot_share=HOT_SHARE,
        hot_functions=None if profile is None else len(hot),
        hot_code=None if profile is None else _hot_code(hot, ours),
        hot_code_against=None if profile is None else _hot_code(hot, theirs),
        functions=tuple(told),
        crates=crates,
        advice=(),
    )
    return advise(found)


def _explain_function(
    path: str, ours: Body | None, theirs: Body | None, counted: Counted | None, total: int, machine: str, /
) -> ExplainedFunction:
    known = next(each for each in (ours, theirs, counted) if each is not None)
    count = counted.total if counted is not None else 0
    return ExplainedFunction(
        name=readable(path),
        crate=known.crate,
        count=count if total else None,
        share=count / total if total else None,
        change=_find_change(ours, theirs, machine, has_counts=count > 0),
        against=_code_of(theirs),
        variant=_code_of(ours),
    )


def _find_change(ours: Body | None, theirs: Body | None, machine: str, *, has_counts: bool) -> FunctionChange:
    if ours is None:
        return FunctionChange.INLINED if has_counts else FunctionChange.GONE
    if theirs is None:
        return FunctionChange.NEW
    if ours.cold and not theirs.cold:
        return FunctionChange.SPLIT
    before, after = theirs.size_bytes + theirs.cold_bytes, ours.size_bytes + ours.cold_bytes
    if abs(after - before) >= max(_LEAST_BYTES, _LEAST_RATIO * before):
        return FunctionChange.GROWN if after > before else FunctionChange.SHRUNK
    return FunctionChange.SAME if _have_same_code(ours, theirs, machine) else FunctionChange.REARRANGED


def _have_same_code(ours: Body, theirs: Body, machine: str) -> bool:
    """Whether each copy has a copy with the same code; copies have no order that builds share."""
    left = [part.code for part in (*theirs.parts, *theirs.cold)]
    for part in (*ours.parts, *ours.cold):
        same = next((code for code in left if is_same_code(part.code, code, machine)), None)
        if same is None:
            return False
        left.remove(same)
    return not left


def _code_of(body: Body | None) -> FunctionCode | None:
    if body is None:
        return None
    return FunctionCode(size_bytes=body.size_bytes, cold_bytes=body.cold_bytes, copies=len(body.parts))


def _moved_bytes(function: ExplainedFunction) -> int:
    sizes = [0 if code is None else code.size_bytes + code.cold_bytes for code in (function.against, function.variant)]
    return abs(sizes[0] - sizes[1])


def _all_bytes(bodies: Iterable[Body]) -> int:
    return sum(body.size_bytes + body.cold_bytes for body in bodies)


def _hot_code(hot: Iterable[str], bodies: Mapping[str, Body]) -> HotCode:
    """What of the hot functions is there as code of their own; parts that were split off are not hot."""
    own = [bodies[path] for path in hot if path in bodies and bodies[path].parts]
    pages = {
        page
        for body in own
        for part in body.parts
        for page in range(part.address // _PAGE_BYTES, (part.address + part.size_bytes - 1) // _PAGE_BYTES + 1)
    }
    return HotCode(functions=len(own), size_bytes=sum(body.size_bytes for body in own), pages=len(pages))


def _find_use(bodies: Mapping[str, Body], counts: Mapping[str, Counted]) -> Iterator[CrateUse]:
    by_crate: dict[str | None, list[tuple[Body, Counted | None]]] = {}
    for path, body in bodies.items():
        by_crate.setdefault(body.crate, []).append((body, counts.get(path)))
    uses = []
    for crate, found in by_crate.items():
        ran = [body for body, counted in found if counted is not None and counted.total]
        idle = [body for body, counted in found if counted is not None and not counted.total]
        size, ran_bytes, idle_bytes = _all_bytes(body for body, _ in found), _all_bytes(ran), _all_bytes(idle)
        uses.append(
            CrateUse(
                crate=crate,
                size_bytes=size,
                ran_bytes=ran_bytes,
                never_ran_bytes=idle_bytes,
                uncounted_bytes=size - ran_bytes - idle_bytes,
                functions=len(found),
                never_ran_functions=len(idle),
            )
        )
    yield from sorted(uses, key=lambda use: (-use.size_bytes, use.crate or ""))
