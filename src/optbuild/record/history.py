"""How long earlier runs of a project took, and how its variants were trained. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self

from optbuild.record.model import RunRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The newest findings of earlier runs.

    Attributes:
        durations_s: How long each action took, by its id, if it really ran.
        peaks_bytes: How much memory each action needed, by its id, if it really ran.
        attempts: The accepted attempt of each PGO variant.
        overlap: The run's duration without measuring, as a share of the total of its actions: 1 if they ran one after
            another.
        disk_bytes: The disk space used at the end of a run.
    """

    durations_s: Mapping[str, float] = field(default_factory=dict)
    peaks_bytes: Mapping[str, int] = field(default_factory=dict)
    attempts: Mapping[str, str] = field(default_factory=dict)
    overlap: float = 1.0
    disk_bytes: int | None = None

    @classmethod
    def of(cls, newest_first: Iterable[RunRecord]) -> Self:
        """Combine some records, the newest first."""
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
        """How long an action took when it last ran."""
        return self.durations_s.get(action)


def _overlap(record: RunRecord) -> float | None:
    """How far the steps of a run overlapped; None if most steps were reused, which says nothing about the next run."""
    steps = {step.action: step for build in record.builds for step in build.steps}
    steps |= {step.action: step for step in record.checks if step.kind != "measure"}
    summed_s = sum(step.duration_s for step in steps.values())
    anew_s = sum(step.duration_s for step in steps.values() if not step.reused)
    if record.build_wall_s is None or anew_s < summed_s / 2 or not summed_s:
        return None
    return min(1.0, record.build_wall_s / summed_s)
