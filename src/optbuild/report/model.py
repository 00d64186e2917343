"""A report as data: readable words and numbers, not yet escaped for any format.

Foreign text (names, reasons, messages) has been made one inert line already; each format still escapes it for itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum


class Align(Enum):
    """The alignment of a column."""

    LEFT = "left"
    RIGHT = "right"


class Tone(StrEnum):
    """The meaning of a cell beyond its text; formats with colours show it."""

    PLAIN = "plain"
    FASTER = "faster"
    SLOWER = "slower"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One cell. `foreign` text was chosen by someone else and may hold a format's own markup."""

    text: str
    tone: Tone = Tone.PLAIN
    foreign: bool = False


NOTHING = Cell(text="–")
"""The cell of a missing value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column.

    Attributes:
        heading: May contain foreign names.
        optional: A narrow screen may omit it; the last such column is dropped first.
        prose: Sentences, which a page breaks into lines.
    """

    heading: str
    align: Align = Align.LEFT
    optional: bool = False
    prose: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows with one cell per column. The caption is empty if none is needed."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildStep:
    """One command that made a variant."""

    variant: str
    kind: str
    command: str
    duration: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One run for readers.

    Attributes:
        title: What was compared.
        status: Sentences to read before the tables: what went wrong, and the remedy. Empty for a complete run.
        tables: The comparison first.
        footnotes: The meaning and the basis of the numbers, most important first.
        steps: How the variants were made.
    """

    title: str
    status: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    footnotes: tuple[str, ...] = ()
    steps: tuple[BuildStep, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """What a terminal can show; other formats ignore it."""

    width: int = 100
    colour: bool = False
