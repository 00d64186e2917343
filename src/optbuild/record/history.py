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
    """

    durations_s: Mapping[str, float] = field(default_factory=dict)
    peaks_bytes: Mapping[str, int] = field(default_factory=dict)
    attempts: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, newest_first: Iterable[RunRecord]) -> Self:
        """What some records say, the newest of them first."""
        durations_s: dict[str, float] = {}
        peaks_bytes: dict[str, int] = {}
        attempts: dict[str, str] = {}
        for record in newest_first:
            steps = (step for build in record.builds for step in build.steps)
            for step in (*steps, *record.checks):
                if not step.reused:
                    durations_s.setdefault(step.action, step.duration_s)
                    if step.peak_rss_bytes is not None:
                        peaks_bytes.setdefault(step.action, step.peak_rss_bytes)
            for name, pgo in (item for variant in record.variants for item in variant.evidence.items()):
                if pgo.attempt is not None:
                    attempts.setdefault(name, pgo.attempt)
        return cls(durations_s=durations_s, peaks_bytes=peaks_bytes, attempts=attempts)

    def duration_s(self, action: str) -> float | None:
        """How long an action took when it was last carried out."""
        return self.durations_s.get(action)
