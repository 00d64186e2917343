from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from optbuild.events import Level
from optbuild.measure.machine_checks import MachineCheck
from optbuild.measure.model import Count, Series, Superblock, Verdict
from optbuild.measure.warnings import ResultWarning, WarningKind
from optbuild.record.evidence import AttemptRecord, MeasuredProgramsRecord
from optbuild.record.model import ErrorRecord, RunRecord, RunStatus, WarningRecord
from optbuild.record.variants import VariantStatus
from optbuild.report.assemble import assemble
from optbuild.report.charts.assemble import assemble_charts
from optbuild.report.footnotes import make_footnotes
from optbuild.testing import make_run_record
from tests.unit.report_cases import (
    make_comparison,
    make_measured,
    make_noise,
    make_pgo,
    make_unmeasured,
    make_variant,
    with_in_sample,
)


def notes(record: RunRecord) -> str:
    """All footnotes, a line each."""
    return "\n".join(assemble(record).footnotes)


def with_pgo(record: RunRecord, **given: object) -> RunRecord:
    """The record with other evidence."""
    pgo = make_pgo(**given)
    return replace(record, variants=tuple(replace(item, pgo=item.pgo and pgo) for item in record.variants))


def test_in_sample_stands_in_the_line_and_in_every_table() -> None:
    """A table is pasted without its footnotes: the label goes with the variant's name."""
    report = assemble(with_pgo(make_measured("a", "b"), in_sample=True))

    assert "; in-sample: trained and measured on the same input; " in report.footnotes[0]
    for table in report.tables:
        assert any(cell.text == "pgo (in-sample)" for row in table.rows for cell in row)


@pytest.mark.parametrize(
    ("count", "said"),
    [(1, "1 superblock was disturbed from outside; it was kept"), (7, "7 superblocks were disturbed")],
)
def test_disturbed_superblocks_are_counted(count: int, said: str) -> None:
    """Of a noisy machine, where none is set aside."""
    record = make_measured("a")
    assert record.noise is not None
    noise = replace(record.noise, noisy=True, tainted_rounds=count)
    assert f"noisy machine: {said}" in notes(replace(record, noise=noise))


def test_only_what_was_trained_on_is_labelled() -> None:
    """Each workload has its own label, all together say on how many, and the line below says on which."""
    record = with_in_sample(make_measured("a", "b", "c"), a=True, b=False, c=None)
    report = assemble(record)

    suite, each = ([row for row in table.rows if "pgo" in str(row)] for table in report.tables)
    assert [row[0].text for row in suite] == ["pgo (in-sample on 1 of 3)"]
    assert [row[1].text for row in each] == ["pgo (in-sample)", "pgo", "pgo"]
    assert "; in-sample on a: trained and measured on the same input; " in report.footnotes[0]
    rows = assemble_charts(record).changes[0].rows
    assert [(row.label, row.note) for row in rows] == [("lto", ""), ("pgo", "in-sample on 1 of 3")]


def test_a_gain_on_other_inputs_is_not_doubted() -> None:
    """A doubt is about the workload that was trained on, and not about its neighbours."""
    gain = make_comparison("pgo", "a", change=-0.4, ci_low=-0.5, ci_high=-0.3)
    record = replace(make_measured("a", "b"), comparisons=(gain,))
    held_out = notes(with_in_sample(record, a=False, b=None))
    assert "held-out input" not in held_out
    assert "; inputs not compared on b; " in held_out
    assert "held-out input" in notes(with_in_sample(record, a=True, b=None))


def test_inputs_that_are_not_known_are_not_compared() -> None:
    """Nothing is claimed of what nobody could look at."""
    assert "; trained and measured on different inputs; " in notes(with_pgo(make_measured(), in_sample=False))
    report = assemble(with_pgo(make_measured(), in_sample=None))
    assert "; inputs not compared; " in report.footnotes[0]
    assert "in-sample" not in str(report)


def test_a_build_has_no_in_sample_label() -> None:
    """Where nothing is measured, nothing is measured on the training input."""
    report = assemble(with_pgo(make_unmeasured(), in_sample=True))

    assert "in-sample" not in str(report)


