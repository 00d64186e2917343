"""What benchmarks have in common with training: measuring on what was learnt by heart says little of other inputs."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from optbuild.profile.model import Use
from optbuild.workloads.inputs import InputHashes
from optbuild.workloads.invocation import Invocation


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """What one benchmark workload has in common with training.

    Attributes:
        workload: The benchmark's name.
        shared_with: Names of the training workloads that it is itself, or whose input it reads as well.
        unknown_with: Names of those of which that cannot be told.
    """

    workload: str
    shared_with: tuple[str, ...]
    unknown_with: tuple[str, ...]

    @property
    def in_sample(self) -> bool | None:
        """Whether it measures what was trained on; None where that cannot be told."""
        return True if self.shared_with else None if self.unknown_with else False


def find_overlaps(workloads: Collection[Invocation], hashes: InputHashes) -> tuple[Overlap, ...]:
    """For each benchmark workload what it shares with the training workloads, as far as is known now."""
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
    """Whether anything is measured that was trained on; None where that cannot be told."""
    found = {overlap.in_sample for overlap in overlaps}
    return True if True in found else None if None in found else False
