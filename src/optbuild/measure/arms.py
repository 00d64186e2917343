"""Place each arm's binaries for measuring: separate files, at paths of equal length."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain, count
from pathlib import Path

from optbuild.files import remove_below
from optbuild.measure.layout_trials import LayoutTrial
from optbuild.measure.model import A_PRIME, Arm
from optbuild.workloads.cargo_build import CargoBuild
from optbuild.workloads.harness import counts_itself
from optbuild.workloads.invocation import Invocation
from optbuild.workloads.placing import even_name, place_together


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmBinaries:
    """What an arm runs on a workload.

    Attributes:
        binaries: By name.
        cargo_build: How cargo would start them, if cargo runs the workload.
    """

    binaries: Mapping[str, Path]
    cargo_build: CargoBuild | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Arms:
    """All arms that take turns.

    Attributes:
        variants: The binaries of each variant, the baseline first.
        held_out: For some workloads, the binaries of variants whose profiles left that workload out.
        programs: For each workload that cargo would run, its programs: by variant, and by held-out arm.
        controls: The binaries of arms that are compared only with those that they control.
        layouts: For each variant that BOLT has laid out, what it is compared with besides the baseline.
    """

    variants: Mapping[Arm, Mapping[str, Path]]
    held_out: Mapping[str, Mapping[Arm, Mapping[str, Path]]] = field(default_factory=dict)
    programs: Mapping[str, Mapping[Arm, ArmBinaries]] = field(default_factory=dict)
    controls: Mapping[Arm, Mapping[str, Path]] = field(default_factory=dict)
    layouts: Mapping[str, LayoutTrial] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """All arms except held-out ones, the baseline first."""
        return tuple(arm.name for arm in self.variants)

    @property
    def baseline(self) -> str:
        """The arm that all others are compared with."""
        return self.names[0]

    @property
    def candidates(self) -> tuple[str, ...]:
        """The arms that are compared with it."""
        return self.names[1:]

    @property
    def cross_validated(self) -> tuple[str, ...]:
        """The variants that also exist with workloads left out."""
        built = {arm.name for arms in self.held_out.values() for arm in arms}
        return tuple(arm.name for arm in self.variants if replace(arm, is_held_out=True).name in built)

    def counts_itself(self, workload: str) -> bool:
        """Whether a bench of a workload counts its own instructions."""
        builds = (arm.cargo_build for arm in self.programs.get(workload, {}).values())
        programs = (program for build in builds if build is not None for program in build.programs)
        return any(counts_itself(program.harness, program.arguments) for program in programs)

    def _every(self) -> Iterator[Mapping[str, Path]]:
        """All arms with binaries."""
        yield from self.variants.values()
        yield from self.controls.values()
        yield from chain.from_iterable(arms.values() for arms in self.held_out.values())
        yield from (arm.binaries for arms in self.programs.values() for arm in arms.values())

    def copy(
        self, workloads: tuple[Invocation, ...], *, root: Path, directory: Path
    ) -> dict[str, dict[str, ArmBinaries]]:
        """Give every arm of each workload separate files; the baseline's copy is a byte copy.

        Args:
            workloads: The measured workloads.
            root: The directory with our marker.
            directory: Where the files go, below it.

        Raises:
            StorageError: They cannot be written.
        """
        remove_below(root, directory)
        numbers, every = count(), tuple(self._every())

        def copied(arm: ArmBinaries) -> ArmBinaries:
            name = even_name(f"{next(numbers):03d}", arm.binaries, every)
            placed = place_together(arm.binaries, directory / name, root=root)
            return ArmBinaries(binaries=placed, cargo_build=arm.cargo_build)

        taking_turns = {**self.variants, **self.controls}
        variants = {arm.name: ArmBinaries(binaries=binaries) for arm, binaries in taking_turns.items()}
        shared = {arm: copied(binaries) for arm, binaries in {**variants, A_PRIME: variants[self.baseline]}.items()}
        copies = {}
        for workload in workloads:
            given = self.held_out.get(workload.name, {})
            own = {arm.name: ArmBinaries(binaries=binaries) for arm, binaries in given.items()}
            if programs := {arm.name: program for arm, program in self.programs.get(workload.name, {}).items()}:
                own = {arm: programs[arm] for arm in (*self.names, *own)}
                own = {**own, A_PRIME: programs[self.baseline]}
            copies[workload.name] = {**shared, **{arm: copied(binaries) for arm, binaries in own.items()}}
        return copies