@pytest.mark.parametrize(
    ("change", "in_sample", "warned"), [(-0.31, True, True), (-0.31, False, False), (-0.29, True, False)]
)
def test_a_gain_above_30_percent_on_the_training_input_is_doubted(
    change: float, *, in_sample: bool, warned: bool
) -> None:
    """Such gains rarely hold on other inputs; the footnote says what to measure instead."""
    record = with_pgo(make_measured(), in_sample=in_sample)
    record = replace(record, comparisons=(make_comparison("pgo", change=change, ci_low=-0.4, ci_high=-0.2),))

    assert ("held-out input" in notes(record)) is warned


def test_uncompared_outputs_are_named() -> None:
    """A reader learns which workloads could have computed something else."""
    record = make_measured("novels", "logs")
    outputs = tuple(replace(item, equal=None) if item.workload == "logs" else item for item in record.outputs)

    assert "outputs not compared (logs);" in notes(replace(record, outputs=outputs))


@pytest.mark.parametrize(
    ("changes", "label"),
    [
        ({}, "outputs equal;"),
        ({"filtered": True}, "outputs equal (filtered);"),
        ({"tolerance": 1e-9}, "outputs equal (within 1e-9);"),
        (
            {"filtered": True, "tolerance": 0.25, "left_out": ("standard output", "log")},
            "outputs equal (filtered, within 0.25, except standard output, log);",
        ),
    ],
)
def test_in_what_equal_outputs_may_differ_is_said(changes: dict[str, Any], label: str) -> None:
    """A reader learns what did not count, on whichever workload."""
    record = make_measured("novels", "logs")
    outputs = tuple(replace(item, **changes) if item.workload == "logs" else item for item in record.outputs)

    assert label in notes(replace(record, outputs=outputs))


def test_no_recorded_outputs_are_no_equal_outputs() -> None:
    """Silence would read as equality."""
    assert "outputs not compared;" in notes(replace(make_measured(), outputs=()))


def test_different_outputs_are_named() -> None:
    """Where a difference was allowed, it stands beside the numbers."""
    record = make_measured()
    outputs = tuple(replace(item, equal=item.variant != "pgo") for item in record.outputs)

    assert "outputs differ (pgo on books);" in notes(replace(record, outputs=outputs))


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({}, "A/A −0.1% ±0.4%;"),
        ({"verdict": "warning", "margin": 0.02}, "margin ±2.0%, A/A −0.1% ±0.4% (warning);"),
        ({"verdict": "unchecked"}, "A/A −0.1% ±0.4% (unchecked);"),
        ({"ci_low": None, "ci_high": None, "verdict": "unchecked"}, "A/A −0.1% (unchecked);"),
        ({"change": None, "ci_low": None, "ci_high": None, "verdict": "unchecked"}, "A/A unchecked;"),
        ({"ci_low": -0.001, "ci_high": -0.001}, "A/A −0.10% ±0.00%;"),
    ],
)
def test_the_control_says_what_the_harness_is_worth(given: dict[str, Any], text: str) -> None:
    """The difference of two identical copies, with its half-width and its verdict unless that is good."""
    assert text in notes(replace(make_measured(), noise=make_noise(**given)))


def test_the_advice_gives_precision_effect_and_time() -> None:
    """A session cut short says what it could see and the option that would show more."""
    record = make_measured()
    assert record.measure is not None
    measure = replace(record.measure, advice="the requested precision takes 43 rounds: --max-time 9m", half_width=0.023)

    assert (
        "Time was short: half-width ±2.3% reached; minimum detectable effect 2.1%; "
        "the requested precision takes 43 rounds: --max-time 9m."
    ) in notes(replace(record, measure=measure))


def test_an_inconclusive_session_without_an_interval_says_why() -> None:
    """Too few rounds have no interval, and a change without one stands in brackets."""
    record = make_measured()
    assert record.measure is not None
    unknown = make_comparison("pgo", ci_low=None, ci_high=None, mde=None, verdict=Verdict.INCONCLUSIVE)
    record = replace(record, comparisons=(unknown,), measure=replace(record.measure, rounds=1, half_width=None))
    report = assemble(record)

    assert "Resolution: too few rounds for an interval." in report.footnotes
    assert report.footnotes[0].startswith("n = 1 randomised round,")
    assert [cell.text for cell in report.tables[0].rows[2][1:4]] == ["(−12%)", "too few rounds", "inconclusive"]
    assert not assemble_charts(record).changes


