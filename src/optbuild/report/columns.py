"""Text in columns: widths of characters and padding of cells, for the formats that align their source."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

from optbuild.report.model import Align


def pad(text: str, width: int, align: Align) -> str:
    """Pad with spaces, counting the cells that a terminal uses for the text."""
    space = " " * max(width - cell_len(text), 0)
    return text + space if align is Align.LEFT else space + text


def column_widths(rows: Sequence[Sequence[str]]) -> list[int]:
    """The widest text of each column, in cells."""
    return [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
