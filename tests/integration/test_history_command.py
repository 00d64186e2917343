"""`optbuild history` on records of a real run: where it looks, what it keeps apart, and what it refuses."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.integration.optbuild_program import TOLERANT, Optbuild, copy_crate, edit, tree, write_profile

pytestmark = [pytest.mark.cargo, pytest.mark.pgo]


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A project with one stored run."""

    optbuild: Optbuild
    project: Path
    record: dict[str, Any]


@pytest.fixture(scope="module")
def done(shared_optbuild: Optbuild, tmp_path_factory: pytest.TempPathFactory) -> Done:
    """One real run."""
    project = copy_crate("tally", tmp_path_factory.mktemp("history") / "tally")
    write_profile(project)
    edit(project / "optbuild.toml", TOLERANT, "")  # it is also how large a lasting change must be
    record = shared_optbuild.run("pgo", "--json", cwd=project).expect(0).document
    return Done(optbuild=shared_optbuild, project=project, record=record)


def write_weeks(directory: Path, done: Done, changes: list[float], **host: object) -> None:
    """Records of a real run as later weeks would have left them, with these changes over all workloads."""
    directory.mkdir(exist_ok=True)
    interval = {"verdict": "faster", "rounds": 9, "mde": 0.01, "metric": "wall", "confidence": 0.95}
    for week, change in enumerate(changes):
        comparison = {
            **interval,
            "workload": None,
            "baseline": "release",
            "candidate": "pgo",
            "change": change,
            "ci_low": change - 0.01,
            "ci_high": change + 0.01,
            "p_value": 0.001,
            "p_adjusted": 0.001,
        }
        record = {
            **done.record,
            "run_id": f"{directory.name}-{week:02}",
            "started_at": f"2030-{1 + week // 28:02}-{1 + week % 28:02}T00:00:00+00:00",
            "comparisons": [comparison],
            "host": {**done.record["host"], **host},
        }
        (directory / f"week-{week:02}.json").write_text(json.dumps(record))


def test_records_from_elsewhere_join_those_of_the_project(done: Done, tmp_path: Path) -> None:
    """Machines stay apart, the change that lasts is named with its place, and a damaged record is told."""
    noise = [0.001 * (week % 5) for week in range(9)]
    write_weeks(tmp_path / "ci", done, [*(-0.12 + n for n in noise), *(-0.04 + n for n in noise)])
    write_weeks(tmp_path / "other", done, [-0.3, -0.31], cpu="Another CPU")
    (tmp_path / "ci" / "bad").mkdir()
    (tmp_path / "ci" / "bad" / "record.json").write_text("{")
    (tmp_path / "ci" / "notes.json").write_text('{"a": 1}')
    before = tree(done.project)
    ended = done.optbuild.run("history", tmp_path / "ci", tmp_path / "other", cwd=done.project).expect(0)
    assert "21 runs on 2 machines" in ended.stdout
    assert "Another CPU" in ended.stdout
    assert "points since 2030-01-10" in ended.stdout
    assert "record.json is damaged and was skipped" in ended.stderr
    assert "notes.json" not in ended.stderr
    assert tree(done.project) == before


def test_records_need_no_project(done: Done, tmp_path: Path) -> None:
    """Elsewhere the named records are all there is; as CSV each run of a series is a row."""
    write_weeks(tmp_path / "ci", done, [-0.12, -0.1])
    ended = done.optbuild.run("history", "ci", "ci/week-00.json", "--format", "csv", cwd=tmp_path).expect(0)
    rows = list(csv.DictReader(io.StringIO(ended.stdout)))
    assert [(row["run_id"], row["variant"], float(row["change"])) for row in rows] == [
        ("ci-00", "pgo", -0.12),
        ("ci-01", "pgo", -0.1),
    ]


def test_the_page_needs_nothing_else(done: Done, tmp_path: Path) -> None:
    """A chart for each series, and no resource from outside."""
    write_weeks(tmp_path / "ci", done, [-0.12, -0.1, -0.11])
    page = tmp_path / "history.html"
    done.optbuild.run("history", "ci", "--format", "html", "-o", page, cwd=tmp_path).expect(0)
    text = page.read_text()
    assert text.count("<svg") == 1
    assert "<script" not in text
    assert "http" not in text


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("gone",), "does not exist"),
        (("Cargo.toml",), "is not a record of optbuild"),
        (("src",), "contains no record of optbuild"),
        (("--format", "pdf"), "there is no format 'pdf'"),
    ],
)
def test_what_is_no_record_is_refused(done: Done, arguments: tuple[str, ...], told: str) -> None:
    """With what to name instead."""
    refused = done.optbuild.run("history", *arguments, cwd=done.project).expect(2)
    assert told in refused.stderr
    assert "help: " in refused.stderr
