"""Warnings about a result: their kinds, the figures behind them, and their texts.

Pure data. A warning is attached to its comparison; a kind is also the code of its message in the record.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from optbuild.text import sanitize_line
from optbuild.units import format_duration, format_percent

_NO_VERDICT = "this workload gets no verdict, and neither does the whole suite"


class WarningKind(StrEnum):
    """What is wrong, or may be."""

    HARNESS_INVALID = "harness-invalid"
    HARNESS_DIFFERS = "harness-differs"
    NO_RATIO = "no-ratio"
    TREND = "trend"
    AUTOCORRELATION = "autocorrelation"
    FRAGILE = "fragile-verdict"
    MAJOR_FAULTS = "major-faults"
    TOO_SHORT = "run-too-short"
    FIXED_DURATION = "fixed-duration"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultWarning:
    """One warning.

    Attributes:
        candidate: The arm that it is about; None if it is about all arms.
        workload: The workload; None means over all workloads.
        figures: The figures behind it, by name: p-values, changes as ratios, times in seconds.
        words: Its texts, by name.
    """

    kind: WarningKind
    candidate: str | None = None
    workload: str | None = None
    figures: Mapping[str, float] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)

    @property
    def message(self) -> str:
        """The warning as a sentence."""
        return _MESSAGES[self.kind](self)


def _harness_invalid(warning: ResultWarning) -> str:
    change = format_percent(warning.figures["change"], digits=2)
    return (
        f"no verdict is given: an identical copy of the baseline measured {change}, with a 99.8% interval beyond "
        "the margin; chance alone causes that in fewer than 1 of 500 sessions"
    )


def _harness_differs(warning: ResultWarning) -> str:
    change = format_percent(warning.figures["change"], digits=2)
    return (
        f"an identical copy of the baseline measured {change}, with a 95% interval that excludes zero, as chance "
        f"alone causes in 1 of 20 sessions; the verdicts use a margin of {warning.figures['margin']:.2%}"
    )


def _no_ratio(warning: ResultWarning) -> str:
    return (
        f"{warning.candidate} cannot be compared on {warning.workload}: a value is missing or not above zero in some "
        "round; it gets no ratio there, and none over all workloads"
    )


def _trend(warning: ResultWarning) -> str:
    return (
        f"{warning.candidate}: the difference from {warning.words['baseline']} moves in one direction over the rounds "
        f"(Kendall's test, p = {warning.figures['p']:.2g}); the interval describes its middle, not its end"
    )


def _autocorrelation(warning: ResultWarning) -> str:
    return (
        f"{warning.candidate}: neighbouring rounds resemble each other (lag-1 rank autocorrelation, "
        f"p = {warning.figures['p']:.2g}); the interval may be too narrow"
    )


def _fragile(warning: ResultWarning) -> str:
    where = "over all workloads" if warning.workload is None else f"on {warning.workload}"
    return (
        f"{warning.candidate} {where}: the verdict {warning.words['verdict']} is fragile; an interval of the mean "
        "(Student's t or BCa) at the same level gives a different one"
    )


def _major_faults(warning: ResultWarning) -> str:
    return (
        f"{warning.candidate} on {warning.workload}: each run waits for the disk "
        f"({warning.figures['major_faults']:.3g} major page faults), which its wall time includes"
    )


def _too_short(warning: ResultWarning) -> str:
    took = format_duration(warning.figures["run_s"])
    return (
        f"{sanitize_line(warning.workload or '')}: a run takes {took}, which is mostly the start of a process; "
        f"{_NO_VERDICT}: give it work for 50 ms to 2 s"
    )


def _fixed_duration(warning: ResultWarning) -> str:
    asked = format_duration(warning.figures["asked_s"])
    return (
        f"{sanitize_line(warning.workload or '')}: its command asks for {asked}, so it takes the same time whatever "
        f"the program does; {_NO_VERDICT}: ask for a fixed number of requests, whose wall time is the measure"
    )


_MESSAGES: Mapping[WarningKind, Callable[[ResultWarning], str]] = {
    WarningKind.HARNESS_INVALID: _harness_invalid,
    WarningKind.HARNESS_DIFFERS: _harness_differs,
    WarningKind.NO_RATIO: _no_ratio,
    WarningKind.TREND: _trend,
    WarningKind.AUTOCORRELATION: _autocorrelation,
    WarningKind.FRAGILE: _fragile,
    WarningKind.MAJOR_FAULTS: _major_faults,
    WarningKind.TOO_SHORT: _too_short,
    WarningKind.FIXED_DURATION: _fixed_duration,
}