def test_target_cpus_are_warned_about_from_setting_and_flags() -> None:
    """A binary for one CPU may not run on another, however that was asked for; the last flag wins."""
    variants = {
        "release": {"rustflags": ["-Clink-arg=-s"]},
        "lto": {"target-cpu": "native"},
        "pgo": {"target-cpu": "native", "rustflags": ["-Ctarget-cpu=x86-64-v2", "-Ctarget-cpu=x86-64-v3"]},
    }
    text = notes(make_unmeasured(build_profile={"variants": variants}))

    assert "release" not in text
    assert "compiled for target-cpu native, which may not run on other machines: lto." in text
    assert "compiled for target-cpu x86-64-v3, which may not run on other machines: pgo." in text


def test_the_features_of_a_cpu_are_named_where_they_are_known() -> None:
    """A record that was asked says precisely what a binary needs, or that it needs nothing."""
    variants = {"lto": {"target-cpu": "x86-64-v3"}, "pgo": {"target-cpu": "x86-64"}}
    record = make_unmeasured(build_profile={"variants": variants})
    known: dict[str, tuple[str, ...]] = {"release": ("sse3",), "lto": ("avx", "avx2"), "pgo": ()}
    named = tuple(replace(variant, cpu_features=known[variant.name]) for variant in record.variants)
    text = notes(replace(record, variants=named))
    assert "Beware: release will not run on a CPU without sse3." in text
    assert "Beware: lto (target-cpu x86-64-v3) will not run on a CPU without avx, avx2." in text
    assert "pgo (target-cpu" not in text
    assert "compiled for" not in text


def test_what_many_variants_share_is_said_once() -> None:
    """As in a search, whose candidates have one profile: a few names, and how many more."""
    record = make_unmeasured()
    (pgo,) = (variant for variant in record.variants if variant.pgo)
    names = [f"pgo-{number}" for number in range(9)]
    alike = tuple(replace(pgo, name=name, cpu_features=("avx",)) for name in names)
    text = notes(replace(record, variants=alike))
    assert text.count("PGO evidence of") == 1
    assert "PGO evidence of pgo-0, pgo-1, pgo-2, pgo-3, pgo-4, pgo-5 and 3 more: 1,204 of" in text
    assert "Beware: pgo-0, pgo-1, pgo-2, pgo-3, pgo-4, pgo-5 and 3 more will not run on a CPU without avx." in text


@pytest.mark.parametrize("build_profile", [None, {}, {"variants": []}, {"variants": {"lto": "x"}, "workloads": 3}])
def test_a_build_profile_of_another_shape_is_no_obstacle(build_profile: dict[str, object] | None) -> None:
    """A record may come from another version."""
    assert "target-cpu" not in notes(make_unmeasured(build_profile=build_profile))


def test_warnings_are_repeated_once_each_with_their_help() -> None:
    """What stands elsewhere in other words, or in the error, is not said again."""
    warnings = (
        WarningRecord(code="measurement", message="pgo: the verdict is\nfragile", help=""),
        WarningRecord(code="slow", message="books is slow", help="raise `timeout`"),
        WarningRecord(code="slow", message="books is slow", help="raise `timeout`"),
        WarningRecord(code="outputs-not-compared", message="varies", help=""),
        WarningRecord(code="build", message="cargo ended with 101", help="read the log"),
    )
    error = ErrorRecord(code="build", message="cargo ended with 101", help="read the log", location=None)
    report = assemble(make_unmeasured(status=RunStatus.INCOMPLETE, warnings=warnings, error=error))

    assert [note for note in report.footnotes if note.startswith("Warning")] == [
        "Warning: pgo: the verdict is fragile",
        "Warning: books is slow (help: raise `timeout`)",
    ]
    assert report.status == ("This run is incomplete: cargo ended with 101", "help: read the log")


