"""Leaving each training workload out in turn, with real tools: what is built of what, and what is done only once."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from optbuild.files import sha256_of
from tests.integration.optbuild_program import (
    TOLERANT,
    Ended,
    Optbuild,
    copy_crate,
    edit,
    find_profdata,
    steps_of,
    variant_of,
)

pytestmark = pytest.mark.pgo

NAMES = ("sum", "collatz", "sort")
COMMAND = ("pgo", "--json", "--cross-validate")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A crate of three modes that was cross-validated, each workload another mode."""

    optbuild: Optbuild
    directory: Path
    ended: Ended

    @property
    def record(self) -> dict[str, Any]:
        return self.ended.document

    @property
    def folds(self) -> dict[str, dict[str, Any]]:
        """The folds by what they leave out."""
        found: dict[str, Any] = {fold["left_out"][0]: fold for fold in self.record["cross_validation"]["folds"]}
        return found

    def call(self, *arguments: str) -> Ended:
        return self.optbuild.run(*arguments, cwd=self.directory)


@pytest.fixture(scope="module")
def tried(shared_optbuild: Optbuild, tmp_path_factory: pytest.TempPathFactory) -> Tried:
    """The first cross-validation of a project."""
    directory = copy_crate("modes", tmp_path_factory.mktemp("folds") / "modes")
    # So rough a precision that the first rounds reach it: they end the measuring, and no time does.
    edit(directory / "optbuild.toml", 'max-time = "1s"', f'max-time = "60s"\nprecision = "50%"\n{TOLERANT}')
    ended = shared_optbuild.run(*COMMAND, cwd=directory).expect(0)
    return Tried(optbuild=shared_optbuild, directory=directory, ended=ended)


def fold_steps(record: dict[str, Any]) -> dict[str, dict[str, bool]]:
    """Whether each fold's own steps were reused, by what it leaves out and by kind."""
    return {
        fold["left_out"][0]: {step["kind"]: step["reused"] for step in fold["build"]["steps"]}
        for fold in record["cross_validation"]["folds"]
    }


def test_the_cost_is_told_before_anything_is_built(tried: Tried) -> None:
    """How many builds, before the first of them; how long is not known the first time."""
    first = tried.ended.stderr.splitlines()[0]
    assert first == "note: cross-validation: 3 more builds of pgo; left out in turn: sum; collatz; sort"


def test_each_workload_is_left_out_in_turn(tried: Tried) -> None:
    """Three profiles of two workloads each, three binaries that differ from each other and from the variant's."""
    pgo = variant_of(tried.record, "pgo")
    builds = [fold["build"] for fold in tried.folds.values()]
    assert [(fold["variant"], fold["workloads"]) for fold in tried.folds.values()] == [("pgo", [n]) for n in NAMES]
    assert [build["name"] for build in builds] == [f"pgo without {name}" for name in NAMES]
    assert [build["pgo"]["raw_profiles"] for build in (pgo, *builds)] == [3, 2, 2, 2]
    assert len({build["pgo"]["profdata"]["sha256"] for build in (pgo, *builds)}) == 4
    assert len({build["artifacts"][0]["sha256"] for build in (pgo, *builds)}) == 4
    assert all(build["pgo"]["applied"] for build in builds)
    assert all(build["pgo"]["functions_with_counts"] < pgo["pgo"]["functions_with_counts"] for build in builds)


def test_what_was_left_out_has_no_counts_in_the_profile(tried: Tried) -> None:
    """`llvm-profdata` itself tells: the function of the mode that was not trained never ran."""
    tool = find_profdata(tried.optbuild, tried.directory)

    def ran(build: dict[str, Any], mode: str) -> bool:
        argv = [tool, "show", "--all-functions", "--counts", build["pgo"]["profdata"]["path"]]
        lines = iter(subprocess.check_output(argv, text=True).splitlines())
        assert any(f"_ZN5modes{len(mode)}{mode}" in line for line in lines), "the profile knows the function"
        counts = next(line for line in lines if "Block counts:" in line).partition("[")[2].rstrip("]")
        return any(int(count) for count in counts.split(","))

    pgo = variant_of(tried.record, "pgo")
    for left_out, fold in tried.folds.items():
        assert {mode: ran(fold["build"], mode) for mode in NAMES} == {mode: mode != left_out for mode in NAMES}
        assert ran(pgo, left_out)


