"""What a portable profile holds: counts of functions under names that every build has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from optbuild.portable.spelling import FunctionName


class ValueKind(IntEnum):
    """What is seen at a value site, by LLVM's number."""

    CALL_TARGET = 0
    SIZE = 1
    VTABLE = 2


Name = tuple[str, str]
"""A function's path and detail, see `FunctionName`."""
FunctionKey = tuple[str, str, int]
"""A function's path and detail, and the hash of its control flow."""
Value = int | Name
"""A size, or the function that was called."""
Site = tuple[tuple[Value, int], ...]
"""The values seen at one place, each with how often."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a counter is.

    Attributes:
        counter: Its number.
        near: A hash of what its block does, and what the blocks next to it do.
        code: A hash of what its block does.
        shape: A hash of how its block begins and ends, for one that does something else now.
    """

    counter: int
    near: int
    code: int
    shape: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionCounts:
    """What was counted in a function, or in several that have the same name and control flow.

    Attributes:
        name: Without what tells builds apart.
        hash: LLVM's, of the control flow.
        instances: How many functions these are the counts of.
        counters: In LLVM's order.
        values: The sites of each kind of which a value was seen, in LLVM's order.
        places: Where the counters are, in the order of the blocks; empty where it was not noted.
    """

    name: FunctionName
    hash: int
    instances: int
    counters: tuple[int, ...]
    values: Mapping[ValueKind, tuple[Site, ...]]
    places: tuple[Place, ...] = ()

    @property
    def total(self) -> int:
        """All counts together."""
        return sum(self.counters)

    @property
    def key(self) -> FunctionKey:
        """What no two of a profile share."""
        return (self.name.path, self.name.detail, self.hash)
