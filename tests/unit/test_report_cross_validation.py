# ruff: noqa: E501 - snapshots hold text as it is printed
from __future__ import annotations

import csv
import io
from dataclasses import replace

from inline_snapshot import snapshot

from optbuild.measure.model import Verdict, held_out_arm
from optbuild.record.model import RunRecord, WorkloadRecord
from optbuild.record.store import parse_record, render_record
from optbuild.report.assemble import assemble
from optbuild.report.charts.assemble import assemble_charts
from optbuild.report.formats import FORMATS
from optbuild.report.in_sample import in_sample_by_workload
from optbuild.report.model import Screen
from optbuild.report.runs_table import render_runs
from tests.unit.report_cases import make_cross_validated, make_measured, make_pgo, rename, with_in_sample


def render(record: RunRecord, name: str, *, width: int = 100) -> str:
    """Assemble and write in one format."""
    return FORMATS[name](record, assemble(record), Screen(width=width))


def notes(record: RunRecord) -> list[str]:
    """The footnotes about cross-validation."""
    return [note for note in assemble(record).footnotes if "ross-validation" in note or note.startswith("No fold")]


def test_markdown_shows_each_workload_left_out_and_trained_on() -> None:
    """The mean over all folds first, and beside what is left of the gain the one that was learnt."""
    text = render(make_cross_validated(), "markdown")
    table = text[text.index("**Cross") : text.index("\n- n = 20")]
    assert table == snapshot("""\
**Cross-validation of pgo: each workload with a profile that left it out**

| workload     |   left out, 95% CI | verdict | trained on |   optimism, 95% CI |
|:-------------|-------------------:|:--------|-----------:|-------------------:|
| geomean of 3 | −5.2% [−6.1, −4.3] | faster  |     −11.8% | +7.5% [+6.1, +8.9] |
| books        | −5.2% [−6.1, −4.3] | faster  |     −11.8% | +7.5% [+6.1, +8.9] |
| logs         | −5.2% [−6.1, −4.3] | faster  |     −11.8% | +7.5% [+6.1, +8.9] |
| code         | −5.2% [−6.1, −4.3] | faster  |     −11.8% | +7.5% [+6.1, +8.9] |
""")


def test_the_terminal_keeps_what_matters_at_80_columns() -> None:
    """No column of it may be left out."""
    text = render(make_cross_validated("novels", "logs"), "terminal", width=80)
    table = text[text.index("Cross-validation") : text.index("\nn = 20")]
    assert table == snapshot("""\
Cross-validation of pgo: each workload with a profile that left it out
workload        left out, 95% CI  verdict  trained on    optimism, 95% CI
─────────────────────────────────────────────────────────────────────────
geomean of 2  −5.2% [−6.1, −4.3]  faster       −11.8%  +7.5% [+6.1, +8.9]
novels        −5.2% [−6.1, −4.3]  faster       −11.8%  +7.5% [+6.1, +8.9]
logs          −5.2% [−6.1, −4.3]  faster       −11.8%  +7.5% [+6.1, +8.9]
""")


def test_the_number_stands_in_a_sentence() -> None:
    """What people quote: the gain elsewhere, on how many folds, and what it was where it was trained."""
    assert notes(make_cross_validated()) == snapshot(
        [
            "Cross-validation of pgo: −5.2% [−6.1, −4.3], faster, on workloads it was not trained on (3 folds); −11.8% [−12.6, −11.0] if trained on them."
        ]
    )


def test_a_single_fold_has_no_mean() -> None:
    """One row says it all."""
    record = make_cross_validated("books", "logs", skipped="logs")
    (table,) = [table for table in assemble(record).tables if "Cross" in table.caption]
    assert [row[0].text for row in table.rows] == ["books"]


def test_a_fold_that_is_missing_is_named() -> None:
    """The mean is over those there are, and says of how many."""
    assert notes(make_cross_validated(skipped="logs")) == snapshot(
        [
            "Cross-validation of pgo: −5.2% [−6.1, −4.3], faster, on workloads it was not trained on (2 folds); −11.8% [−12.6, −11.0] if trained on them.",
            "No fold of pgo without logs: it changed nothing",
        ]
    )


def test_unproven_changes_are_marked() -> None:
    """A tilde and the word, as everywhere."""
    record = make_cross_validated("books", "logs")
    assert record.cross_validation is not None
    unproven = tuple(
        replace(item, change=-0.01, ci_low=-0.03, ci_high=0.012, verdict=Verdict.INCONCLUSIVE)
        for item in record.cross_validation.held_out
    )
    record = replace(record, cross_validation=replace(record.cross_validation, held_out=unproven))
    assert notes(record) == snapshot(
        [
            "Cross-validation of pgo: ~ −1% [−3, +1], inconclusive, on workloads it was not trained on (2 folds); −11.8% [−12.6, −11.0] if trained on them."
        ]
    )
    assert "pgo −11.8% faster (in-sample), ~ −1% held-out\n" in render_runs([record])


def test_an_invalid_session_gives_no_number() -> None:
    """Where two identical copies differed, nothing is said of folds either."""
    record = make_cross_validated("books", "logs")
    assert record.cross_validation is not None
    found = record.cross_validation
    invalid = {
        name: tuple(replace(item, verdict=Verdict.INVALID) for item in getattr(found, name))
        for name in ("trained", "held_out", "optimism")
    }
    text = "\n".join(notes(replace(record, cross_validation=replace(found, **invalid))))
    assert text == "Cross-validation of pgo: invalid on workloads it was not trained on (2 folds)."


