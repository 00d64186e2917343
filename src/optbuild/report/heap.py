"""What `optbuild heap` found, as a report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum

from optbuild.observe.sites import Amounts, SiteDifference, SiteFrame, total_of
from optbuild.record.heap import HeapDocument, HeapOfWorkload, HeapTool
from optbuild.report.model import NOTHING, Align, Cell, Column, Report, Table, Tone
from optbuild.text import sanitize_line
from optbuild.units import format_bytes, format_percent, format_share


class SortKey(StrEnum):
    """What the largest sites have most of."""

    BYTES = "bytes"
    BLOCKS = "blocks"
    SHORT_LIVED = "short-lived"
    PEAK = "peak"


_KEYS: Mapping[SortKey, Callable[[Amounts], int]] = {
    SortKey.BYTES: lambda amounts: amounts.bytes,
    SortKey.BLOCKS: lambda amounts: amounts.blocks,
    SortKey.SHORT_LIVED: lambda amounts: amounts.short_lived_blocks or 0,
    SortKey.PEAK: lambda amounts: amounts.peak_bytes,
}
_Place = tuple[str, str | None, SiteFrame | None]


def assemble_heap(document: HeapDocument, *, sort: SortKey = SortKey.BYTES, top: int = 20) -> Report:
    """Write the largest sites of each workload as a table, or the largest differences.

    Args:
        document: What was found.
        sort: What the largest sites have most of.
        top: How many rows a table has at most.
    """
    tables = tuple(
        _sites(found, sort, top) if found.base_total is None else _differences(found, sort, top)
        for found in document.workloads
    )
    return Report(title=_title(document), tables=tables, footnotes=tuple(_footnotes(document, top)))


def _title(document: HeapDocument) -> str:
    subject = document.variant or (document.files[0] if document.files else "")
    base = document.base or (document.files[1] if len(document.files) > 1 else None)
    against = "" if base is None else f" against {base}"
    return sanitize_line(f"Allocations of {subject}{against}")


def _sites(found: HeapOfWorkload, sort: SortKey, top: int) -> Table:
    merged: dict[_Place, list[Amounts]] = {}
    for site in found.sites:
        merged.setdefault((site.function, site.location, site.caller), []).append(site)
    summed = {place: total_of(amounts) for place, amounts in merged.items()}
    largest = sorted(summed.items(), key=lambda item: -_KEYS[sort](item[1]))[:top]
    columns = (
        Column(heading="bytes", align=Align.RIGHT),
        Column(heading="share", align=Align.RIGHT, optional=True),
        Column(heading="blocks", align=Align.RIGHT),
        Column(heading="short-lived", align=Align.RIGHT),
        Column(heading="at peak", align=Align.RIGHT),
        Column(heading="allocated by"),
    )
    rows = tuple(
        (
            Cell(text=format_bytes(amounts.bytes)),
            _share(amounts.bytes, found.total.bytes),
            Cell(text=f"{amounts.blocks:,}"),
            _count(amounts.short_lived_blocks),
            Cell(text=format_bytes(amounts.peak_bytes)),
            Cell(text=_place(place), foreign=True),
        )
        for place, amounts in largest
    )
    return Table(caption=_caption(found), columns=columns, rows=rows)


def _differences(found: HeapOfWorkload, sort: SortKey, top: int) -> Table:
    key = _KEYS[sort]
    changed = [each for each in found.differences if _more(each, key) or each.more_bytes or each.more_blocks]
    largest = sorted(changed, key=lambda each: -abs(_more(each, key)))[:top]
    columns = (
        Column(heading="bytes before", align=Align.RIGHT),
        Column(heading="now", align=Align.RIGHT),
        Column(heading="blocks before", align=Align.RIGHT),
        Column(heading="now", align=Align.RIGHT),
        Column(heading="at peak before", align=Align.RIGHT, optional=True),
        Column(heading="now", align=Align.RIGHT, optional=True),
        Column(heading="allocated by"),
    )
    rows = [_compared("(total)", found.base_total, found.total)]
    rows += [
        _compared(_place((each.function, each.location, each.caller)), each.base, each.variant) for each in largest
    ]
    if not changed:
        rows = rows[:1]
    return Table(caption=_caption(found), columns=columns, rows=tuple(rows))


def _compared(name: str, base: Amounts | None, variant: Amounts | None) -> tuple[Cell, ...]:
    cells: list[Cell] = []
    for read, write in (
        (_KEYS[SortKey.BYTES], format_bytes),
        (_KEYS[SortKey.BLOCKS], "{:,}".format),
        (_KEYS[SortKey.PEAK], format_bytes),
    ):
        before = None if base is None else read(base)
        now = None if variant is None else read(variant)
        tone = Tone.PLAIN if before == now else Tone.FASTER if (now or 0) < (before or 0) else Tone.SLOWER
        cells.append(NOTHING if before is None else Cell(text=write(before)))
        cells.append(NOTHING if now is None else Cell(text=write(now), tone=tone))
    return (*cells, Cell(text=name, foreign=True))


def _more(difference: SiteDifference, key: Callable[[Amounts], int]) -> int:
    return key(difference.variant or Amounts()) - key(difference.base or Amounts())


def _caption(found: HeapOfWorkload) -> str:
    total, base = found.total, found.base_total
    what = "" if found.workload is None else f"{sanitize_line(found.workload)}: "
    short = "" if total.short_lived_blocks is None else f", {_share_of_blocks(total)} of them short-lived"
    if base is not None:
        change = format_percent(total.blocks / base.blocks - 1) if base.blocks else "from none"
        return f"{what}{total.blocks:,} blocks, {change} against {base.blocks:,}"
    peak = f"at most {format_bytes(total.peak_bytes)} at once"
    return f"{what}{format_bytes(total.bytes)} in {total.blocks:,} blocks{short}; {peak}"


def _share_of_blocks(total: Amounts) -> str:
    return format_share((total.short_lived_blocks or 0) / total.blocks) if total.blocks else "none"


def _share(part: int, whole: int) -> Cell:
    return Cell(text=format_share(part / whole)) if whole else NOTHING


def _count(number: int | None) -> Cell:
    return NOTHING if number is None else Cell(text=f"{number:,}")


def _place(place: _Place) -> str:
    function, location, caller = place
    text = function if location is None else f"{function} ({location})"
    if caller is not None:
        text += f" called by {caller.function}" + ("" if caller.location is None else f" ({caller.location})")
    return sanitize_line(text)


def _footnotes(document: HeapDocument, top: int) -> Iterable[str]:
    if document.short_lived is not None:
        yield f"A block is short-lived if the blocks of its site live {document.short_lived} at most, on average."
    if document.tool is HeapTool.HEAPTRACK:
        yield "A short-lived block was freed before the program allocated another one."
    yield "At peak: when the program had most bytes. What the standard library allocates is shown at its caller."
    places = max(
        (len({(site.function, site.location, site.caller) for site in found.sites}) for found in document.workloads),
        default=0,
    )
    if places > top:
        yield f"The {top} largest of {places:,} sites are shown: --top N shows more, --json all."
    if document.allocator is not None:
        yield (
            f"{document.allocator} is linked into the program, and its allocations cannot be seen: these figures are "
            "of the others."
        )
