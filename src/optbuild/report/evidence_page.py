"""A separate page for the evidence that PGO took effect: its checks, its training, and the location of the counts.

Not for whether it made anything faster: the main report shows that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from optbuild.record.evidence import EvidenceCheckRecord, PgoRecord
from optbuild.record.model import RunRecord
from optbuild.record.variants import VariantRecord
from optbuild.report.bolt import bolt_tables, describe_bolt
from optbuild.report.display import sentence, unsigned_percent
from optbuild.report.footnotes import describe_measured_programs, provenance
from optbuild.report.model import NOTHING, Align, Cell, Column, Report, Table, Tone
from optbuild.text import sanitize_line
from optbuild.units import format_duration

_PASSED = {True: "yes", False: "no", None: "unknown"}
_NO_CRATE = "(none: main, C)"


def assemble_evidence(record: RunRecord) -> Report:
    """Turn a record's evidence of PGO into tables, a set for each PGO variant."""
    variants = tuple(variant for variant in record.builds if variant.pgo is not None or variant.quarantined)
    package = f"{sanitize_line(record.project.package)}: " if record.project else ""
    return Report(
        title=f"{package}evidence of PGO",
        status=tuple(_status(variants)),
        tables=tuple(table for variant in record.builds for table in (*_tables(variant), *bolt_tables(variant))),
        footnotes=(
            *(note for variant in variants for note in _notes(variant)),
            *describe_bolt(record),
            *provenance(record),
        ),
    )


def _status(variants: tuple[VariantRecord, ...]) -> Iterator[str]:
    if not variants:
        yield "No variant of this run reached PGO training."
    for variant in variants:
        if not variant.evidence or not all(pgo.applied for pgo in variant.evidence.values()):
            reason = f": {sentence(variant.reason)}" if variant.reason else "."
            yield f"Not shown to have been applied in {sanitize_line(variant.name)}{reason}"


def _tables(variant: VariantRecord) -> Iterator[Table]:
    for name, pgo in variant.evidence.items():
        shown = sanitize_line(name)
        if pgo.checks:
            yield _check_table(f"{shown}: checks of the profile", pgo.checks)
        if pgo.trainings:
            yield _training_table(f"{shown}: training", pgo)
        if pgo.crates:
            yield _crate_table(f"{shown}: counts by crate", pgo)


def _check_table(caption: str, checks: Iterable[EvidenceCheckRecord]) -> Table:
    columns = (
        Column(heading="check"),
        Column(heading="passed"),
        Column(heading="found", align=Align.RIGHT),
        Column(heading="demanded", align=Align.RIGHT),
        Column(heading="key under [evidence]", optional=True),
    )
    rows = (
        (
            Cell(text=sanitize_line(check.name)),
            Cell(text=_PASSED[check.passed], tone=Tone.SLOWER if check.passed is False else Tone.PLAIN),
            _number_cell(check.value, check.unit),
            _number_cell(check.limit, check.unit, prefix=_direction(check.key)),
            NOTHING if check.key is None else Cell(text=sanitize_line(check.key)),
        )
        for check in checks
    )
    return Table(caption=caption, columns=columns, rows=tuple(rows))


def _direction(key: str | None) -> str:
    return "≥ " if (key or "").startswith("min-") else "≤ "


def _number_cell(value: float | None, unit: str | None, *, prefix: str = "") -> Cell:
    if value is None:
        return NOTHING
    return Cell(text=prefix + (unsigned_percent(value) if unit == "ratio" else f"{value:,.0f}"))


def _training_table(caption: str, pgo: PgoRecord) -> Table:
    columns = (
        Column(heading="workload"),
        Column(heading="share", align=Align.RIGHT),
        Column(heading="functions that ran", align=Align.RIGHT),
        Column(heading="counts", align=Align.RIGHT),
        Column(heading="raw profiles", align=Align.RIGHT),
        Column(heading="left out", align=Align.RIGHT, optional=True),
        Column(heading="time", align=Align.RIGHT, optional=True),
    )
    whole = sum(training.weight for training in pgo.trainings)
    rows = (
        (
            Cell(text=sanitize_line(training.workload), foreign=True),
            Cell(text=unsigned_percent(training.weight / whole)),
            Cell(text=f"{training.functions_with_counts:,}"),
            Cell(text=f"{training.total_count:,}"),
            Cell(text=f"{training.raw_profiles:,}" + " (pool)" * training.pooled),
            Cell(text=f"{len(training.quarantined):,}"),
            Cell(text="reused" if training.reused else format_duration(training.duration_s)),
        )
        for training in pgo.trainings
    )
    return Table(caption=caption, columns=columns, rows=tuple(rows))


def _crate_table(caption: str, pgo: PgoRecord) -> Table:
    columns = (
        Column(heading="crate"),
        Column(heading="share of counts", align=Align.RIGHT),
        Column(heading="counts", align=Align.RIGHT),
        Column(heading="functions that ran", align=Align.RIGHT),
    )
    rows = (
        (
            Cell(text=_NO_CRATE if crate.name is None else sanitize_line(crate.name), foreign=crate.name is not None),
            Cell(text=unsigned_percent(crate.total_count / max(1, pgo.total_count))),
            Cell(text=f"{crate.total_count:,}"),
            Cell(text=f"{crate.functions_with_counts:,} of {crate.functions:,}"),
        )
        for crate in pgo.crates
    )
    return Table(caption=caption, columns=columns, rows=tuple(rows))


def _notes(variant: VariantRecord) -> Iterator[str]:
    name = sanitize_line(variant.name)
    for built, pgo in variant.evidence.items():
        yield from _profile_notes(sanitize_line(built), pgo)
    for item in variant.quarantined:
        yield f"Set aside in training {name}: {sanitize_line(item.path)} ({sentence(item.reason)})."


def _profile_notes(name: str, pgo: PgoRecord) -> Iterator[str]:
    kind = "" if pgo.format is None else f", {sanitize_line(pgo.format.kind)} format {pgo.format.version}"
    yield (
        f"Profile of {name}: {pgo.functions_with_counts:,} of {pgo.functions:,} functions with counts, "
        f"{pgo.total_count:,} counts{kind}, {sanitize_line(pgo.profdata.path)}."
    )
    yield (
        f"Compiled with it, over all crates: {pgo.missing_functions:,} functions without data, of which "
        f"{pgo.strange_functions:,} should have some, and {pgo.mismatched_functions:,} with a different control flow."
    )
    yield from describe_measured_programs(name, pgo)
    if pgo.crate_count > len(pgo.crates):
        yield f"Of {pgo.crate_count:,} crates, the {len(pgo.crates):,} with the most counts are shown."
    if pgo.checks and pgo.differs is None:
        yield f"This run built no binary of the recipe of {name} without PGO to compare it with."
    if pgo.attempt is not None:
        other = "" if pgo.shared_with is None else f" with the counts of {sanitize_line(pgo.shared_with)}"
        yield f"Trained as {sanitize_line(pgo.attempt)}{other}, {sanitize_line(pgo.counters)} counters." + "".join(
            f" Before that, {sanitize_line(item.name)} was rejected: {sentence(item.reason)}."
            for item in pgo.rejected_attempts
        )
