"""What a report says of BOLT: whether it is kept, what it changed, and how much of that the relocations alone give."""

from __future__ import annotations

from collections.abc import Iterator

from optbuild.measure.model import Comparison
from optbuild.record.evidence import BoltRecord
from optbuild.record.model import RunRecord
from optbuild.record.variants import VariantRecord
from optbuild.report.display import change_cell, interval_cell, sentence, verdict_cell
from optbuild.report.model import Align, Cell, Column, Table
from optbuild.text import sanitize_line
from optbuild.units import format_percent


def describe_bolt(record: RunRecord) -> Iterator[str]:
    """A sentence for each variant that was to be laid out by BOLT."""
    for variant in record.variants:
        if variant.bolt is not None:
            yield _describe(variant, variant.bolt)


def bolt_tables(variant: VariantRecord) -> Iterator[Table]:
    """What was measured of a variant's layout."""
    if variant.bolt is None or not variant.bolt.comparisons:
        return
    without = sanitize_line(variant.bolt.without or "without BOLT")
    columns = (
        Column(heading="arm"),
        Column(heading="workload"),
        Column(heading=f"change vs {without}", align=Align.RIGHT),
        Column(heading="CI"),
        Column(heading="verdict"),
    )
    rows = tuple(
        (
            Cell(text=sanitize_line(item.candidate), foreign=True),
            Cell(text="all" if item.workload is None else sanitize_line(item.workload), foreign=True),
            change_cell(item),
            interval_cell(item),
            verdict_cell(item),
        )
        for item in variant.bolt.comparisons
    )
    yield Table(caption=f"{sanitize_line(variant.name)}: BOLT and its relocations alone", columns=columns, rows=rows)


def _describe(variant: VariantRecord, bolt: BoltRecord) -> str:
    name = sanitize_line(variant.name)
    reason = f": {sentence(bolt.reason).rstrip('.')}" if bolt.reason else ""
    state = f"BOLT of {name}: kept{reason}" if bolt.kept else f"{name} is shipped without BOLT{reason}"
    alone = next(filter(None, (_relocations_only(item, variant) for item in bolt.comparisons)), None)
    facts = [f"relocations alone {format_percent(alone)}"] if alone is not None else []
    if bolt.functions is not None:
        facts.append(f"{bolt.functions_with_counts:,} of {bolt.functions:,} functions with counts")
    if bolt.taken_branches_change is not None:
        facts.append(f"taken branches {format_percent(bolt.taken_branches_change)}")
    if bolt.instructions_change is not None:
        facts.append(f"instructions {format_percent(bolt.instructions_change)} by the counts of training")
    return f"{'; '.join(filter(None, (state, ', '.join(facts))))}."


def _relocations_only(item: Comparison, variant: VariantRecord) -> float | None:
    return item.change if item.workload is None and item.candidate != variant.name else None
