"""Share out the units of a fleet among machines that do not talk to each other: deterministic and balanced. Pure."""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from optbuild.errors import UsageError
from optbuild.fleet.units import Unit

_SHARD = re.compile(r"(\d{1,9})/(\d{1,9})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """One of several equal parts of a fleet, counted from 1."""

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `2/4`.

        Raises:
            UsageError: It is not that.
        """
        match = _SHARD.fullmatch(text)
        if match is None or not 1 <= int(match[1]) <= int(match[2]):
            raise UsageError(
                f"{text!r} is not K/N with K from 1 to N", help="the second of four: optbuild fleet run --shard 2/4"
            )
        return cls(number=int(match[1]), count=int(match[2]))

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


def share_out(units: Iterable[Unit], count: int) -> tuple[tuple[Unit, ...], ...]:
    """Divide units into parts that are estimated to take about equally long; each keeps the order of the fleet.

    The longest unit goes first, always to the part with the least work so far. No part takes more than 4/3 of the best
    division's longest.

    Sources:
        R. L. Graham, "Bounds on multiprocessing timing anomalies", SIAM J. Appl. Math. 17 (1969)
    """
    units = tuple(units)
    places = {unit.id: place for place, unit in enumerate(units)}
    parts: list[list[Unit]] = [[] for _ in range(count)]
    loads = [(0.0, index) for index in range(count)]  # a heap, and in order already
    for unit in sorted(units, key=lambda each: (-each.estimate_s, places[each.id])):
        load_s, index = heapq.heappop(loads)
        parts[index].append(unit)
        heapq.heappush(loads, (load_s + unit.estimate_s, index))
    return tuple(tuple(sorted(part, key=lambda each: places[each.id])) for part in parts)


def units_of(units: Iterable[Unit], shard: Shard) -> tuple[Unit, ...]:
    """The units of one shard."""
    return share_out(units, shard.count)[shard.number - 1]
