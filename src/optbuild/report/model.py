"""A report as data: words and numbers as people read them, not yet escaped for any format.

Foreign text (names, reasons, messages) has been made one inert line already; each format still escapes it for itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum


class Align(Enum):
    """Where the text of a column stands."""

    LEFT = "left"
    RIGHT = "right"


class Tone(StrEnum):
    """What a cell means beyond its words; formats with colours show it."""

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
"""The cell of a value that there is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column.

    Attributes:
        heading: May hold foreign names.
        optional: A narrow screen may leave it out; the last such column goes first.
    """

    heading: str
    align: Align = Align.LEFT
    optional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of as many cells as there are columns. The caption is empty where none is needed."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildStep:
    """One command that a variant was made with."""

    variant: str
    kind: str
    command: str
    duration: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One run for people.

    Attributes:
        title: What was compared.
        status: Sentences to read before the tables: what went wrong, and what mends it. Empty for a complete run.
        tables: The comparison first.
        footnotes: What the numbers mean and rest on, in falling importance.
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