def test_a_warning_about_one_number_is_a_footnote_to_it() -> None:
    """The number has a mark, and the footnote that begins with it is not said a second time as a warning."""
    fragile = ResultWarning(kind=WarningKind.FRAGILE, candidate="pgo", words={"verdict": "faster"})
    record = make_run_record(
        comparisons=(make_comparison("pgo", warnings=(fragile,)), make_comparison("pgo", workload="small")),
        warnings=(WarningRecord(code=str(fragile.kind), message=fragile.message, help=""),),
    )
    report = assemble(record)

    assert [note for note in report.footnotes if "fragile" in note] == [f"† {fragile.message}"]
    cells = [cell.text for table in report.tables for row in table.rows for cell in row]
    assert [text for text in cells if "†" in text] == ["−11.8%†"]


def test_an_interrupted_run_without_variants_still_says_what_it_was() -> None:
    """There is always a title, a status and the run's name."""
    report = assemble(
        make_unmeasured(status=RunStatus.INTERRUPTED, variants=(), project=None, host=None, toolchain=None)
    )

    assert report.title == "run 20260102-030405-beef"
    assert report.status == ("This run was interrupted; the results below are those that it finished.",)
    assert report.tables == ()
    assert report.footnotes == ("optbuild 0.1.0, run 20260102-030405-beef.",)


def test_machine_checks_that_are_more_than_information_are_shown() -> None:
    """A governor that throttles belongs beside the numbers."""
    checks = (
        MachineCheck(name="governor", level=Level.WARNING, message="the governor is powersave"),
        MachineCheck(name="aslr", level=Level.INFO, message="ASLR is on"),
    )
    text = notes(replace(make_measured(), noise=replace(make_noise(), checks=checks, tainted_rounds=2)))

    assert "Warning: the governor is powersave" in text
    assert "ASLR" not in text
    assert "superblocks disturbed from outside: 2, measured again: 0;" in text


def test_superblocks_that_were_taken_again_are_counted_once_for_all_metrics() -> None:
    """A budget that is spent leaves disturbed ones as they are, so the two numbers differ."""
    block = Superblock(order=("release", "A'"), values={"release": (1.0,), "A'": (1.0,)})
    wall = Series(workload="a", metric="wall", unit="s", rounds=(block,), set_aside=(block, block))
    benchmarks = (wall, replace(wall, metric="cpu"), replace(wall, workload="b", set_aside=(block,)))
    noise = replace(make_noise(), tainted_rounds=4)

    text = notes(replace(make_measured(), noise=noise, benchmarks=benchmarks))

    assert "superblocks disturbed from outside: 4, measured again: 3;" in text


def test_evidence_that_is_missing_is_said_to_be() -> None:
    """Quarantined files are counted, and a profile that was not shown to have been applied is no evidence."""
    text = notes(with_pgo(make_unmeasured(), applied=False, quarantined=("a", "b"), raw_profiles=1))

    assert "1 raw profile, 2 quarantined, profile 3f2a1bc9d0e1; not shown to have been applied." in text


def test_what_is_measured_in_a_variants_place_has_evidence_of_its_own() -> None:
    """A bench is another program; how much of it the profile knows stands under the variant's own evidence."""
    benches = MeasuredProgramsRecord(
        workload="benches",
        functions=80,
        functions_with_counts=12,
        renamed_functions=7,
        missing_functions=900,
        mismatched_functions=3,
    )
    text = notes(with_pgo(make_unmeasured(), measured_programs=(benches,)))
    sentence = (
        "Measured on benches, pgo means other programs compiled with the same profile: 12 of their functions with"
    )
    assert f"{sentence} counts, 3 mismatched." in text


def test_peaks_at_the_launchers_own_are_bounds() -> None:
    """The kernel counts the parent's peak into the child's: such a number says only "at most"."""
    record = make_measured()
    resources = tuple(replace(item, peak_rss_bytes=item.peak_rss_floor_bytes) for item in record.resources)
    columns, row = (table := assemble(replace(record, resources=resources)).tables[0]).columns, table.rows[0]

    assert row[[column.heading for column in columns].index("max RSS")].text == "≤ 10.0 MiB"


