from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from inline_snapshot import snapshot

from optbuild.errors import UsageError
from optbuild.events import Event, Notice
from optbuild.fleet.merge import merge
from optbuild.fleet.plan import make_matrix, make_matrix_schema, render_matrix
from optbuild.fleet.report import FLEET_FORMATS, assemble_fleet_charts
from optbuild.fleet.results import ResultStore, make_unit_schema, render_result
from optbuild.fleet.shards import Shard, share_out
from optbuild.fleet.summary import FleetReport, FleetStatus, make_report_schema, render_fleet_report, report_on_store
from optbuild.record.model import ErrorRecord
from optbuild.report.model import Screen
from tests.unit.fleet_cases import make_failure, make_result, make_unit

APP, TOOL, GAME = (make_unit(name) for name in ("app", "tool", "game"))


def _store(directory: Path, *units_and_results: object) -> ResultStore:
    store = ResultStore(directory=directory)
    store.save_list((APP, TOOL, GAME))
    for result in units_and_results:
        store.save(result)  # type: ignore[arg-type]  # results only
    return store


def _merge(*directories: Path, out: Path | None = None) -> tuple[FleetReport, list[str]]:
    said: list[Event] = []
    report = merge(directories, said.append, out=out)
    return report, [event.message for event in said if isinstance(event, Notice)]


@pytest.mark.parametrize("text", ["0/2", "3/2", "1", "a/b", "1/2/3", "-1/2", "1/", " 1/2"])
def test_a_shard_is_k_of_n(text: str) -> None:
    """Anything else is refused with an example."""
    with pytest.raises(UsageError, match="is not K/N"):
        Shard.parse(text)


def test_shards_are_balanced_by_the_estimate() -> None:
    """The longest unit goes first, each to the part with the least work."""
    units = tuple(make_unit(f"u{cost}", estimate_s=cost) for cost in (1, 9, 3, 5, 4, 8))
    parts = share_out(units, 2)
    assert [sum(unit.estimate_s for unit in part) for part in parts] == [16, 14]
    assert [unit.project for unit in parts[0]] == ["u9", "u3", "u4"]


def test_more_shards_than_units_leaves_some_empty() -> None:
    """A job with nothing to do is no error: the matrix may have been written by hand."""
    assert sorted(map(len, share_out((APP, TOOL), 4))) == [0, 0, 1, 1]


def test_the_matrix_has_a_job_for_each_unit_and_nothing_beside_include() -> None:
    """GitHub would take any other key for an axis."""
    document = json.loads(render_matrix(make_matrix((APP, TOOL), None)))
    jsonschema.validate(document, make_matrix_schema())
    assert list(document) == ["include"]
    assert [(job["shard"], job["name"], len(job["units"])) for job in document["include"]] == [
        ("1/2", "app", 1),
        ("2/2", "tool", 1),
    ]


def test_a_matrix_has_no_more_jobs_than_github_starts() -> None:
    """Without a number, the jobs of a large fleet do several units each."""
    units = tuple(make_unit(f"u{number}") for number in range(300))
    matrix = make_matrix(units, None)
    assert len(matrix.include) == 256
    assert sum(len(job.units) for job in matrix.include) == 300


def test_a_result_fits_its_schema_and_comes_back_equal(tmp_path: Path) -> None:
    """What is stored is the whole of it."""
    store, result = ResultStore(directory=tmp_path), make_result(APP, -0.1)
    jsonschema.validate(json.loads(render_result(result)), make_unit_schema())
    store.save(result)
    assert store.find(APP.id) == result


