"""What a report shows of a search: the confirmed winner first, the race in brackets, factors with honest intervals."""

from __future__ import annotations

import json
from dataclasses import replace

from inline_snapshot import snapshot

from optbuild.measure.model import Verdict
from optbuild.record.model import RunRecord
from optbuild.record.search import CandidateRecord, FactorRecord, LeftOutRecord, ScreeningRecord, SearchRecord
from optbuild.record.store import parse_record, render_record
from optbuild.report.assemble import assemble
from optbuild.report.charts.assemble import assemble_charts
from optbuild.report.formats import FORMATS
from optbuild.report.formats.terminal import render_terminal
from optbuild.report.model import Screen
from optbuild.testing import make_comparison, make_run_record, make_variant_record


def make_candidate(name: str, change: float | None, **given: object) -> CandidateRecord:
    """A candidate that was measured for twelve rounds and stayed."""
    made = CandidateRecord(
        variant=name,
        settings={"pgo": True},
        build_s=12.5,
        size_bytes=600_000,
        dropped_after=None,
        reason=None,
        change=change,
        ci_low=None if change is None else change - 0.02,
        ci_high=None if change is None else change + 0.02,
        rounds=12,
    )
    return replace(made, **given)  # type: ignore[arg-type]  # fields by name


def make_search(**given: object) -> SearchRecord:
    """A search with a confirmed winner."""
    search = SearchRecord(
        objective="time",
        budget_s=600.0,
        candidates=(
            make_candidate("lto", -0.05, dropped_after=11, reason="−2% against pgo at best", rounds=11),
            make_candidate("pgo", -0.21),
            make_candidate("bad", None, size_bytes=None, build_s=None, reason="it cannot be built", rounds=0),
        ),
        left_out=(LeftOutRecord(variant="v4", reason="this machine's CPU lacks avx512f"),),
        winner="pgo",
        confirmation=make_comparison(),
        pareto=("release", "pgo"),
        factors=(
            FactorRecord(factor="pgo", level=True, against=False, change=-0.18, ci_low=-0.2, ci_high=-0.15, pairs=2),
            FactorRecord(
                factor="rustflags", level=("-Cx",), against=(), change=0.01, ci_low=None, ci_high=None, pairs=1
            ),
            FactorRecord(factor="lto", level="fat", against="thin", change=None, ci_low=None, ci_high=None, pairs=0),
        ),
        screening=ScreeningRecord(
            looks=(11, 18), confidence=0.95, rounds=18, resumed_rounds=4, duration_s=33.0, series=()
        ),
    )
    return replace(search, **given)  # type: ignore[arg-type]  # fields by name


def make_race(**given: object) -> ScreeningRecord:
    """A race that went on with combinations."""
    made = ScreeningRecord(looks=(8, 13), confidence=0.96, rounds=9, resumed_rounds=0, duration_s=9.0, series=())
    return replace(made, **given)  # type: ignore[arg-type]  # fields by name


def make_record(search: SearchRecord) -> RunRecord:
    """The run of a search."""
    variants = (make_variant_record(), *(make_variant_record(name) for name in ("lto", "pgo")))
    return replace(make_run_record(), variants=variants, search=search)


def shown(search: SearchRecord) -> str:
    """The report on a wide terminal."""
    return render_terminal(assemble(make_record(search)), Screen(width=120))


