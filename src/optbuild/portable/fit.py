"""How well a profile still fits a program, and which of its hot functions it has lost. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from optbuild.portable.difference import find_hot, find_shares
from optbuild.portable.matching import Matching
from optbuild.portable.model import FunctionCounts
from optbuild.portable.names import read_name
from optbuild.text import sanitize_line
from optbuild.tools.instrumentation import InstrumentedFunction
from optbuild.units import format_share

_SHOWN = 10
_MOST_CHARACTERS = 96


@dataclass(frozen=True, slots=True, kw_only=True)
class LostFunction:
    """A function whose counts found none in the program.

    Attributes:
        path: Its name, all instances together.
        share: Its lost counts, of all counts.
        approximate_share: Those of them that builds take all the same, as the function has only changed.
    """

    path: str
    share: float
    approximate_share: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """How much of a profile a program still has.

    Attributes:
        matched_ratio: The share of the counts that find their function.
        approximate_ratio: The share of those that find one that has changed, which the other does not include.
        hot_and_new: Hot functions that the program has with other code, the hottest first.
        hot_and_gone: Hot functions that the program has under no such name.
    """

    matched_ratio: float
    approximate_ratio: float
    hot_and_new: tuple[LostFunction, ...]
    hot_and_gone: tuple[LostFunction, ...]


def judge_fit(matching: Matching, profile: Sequence[FunctionCounts], program: Sequence[InstrumentedFunction]) -> Fit:
    """Sort out the hot functions of a profile that a program has lost, and those that have only changed."""
    hot = find_hot(find_shares(profile))
    shares = _share_by_path([*matching.lost, *matching.approximate], matching)
    approximate = _share_by_path(matching.approximate, matching)
    lost = [
        LostFunction(path=path, share=share, approximate_share=approximate.get(path, 0.0))
        for path, share in sorted(shares.items(), key=lambda one: -one[1])
        if path in hot
    ]
    present = {read_name(function.name).path for function in program}
    return Fit(
        matched_ratio=matching.matched_ratio,
        approximate_ratio=matching.approximate_ratio,
        hot_and_new=tuple(function for function in lost if function.path in present),
        hot_and_gone=tuple(function for function in lost if function.path not in present),
    )


def _share_by_path(functions: Iterable[FunctionCounts], matching: Matching) -> Mapping[str, float]:
    shares: dict[str, float] = {}
    for counts in functions:
        shares[counts.name.path] = shares.get(counts.name.path, 0.0) + counts.total / matching.total_count
    return shares


def render_fit(fit: Fit, trained_ratio: float | None) -> str:
    """A few lines for people.

    Args:
        fit: How well it fits.
        trained_ratio: The same share for the program that was trained, where the lock has it.
    """
    before = "" if trained_ratio is None else f" (was {format_share(trained_ratio)})"
    lines = [f"{format_share(fit.matched_ratio)} of the counts still fit{before}"]
    if fit.approximate_ratio:
        lines.append(f"{format_share(fit.approximate_ratio)} more are approximate: their function has changed")
    for title, functions in (("hot and new", fit.hot_and_new), ("hot and gone", fit.hot_and_gone)):
        lines += _render_functions(title, functions)
    return "\n".join(lines) + "\n"


def _render_functions(title: str, functions: Sequence[LostFunction]) -> Iterable[str]:
    if functions:
        yield f"{title}:"
    for function in functions[:_SHOWN]:
        path = sanitize_line(function.path)
        shown = path if len(path) <= _MOST_CHARACTERS else f"{path[: _MOST_CHARACTERS - 1]}…"
        kept = f" (approximate: {format_share(function.approximate_share)})" if function.approximate_share else ""
        yield f"  {format_share(function.share):>6}  {shown}{kept}"
    if len(functions) > _SHOWN:
        yield f"  and {len(functions) - _SHOWN:,} more"
