from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import jsonschema
import pytest
from inline_snapshot import snapshot

from optbuild.errors import UsageError
from optbuild.measure.model import Verdict
from optbuild.record.model import RunRecord
from optbuild.record.variants import VariantStatus
from optbuild.report.assemble import assemble
from optbuild.report.formats import FORMATS
from optbuild.report.model import Screen
from optbuild.testing.records import make_comparison, make_run_record, make_variant_record
from tests.unit.report_cases import make_invalid, make_measured, make_unmeasured, with_in_sample, with_samples

CONSUMERS = Path(__file__).parents[1] / "recorded/consumers"
EXPORTS = ("github-benchmark", "bencher", "otava", "hyperfine")


def export(record: RunRecord, name: str) -> str:
    """Assemble and write in one format."""
    return FORMATS[name](record, assemble(record), Screen())


def check_schema(text: str, consumer: str) -> Any:  # noqa: ANN401 - JSON
    """Read an export as its consumer does."""
    found = json.loads(text)
    jsonschema.validate(found, json.loads((CONSUMERS / f"{consumer}.schema.json").read_text()))
    return found


def test_github_action_benchmark_takes_medians_and_sizes() -> None:
    """A series for each variant on each workload, with what a reader of the chart asks in `extra`."""
    entries = check_schema(export(with_samples(make_measured("a", "b")), "github-benchmark"), "github-action-benchmark")

    assert [entry["name"] for entry in entries] == [
        *(f"{workload} ({variant})" for workload in "ab" for variant in ("release", "lto", "pgo")),
        *(f"size ({variant})" for variant in ("release", "lto", "pgo")),
    ]
    assert entries[2] == snapshot(
        {
            "name": "a (pgo)",
            "unit": "s",
            "value": 0.031046400000000002,
            "range": "± 0.000202",
            "extra": """\
median of 16 runs, quartiles 0.030798 and 0.0312016 s
−11.8% [−12.6, −11.0] against release: faster
run 20260102-030405-beef, 0123456789ab\
""",
        }
    )


def test_bencher_takes_built_in_measures() -> None:
    """Latency in nanoseconds with the median between its quartiles, sizes in bytes, build times in seconds."""
    found = check_schema(export(with_samples(make_measured()), "bencher"), "bencher")

    assert found == snapshot(
        {
            "books (release)": {
                "latency": {"value": 35200000.0, "lower_value": 34918400.0, "upper_value": 35376000.00000001}
            },
            "books (lto)": {"latency": {"value": 34108800.0, "lower_value": 33835929.6, "upper_value": 34279344.0}},
            "books (pgo)": {
                "latency": {"value": 31046400.0, "lower_value": 30798028.8, "upper_value": 31201632.000000004}
            },
            "build (release)": {"file-size": {"value": 9646899.0}, "build-time": {"value": 52.0}},
            "build (lto)": {"file-size": {"value": 7759462.0}, "build-time": {"value": 88.0}},
            "build (pgo)": {"file-size": {"value": 8283750.0}, "build-time": {"value": 190.0}},
        }
    )
    latency = found["books (pgo)"]["latency"]
    assert latency["lower_value"] < latency["value"] < latency["upper_value"]


def test_otava_takes_a_row_for_each_run() -> None:
    """The headings are the same for every run of the same variants, so that rows can be put below each other."""
    text = export(with_samples(make_measured()), "otava")
    assert text == snapshot("""\
time,commit,run,books (release),books (lto),books (pgo),size (release),size (lto),size (pgo)
2026-01-02T03:04:05+00:00,0123456789abcdef0123456789abcdef01234567,20260102-030405-beef,0.0352,0.0341088,0.031046400000000002,9646899,7759462,8283750
""")

    row = next(csv.DictReader(io.StringIO(text, newline="")))
    assert datetime.fromisoformat(row["time"]).tzinfo is not None
    assert float(row["books (pgo)"]) < float(row["books (release)"])


def test_hyperfine_s_readers_take_every_run() -> None:
    """Times, exit codes and parameters; the statistics are those of the times."""
    results = check_schema(export(with_samples(make_measured(), rounds=2), "hyperfine"), "hyperfine")["results"]

    assert results[-1] == snapshot(
        {
            "command": "books (pgo)",
            "mean": 0.031015353600000004,
            "stddev": 0.0003104639999999999,
            "median": 0.030984307200000002,
            "user": 0.031046400000000002,
            "system": 0.0,
            "min": 0.030673843200000002,
            "max": 0.0314189568,
            "times": [0.030673843200000002, 0.031046400000000002, 0.0314189568, 0.030922214400000002],
            "exit_codes": [0, 0, 0, 0],
            "parameters": {"workload": "books", "variant": "pgo"},
        }
    )
    assert all(len(item["times"]) == len(item["exit_codes"]) for item in results)


