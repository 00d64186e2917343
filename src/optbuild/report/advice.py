"""What `optbuild advise` says, as a report."""

from __future__ import annotations

from collections.abc import Iterator

from optbuild.observe.shares import Part
from optbuild.record.advice import AdviceDocument, AdviceOnWorkload
from optbuild.report.display import sentence
from optbuild.report.model import NOTHING, Align, Cell, Column, Report, Table, Tone
from optbuild.text import sanitize_line
from optbuild.units import format_duration, format_share

_PARTS = {
    Part.OWN: "own Rust code",
    Part.RUST: "other Rust code",
    Part.C: "C",
    Part.ALLOCATOR: "allocator",
    Part.KERNEL: "kernel",
}


def assemble_advice(document: AdviceDocument) -> Report:
    """Write where the time goes, what can pay, and below it each finding with what to do."""
    tables = [_parts_table(document.workloads)] if any(each.parts for each in document.workloads) else []
    tables += [_prospects_table(each) for each in document.workloads if each.prospects]
    summaries = [f"{sanitize_line(each.workload)}: {each.summary}." for each in document.workloads if each.summary]
    notes = [line for each in document.workloads for line in _describe(each)]
    notes.append(
        "At most: the time that is saved if that part took none at all (Amdahl). Only a measurement shows "
        "the real gain: optbuild run."
    )
    title = sanitize_line(f"Where the time of {document.variant} goes, and what can pay")
    return Report(title=title, status=tuple(map(sentence, summaries)), tables=tuple(tables), footnotes=tuple(notes))


def _parts_table(workloads: tuple[AdviceOnWorkload, ...]) -> Table:
    columns = (
        Column(heading="workload"),
        Column(heading="a run", align=Align.RIGHT),
        *(Column(heading=name, align=Align.RIGHT) for name in _PARTS.values()),
        Column(heading="waiting", align=Align.RIGHT),
        Column(heading="blocks a run", align=Align.RIGHT, optional=True),
    )
    rows = tuple(
        (
            Cell(text=sanitize_line(each.workload), foreign=True),
            NOTHING if each.wall_s is None else Cell(text=format_duration(each.wall_s)),
            *(Cell(text=format_share(each.parts[part])) for part in _PARTS),
            Cell(text="unknown" if each.waiting_ratio is None else format_share(each.waiting_ratio)),
            NOTHING if each.allocated_blocks is None else Cell(text=f"{each.allocated_blocks:,}"),
        )
        for each in workloads
        if each.parts
    )
    return Table(caption="Shares of the CPU time; waiting is of the elapsed time", columns=columns, rows=rows)


def _prospects_table(found: AdviceOnWorkload) -> Table:
    columns = (
        Column(heading="can it pay?"),
        Column(heading="answer"),
        Column(heading="at most", align=Align.RIGHT),
        Column(heading="because"),
    )
    rows = tuple(
        (
            Cell(text=each.remedy.upper() if len(each.remedy) <= len("bolt") else f"another {each.remedy}"),
            Cell(text="maybe" if each.can_pay else "no", tone=Tone.FASTER if each.can_pay else Tone.PLAIN),
            Cell(text=f"−{format_share(each.at_most)}") if each.can_pay else NOTHING,
            Cell(text=each.reason),
        )
        for each in found.prospects
    )
    return Table(caption=sanitize_line(found.workload), columns=columns, rows=rows)


def _describe(found: AdviceOnWorkload) -> Iterator[str]:
    name = sanitize_line(found.workload)
    for finding in found.findings:
        bound = "" if finding.at_most is None else f" At most −{format_share(finding.at_most)}."
        yield sentence(f"{name}: {finding.figure}.{bound} To do: {finding.todo}.")
    for note in found.notes:
        yield sentence(f"{name}: {note}.")