def test_folds_are_trained_by_their_variants_own_runs(tried: Tried) -> None:
    """Nothing more is instrumented or trained: a fold is a merge and a build."""
    assert [kinds.keys() for kinds in fold_steps(tried.record).values()] == [{"merge", "compile"}] * 3
    steps = [step["kind"] for step in variant_of(tried.record, "pgo")["steps"]]
    assert steps == ["object", "compile", "train", "train", "train", "merge", "compile"]
    assert "pgo without sum: build …" in tried.ended.stderr
    assert tried.ended.stderr.count("train on") == 2 * len(NAMES)


def test_only_variants_are_published(tried: Tried) -> None:
    """A fold's binary is kept where the record says, and nowhere that people take binaries from."""
    root = tried.directory / "target/optbuild"
    assert sorted(path.name for path in (root / "artifacts").iterdir()) == ["pgo", "release"]
    for fold in tried.folds.values():
        (artifact,) = fold["build"]["artifacts"]
        assert Path(artifact["path"]).is_relative_to(root / "binaries")
        assert sha256_of(Path(artifact["path"])) == artifact["sha256"]


def test_each_fold_is_checked_and_measured_on_what_it_left_out(tried: Tried) -> None:
    """Its output is the baseline's, and its samples stand beside all others, of this workload alone."""
    outputs = [(item["variant"], item["workload"]) for item in tried.record["outputs"] if "without" in item["variant"]]
    assert outputs == [(f"pgo without {name}", name) for name in NAMES]
    assert {item["equal"] for item in tried.record["outputs"]} == {True}
    for benchmark in tried.record["benchmarks"]:
        assert benchmark["rounds"]
        for block in benchmark["rounds"]:
            assert block["values"].keys() - {"A'"} == {"release", "pgo", "pgo held-out"}
            assert len({len(values) for values in block["values"].values()}) == 1


def test_the_record_compares_what_was_trained_with_what_was_not(tried: Tried) -> None:
    """Over all folds and on each, three ways; the suite's own comparisons are of the variants alone."""
    found = tried.record["cross_validation"]
    assert found["workloads"] == list(NAMES)
    for family, baseline, candidate in (
        ("trained", "release", "pgo"),
        ("held_out", "release", "pgo held-out"),
        ("optimism", "pgo", "pgo held-out"),
    ):
        assert [item["workload"] for item in found[family]] == [None, *NAMES]
        assert {(item["baseline"], item["candidate"]) for item in found[family]} == {(baseline, candidate)}
    assert {item["candidate"] for item in tried.record["comparisons"]} == {"pgo"}
    assert [item["in_sample"] for item in tried.record["workloads"]] == [True] * 3
    assert [fold["build"]["pgo"]["in_sample"] for fold in tried.folds.values()] == [False] * 3


def test_the_record_is_valid(tried: Tried) -> None:
    """By the schema that this version prints."""
    jsonschema.validate(tried.record, json.loads(tried.call("schema", "record").expect(0).stdout))


def test_every_format_shows_it(tried: Tried) -> None:
    """A table and a sentence for people, rows of their own for scripts."""
    for form in ("terminal", "markdown", "html"):
        text = " ".join(tried.call("report", "--format", form).expect(0).stdout.split())
        assert "Cross-validation of pgo: each workload with a profile that left it out" in text
        assert "on workloads it was not trained on (3 folds)" in text
    rows = list(csv.DictReader(io.StringIO(tried.call("report", "--format", "csv").expect(0).stdout)))
    scopes = [(row["scope"], row["in_sample"]) for row in rows if row["workload"] == "sort"]
    assert scopes == [
        ("workload", "true"),
        ("trained workload", "true"),
        ("held-out workload", "false"),
        ("optimism workload", "false"),
    ]
    # On a fast machine the runs are over too soon for a verdict, and then no gain is listed at all.
    listed = tried.call("runs").expect(0).stdout
    assert ("held-out" in listed) != ("invalid" in listed)


def test_a_rerun_does_nothing_again(tried: Tried) -> None:
    """No fold is merged, built or measured anew, and the note says before that it need not be."""
    again = tried.call(*COMMAND).expect(0)
    assert again.stderr.startswith("note: cross-validation: 3 more builds of pgo, which an earlier run has built")
    assert again.document == tried.record
    assert "✓ pgo without sort: build  reused" in again.stderr
    assert "✓ pgo without sort: outputs of sort  reused" in again.stderr
    assert f"nothing has changed since run {tried.record['run_id']}" in again.stderr


