"""What earlier runs of a project took, and in which way its variants came about. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self

from optbuild.record.model import RunRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The newest of what earlier runs have found out.

    Attributes:
        durations_s: How long each action took, by its id, where it was really carried out.
        peaks_bytes: How much memory each action needed that was really carried out, by its id.
        attempts: The attempt that each variant with PGO came about by.
        overlap: What of the time of all actions but measuring the run took: 1 where one followed the other.
        disk_bytes: What lay on disk at the end of a run.
    """

    durations_s: Mapping[str, float] = field(default_factory=dict)
    peaks_bytes: Mapping[str, int] = field(default_factory=dict)
    attempts: Mapping[str, str] = field(default_factory=dict)
    overlap: float = 1.0
    disk_bytes: int | None = None

    @classmethod
    def of(cls, newest_first: Iterable[RunRecord]) -> Self:
        """What some records say, the newest of them first."""
        durations_s: dict[str, float] = {}
        peaks_bytes: dict[str, int] = {}
        attempts: dict[str, str] = {}
        records = tuple(newest_first)
        for record in records:
            steps = (step for build in record.builds for step in build.steps)
            for step in (*steps, *record.checks):
                if not step.reused:
                    durations_s.setdefault(step.action, step.duration_s)
                    if step.peak_rss_bytes is not None:
                        peaks_bytes.setdefault(step.action, step.peak_rss_bytes)
            for name, pgo in (item for variant in record.variants for item in variant.evidence.items()):
                if pgo.attempt is not None:
                    attempts.setdefault(name, pgo.attempt)
        return cls(
            durations_s=durations_s,
            peaks_bytes=peaks_bytes,
            attempts=attempts,
            overlap=next((overlap for record in records if (overlap := _overlap(record)) is not None), 1.0),
            disk_bytes=next((record.disk_bytes for record in records if record.disk_bytes is not None), None),
        )

    def duration_s(self, action: str) -> float | None:
        """How long an action took when it was last carried out."""
        return self.durations_s.get(action)


def _overlap(record: RunRecord) -> float | None:
    """How far the steps of a run overlapped; None where most was there already, which says nothing of the next."""
    steps = {step.action: step for build in record.builds for step in build.steps}
    steps |= {step.action: step for step in record.checks if step.kind != "measure"}
    summed_s = sum(step.duration_s for step in steps.values())
    anew_s = sum(step.duration_s for step in steps.values() if not step.reused)
    if record.build_wall_s is None or anew_s < summed_s / 2 or not summed_s:
        return None
    return min(1.0, record.build_wall_s / summed_s)
