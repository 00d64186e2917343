"""The functions that took most, as a table, and what was recorded, in words."""

from __future__ import annotations

from optbuild.observe.call_tree import Change, FunctionRow, Weight, make_table, make_tree
from optbuild.observe.profiles import Profiled
from optbuild.observe.samples import Unit
from optbuild.report.model import Align, Cell, Column, Report, Table, Tone
from optbuild.text import sanitize_line
from optbuild.units import format_duration, format_percent, format_share

_ROWS = 25
_NOTICED_WAITING = 0.1
_TONES = {Change.CHEAPER: Tone.FASTER, Change.DEARER: Tone.SLOWER, Change.NOISE: Tone.PLAIN, None: Tone.PLAIN}
WITHIN_NOISE = "~"


def make_report(profiled: Profiled) -> Report:
    """What a terminal shows."""
    return Report(
        title=make_title(profiled),
        status=(),
        tables=(make_function_table(profiled),),
        footnotes=(*describe(profiled), *explain(profiled)),
        steps=(),
    )


def make_title(profiled: Profiled) -> str:
    """What it is about, in one line."""
    against = "" if profiled.base is None else f", compared with {profiled.base}"
    return f"Where time goes in {sanitize_line(profiled.project)}: {profiled.variant}{against}"


def make_function_table(profiled: Profiled) -> Table:
    """The functions that took most themselves, with shares of the whole; of a difference also what changed."""
    whole, unit = make_tree(profiled).inclusive, unit_of(profiled)
    rows = [row for row in make_table(profiled) if row.itself.variant or row.itself.base][:_ROWS]
    columns = [
        Column(heading="itself", align=Align.RIGHT),
        Column(heading="with calls", align=Align.RIGHT),
        Column(heading="in a run", align=Align.RIGHT, optional=True),
    ]
    if profiled.base is not None:
        columns += [
            Column(heading=f"in {profiled.base}", align=Align.RIGHT, optional=True),
            Column(heading="change itself", align=Align.RIGHT),
            Column(heading="change with calls", align=Align.RIGHT),
        ]
    columns.append(Column(heading="function"))
    return Table(caption="", columns=tuple(columns), rows=tuple(tuple(_cells(row, whole, unit)) for row in rows))


def _cells(row: FunctionRow, whole: Weight, unit: Unit) -> list[Cell]:
    cells = [
        Cell(text=_share(row.itself.variant, whole.variant)),
        Cell(text=_share(row.inclusive.variant, whole.variant)),
        Cell(text=format_weight(row.itself.variant, unit)),
    ]
    if row.itself.base is not None and whole.base is not None:
        cells.append(Cell(text=format_weight(row.itself.base, unit)))
        cells += [_change(each, whole.base) for each in (row.itself, row.inclusive)]
    cells.append(Cell(text=sanitize_line(row.function), foreign=True))
    return cells


def _change(weight: Weight, whole: float) -> Cell:
    """A change as a share of what the other variant takes as a whole, so that all of them add up."""
    if weight.change is Change.NOISE or weight.base is None or not whole:
        return Cell(text=WITHIN_NOISE)
    return Cell(text=format_percent((weight.variant - weight.base) / whole), tone=_TONES[weight.change])


def _share(weight: float, whole: float) -> str:
    return format_share(weight / whole if whole else 0.0)


def unit_of(profiled: Profiled) -> Unit:
    """What weights count."""
    return next(iter(profiled.workloads[0].arms.values())).recordings[0].unit


def format_weight(weight: float, unit: Unit) -> str:
    """A weight for people."""
    # Samples of cycles are scaled to the CPU time of a run as well.
    return format_duration(weight) if unit.is_time else f"{weight:,.0f}"


def describe(profiled: Profiled) -> tuple[str, ...]:
    """What was recorded, in lines for people."""
    lines = []
    for each in profiled.workloads:
        for arm, profile in each.arms.items():
            counted = "every instruction counted" if profile.count is None else f"{profile.count:,} samples"
            waits = 1 - profile.cpu_s / profile.wall_s if profile.wall_s else 0.0
            waiting = f"; for {waits:.0%} of its time it waits, or the CPU is busy" if waits > _NOTICED_WAITING else ""
            lines.append(
                f"{sanitize_line(each.workload)}, {arm}: {counted}; a run takes {format_duration(profile.wall_s)} "
                f"and {format_duration(profile.cpu_s)} of CPU time{waiting}"
            )
    return (*lines, *map(sanitize_line, profiled.notes))


def explain(profiled: Profiled) -> tuple[str, ...]:
    """How the numbers are read."""
    if profiled.base is None:
        return ("Functions that were inlined have rows of their own.",)
    whole = make_tree(profiled).inclusive
    meaning = f"A change is a share of all that {profiled.base} takes; {WITHIN_NOISE} is within the noise."
    total = () if whole.base is None else (f"All together: {_change(whole, whole.base).text}.",)
    return (meaning, *total)