def test_a_changed_input_concerns_only_the_folds_that_learn_from_it(tried: Tried, tmp_path: Path) -> None:
    """The fold that leaves it out is the same as before; what learns from it is merged and built again."""
    directory = shutil.copytree(tried.directory, tmp_path / "modes", symlinks=True)
    first = tried.optbuild.run(*COMMAND, "--max-time", "1s", cwd=directory).expect(0)
    with (directory / "data/sort.txt").open("a") as stream:
        stream.write("5 7 13\n")
    second = tried.optbuild.run(*COMMAND, "--max-time", "1s", cwd=directory).expect(0)
    reused = {name: kinds["merge"] for name, kinds in fold_steps(second.document).items()}
    assert reused == {"sum": False, "collatz": False, "sort": True}
    assert fold_steps(second.document)["sort"] == {"merge": True, "compile": True}
    trained = {step["action"] for step in variant_of(first.document, "pgo")["steps"] if step["kind"] == "train"}
    again = {action for action, was_reused in steps_of(second.document).items() if not was_reused}
    assert len(trained & again) == 1


def test_the_plan_shows_the_folds_and_runs_nothing(optbuild: Optbuild, tmp_path: Path) -> None:
    """As people read it and as data; a fold's profile is merged of the others by their weights."""
    directory = copy_crate("modes", tmp_path / "modes")
    text = optbuild.run("plan", "-v", "--cross-validate", cwd=directory).expect(0).stdout
    assert "fold pgo without sort: built by choose-" in text
    plan = optbuild.run("plan", "--cross-validate", "--json", cwd=directory).expect(0).document
    assert [fold["left_out"] for fold in plan["folds"]] == [[name] for name in NAMES]
    labels = {action["id"]: action["label"] for action in plan["actions"]}
    merges = {a["label"]: a["inputs"] for a in plan["actions"] if a["kind"] == "merge"}
    weights = [
        (text.split()[0], labels[text.split("profdata:")[1].rstrip("}")])
        for text in merges["pgo without sum: merge profiles"]
    ]
    assert weights == [("2", "pgo: train on collatz"), ("1", "pgo: train on sort")]
    assert not (directory / "target").exists()


def test_workloads_on_one_input_are_left_out_together(optbuild: Optbuild, tmp_path: Path) -> None:
    """A copy of a file is the same input: leaving out one of two would leave it in."""
    directory = copy_crate("modes", tmp_path / "modes")
    shutil.copy(directory / "data/sum.txt", directory / "data/collatz.txt")
    plan = optbuild.run("plan", "--cross-validate", "--json", cwd=directory).expect(0).document
    assert [(fold["left_out"], fold["workloads"]) for fold in plan["folds"]] == [
        (["sum", "collatz"], ["sum", "collatz"]),
        (["sort"], ["sort"]),
    ]


def test_only_what_is_measured_is_left_out(optbuild: Optbuild, tmp_path: Path) -> None:
    """A workload for training alone stays in every fold."""
    directory = copy_crate("modes", tmp_path / "modes")
    edit(directory / "optbuild.toml", "weight = 2", 'use = ["train"]')
    plan = optbuild.run("plan", "--cross-validate", "--json", cwd=directory).expect(0).document
    assert [fold["left_out"] for fold in plan["folds"]] == [["sum"], ["sort"]]


SAME = {'"data/collatz.txt"': '"data/sum.txt"', '"data/sort.txt"': '"data/sum.txt"'}


@pytest.mark.parametrize(
    ("command", "edits", "message"),
    [
        (("pgo", "--cross-validate", "--", "{bin}", "sum", "data/sum.txt"), {}, "it is the only training workload"),
        (("run", "--cross-validate", "release"), {}, "no variant that is compared with release has PGO"),
        (("pgo", "--cross-validate"), SAME, "all 3 training workloads share an input with it"),
    ],
)
def test_what_cannot_be_left_out_is_refused_before_anything_is_built(
    optbuild: Optbuild, tmp_path: Path, command: tuple[str, ...], edits: dict[str, str], message: str
) -> None:
    """Exit code 2 and a way out, for people and in JSON."""
    directory = copy_crate("modes", tmp_path / "modes")
    for old, new in edits.items():
        edit(directory / "optbuild.toml", old, new)
    name, *rest = command
    ended = optbuild.run(name, "--json", *rest, cwd=directory).expect(2)
    assert message in ended.error["message"]
    assert message in ended.stderr
    assert not (directory / "target").exists()
