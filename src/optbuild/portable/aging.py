"""Merge a new training into an old profile: what was counted before loses half of its say each time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from optbuild.portable.model import FunctionCounts, FunctionKey
from optbuild.portable.profile_records import join


def merge_aged(old: Sequence[FunctionCounts], new: Sequence[FunctionCounts]) -> list[FunctionCounts]:
    """The counts of both, those of the old profile halved.

    A function that only the old profile knows stays while half of a count is left: another target may have it still.
    """
    current = {function.key: function for function in new}
    return join((*_aged(old, current), *new))


def _aged(old: Iterable[FunctionCounts], current: dict[FunctionKey, FunctionCounts]) -> list[FunctionCounts]:
    kept = []
    for function in old:
        halved = _halve(function)
        successor = current.get(function.key)
        if successor is not None and len(successor.counters) == len(function.counters):
            kept.append(replace(halved, instances=0))  # they are the successor's
        elif successor is None and halved.total:
            kept.append(halved)
    return kept


def _halve(function: FunctionCounts) -> FunctionCounts:
    values = {
        kind: tuple(tuple((value, count // 2) for value, count in site if count > 1) for site in sites)
        for kind, sites in function.values.items()
    }
    return replace(function, counters=tuple(count // 2 for count in function.counters), values=values)
