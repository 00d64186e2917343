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


FunctionKey = tuple[FunctionName, int]
"""A function's name, and the hash of its control flow."""
Value = int | FunctionKey
"""A size, or the function that was called; its hash is 0 where it is none that has counters."""
Site = tuple[tuple[Value, int], ...]
"""The values seen at one place, each with how often."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """A way from a block to another one.

    Attributes:
        to: The number of the block that it leads to.
        counters: Those that count it.
    """

    to: int
    counters: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OutlineBlock:
    """What a block of a function does, and what counts it.

    Attributes:
        near: A hash of what it does, and what the blocks next to it do.
        code: A hash of what it does.
        shape: A hash of how it begins and ends, for one that does something else now.
        counters: Those that count how often it runs.
        choices: Those of its selections, in its order.
        sites: Where values are seen, in its order: the kind, and the number among those of the function.
        edges: What may follow, in the order of its last instruction.
    """

    near: int
    code: int
    shape: int
    counters: tuple[int, ...] = ()
    choices: tuple[int, ...] = ()
    sites: tuple[tuple[int, int], ...] = ()
    edges: tuple[Edge, ...] = ()


Located = tuple[str, int]
"""A function's mangled name, without its unit, and its control flow: where its outline is told."""
Outlines = Mapping[Located, tuple[OutlineBlock, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionCounts:
    """What was counted in a function, or in several that have the same name and control flow.

    Attributes:
        name: Without what differs between builds.
        hash: LLVM's, of the control flow.
        instances: How many functions these are the counts of.
        counters: In LLVM's order.
        values: The sites of each kind of which a value was seen, in LLVM's order.
        outline: Its blocks, in LLVM's order; empty where they were not noted.
    """

    name: FunctionName
    hash: int
    instances: int
    counters: tuple[int, ...]
    values: Mapping[ValueKind, tuple[Site, ...]]
    outline: tuple[OutlineBlock, ...] = ()

    @property
    def total(self) -> int:
        """All counts together."""
        return sum(self.counters)

    @property
    def key(self) -> FunctionKey:
        """What no two of a profile share."""
        return (self.name, self.hash)
