"""One measured superblock, with its disturbance; `arm_runs` measures it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

from optbuild.measure.guard import Disturbance
from optbuild.measure.model import Superblock
from optbuild.measure.schedule import SuperblockOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One superblock as it was measured, by cell and metric."""

    order: SuperblockOrder
    superblocks: Mapping[tuple[str, str], Superblock]
    disturbance: Disturbance

    @property
    def tainted(self) -> str | None:
        """The outside reason why it is suspect."""
        return next(iter(self.superblocks.values())).tainted

    def marked(self, reason: str) -> Self:
        """The same superblock, marked as suspect for this reason."""
        superblocks = {key: replace(superblock, tainted=reason) for key, superblock in self.superblocks.items()}
        return replace(self, superblocks=superblocks)
