"""The rounds of a contest on disk, one line each, so that a contest that was killed goes on where it was.

They belong to one contest: its key says which binaries, inputs and settings. Rounds of another one are never mixed in.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from optbuild.adapters import adapter_of
from optbuild.files import atomic_write, writing
from optbuild.measure.blocks import Block
from optbuild.measure.guard import Disturbance
from optbuild.measure.model import Superblock
from optbuild.measure.schedule import SuperblockOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cell:
    """One cell of a block, by one metric."""

    name: str
    metric: str
    values: Mapping[str, tuple[float, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """A block as it is kept."""

    order: SuperblockOrder
    cells: tuple[_Cell, ...]
    disturbance: Disturbance


@dataclass(slots=True, kw_only=True)
class Memory:
    """The rounds of one contest; without a file, none are kept.

    Attributes:
        path: The file; None keeps nothing.
        rounds: Those that were taken before, by workload.
    """

    path: Path | None = None
    rounds: tuple[Mapping[str, Block], ...] = field(default=())

    def keep(self, taken: Mapping[str, Block]) -> None:
        """Add a round, so that it is there even if the process is killed at once.

        Raises:
            StorageError: It cannot be written.
        """
        if self.path is None:
            return
        line = adapter_of(dict[str, _Kept]).dump_json({workload: _pack(block) for workload, block in taken.items()})
        with writing(self.path), self.path.open("ab") as file:
            file.write(line + b"\n")


def open_memory(path: Path, key: str) -> Memory:
    """Take up the rounds of a contest, or begin without any where the file is missing or belongs to another contest.

    The last line may be incomplete: the process was killed while it was written.

    Args:
        path: The file; its directory exists.
        key: Everything that decides what the rounds belong to.

    Raises:
        StorageError: It cannot be written.
    """
    head = json.dumps({"schema": "optbuild/rounds/1", "contest": key}).encode()
    first, *lines = path.read_bytes().splitlines() if path.is_file() else [b""]
    rounds: list[Mapping[str, Block]] = []
    for line in lines if first == head else ():
        try:
            by_workload = adapter_of(dict[str, _Kept]).validate_json(line)
            rounds.append({workload: _unpack(kept) for workload, kept in by_workload.items()})
        except ValidationError:
            break
    kept = [head, *lines[: len(rounds)]]
    atomic_write(path, b"".join(line + b"\n" for line in kept))
    return Memory(path=path, rounds=tuple(rounds))


def _pack(block: Block) -> _Kept:
    cells = (
        _Cell(name=name, metric=metric, values=superblock.values)
        for (name, metric), superblock in block.superblocks.items()
    )
    return _Kept(order=block.order, cells=tuple(cells), disturbance=block.disturbance)


def _unpack(kept: _Kept) -> Block:
    superblocks: dict[tuple[str, str], Any] = {
        (cell.name, cell.metric): Superblock(order=kept.order.order, values=cell.values) for cell in kept.cells
    }
    return Block(order=kept.order, superblocks=superblocks, disturbance=kept.disturbance)
