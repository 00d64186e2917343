"""The main job with real tools: what is built, what proves it, what is reused, and what is left alone."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from optbuild.files import MARKER, sha256_of
from tests.integration.optbuild_program import (
    Ended,
    Optbuild,
    copy_crate,
    edit,
    find_profdata,
    steps_of,
    tree,
    variant_of,
    write_script,
)

pytestmark = pytest.mark.pgo

LOGGED_WORKLOADS = """\
schema = 1

[variants.release]
[variants.pgo]
inherits = "release"
pgo = true

[[workloads]]
name = "training"
command = ["sh", "-c", 'echo train >> "$CALLS"; "$1" data/train.txt', "sh", "{bin}"]
env = { CALLS = "{env:CALLS}" }
inputs = ["data/train.txt"]
use = ["train"]

[[workloads]]
name = "benchmark"
command = ["sh", "-c", 'echo bench >> "$CALLS"; "$1" data/bench.txt', "sh", "{bin}"]
env = { CALLS = "{env:CALLS}" }
inputs = ["data/bench.txt"]
use = ["bench"]

[measure]
precision = "0.01%"
min-effect = "90%"
max-time = "2s"
"""
"""Asks for a precision that two seconds cannot give, so that more time is always of use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One project in which run follows run; every program that is called says so in a file.

    Attributes:
        directory: The project.
        calls: Where `cargo`, `llvm-profdata` and the workloads tell that they ran.
        before: The project's files before the first run.
    """

    optbuild: Optbuild
    directory: Path
    calls: Path
    before: dict[str, tuple[int, int]]

    @property
    def root(self) -> Path:
        """Where optbuild writes."""
        return self.directory / "target/optbuild"

    def run(self, *options: str) -> Chapter:
        """Run the main job once more."""
        self.calls.write_text("")
        ended = self.optbuild.run("pgo", "--json", *options, cwd=self.directory).expect(0)
        return Chapter(story=self, ended=ended, calls=tuple(self.calls.read_text().split("\n")[:-1]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """One run of the story, and what it called."""

    story: Story
    ended: Ended
    calls: tuple[str, ...]

    @property
    def record(self) -> dict[str, Any]:
        """What it printed."""
        return self.ended.document

    def count(self, call: str) -> int:
        """How often something was called."""
        return self.calls.count(call)

    def reused(self, kind: str) -> list[bool]:
        """Whether each step of a kind was reused."""
        return [reused for action, reused in steps_of(self.record).items() if action.startswith(f"{kind}-")]

    def binary(self, variant: str) -> str:
        """The hash of a variant's binary."""
        sha256: str = variant_of(self.record, variant)["artifacts"][0]["sha256"]
        return sha256


