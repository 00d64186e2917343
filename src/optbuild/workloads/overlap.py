"""What benchmarks share with training: measuring on what was learnt by heart says little about other inputs."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from optbuild.profile.workloads import Use
from optbuild.workloads.inputs import InputHashes
from optbuild.workloads.invocation import Invocation


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """What one benchmark workload shares with training.

    Attributes:
        workload: The benchmark's name.
        shared_with: Names of the training workloads that are the same, or whose input it reads as well.
        unknown_with: Names of those for which that is unknown.
    """

    workload: str
    shared_with: tuple[str, ...]
    unknown_with: tuple[str, ...]

    @property
    def in_sample(self) -> bool | None:
        """Whether it measures what was trained on; None if unknown."""
        return True if self.shared_with else None if self.unknown_with else False


def find_overlaps(workloads: Collection[Invocation], hashes: InputHashes) -> tuple[Overlap, ...]:
    """What each benchmark workload shares with the training workloads, as far as is known now."""
    return tuple(
        find_overlap(workload, [item for item in workloads if Use.TRAIN in item.use], hashes)
        for workload in workloads
        if Use.BENCH in workload.use
    )


def find_overlap(benchmark: Invocation, trainings: Collection[Invocation], hashes: InputHashes) -> Overlap:
    """What a benchmark workload shares with these training workloads."""
    found = {training.name: hashes.are_shared(training, benchmark) for training in trainings}
    return Overlap(
        workload=benchmark.name,
        shared_with=tuple(name for name, shared in found.items() if shared),
        unknown_with=tuple(name for name, shared in found.items() if shared is None),
    )


def is_any_in_sample(overlaps: Collection[Overlap]) -> bool | None:
    """Whether anything is measured that was trained on; None if unknown."""
    found = {overlap.in_sample for overlap in overlaps}
    return True if True in found else None if None in found else False