def test_hyperfine_is_told_the_exit_code_that_a_workload_expects() -> None:
    """A program that says "different" by its status has succeeded."""
    record = with_samples(make_measured())
    record = replace(record, build_profile={"workloads": [{"name": "books", "expect-exit": 1}]})

    assert {code for item in json.loads(export(record, "hyperfine"))["results"] for code in item["exit_codes"]} == {1}


def test_a_benchmark_that_measures_itself_is_no_command() -> None:
    """What has no user and system time of its own cannot be told in hyperfine's words."""
    record = with_samples(make_measured("a", "b"))
    resources = [replace(item, median_user_s=None) if item.workload == "a" else item for item in record.resources]
    found = json.loads(export(replace(record, resources=tuple(resources)), "hyperfine"))["results"]

    assert [item["parameters"]["workload"] for item in found] == ["b"] * 3
    none = replace(record, resources=tuple(replace(item, median_user_s=None) for item in record.resources))
    with pytest.raises(UsageError, match="holds no measurements"):
        export(none, "hyperfine")


def test_other_metrics_have_other_names() -> None:
    """CPU time must not continue a series of wall times."""
    record = with_samples(make_measured())
    record = replace(
        record,
        benchmarks=tuple(replace(item, metric="cpu") for item in record.benchmarks),
        comparisons=tuple(replace(item, metric="cpu") for item in record.comparisons),
    )

    assert "books (pgo) [cpu]" in export(record, "otava")
    assert set(json.loads(export(record, "bencher"))["books (pgo) [cpu]"]) == {"cpu-time"}


def test_an_invalid_change_is_not_exported() -> None:
    """The times are what they are; no change is told where the report tells none."""
    text = export(with_samples(make_invalid()), "github-benchmark")

    assert "books (pgo)" in text
    assert "against release" not in text


def test_a_gain_on_what_was_trained_on_says_so() -> None:
    """Whoever reads the change beside a chart reads the label with it."""
    record = with_in_sample(with_samples(make_measured("a", "b")), a=True, b=False)
    entries = {entry["name"]: entry.get("extra", "") for entry in json.loads(export(record, "github-benchmark"))}

    assert "faster (in-sample)" in entries["a (pgo)"]
    assert "in-sample" not in entries["b (pgo)"]


@pytest.mark.parametrize("name", EXPORTS)
def test_a_run_that_measured_nothing_is_refused(name: str) -> None:
    """An empty export would look like a success to whoever reads it."""
    with pytest.raises(UsageError, match="run 20260102-030405-beef holds no measurements") as caught:
        export(make_unmeasured(), name)
    assert "optbuild pgo" in caught.value.help


def test_junit_has_builds_and_comparisons_as_tests() -> None:
    """What is slower fails, what proves nothing is skipped, and names stay names."""
    hostile = "a<b>\x1b[2J\n::error::"
    comparisons = (
        make_comparison(),
        make_comparison(workload=hostile, verdict=Verdict.SLOWER, change=0.04, ci_low=0.03, ci_high=0.05),
        make_comparison(workload="short", verdict=Verdict.INCONCLUSIVE, ci_low=-0.1, ci_high=0.1),
    )
    broken = make_variant_record("bolt", status=VariantStatus.FAILED, reason="it crashed")
    record = make_run_record(comparisons=comparisons)
    record = replace(record, variants=(*record.variants, broken))

    suite = next(ET.fromstring(export(record, "junit").encode()).iter("testsuite"))  # noqa: S314 - made here

    cases = [(case.get("classname"), case.get("name"), *(part.tag for part in case)) for case in suite]
    assert cases == [
        ("demo.release", "build", "system-out"),
        ("demo.pgo", "build", "system-out"),
        ("demo.pgo", "all workloads", "system-out"),
        ("demo.pgo", "a<b>^[[2J^J:\\:error::", "failure"),
        ("demo.pgo", "short", "skipped"),
        ("demo.bolt", "build", "error"),
    ]
    assert suite.attrib == {"name": "optbuild", "tests": "6", "failures": "1", "errors": "1", "skipped": "1"}
    assert next(suite.iter("failure")).text == "+4.0% [+3.0, +5.0] wall against release: slower"
