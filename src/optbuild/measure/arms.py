"""Where each arm's binaries lie while they are measured: files of their own, at paths of equal length."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from optbuild.files import atomic_copy, remove_below
from optbuild.measure.model import A_PRIME
from optbuild.workloads.cargo_build import CargoBuild
from optbuild.workloads.invocation import Invocation


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmBinaries:
    """What an arm runs on a workload.

    Attributes:
        binaries: By name.
        cargo_build: How cargo would start them, where the workload is that.
    """

    binaries: Mapping[str, Path]
    cargo_build: CargoBuild | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Arms:
    """All that takes turns.

    Attributes:
        variants: The binaries of each variant, the baseline first.
        held_out: For some workloads, the binaries of variants whose profiles left that workload out.
        programs: For each workload that is what cargo would run, what that is: by variant, and by held-out arm.
    """

    variants: Mapping[str, Mapping[str, Path]]
    held_out: Mapping[str, Mapping[str, Mapping[str, Path]]] = field(default_factory=dict)
    programs: Mapping[str, Mapping[str, ArmBinaries]] = field(default_factory=dict)

    @property
    def baseline(self) -> str:
        """The arm that all others are compared with."""
        return next(iter(self.variants))

    def copy(
        self, workloads: tuple[Invocation, ...], *, root: Path, directory: Path
    ) -> dict[str, dict[str, ArmBinaries]]:
        """Give every arm of each workload files of its own; the baseline's copy is a byte copy.

        Args:
            workloads: What is measured.
            root: The directory with our marker.
            directory: Where the files go, below it.

        Raises:
            StorageError: They cannot be written.
        """
        remove_below(root, directory)
        numbers = count()

        def copied(arm: ArmBinaries) -> ArmBinaries:
            place = directory / f"{next(numbers):03d}"
            for name, path in arm.binaries.items():
                atomic_copy(path, place / name)
            return ArmBinaries(binaries={name: place / name for name in arm.binaries}, cargo_build=arm.cargo_build)

        variants = {arm: ArmBinaries(binaries=binaries) for arm, binaries in self.variants.items()}
        shared = {arm: copied(binaries) for arm, binaries in {**variants, A_PRIME: variants[self.baseline]}.items()}
        copies = {}
        for workload in workloads:
            held_out = {arm: ArmBinaries(binaries=own) for arm, own in self.held_out.get(workload.name, {}).items()}
            own = held_out
            if programs := self.programs.get(workload.name):
                own = {arm: programs[arm] for arm in (*self.variants, *held_out)}
                own = {**own, A_PRIME: programs[self.baseline]}
            copies[workload.name] = {**shared, **{arm: copied(binaries) for arm, binaries in own.items()}}
        return copies