def test_the_mean_over_projects_has_an_interval(tmp_path: Path) -> None:
    """Student's t of the logarithms, by hand: two projects at −10% and −20%."""
    report = report_on_store(_store(tmp_path, make_result(APP, -0.1), make_result(TOOL, -0.2)), (APP, TOOL))
    (mean,) = report.means
    assert mean.projects == ("app", "tool")
    assert mean.change == pytest.approx((0.9 * 0.8) ** 0.5 - 1)
    # t(0.975, 1) = 12.706; deviation of ln 0.9 and ln 0.8 = 0.083285; divided by the root of 2
    assert mean.ci_low == pytest.approx(0.848528 * 2.718281828 ** (-12.7062 * 0.083285 / 2**0.5) - 1, rel=1e-4)
    assert mean.ci_high == pytest.approx(0.848528 * 2.718281828 ** (12.7062 * 0.083285 / 2**0.5) - 1, rel=1e-4)


def test_a_project_with_several_targets_counts_once(tmp_path: Path) -> None:
    """The mean is over projects, not over units."""
    other = replace(APP, id="id-app-2", target="aarch64-unknown-linux-gnu")
    units = (APP, other, TOOL)
    results = (make_result(APP, -0.1), make_result(other, -0.3), make_result(TOOL, -0.2))
    (mean,) = report_on_store(_store(tmp_path, *results), units).means
    assert mean.change == pytest.approx(((0.9 * 0.7) ** 0.5 * 0.8) ** 0.5 - 1)


def test_one_project_has_no_interval_over_projects(tmp_path: Path) -> None:
    """A sample of one says nothing about others."""
    (mean,) = report_on_store(_store(tmp_path, make_result(APP, -0.1)), (APP,)).means
    assert (mean.ci_low, mean.ci_high) == (None, None)


def test_the_exit_code_is_that_of_the_first_failure(tmp_path: Path) -> None:
    """As in a run, whose first failed variant decides."""
    report = report_on_store(_store(tmp_path, make_result(APP, -0.1), make_failure(TOOL)), (APP, TOOL))
    assert (report.status, report.exit_code) == (FleetStatus.FAILED, 10)


def test_a_merge_names_what_is_missing_and_fails(tmp_path: Path) -> None:
    """Part of a fleet must not look like all of it."""
    _store(tmp_path / "1", make_result(APP, -0.1))
    _store(tmp_path / "2", make_result(TOOL, -0.2))
    report, _ = _merge(tmp_path / "1", tmp_path / "2")
    assert (report.status, report.exit_code, report.missing) == (FleetStatus.MISSING, 1, ("id-game",))
    assert "Without a result: game [id-game]." in FLEET_FORMATS["terminal"](report, Screen())


def test_a_unit_that_was_done_twice_counts_once(tmp_path: Path) -> None:
    """The newest of equal ones, and a complete one before a failure that came later."""
    _store(tmp_path / "1", make_result(APP, -0.1), make_result(TOOL, -0.1, finished_at="2026-11-29T12:00:00+00:00"))
    _store(tmp_path / "2", make_failure(APP), make_result(TOOL, -0.2), make_result(GAME, -0.3))
    for order in (("1", "2"), ("2", "1")):
        report, _ = _merge(*(tmp_path / name for name in order))
        assert [unit.comparisons[0].change for unit in report.units] == [-0.1, -0.1, -0.3]
        assert sorted(report.duplicates) == ["id-app", "id-tool"]
        assert report.exit_code == 0


def test_a_damaged_result_does_not_count_and_is_named(tmp_path: Path) -> None:
    """It is done again, as if it had not been done."""
    store = _store(tmp_path / "1", make_result(APP, -0.1), make_result(TOOL, -0.1), make_result(GAME, -0.1))
    store.path_of(TOOL.id).write_text(store.path_of(TOOL.id).read_text()[:100])
    report, said = _merge(tmp_path / "1")
    assert report.missing == ("id-tool",)
    assert [line for line in said if "is damaged" in line]


def test_results_of_another_fleet_are_refused(tmp_path: Path) -> None:
    """A wrong directory must not make all units of the right one missing."""
    _store(tmp_path / "1", make_result(APP, -0.1))
    with pytest.raises(UsageError, match="holds the results of another fleet"):
        merge([tmp_path / "1"], lambda _: None, units=(make_unit("other"),))