def test_build_times_are_only_those_of_this_run() -> None:
    """A reused variant says so; one of which parts were reused has no time."""
    variants = (
        make_variant("release", status=VariantStatus.REUSED, build_s=None),
        make_variant("lto", build_s=None),
        make_variant("pgo"),
    )
    table = assemble(make_unmeasured(variants=variants)).tables[0]

    assert [row[-1].text for row in table.rows] == ["reused", "–", "3 min 10 s"]


def test_what_was_not_built_has_no_column_for_it() -> None:
    """Binaries that were there before the benchmark are neither built nor reused by it."""
    variants = tuple(
        make_variant(name, status=VariantStatus.REUSED, build_s=None, steps=(), pgo=None) for name in ("old", "new")
    )
    table = assemble(make_unmeasured(variants=variants)).tables[0]

    assert [column.heading for column in table.columns] == ["variant", "status", "size"]
    assert {len(row) for row in table.rows} == {3}


def test_several_binaries_are_added_up() -> None:
    """The heading says so."""
    (artifact,) = make_variant("release").artifacts
    variants = (make_variant("release", artifacts=(artifact, artifact)),)
    table = assemble(make_unmeasured(variants=variants)).tables[0]

    assert table.columns[-2].heading == "size of 2 bins"
    assert table.rows[0][-2].text == "18.4 MiB"


@pytest.mark.parametrize(
    ("metric", "heading"),
    [("cpu", "CPU time vs release (books)"), ("cpu+wall", "CPU time and time vs release (books)")],
)
def test_the_heading_names_the_metric(metric: str, heading: str) -> None:
    """Time is wall time; anything else is said."""
    record = make_measured()
    comparisons = tuple(replace(item, metric=metric) for item in record.comparisons)

    assert assemble(replace(record, comparisons=comparisons)).tables[0].columns[1].heading == heading


def test_uncommitted_changes_are_marked() -> None:
    """A commit names the sources only if nothing else was in them."""
    record = make_unmeasured()
    assert record.project is not None

    assert "commit 0123456789ab + changes," in notes(replace(record, project=replace(record.project, git_dirty=True)))


def test_a_record_without_noise_makes_no_statement_about_it() -> None:
    """What was not looked at is not said to be good."""
    text = notes(replace(make_measured(), noise=None))

    assert "n = 20 randomised rounds, 95% simultaneous; trained" in text
    assert "A/A" not in text


def test_the_way_of_training_is_told_where_it_is_not_the_exact_recipe() -> None:
    """A reader sees that LTO was left out in training, or why it was not."""
    record = make_unmeasured()
    assert notes(with_pgo(record, attempt="lto-free")).count(", trained without LTO.") == 1
    shared = with_pgo(record, attempt="shared", shared_with="fat")
    assert ", trained once with fat." in notes(shared)
    translated = with_pgo(record, attempt="translated", shared_with="fat", matched_ratio=0.996, renamed_functions=7)
    assert ", 99.6% of the counts of fat, translated." in notes(translated)
    assert "7 with other names" not in notes(translated)
    committed = with_pgo(record, attempt="profile-data by names", source="profile-data", matched_ratio=1.0)
    assert ", committed counts, 100.0% of which found their function." in notes(committed)
    assert "trained" not in notes(with_pgo(record, attempt="exact"))
    rejected = (AttemptRecord(name="lto-free", reason="3 functions lost"),)
    assert ", not lto-free (3 functions lost)." in notes(with_pgo(record, attempt="exact", rejected_attempts=rejected))


def test_why_nothing_was_counted_is_said_once() -> None:
    """Each workload has a figure of its own in its reason; one line is enough for all of them."""
    reasons = [("books", "would take 4 min by callgrind"), ("logs", "would take 1 min by callgrind")]
    uncounted = tuple(
        Count(workload=workload, variant=variant, count=None, tool=None, reason=reason)
        for workload, reason in reasons
        for variant in ("release", "pgo")
    )
    notes = [note for note in make_footnotes(make_run_record(instructions=uncounted)) if "Instructions" in note]
    assert notes == ["Instructions: n/a (would take 4 min by callgrind; likewise for 1 more workload)."]