def test_unknown_inputs_are_told() -> None:
    """A fold is only as good as what is known of the inputs."""
    record = make_cross_validated("books", "logs")
    assert record.cross_validation is not None
    first, second = record.cross_validation.folds
    unknown = replace(first, build=replace(first.build, pgo=make_pgo(in_sample=None)))
    record = replace(record, cross_validation=replace(record.cross_validation, folds=(unknown, second)))
    assert notes(record)[-1] == (
        "Cross-validation: inputs not compared on books: the remaining training may have seen them."
    )


def test_csv_has_the_folds_in_scopes_of_their_own() -> None:
    """Who reads the rows of the suite finds them unchanged; which were trained on the workload is a column."""
    record = make_cross_validated("books", "logs")
    rows = list(csv.DictReader(io.StringIO(render(record, "csv"), newline="")))
    main = [row for row in rows if row["scope"] in {"suite", "workload"}]
    assert len(main) == len(record.comparisons)
    found = [(row["scope"], row["workload"], row["candidate"], row["in_sample"]) for row in rows[len(main) :]]
    assert found == snapshot(
        [
            ("trained suite", "", "pgo", "true"),
            ("trained workload", "books", "pgo", "true"),
            ("trained workload", "logs", "pgo", "true"),
            ("held-out suite", "", "pgo held-out", "false"),
            ("held-out workload", "books", "pgo held-out", "false"),
            ("held-out workload", "logs", "pgo held-out", "false"),
            ("optimism suite", "", "pgo held-out", "false"),
            ("optimism workload", "books", "pgo held-out", "false"),
            ("optimism workload", "logs", "pgo held-out", "false"),
        ]
    )


def test_json_keeps_everything() -> None:
    """The record reads back as it was."""
    record = make_cross_validated()
    assert parse_record(render_record(record).encode()) == record


def test_html_draws_what_was_left_out_beside_the_variants() -> None:
    """Over the same workloads; where the folds are not all of them, their mean is another one and is not drawn."""
    rows = assemble_charts(make_cross_validated()).changes[0].rows
    assert [(row.label, row.note) for row in rows] == [("lto", ""), ("pgo", "in-sample"), ("pgo held-out", "")]
    rows = assemble_charts(make_cross_validated(skipped="logs")).changes[0].rows
    assert [row.label for row in rows] == ["lto", "pgo"]


def test_html_tells_how_the_folds_were_built() -> None:
    """Each fold is a build of its own, and its commands are shown."""
    page = render(make_cross_validated(), "html")
    assert "<h2>pgo without books</h2>" in page
    assert "Cross-validation of pgo: each workload with a profile that left it out" in page


def test_the_list_of_runs_says_what_is_left_elsewhere() -> None:
    """The in-sample gain does not stand alone where the other one is known."""
    assert "pgo −11.8% faster (in-sample), −5.2% held-out\n" in render_runs([make_cross_validated()])


def test_a_gain_that_was_tried_elsewhere_is_not_doubted() -> None:
    """Beyond 30% an in-sample gain is suspect, unless it is known what is left of it."""
    record = make_cross_validated("books", "logs")
    large = tuple(
        replace(item, change=-0.4, ci_low=-0.5, ci_high=-0.3) for item in record.comparisons if item.candidate == "pgo"
    )
    record = replace(record, comparisons=large)
    assert "Beware" not in "\n".join(assemble(record).footnotes)
    assert "--cross-validate" in "\n".join(assemble(replace(record, cross_validation=None)).footnotes)


def test_a_run_without_folds_says_nothing_of_them() -> None:
    """Neither a table nor a note."""
    record = with_in_sample(make_measured("a", "b"), a=True, b=True)
    assert notes(record) == []
    assert "Cross" not in render(record, "markdown")


def test_foreign_names_are_escaped() -> None:
    """Names of workloads stand in the new table and notes as they do in the others."""
    record = rename(make_cross_validated("books", "logs"), {"books": "a|b<c>"})
    assert "a|b" not in render(record, "markdown")
    assert "<c>" not in render(record, "html")


def test_a_fold_labels_the_benchmarks_of_its_workload() -> None:
    """Their names are not those of workloads, which folds know."""
    record = make_cross_validated("benches")
    parts = (WorkloadRecord(name="benches/parse", in_sample=True, part_of="benches"),)
    found = in_sample_by_workload(replace(record, workloads=parts), held_out_arm("pgo"))
    assert [*found] == ["benches/parse"]
    assert in_sample_by_workload(record, held_out_arm("pgo")).keys() == {"benches"}


def test_folds_are_counted_by_the_workloads_that_benchmarks_belong_to() -> None:
    """A bench that measures itself has several names in the tables, and is left out as a whole."""
    record = make_cross_validated("benches", "logs")
    assert record.cross_validation is not None
    found = replace(record.cross_validation, workloads=("benches/parse", "benches/print", "logs"))
    parts = tuple(
        WorkloadRecord(name=name, in_sample=True, part_of="benches") for name in ("benches/parse", "benches/print")
    )
    (note,) = notes(replace(record, workloads=(*record.workloads, *parts), cross_validation=found))
    assert "(2 folds)" in note