def test_a_directory_without_results_is_refused(tmp_path: Path) -> None:
    """The list of units is missing, or damaged."""
    with pytest.raises(UsageError, match="holds no results of a fleet"):
        merge([tmp_path], lambda _: None)


def test_units_of_several_versions_are_warned_of(tmp_path: Path) -> None:
    """They may have been measured differently."""
    _store(tmp_path, replace(make_result(APP, -0.1), optbuild_version="0.0.9"), make_result(TOOL, -0.1))
    _, said = _merge(tmp_path)
    assert said == snapshot(["the units were measured by several versions of optbuild: 0.0.9, 0.1.0"])


def test_a_merge_can_be_merged_again(tmp_path: Path) -> None:
    """The directory of `--out` is one of results like any other."""
    _store(tmp_path / "1", make_result(APP, -0.1))
    _store(tmp_path / "2", make_result(TOOL, -0.2), make_result(GAME, -0.3))
    first, _ = _merge(tmp_path / "1", tmp_path / "2", out=tmp_path / "all")
    second, _ = _merge(tmp_path / "all")
    assert second == first


def test_the_report_says_what_failed_and_why(tmp_path: Path) -> None:
    """In words, with a remedy and a place, and each foreign name escaped."""
    strange = replace(TOOL, project="<b>|*")
    store = _store(tmp_path, make_result(APP, -0.1), make_failure(strange), make_result(GAME, 0.004))
    report = report_on_store(store, (APP, strange, GAME))
    jsonschema.validate(json.loads(render_fleet_report(report)), make_report_schema())
    tables, _, _ = FLEET_FORMATS["markdown"](report, Screen()).partition("\n- ")
    assert tables == snapshot("""\
### Fleet: 3 projects: 2 complete, 1 failed

| project       | target | variant | change against baseline | interval, %   | verdict      |
|:--------------|:-------|:--------|------------------------:|:--------------|:-------------|
| app           | –      | pgo     |                  −10.0% | [−11.0, −9.0] | faster       |
| &lt;b&gt;\\|\\* | –      | –       |                       – | –             | failed       |
| game          | –      | pgo     |                 ~ +0.4% | [−0.6, +1.4]  | inconclusive |

**Over the projects**

| variant | projects | geometric mean | 95% interval, % |
|:--------|---------:|---------------:|:----------------|
| pgo     |        2 |          ~ −5% | [−53, +90]      |

**What failed, and why**

| project       | failed | why                          | what helps                                   |
|:--------------|:-------|:-----------------------------|:---------------------------------------------|
| &lt;b&gt;\\|\\* | build  | release: build: cargo failed | mend what the compiler says (logs/build.log) |
""")
    page = FLEET_FORMATS["html"](report, Screen())
    assert "<b>|" not in page
    assert "What failed, and why" in page


def test_results_of_someone_else_cannot_write_markup(tmp_path: Path) -> None:
    """Every word of an error comes from a file, its code as well."""
    error = ErrorRecord(code="<i>|", message="<i>|", help="<i>|", location="<i>|")
    store = _store(tmp_path, replace(make_failure(APP), error=error))
    report = report_on_store(store, (APP,))
    for form in ("markdown", "html"):
        assert "<i>" not in FLEET_FORMATS[form](report, Screen())
    assert "<i>|" not in FLEET_FORMATS["markdown"](report, Screen()).replace("\\|", "")


def test_a_chart_has_a_row_for_each_project_and_one_for_all(tmp_path: Path) -> None:
    """One group for each variant."""
    store = _store(tmp_path, make_result(APP, -0.1, 0.0), make_result(TOOL, -0.2))
    charts = assemble_fleet_charts(report_on_store(store, (APP, TOOL, GAME)))
    assert [(group.title, [row.label for row in group.rows]) for group in charts.changes] == [
        ("pgo", ["app", "tool", "all projects"]),
        ("pgo-2", ["app"]),
    ]