@pytest.fixture(scope="module")
def story(shared_optbuild: Optbuild, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """The project before the first run."""
    directory = copy_crate("tally", tmp_path_factory.mktemp("story") / "tally")
    real_cargo, profdata = shutil.which("cargo"), find_profdata(shared_optbuild, directory)
    (directory / "optbuild.toml").write_text(LOGGED_WORKLOADS)
    programs = shared_optbuild.home / "programs"
    calls = shared_optbuild.home / "calls"
    write_script(programs / "cargo", f"echo \"cargo $1\" >> '{calls}'\nexec '{real_cargo}' \"$@\"")
    write_script(programs / "llvm-profdata", f"echo \"llvm-profdata $1\" >> '{calls}'\nexec '{profdata}' \"$@\"")
    environ = {
        **shared_optbuild.environ,
        "PATH": f"{programs}:{shared_optbuild.environ['PATH']}",
        "LLVM_PROFDATA": str(programs / "llvm-profdata"),
        "CALLS": str(calls),
    }
    return Story(
        optbuild=replace(shared_optbuild, environ=environ), directory=directory, calls=calls, before=tree(directory)
    )


@pytest.fixture(scope="module")
def first(story: Story) -> Chapter:
    """The first run."""
    return story.run()


@pytest.fixture(scope="module")
def second(first: Chapter) -> Chapter:
    """The same once more."""
    return first.story.run()


@pytest.fixture(scope="module")
def longer(second: Chapter) -> Chapter:
    """Once more, with more time."""
    return second.story.run("--max-time", "4s")


@pytest.fixture(scope="module")
def fresh(longer: Chapter) -> Chapter:
    """Once more, reusing nothing."""
    return longer.story.run("--fresh")


@pytest.fixture(scope="module")
def other_benchmark(fresh: Chapter) -> Chapter:
    """Once more, after the input of the benchmark has changed."""
    (fresh.story.directory / "data/bench.txt").write_text("11000\n")
    return fresh.story.run()


@pytest.fixture(scope="module")
def other_training(other_benchmark: Chapter) -> Chapter:
    """Once more, after the input of the training has changed."""
    (other_benchmark.story.directory / "data/train.txt").write_text("3\n")
    return other_benchmark.story.run()


@pytest.fixture(scope="module")
def other_source(other_training: Chapter) -> Chapter:
    """Once more, after the source has changed."""
    edit(other_training.story.directory / "src/main.rs", '"{below}: {}"', '"{below} -> {}"')
    return other_training.story.run()


def test_a_run_builds_trains_proves_and_measures(first: Chapter) -> None:
    """The record holds evidence of each part: raw profiles, counts, another binary, equal outputs, samples."""
    record = first.record
    assert (record["schema"], record["status"], record["exit_code"]) == ("optbuild/record/1", "complete", 0)
    release, pgo = variant_of(record, "release"), variant_of(record, "pgo")
    assert (release["baseline"], release["pgo"], release["status"], pgo["status"]) == (True, None, "built", "built")
    evidence = pgo["pgo"]
    assert evidence["applied"] is True
    assert evidence["in_sample"] is False
    assert evidence["raw_profiles"] == 1
    assert 0 < evidence["functions_with_counts"] <= evidence["functions"]
    assert evidence["total_count"] > 9000
    assert (evidence["quarantined"], evidence["mismatched_functions"]) == ([], 0)
    assert first.binary("release") != first.binary("pgo")
    assert [(row["variant"], row["equal"]) for row in record["outputs"]] == [("release", True), ("pgo", True)]
    wall = next(row for row in record["benchmarks"] if row["metric"] == "wall")
    assert all(set(item["values"]) >= {"release", "pgo"} for item in wall["rounds"])
    assert {row["candidate"] for row in record["comparisons"]} == {"pgo"}


def test_the_profile_data_lies_where_the_record_says_and_has_counts(first: Chapter) -> None:
    """The merged profile is named by its content, and llvm-profdata reads the counts out of it."""
    profdata = variant_of(first.record, "pgo")["pgo"]["profdata"]
    path = Path(profdata["path"])
    assert path.parent == first.story.root / "profdata"
    assert sha256_of(path) == profdata["sha256"]
    assert path.stem in profdata["sha256"]
    tool = first.record["toolchain"]["llvm_profdata"]["path"]
    shown = subprocess.run(
        [tool, "show", "--all-functions", "--counts", path],
        env=dict(first.story.optbuild.environ),
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert "tally" in shown
    assert "Block counts: [" in shown


def test_the_artifacts_lie_where_the_contract_says_and_agree(first: Chapter) -> None:
    """`artifacts/<variant>/<bin>` holds a program of the recorded hash and size, which prints what the others print."""
    printed = set()
    for name in ("release", "pgo"):
        (artifact,) = variant_of(first.record, name)["artifacts"]
        path = first.story.root / "artifacts" / name / "tally"
        assert artifact["path"] == str(path)
        assert (artifact["sha256"], artifact["size_bytes"]) == (sha256_of(path), path.stat().st_size)
        printed.add(subprocess.check_output([path, "data/train.txt"], cwd=first.story.directory))
    assert len(printed) == 1


def test_the_record_on_stdout_is_the_stored_one_and_fits_its_schema(first: Chapter) -> None:
    """What `--json` prints is one document, valid by `optbuild schema record`, and byte for byte what is stored."""
    story = first.story
    schema = json.loads(story.optbuild.run("schema", "record", cwd=story.directory).expect(0).stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(first.record, schema)
    stored = story.root / "runs" / first.record["run_id"] / "record.json"
    assert stored.read_text() == first.ended.stdout


def test_every_step_keeps_its_log_and_its_argv(first: Chapter) -> None:
    """A compile step's argv is cargo's own, and its log is there to be read."""
    for step in variant_of(first.record, "pgo")["steps"]:
        if step["kind"] == "compile":
            assert Path(step["argv"][0]).name == "cargo"
            assert "--target" in step["argv"]
        if step["log"] is not None:
            assert Path(step["log"]).is_file()
    assert "Compiling tally" in Path(variant_of(first.record, "release")["steps"][0]["log"]).read_text()


def test_nothing_is_written_outside_of_its_own_directory(first: Chapter, second: Chapter) -> None:
    """The project, Cargo.toml in it, the home and the temporary directory stay as they were."""
    story = first.story
    target = story.directory / "target"
    after = tree(story.directory, without=target)
    assert after.keys() == story.before.keys()
    assert after["Cargo.toml"] == story.before["Cargo.toml"]
    assert [path.name for path in target.iterdir()] == ["optbuild"]
    assert (story.root / MARKER).is_file()
    assert tree(story.optbuild.home / "user") == {}
    assert tree(story.optbuild.home / "tmp") == {}


def test_a_rerun_calls_cargo_and_nothing_else(first: Chapter, second: Chapter) -> None:
    """With nothing changed, cargo finds all fresh, nothing is trained, merged or measured, and that is said."""
    assert first.count("cargo build") == second.count("cargo build") == 3
    assert (first.count("train"), first.count("llvm-profdata merge") >= 2) == (1, True)
    wall = next(row for row in first.record["benchmarks"] if row["metric"] == "wall")
    assert first.count("bench") >= max(1, sum(len(block["order"]) for block in wall["rounds"]))
    assert (second.count("train"), second.count("bench")) == (0, 0)
    assert not {call for call in second.calls if call.startswith("llvm-profdata ") and "show" in call}
    assert second.record == first.record
    assert f"nothing has changed since run {first.record['run_id']}" in second.ended.stderr
    assert "--fresh" in second.ended.stderr
    assert len(list((first.story.root / "runs").glob("*/record.json"))) >= 1


def test_a_plan_knows_what_is_kept(second: Chapter) -> None:
    """Without running anything it says what would be reused, what only cargo can tell, and what it all took."""
    story = second.story
    planned = story.optbuild.run("plan", "--json", cwd=story.directory).expect(0).document["actions"]
    forecasts = [(action["kind"], action["forecast"]) for action in planned if "forecast" in action]
    sure = [(kind, forecast) for kind, forecast in forecasts if forecast["expectation"] != "only if"]
    expected = {kind: forecast["expectation"] for kind, forecast in sure}
    assert expected.pop("compile") == "cargo decides"
    assert set(expected) == {"probe", "object", "train", "merge", "compare", "measure"}
    assert set(expected.values()) == {"reused"}
    assert all(forecast["last_s"] > 0 for _, forecast in sure)


def test_more_time_measures_again(second: Chapter, longer: Chapter) -> None:
    """A run that the budget cut short is measured anew when there is more of it, and only that."""
    assert longer.record["run_id"] != second.record["run_id"]
    assert (longer.count("train"), longer.count("bench") > 0) == (0, True)
    assert all(steps_of(longer.record).values())


def test_fresh_reuses_nothing(longer: Chapter, fresh: Chapter) -> None:
    """`--fresh` trains, merges and measures; what cargo finds fresh stays cargo's business."""
    assert fresh.record["run_id"] != longer.record["run_id"]
    assert (fresh.count("train"), fresh.count("llvm-profdata merge") >= 2) == (1, True)
    assert fresh.reused("train") == fresh.reused("merge") == [False]
    assert fresh.count("bench") > 0


def test_another_benchmark_input_measures_again_and_no_more(fresh: Chapter, other_benchmark: Chapter) -> None:
    """What is measured does not decide what is built or trained."""
    assert (other_benchmark.count("train"), other_benchmark.count("bench") > 0) == (0, True)
    assert all(steps_of(other_benchmark.record).values())
    assert other_benchmark.binary("pgo") == fresh.binary("pgo")


def test_another_training_input_trains_again_without_building_the_instrumented_binary(
    other_benchmark: Chapter, other_training: Chapter
) -> None:
    """Only the training, the merge, and the build that takes the new profile are done."""
    assert other_training.count("train") == 1
    assert other_training.reused("train") == other_training.reused("merge") == [False]
    release, instrumented, optimised = other_training.reused("compile")
    assert (release, instrumented, optimised) == (True, True, False)
    assert other_training.binary("pgo") != other_benchmark.binary("pgo"), "new profile content is a new binary"
    assert other_training.binary("release") == other_benchmark.binary("release")


def test_another_source_builds_everything_again(other_training: Chapter, other_source: Chapter) -> None:
    """A changed source goes through the whole chain."""
    steps = steps_of(other_source.record)
    assert {step for step, reused in steps.items() if reused} == {step for step in steps if step.startswith("object-")}
    assert other_source.count("train") == 1
    assert other_source.binary("release") != other_training.binary("release")


def test_steps_say_whether_they_were_reused(second: Chapter) -> None:
    """Without a terminal, progress is plain lines, one at the beginning and one at the end of each step."""
    lines = second.ended.stderr.splitlines()
    assert "\x1b" not in second.ended.stderr
    assert [line for line in lines if "pgo: train on training …" in line]
    assert [line for line in lines if "✓ pgo: train on training  reused" in line]