def test_the_winner_stands_above_the_race_that_chose_it() -> None:
    """Only its own figure is bare; what chose it is in brackets, and unknown effects are called unknown."""
    assert shown(make_search()) == snapshot("""\
demo: search among 3 candidates: the winner is pgo

variant        time vs release (small)  95% CI          verdict  median time  max RSS     size  build
─────────────────────────────────────────────────────────────────────────────────────────────────────
release (ref)                        –  –               –                1 s  8.0 MiB  391 KiB  2.5 s
pgo                             −20.0%  [−21.0, −19.0]  faster         0.8 s  8.0 MiB  391 KiB  2.5 s

The race (estimates, no results)
candidate      time in the race     size  build incl. training  best trade-off  left after  why
───────────────────────────────────────────────────────────────────────────────────────────────────────────────────
release (ref)                 –  391 KiB                 2.5 s  yes                      –  –
pgo (winner)           (−21.0%)  586 KiB                12.5 s  yes                      –  –
lto                       (−5%)  586 KiB                12.5 s  –                11 rounds  −2% against pgo at best
bad                           –        –                     –  –                        –  it cannot be built

What each factor alone is worth, all else equal
factor     level  time vs  change  interval    pairs
────────────────────────────────────────────────────
pgo        true   false      −18%  [−20, −15]      2
rustflags  -Cx    none      (+1%)  unknown         1
lto        fat    thin          –  unknown         0

The winner is pgo: inherits = "release", pgo = true. Keep it: optbuild tune --write.
The race: 18 rounds, 4 of them in an earlier search; candidates could leave after 11, 18.
The best of those that were built left by mistake in at most 5% of such searches. Changes in the race are estimates that
chose, in brackets; the winner's gain is the one above, from fresh runs.
Left out: v4: this machine's CPU lacks avx512f.
n = 1 randomised round, 95% simultaneous, margin ±1.0%, A/A +0.1% ±0.5%; outputs equal; holds for this binary.
A CPU, 2 cores, 8.0 GiB, Linux 6.1, rustc 1.95.0, commit 571357135713, optbuild 0.1.0, run 20260102-030405-0a0b.
""")


def test_what_is_left_out_for_one_reason_is_said_once() -> None:
    """A CPU that lacks a level bars every combination with it."""
    lacking = "this machine's CPU lacks avx512f"
    barred = tuple(LeftOutRecord(variant=f"v4-{number}", reason=lacking) for number in range(8))
    text = shown(make_search(left_out=(*barred, LeftOutRecord(variant="twin", reason="the same recipe as pgo"))))
    assert "Left out: v4-0, v4-1, v4-2, v4-3, v4-4, v4-5 and 2 more: this machine's CPU lacks avx512f." in text
    assert "Left out: twin: the same recipe as pgo." in text
    assert text.count("Left out") == 2


def test_a_baseline_that_won_is_said_so() -> None:
    """There is no confirmation then, and nothing to write."""
    text = shown(make_search(winner="release", confirmation=None))
    assert "No candidate is better than release: it stays." in text


def test_a_winner_that_is_not_proven_is_not_advised() -> None:
    """It is called what it is."""
    text = shown(make_search(confirmation=make_comparison(verdict=Verdict.INCONCLUSIVE)))
    assert "It is inconclusive in fresh runs." in text
    assert "--write" not in text


def test_a_search_survives_the_way_through_json() -> None:
    """Levels of every type come back as they were."""
    record = make_record(make_search())
    again = parse_record(render_record(record).encode())
    assert json.loads(render_record(again)) == json.loads(render_record(record))


def test_the_picture_shows_all_candidates_that_were_measured() -> None:
    """By time and size, the best trade-offs with their names."""
    points = assemble_charts(make_record(make_search())).sizes
    assert [point.label for point in points] == ["release", "", "pgo"]


def test_names_in_a_stored_search_cannot_write_markup() -> None:
    """A record may be someone else's: names of factors and variants are escaped, and stay in one cell."""
    hostile = "<script>|\x1b[2J\n# x"
    search = make_search(
        candidates=(make_candidate(hostile, -0.2, reason=hostile),),
        factors=(
            FactorRecord(
                factor=hostile, level=hostile, against=hostile, change=-0.1, ci_low=-0.2, ci_high=-0.05, pairs=1
            ),
        ),
        left_out=(LeftOutRecord(variant=hostile, reason=hostile),),
    )
    record = make_run_record(search=search)
    for form in ("markdown", "html", "terminal"):
        text = FORMATS[form](record, assemble(record), Screen())
        assert "\x1b" not in text
        assert "\n# x" not in text
        assert form == "terminal" or "<script>|" not in text


def test_what_a_race_leaves_open_is_said() -> None:
    """The race after the screening has the last word; a difference that nobody could see has no figure."""
    undecided = make_race(undecided=("lto", "wide"), detectable=0.031)
    text = shown(make_search(race=undecided))
    assert "The race with combinations: 9 rounds; candidates could leave after 8, 13." in text
    assert "did not distinguish lto, wide from its winner. Up to 3.1% between them might have gone unseen." in text
    text = shown(make_search(race=replace(undecided, detectable=None)))
    assert "Any difference between them might have gone unseen." in text
    assert "might have gone unseen" not in shown(make_search(race=make_race()))
