"""Report the progress of a contest: events, no results."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from optbuild.events import ActionFailed, ActionFinished, ActionProgressed, ActionStarted, Emit
from optbuild.measure.arms import Arms
from optbuild.measure.families import families_of
from optbuild.measure.model import Series
from optbuild.units import format_duration, format_percent


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Reports one contest.

    Attributes:
        action: Its id, for machines.
        label: Its name for users.
    """

    emit: Emit
    action: str
    label: str

    def expect(self, rounds: int) -> None:
        """Announce the number of rounds."""
        self.emit(ActionStarted(action=self.action, label=self.label, unit="rounds", total=rounds))

    def took_round(self, done: int, total: int, detail: str) -> None:
        """Report a complete round, and how many there will be as things stand."""
        self.emit(ActionProgressed(action=self.action, done=done, total=total, detail=detail))

    def end(self, duration_s: float, rounds: int, *, stopped_by_time: bool) -> None:
        """Report the end."""
        outcome = f"{rounds} rounds" + (", stopped by the time budget" if stopped_by_time else "")
        self.emit(ActionFinished(action=self.action, label=self.label, duration_s=duration_s, outcome=outcome))

    def fail(self, duration_s: float) -> None:
        """Report that a run, and so the contest, failed."""
        self.emit(ActionFailed(action=self.action, label=self.label, duration_s=duration_s))


def describe_progress(
    series: Sequence[Series], arms: Arms, gone: Collection[str], *, confidence: float, left_s: float
) -> str:
    """The widest interval so far of those that have not left, and the time; no verdict, as that comes at the end."""
    from optbuild.measure.compare import interval_so_far

    found = (
        interval_so_far(family, baseline=arms.baseline, candidates=candidates, confidence=confidence)
        for family, candidates in families_of(series, arms, gone)
    )
    widest = max(filter(None, found), key=lambda item: item[2] - item[1], default=None)
    shown = ""
    if widest is not None:
        candidate, low, high = widest
        shown = f"{candidate} [{format_percent(low)}, {format_percent(high)}], "
    return f"{shown}{format_duration(max(left_s, 0.0))} left"


def describe_race(candidates: int, *, left_s: float) -> str:
    """What a race decides after the rounds that are shown, and the time that is left for all of it."""
    return f"then {candidates} candidates may leave, {format_duration(max(left_s, 0.0))} left at most"
