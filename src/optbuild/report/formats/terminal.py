"""Plain text for a terminal of any width, with green and red for what is proven faster and slower."""

from __future__ import annotations

import io
from collections.abc import Sequence

from rich import box
from rich.cells import cell_len
from rich.console import Console, JustifyMethod
from rich.table import Table as RichTable
from rich.text import Text

from optbuild.report.display import inert_on_ci
from optbuild.report.model import Align, Report, Screen, Table, Tone

_STYLES = {Tone.PLAIN: "", Tone.FASTER: "green", Tone.SLOWER: "red"}
_GAP = 2
_LEAST_WIDTH = 20


def render_terminal(report: Report, screen: Screen) -> str:
    """Write the report for a screen. Foreign text is never taken for rich's markup: everything is a `Text`."""
    width = max(screen.width, _LEAST_WIDTH)
    stream = io.StringIO()
    console = Console(
        file=stream,
        width=width,
        color_system="standard" if screen.colour else None,
        force_terminal=screen.colour,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
        _environ={},  # the caller decides how its environment affects colours
    )
    for line in (report.title, *report.status):
        console.print(Text(line))
    for table in report.tables:
        _print_table(console, table, width)
    if report.footnotes:
        console.print()
    for note in report.footnotes:
        console.print(Text(note))
    return inert_on_ci("".join(f"{line.rstrip()}\n" for line in stream.getvalue().splitlines()))


def _print_table(console: Console, table: Table, width: int) -> None:
    kept = _fitting(table, width)
    console.print()
    if table.caption:
        console.print(Text(table.caption))
    drawn = RichTable(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, _GAP - 1, 0, 0))
    for index, column_width in zip(kept, _allot(table, kept, width), strict=True):
        column = table.columns[index]
        justify: JustifyMethod = "right" if column.align is Align.RIGHT else "left"
        drawn.add_column(Text(column.heading), justify=justify, overflow="fold", width=column_width, vertical="bottom")
    for row in table.rows:
        drawn.add_row(*(Text(row[index].text, style=_STYLES[row[index].tone]) for index in kept))
    console.print(drawn)
    left_out = [column.heading for index, column in enumerate(table.columns) if index not in kept]
    if left_out:
        console.print(Text(f"(not shown at this width: {', '.join(left_out)})"))


def _fitting(table: Table, width: int) -> Sequence[int]:
    """The columns that fit side by side if only headings wrap; the last optional one is dropped first."""
    kept = list(range(len(table.columns)))
    for index in reversed(kept.copy()):
        if sum(_narrowest(table, index) for index in kept) <= _room(width, kept):
            break
        if table.columns[index].optional:
            kept.remove(index)
    return kept


def _allot(table: Table, kept: Sequence[int], width: int) -> list[int]:
    """The width of each column: spare room goes to headings; without any, the widest column shrinks."""
    widths = [_narrowest(table, index) for index in kept]
    for position, index in enumerate(kept):
        spare = max(_room(width, kept) - sum(widths), 0)
        widths[position] += min(spare, max(cell_len(table.columns[index].heading) - widths[position], 0))
    while sum(widths) > max(_room(width, kept), len(kept)):
        widths[widths.index(max(widths))] -= 1
    return widths


def _room(width: int, kept: Sequence[int]) -> int:
    return width - _GAP * (len(kept) - 1)


def _narrowest(table: Table, index: int) -> int:
    """As wide as its cells and the longest word of its heading."""
    return max(map(cell_len, [*table.columns[index].heading.split(), *(row[index].text for row in table.rows), " "]))
