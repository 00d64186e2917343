"""BOLT's counts as text, and its merging tool: a line for each branch, with where it comes from and where it goes.

A line has eight fields: for each end whether its symbol is known, that symbol and the offset, then how often the branch
was mispredicted and how often it was taken. A blank in a symbol is escaped.

Sources: `DataReader.h` of BOLT, https://github.com/llvm/llvm-project/blob/main/bolt/include/bolt/Profile/DataReader.h
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from optbuild.errors import ProfileDataError

_SYMBOL = r"(?:\\.|[^\\ ])+"
_BRANCH = re.compile(
    rf"(?P<ends>\d (?P<symbol>{_SYMBOL}) [0-9a-f]+ \d {_SYMBOL} [0-9a-f]+) (?P<missed>\d+) (?P<taken>\d+)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchTotals:
    """What counts hold.

    Attributes:
        functions: How many functions a branch leaves.
        total_count: How often any branch was taken.
    """

    functions: int
    total_count: int


def merge_argv(tool: Path, inputs: Iterable[Path], *, output: Path) -> tuple[str, ...]:
    """The argv that adds up counts of the same program."""
    return (str(tool), "-o", str(output), *map(str, inputs))


def sum_up(lines: Iterable[str]) -> BranchTotals:
    """Add up all counts.

    Raises:
        ValueError: A line is not a branch.
    """
    functions: set[str] = set()
    total = 0
    for match in _branches(lines):
        functions.add(match["symbol"])
        total += int(match["taken"])
    return BranchTotals(functions=len(functions), total_count=total)


def scaled(lines: Iterable[str], factor: float) -> Iterator[str]:
    """Multiply all counts; a branch that was taken stays one.

    Raises:
        ValueError: A line is not a branch.
    """
    for match in _branches(lines):
        missed, taken = (_multiply(int(match[name]), factor) for name in ("missed", "taken"))
        yield f"{match['ends']} {missed} {taken}\n"


def unreadable(path: Path) -> ProfileDataError:
    """The error that a file does not hold counts."""
    return ProfileDataError(
        f"{path.name} does not hold counts of BOLT, or was cut short",
        help="let each process end by itself: one that is killed while it writes leaves half a file",
        location=str(path),
    )


def _branches(lines: Iterable[str]) -> Iterator[re.Match[str]]:
    for line in lines:
        match = _BRANCH.fullmatch(line.rstrip("\n"))
        if match is None:
            raise ValueError("a line is not a branch")
        yield match


def _multiply(count: int, factor: float) -> int:
    return max(1, round(count * factor)) if count else 0
