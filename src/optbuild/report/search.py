"""What a report shows of a search: the confirmed winner first, then the race that chose it, then its factors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

from optbuild.measure.model import Verdict
from optbuild.record.model import RunRecord
from optbuild.record.search import CandidateRecord, FactorRecord, ScreeningRecord, SearchRecord
from optbuild.report.display import digits_for, named_by_fact, sentence
from optbuild.report.model import NOTHING, Align, Cell, Column, Table
from optbuild.text import name_some, sanitize_line
from optbuild.units import format_bytes, format_duration, format_percent


def without_losers(record: RunRecord) -> RunRecord:
    """The record as if only the baseline and the winner had been built: what the usual tables and notes are about."""
    if record.search is None:
        return record
    shown = {record.search.winner, record.baseline.name if record.baseline else None}
    return replace(
        record,
        variants=tuple(variant for variant in record.variants if variant.name in shown),
        # More time for the confirmation is more budget for the whole search.
        measure=None if record.measure is None else replace(record.measure, advice=None),
        warnings=tuple(each for each in record.warnings if each.code != "variant-skipped"),
    )


def search_title(search: SearchRecord) -> str:
    """What was searched, and what came of it."""
    count = len(search.candidates)
    found = "no winner" if search.winner is None else f"the winner is {sanitize_line(search.winner)}"
    return f"search among {count} candidate{'s' * (count != 1)}: {found}"


def search_tables(record: RunRecord) -> tuple[Table, ...]:
    """The race and what each factor is worth; nothing for other runs."""
    search = record.search
    if search is None:
        return ()
    tables = [_candidates_table(record, search)]
    if search.factors:
        tables.append(_factors_table(search))
    return tuple(tables)


def search_notes(record: RunRecord) -> Iterator[str]:
    """What to know about the winner, and how the race was run."""
    search = record.search
    if search is None:
        return
    baseline = sanitize_line(record.baseline.name) if record.baseline else "the baseline"
    if search.winner is not None:
        yield _describe_winner(search, sanitize_line(search.winner), baseline)
    yield from _describe_races(search)
    for reason, names in named_by_fact((sanitize_line(each.variant), each.reason) for each in search.left_out):
        yield f"Left out: {names}: {sentence(reason)}."


def _describe_races(search: SearchRecord) -> Iterator[str]:
    """How many rounds there were, what could leave when, and what they left open."""
    races = [race for race in (search.screening, search.race) if race is not None]
    for name, race in zip(("The race", "The race with combinations"), races, strict=False):
        resumed = f", {race.resumed_rounds} of them in an earlier search" if race.resumed_rounds else ""
        yield f"{name}: {race.rounds} rounds{resumed}; candidates could leave after {', '.join(map(str, race.looks))}."
    if races:
        yield (
            f"The best of those that were built left by mistake in at most {1 - races[0].confidence:.0%} of such "
            "searches. Changes in the race are estimates that chose, in brackets; the winner's gain is the one above, "
            "from fresh runs."
        )
        if races[-1].undecided:
            yield _describe_undecided(races[-1])


def _describe_undecided(race: ScreeningRecord) -> str:
    names = name_some([*map(sanitize_line, race.undecided)])
    unseen = "Any difference" if race.detectable is None else f"Up to {format_percent(race.detectable).lstrip('+')}"
    return f"The race did not distinguish {names} from its winner. {unseen} between them might have gone unseen."


def _describe_winner(search: SearchRecord, winner: str, baseline: str) -> str:
    confirmed = search.confirmation
    if winner == baseline:
        return f"No candidate is better than {baseline}: it stays."
    settings = next((each.settings for each in search.candidates if each.variant == search.winner), {})
    written = ", ".join(f"{key} = {json.dumps(value)}" for key, value in settings.items())
    said = f"The winner is {winner}: inherits = {json.dumps(baseline)}, {sanitize_line(written)}"
    if confirmed is None or confirmed.verdict is not Verdict.FASTER:
        verdict = "not measured in fresh runs" if confirmed is None else f"{confirmed.verdict} in fresh runs"
        return f"{said}. It is {verdict}."
    return f"{said}. Keep it: optbuild tune --write."


def _candidates_table(record: RunRecord, search: SearchRecord) -> Table:
    columns = (
        Column(heading="candidate"),
        Column(heading="time in the race", align=Align.RIGHT),
        Column(heading="size", align=Align.RIGHT),
        Column(heading="build incl. training", align=Align.RIGHT, optional=True),
        Column(heading="best trade-off"),
        Column(heading="left after", align=Align.RIGHT),
        Column(heading="why", optional=True),
    )
    baseline = record.baseline
    rows: list[tuple[Cell, ...]] = []
    if baseline is not None:
        size = baseline.size_bytes
        build = NOTHING if baseline.build_s is None else Cell(text=format_duration(baseline.build_s))
        name = Cell(text=f"{sanitize_line(baseline.name)} (ref)", foreign=True)
        rows.append((name, NOTHING, _size(size), build, _mark(search, baseline.name), NOTHING, NOTHING))
    rows += [_candidate_row(each, search) for each in sorted(search.candidates, key=lambda each: _place(each, search))]
    return Table(caption="The race (estimates, no results)", columns=columns, rows=tuple(rows))


def _place(candidate: CandidateRecord, search: SearchRecord) -> tuple[bool, bool, int, float]:
    """The winner first, then those that stayed longest, the fastest first."""
    return (
        candidate.variant != search.winner,
        candidate.change is None,
        -candidate.rounds,
        candidate.change or 0.0,
    )


def _candidate_row(candidate: CandidateRecord, search: SearchRecord) -> tuple[Cell, ...]:
    is_winner = candidate.variant == search.winner
    return (
        Cell(text=sanitize_line(candidate.variant) + " (winner)" * is_winner, foreign=True),
        _estimate(candidate),
        _size(candidate.size_bytes),
        NOTHING if candidate.build_s is None else Cell(text=format_duration(candidate.build_s)),
        _mark(search, candidate.variant),
        NOTHING if candidate.dropped_after is None else Cell(text=f"{candidate.dropped_after} rounds"),
        NOTHING if candidate.reason is None else Cell(text=sentence(candidate.reason), foreign=True),
    )


def _estimate(candidate: CandidateRecord) -> Cell:
    if candidate.change is None:
        return NOTHING
    if candidate.ci_low is None or candidate.ci_high is None:
        return Cell(text=f"({format_percent(candidate.change, 0)})")
    digits = digits_for((candidate.ci_high - candidate.ci_low) / 2)
    return Cell(text=f"({format_percent(candidate.change, digits)})")


def _size(size_bytes: int | None) -> Cell:
    return Cell(text=format_bytes(size_bytes)) if size_bytes else NOTHING


def _mark(search: SearchRecord, name: str) -> Cell:
    return Cell(text="yes") if name in search.pareto else NOTHING


def _factors_table(search: SearchRecord) -> Table:
    columns = (
        Column(heading="factor"),
        Column(heading="level"),
        Column(heading="time vs"),
        Column(heading="change", align=Align.RIGHT),
        Column(heading="interval"),
        Column(heading="pairs", align=Align.RIGHT, optional=True),
    )
    rows = tuple(_factor_row(each) for each in search.factors)
    return Table(caption="What each factor alone is worth, all else equal", columns=columns, rows=rows)


def _factor_row(factor: FactorRecord) -> tuple[Cell, ...]:
    change, interval = NOTHING, Cell(text="unknown")
    if factor.change is not None and factor.ci_low is not None and factor.ci_high is not None:
        digits = digits_for((factor.ci_high - factor.ci_low) / 2)
        low, high = (format_percent(end, digits).rstrip("%") for end in (factor.ci_low, factor.ci_high))
        change, interval = Cell(text=format_percent(factor.change, digits)), Cell(text=f"[{low}, {high}]")
    elif factor.change is not None:
        change = Cell(text=f"({format_percent(factor.change, 0)})")
    return (
        Cell(text=sanitize_line(factor.factor), foreign=True),
        Cell(text=_level(factor.level), foreign=True),
        Cell(text=_level(factor.against), foreign=True),
        change,
        interval,
        Cell(text=str(factor.pairs)),
    )


def _level(level: object) -> str:
    """A level as TOML has it; flags as they are."""
    if isinstance(level, list | tuple):
        return sanitize_line(" ".join(map(str, level))) or "none"
    return sanitize_line(level if isinstance(level, str) else json.dumps(level))
