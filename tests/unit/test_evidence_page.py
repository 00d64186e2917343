from __future__ import annotations

import json
from dataclasses import replace

import pytest
from inline_snapshot import snapshot

from optbuild.record.model import CrossValidationRecord, FoldRecord, RunRecord
from optbuild.report.evidence_page import assemble_evidence
from optbuild.report.formats import EVIDENCE_FORMATS
from optbuild.report.model import Screen
from optbuild.testing import make_pgo_record, make_run_record, make_variant_record
from tests.unit.evidence_cases import make_evidence, make_evidence_run, make_unproven_run


def render(record: RunRecord, form: str = "terminal", width: int = 100) -> str:
    """The page in a format."""
    return EVIDENCE_FORMATS[form](record, assemble_evidence(record), Screen(width=width))


def test_the_page_shows_checks_trainings_and_crates() -> None:
    """Everything that was looked at, with what was found and demanded; who trained it; where the counts are."""
    assert render(make_evidence_run()) == snapshot("""\
demo: evidence of PGO

pgo: checks of the profile
check                  passed   found  demanded  key under [evidence]
─────────────────────────────────────────────────────────────────────
the binary differs     unknown      –         –  –
functions with counts  yes      1,200       ≥ 1  min-functions
share without data     no        1.5%    ≤ 1.0%  max-missing

pgo: training
workload  share  functions that ran   counts  raw profiles  left out    time
────────────────────────────────────────────────────────────────────────────
small     75.0%                 110  123,456      4 (pool)         1   2.5 s
other     25.0%                  20    1,000             1         0  reused

pgo: counts by crate
crate            share of counts   counts  functions that ran
─────────────────────────────────────────────────────────────
demo                       90.0%  900,000          100 of 120
(none: main, C)             0.0%        1              1 of 1

Profile of pgo: 120 of 200 functions with counts, 1,000,000 counts, indexed format 13,
/p/target/optbuild/profdata/cd.profdata.
Compiled with it, over all crates: 3 functions without data, of which 0 should have some, and 0 with
a different control flow.
Of 31 crates, the 2 with the most counts are shown.
This run built no binary of the recipe of pgo without PGO to compare it with.
Trained as exact, single counters. Before that, lto-free was rejected: empty.
Set aside in training pgo: /q/bad.profraw (empty).
A CPU, 2 cores, 8.0 GiB, Linux 6.1, rustc 1.95.0, commit 571357135713, optbuild 0.1.0, run
20260102-030405-0a0b.
""")


def test_a_failed_check_stands_out() -> None:
    """In colour where there is one; the reason stands above all tables."""
    report = assemble_evidence(make_unproven_run())
    assert report.status == ("Not shown to have been applied in pgo: the profile covers too little",)
    (failed,) = [row for row in report.tables[0].rows if row[1].text == "no"]
    assert (failed[1].tone, failed[2].text, failed[3].text) == ("slower", "1.5%", "≤ 1.0%")
    assert assemble_evidence(make_unproven_run(reason=None)).status == ("Not shown to have been applied in pgo.",)


def test_folds_have_evidence_too() -> None:
    """A variant that was built once more without a workload is proved as any other, and shown as one."""
    run = make_evidence_run()
    build = make_variant_record("pgo without small", pgo=make_evidence(name="other"))
    fold = FoldRecord(variant="pgo", left_out=("small",), workloads=("small",), build=build)
    run = replace(run, cross_validation=CrossValidationRecord(folds=(fold,)))
    assert "pgo without small: checks of the profile" in render(run)
    assert [item["name"] for item in json.loads(render(run, "json"))["variants"]] == ["pgo", "pgo without small"]


def test_a_run_without_pgo_says_so() -> None:
    """There is nothing to show, which is no error."""
    record = make_run_record(variants=(make_variant_record(),))
    assert "No variant of this run reached PGO training." in render(record)
    assert json.loads(render(record, "json"))["variants"] == []


def test_a_variant_that_failed_in_training_shows_what_was_set_aside() -> None:
    """It has no profile, and still something to look at."""
    record = make_evidence_run()
    release, pgo = record.variants
    failed = make_variant_record("pgo", quarantined=pgo.quarantined, reason="1 of 4 raw profiles cannot be merged")
    text = render(make_run_record(variants=(release, failed)))
    assert "Not shown to have been applied in pgo: 1 of 4 raw profiles cannot be merged" in text
    assert "Set aside in training pgo: /q/bad.profraw (empty)." in text


def test_an_older_record_shows_what_it_has() -> None:
    """Versions before this one kept no checks, crates or trainings."""
    record = make_run_record(variants=(make_variant_record("pgo", pgo=make_pgo_record()),))
    report = assemble_evidence(record)
    assert (report.status, report.tables) == ((), ())
    assert report.footnotes[0].startswith("Profile of pgo: 120 of 200 functions with counts, 1,000,000 counts, /p/")


def test_the_json_document_holds_the_records_own_objects() -> None:
    """For scripts: what `--json` of a run says of PGO, and no more."""
    document = json.loads(render(make_evidence_run(), "json"))
    assert (document["schema"], document["run_id"]) == ("optbuild/evidence/1", "20260102-030405-0a0b")
    (variant,) = document["variants"]
    assert list(variant) == ["name", "status", "reason", "pgo", "quarantined"]
    assert variant["pgo"]["checks"][1] == {
        "name": "functions with counts",
        "passed": True,
        "value": 1200,
        "limit": 1,
        "unit": "count",
        "key": "min-functions",
    }


@pytest.mark.parametrize("form", ["markdown", "html"])
def test_other_formats_show_the_same(form: str) -> None:
    """The tables are those of the terminal."""
    text = render(make_evidence_run(), form)
    for word in ("checks of the profile", "min-functions", "demo", "900,000", "4 (pool)"):
        assert word in text


def test_there_is_no_table_for_spreadsheets() -> None:
    """Rows of comparisons are what that format is for."""
    assert list(EVIDENCE_FORMATS) == ["terminal", "markdown", "html", "json"]
