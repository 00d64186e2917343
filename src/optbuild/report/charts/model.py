"""The data of the charts, not yet drawn. Changes are ratios, foreign text is one inert line."""

from __future__ import annotations

from dataclasses import dataclass

from optbuild.report.model import Tone


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRow:
    """One variant against the baseline.

    Attributes:
        note: Text that belongs to the label and is never cut.
        differences: The change of each round, in order; empty if the record holds no runs.
    """

    label: str
    note: str
    change: float
    low: float
    high: float
    tone: Tone
    differences: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeGroup:
    """The rows of one workload, or of all of them together."""

    title: str
    rows: tuple[ChangeRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SizePoint:
    """A variant's cost in bytes and gain in time; the baseline gains nothing."""

    label: str
    size_bytes: int
    change: float
    low: float
    high: float
    tone: Tone


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftLine:
    """A variant's time in each round against its own median, which shows changes of the machine."""

    label: str
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One action on the time axis."""

    kind: str
    started_s: float
    duration_s: float
    reused: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """The actions of one variant; concurrent ones are on separate rows."""

    label: str
    rows: tuple[tuple[Bar, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Charts:
    """All charts of one run; each is empty if the record holds nothing for it.

    Attributes:
        heading: What is compared with what.
        margin: Changes within it are irrelevant.
        changes: All workloads together first.
    """

    heading: str = ""
    margin: float = 0.0
    changes: tuple[ChangeGroup, ...] = ()
    sizes: tuple[SizePoint, ...] = ()
    drift: tuple[DriftLine, ...] = ()
    timeline: tuple[Lane, ...] = ()

    @property
    def has_differences(self) -> bool:
        """Whether the record has rounds to show."""
        return any(row.differences for group in self.changes for row in group.rows)

    def __bool__(self) -> bool:
        """Whether anything can be drawn."""
        return bool(self.changes or self.sizes or self.drift or self.timeline)
