"""What changed between two portable profiles, for a person who reviews it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from optbuild.portable.model import FunctionCounts
from optbuild.text import sanitize_line
from optbuild.units import format_share

HOT_SHARE = 0.95
"""The hottest functions that have this share of the counts together are called hot."""
_SHOWN = 10
_MOST_CHARACTERS = 96


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A function that became hot, or cold.

    Attributes:
        path: Its name, all instances together.
        before: Its share of the old profile's counts.
        after: Its share of the new one's.
    """

    path: str
    before: float
    after: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """How a profile differs from an older one.

    Attributes:
        moved_ratio: The share of the counts that went from some functions to others.
        became_hot: The largest change first.
        became_cold: The largest change first.
        appeared: Functions that only the new one knows.
        vanished: Functions that only the old one knows.
    """

    moved_ratio: float
    became_hot: tuple[Change, ...]
    became_cold: tuple[Change, ...]
    appeared: int
    vanished: int


def compare(old: Sequence[FunctionCounts], new: Sequence[FunctionCounts]) -> Difference:
    """Find what changed; shares are compared, so a longer training is not a change."""
    before, after = find_shares(old), find_shares(new)
    hot_before, hot_after = find_hot(before), find_hot(after)

    def changes(paths: Iterable[str]) -> tuple[Change, ...]:
        found = (Change(path=path, before=before.get(path, 0.0), after=after.get(path, 0.0)) for path in paths)
        return tuple(sorted(found, key=lambda change: (-abs(change.after - change.before), change.path)))

    return Difference(
        moved_ratio=sum(abs(after.get(path, 0.0) - before.get(path, 0.0)) for path in before.keys() | after.keys()) / 2,
        became_hot=changes(hot_after - hot_before),
        became_cold=changes(hot_before - hot_after),
        appeared=len(after.keys() - before.keys()),
        vanished=len(before.keys() - after.keys()),
    )


def find_shares(functions: Iterable[FunctionCounts]) -> dict[str, float]:
    """The share of each path in all counts."""
    counts: Counter[str] = Counter()
    for function in functions:
        counts[function.name.path] += function.total
    total = counts.total() or 1
    return {path: count / total for path, count in counts.items()}


def find_hot(shares: dict[str, float], together: float = HOT_SHARE) -> set[str]:
    """The hottest paths that have a share of the counts together."""
    found: set[str] = set()
    reached = 0.0
    for path, share in sorted(shares.items(), key=lambda item: (-item[1], item[0])):
        if reached >= together or not share:
            break
        found.add(path)
        reached += share
    return found


def render_difference(difference: Difference) -> str:
    """A few lines that a reviewer reads."""
    lines = [
        f"{format_share(difference.moved_ratio)} of the counts moved to other functions",
        f"{difference.appeared:,} functions are new, {difference.vanished:,} are gone",
    ]
    for title, changes in (("became hot", difference.became_hot), ("became cold", difference.became_cold)):
        if changes:
            lines.append(f"{title}:")
            lines += map(_render_change, changes[:_SHOWN])
            lines += [f"  and {len(changes) - _SHOWN:,} more"] if len(changes) > _SHOWN else []
    return "\n".join(lines) + "\n"


def _render_change(change: Change) -> str:
    path = sanitize_line(change.path)
    shown = path if len(path) <= _MOST_CHARACTERS else f"{path[: _MOST_CHARACTERS - 1]}…"
    return f"  {format_share(change.before):>6} -> {format_share(change.after):>6}  {shown}"
