"""How often each block and edge of a function runs, from the few counts that are known: as much flows in as out.

Where counts contradict each other, or the function is another version of the one that was counted, those flows are
taken that change the known counts least; nothing flows where nothing has to. It is a linear program.

Sources:
    Levin, Newman and Haber, "Complementing missing and inaccurate profiling using a minimum cost circulation
    algorithm", HiPEAC 2008; LLVM does so for sampled profiles: `SampleProfileInference.cpp`
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from optbuild.portable.model import OutlineBlock

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_MOST = 1e6  # the solver is exact to 1e-7
_WAY = 1e-5  # the price of a flow on an edge, compared with the price of a change of a known count

EdgeKey = tuple[int, int]
"""A block's number, and which of its edges."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flows:
    """How often each block and edge runs."""

    blocks: tuple[float, ...]
    edges: dict[EdgeKey, float]


@dataclass(slots=True)
class Known:
    """Sums of flows that are known: each is the blocks and edges that make it up, and its count."""

    blocks: list[tuple[int, ...]] = field(default_factory=list)
    edges: list[tuple[EdgeKey, ...]] = field(default_factory=list)
    counts: list[float] = field(default_factory=list)

    def add(self, count: float, *, blocks: Sequence[int] = (), edges: Sequence[EdgeKey] = ()) -> None:
        """Note one."""
        self.blocks.append(tuple(blocks))
        self.edges.append(tuple(edges))
        self.counts.append(count)


def know_counters(outline: Sequence[OutlineBlock], counters: Sequence[int]) -> Known:
    """What a function's own counters say. A loop whose head was copied has a counter twice: it counts both."""
    blocks: dict[int, list[int]] = {}
    edges: dict[int, list[EdgeKey]] = {}
    for number, block in enumerate(outline):
        for counter in block.counters:
            blocks.setdefault(counter, []).append(number)
        for position, edge in enumerate(block.edges):
            for counter in edge.counters:
                edges.setdefault(counter, []).append((number, position))
    known = Known()
    for counter in sorted(blocks.keys() | edges.keys()):
        known.add(counters[counter], blocks=blocks.get(counter, ()), edges=edges.get(counter, ()))
    return known


def solve_flows(outline: Sequence[OutlineBlock], known: Known) -> Flows:
    """Find the flows that agree with what is known as far as possible."""
    from scipy.optimize import linprog  # noqa: PLC0415 - slow to import, and few builds need it
    from scipy.sparse import coo_array  # noqa: PLC0415 - likewise

    keys = [(number, position) for number, block in enumerate(outline) for position in range(len(block.edges))]
    column = {key: number for number, key in enumerate(keys)}
    into: list[list[int]] = [[] for _ in outline]
    out: list[list[int]] = [[] for _ in outline]
    for key, edge in ((key, outline[key[0]].edges[key[1]]) for key in keys):
        into[edge.to].append(column[key])
        out[key[0]].append(column[key])
    into[0].append(len(keys))  # the calls of the function
    variables = len(keys) + 1
    for number, block in enumerate(outline):
        if not block.edges:
            out[number].append(variables)  # its ends
            variables += 1
    scale = max([*known.counts, 1.0]) / _MOST
    entries: list[tuple[int, int, float]] = []
    for number in range(len(outline)):
        entries += [(number, variable, 1.0) for variable in into[number]]
        entries += [(number, variable, -1.0) for variable in out[number]]
    targets = [0.0] * len(outline)
    prices = [_WAY] * variables
    for blocks, edges, count in zip(known.blocks, known.edges, known.counts, strict=True):
        row = len(targets)
        entries += [(row, variable, 1.0) for number in blocks for variable in into[number]]
        entries += [(row, column[key], 1.0) for key in edges]
        entries += [(row, len(prices), 1.0), (row, len(prices) + 1, -1.0)]
        prices += [1.0, 1.0]
        targets.append(count / scale)
    rows, columns, values = zip(*entries, strict=True)
    sums = coo_array((values, (rows, columns)), shape=(len(targets), len(prices))).tocsr()
    solved = linprog(prices, A_eq=cast("Any", sums), b_eq=targets, method="highs")
    if solved.x is None:
        raise ValueError(f"no flow was found: {solved.message}")
    flow: NDArray[np.float64] = solved.x.clip(min=0.0) * scale
    return Flows(
        blocks=tuple(float(flow[variables].sum()) for variables in into),
        edges={key: float(flow[column[key]]) for key in keys},
    )
