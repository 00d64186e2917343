"""The superblocks of a contest so far; mark those that something outside disturbed, and measure them again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from optbuild.measure.blocks import Block
from optbuild.measure.cells import Cell
from optbuild.measure.guard import NoiseGuard
from optbuild.measure.metrics import METRICS
from optbuild.measure.model import Series
from optbuild.measure.schedule import SuperblockOrder


@dataclass(slots=True)
class Samples:
    """The superblocks by workload; index i of each is round i.

    Attributes:
        set_aside: Those that were replaced by others.
    """

    blocks: dict[str, list[Block]]
    set_aside: dict[str, list[Block]] = field(init=False)

    def __post_init__(self) -> None:
        self.set_aside = {workload: [] for workload in self.blocks}

    @property
    def rounds(self) -> int:
        """How many are complete; none where nothing takes turns."""
        return min(map(len, self.blocks.values()), default=0)

    def series(self, cells: Iterable[Cell]) -> tuple[Series, ...]:
        """All metrics of each cell."""
        return tuple(self._series(cell, metric) for cell in cells for metric in cell.metrics)

    def judged(self, cells: Iterable[Cell]) -> tuple[Series, ...]:
        """The metric of each cell that decides."""
        return tuple(self._series(cell, cell.judged) for cell in cells)

    def mark_disturbed(self, guard: NoiseGuard) -> tuple[str, ...]:
        """Mark what something outside disturbed, by the machine's counters, never by the values; return the reasons."""
        reasons = []
        for workload, index, block in list(self._each()):
            if reason := guard.judge(block.disturbance):
                reasons.append(reason)
                self.blocks[workload][index] = block.marked(reason)
        return tuple(reasons)

    def retake_disturbed(
        self, take: Callable[[SuperblockOrder], Block], guard: NoiseGuard, *, fits: Callable[[float], bool]
    ) -> None:
        """Measure marked superblocks again; one that is disturbed again stays, marked.

        Args:
            take: Takes a superblock.
            guard: Judges it.
            fits: Whether there is time for so many seconds.
        """
        for workload, index, block in list(self._each()):
            if block.tainted is None or not fits(block.disturbance.elapsed_s):
                continue
            self.set_aside[workload].append(block)
            again = take(block.order)
            reason = guard.judge(again.disturbance)
            self.blocks[workload][index] = again if reason is None else again.marked(reason)

    def _each(self) -> Iterator[tuple[str, int, Block]]:
        for workload, blocks in self.blocks.items():
            for index, block in enumerate(blocks):
                yield workload, index, block

    def _series(self, cell: Cell, metric: str) -> Series:
        return Series(
            workload=cell.name,
            metric=metric,
            unit=METRICS[metric].unit,
            rounds=tuple(block.superblocks[cell.name, metric] for block in self.blocks[cell.workload]),
            set_aside=tuple(block.superblocks[cell.name, metric] for block in self.set_aside[cell.workload]),
        )
