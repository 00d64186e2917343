from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from optbuild.errors import UsageError, WorkloadError, WorkloadTimeoutError
from optbuild.events import Event
from optbuild.execution.command import Command
from optbuild.measure.metrics import ExactMetric
from optbuild.measure.model import Verdict
from optbuild.profile.workloads import MetricName
from optbuild.record.model import RunRecord, RunStatus
from optbuild.session.bench import BenchRequest, bench, parse_binaries
from optbuild.session.request import Machine
from optbuild.testing import Reply, ScriptedExecutor, make_usage

WORK = ("{bin}", "small.txt")


def make_binary(path: Path, content: str) -> Path:
    """A file that may be executed."""
    path.write_text(content)
    path.chmod(0o755)
    return path


class Bench:
    """A directory with two programs that take the time and print the text that is written in them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.heard: list[Event] = []
        self.answer: Callable[[Command], Reply | None] = lambda _: None
        self.executor = ScriptedExecutor(self._run)
        self.binaries = {
            "old": make_binary(directory / "old", "1.0 out"),
            "new": make_binary(directory / "new", "0.5 out"),
        }

    def _run(self, command: Command) -> Reply:
        given = self.answer(command)
        if given is not None:
            return given
        seconds, text = Path(command.argv[0]).read_text().split()
        return Reply(stdout=text.encode(), usage=make_usage(wall_s=float(seconds)))

    def run(self, *words: str, **changes: object) -> RunRecord:
        """Measure them."""
        request = BenchRequest(binaries=self.binaries, workload=words or WORK)
        machine = Machine(
            executor=self.executor,
            emit=self.heard.append,
            environ={"PATH": str(self.directory / "no-tools")},
            working_directory=self.directory,
            now=lambda: datetime(2030, 1, 1, tzinfo=UTC),
            platform="linux",
        )
        return bench(replace(request, **changes), machine)  # type: ignore[arg-type]  # fields of BenchRequest


@pytest.fixture
def stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A place outside of any project, with a temporary directory of its own."""
    for name in ("here", "tmp"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    return Bench(tmp_path / "here")


def left_over(stand: Bench) -> list[str]:
    """What lies in the temporary directory."""
    return [path.name for path in (stand.directory.parent / "tmp").iterdir()]


@pytest.mark.parametrize("name", ["old", "v1.2", "a_b-c", "0", "_"])
def test_names_are_those_that_variants_may_have(tmp_path: Path, name: str) -> None:
    """Relative paths are relative to the given directory; a path may hold a `=` of its own."""
    path = make_binary(tmp_path / "a=b", "")
    assert parse_binaries([f"{name}=a=b"], tmp_path) == {name: path}
    assert parse_binaries([f"{name}={path}"], Path("/")) == {name: path}


@pytest.mark.parametrize(
    "word", ["", "=", "old", "old=", "=demo", " =demo", "A'=demo", "-x=demo", "a b=demo", "a\x1b=x"]
)
def test_what_is_not_a_name_and_a_path_is_told_with_an_example(tmp_path: Path, word: str) -> None:
    """`A'` above all is taken: it is the baseline's copy."""
    make_binary(tmp_path / "demo", "")
    with pytest.raises(UsageError, match="is not NAME=PATH") as caught:
        parse_binaries([word], tmp_path)
    assert caught.value.help == snapshot("optbuild bench old=./a new=./b -- {bin} ARGS")


def test_a_name_stands_once(tmp_path: Path) -> None:
    """Two arms of one name could not be told apart."""
    make_binary(tmp_path / "demo", "")
    with pytest.raises(UsageError, match="the name 'old' is used twice"):
        parse_binaries(["old=demo", "old=demo"], tmp_path)


@pytest.mark.parametrize("path", ["missing", ".", "data", "missing/demo", "data/demo", "x" * 5000])
def test_what_cannot_be_executed_is_named(tmp_path: Path, path: str) -> None:
    """A missing file, a directory, a file without the permission, and a path that no system takes."""
    (tmp_path / "data").write_text("")
    with pytest.raises(UsageError, match=r"^old: .* is missing or not executable$") as caught:
        parse_binaries([f"old={path}"], tmp_path)
    assert caught.value.location == path


def test_a_command_without_a_binary_measures_nothing(stand: Bench) -> None:
    """Every arm would run the same."""
    with pytest.raises(UsageError, match=r"does not contain \{bin\}"):
        stand.run("sh", "-c", "true")
    assert stand.executor.commands == []
    assert left_over(stand) == []


def test_a_session_ends_in_a_record(stand: Bench) -> None:
    """Binaries, outputs, samples, resources and verdicts; what was given is not touched, and nothing is left."""
    record = stand.run(command_line=("optbuild", "bench"))
    assert (record.status, record.exit_code, record.project) == (RunStatus.COMPLETE, 0, None)
    assert [(item.name, item.baseline) for item in record.variants] == [("old", True), ("new", False)]
    assert [item.artifacts[0].path for item in record.variants] == [str(path) for path in stand.binaries.values()]
    assert [(item.variant, item.equal) for item in record.outputs] == [("old", True), ("new", True)]
    assert {item.metric for item in record.benchmarks} == {"wall", "cpu"}
    assert record.comparisons[0].verdict is Verdict.FASTER
    assert record.comparisons[0].change == pytest.approx(-0.5)
    assert record.noise is not None
    assert record.measure is not None
    assert left_over(stand) == []
    assert [path.read_text() for path in stand.binaries.values()] == ["1.0 out", "0.5 out"]


def test_each_binary_runs_from_a_path_of_equal_length(stand: Bench) -> None:
    """A copy under the file's own name, which the program may look at, whatever names the others have."""
    stand.binaries["of-today"] = make_binary(stand.directory / "of-today", "0.5 out")
    stand.run()
    ran = [Path(command.argv[0]) for command in stand.executor.commands]
    assert [path.name for path in ran[:4]] == ["old", "old", "new", "of-today"]
    assert len({path.parent for path in ran[:4]}) == 1
    assert {path.name for path in ran[4:]} == {"old", "new", "of-today"}
    assert len({len(str(path)) for path in ran[4:]}) == 1
    assert stand.binaries["old"] not in ran


def test_files_of_one_name_run_from_the_same_path(stand: Bench) -> None:
    """While outputs are compared a program that prints its path prints the same."""
    for name in ("old", "new"):
        (stand.directory / f"{name}-dist").mkdir()
        stand.binaries[name] = make_binary(stand.directory / f"{name}-dist" / "tool", "1.0 out")
    stand.run()
    first, *others = [command.argv[0] for command in stand.executor.commands]
    assert Path(first).name == "tool"
    assert others[:2] == [first, first]


def test_a_program_that_fails_is_told_to_run_without_what_lies_beside_it(stand: Bench) -> None:
    """It may have been meant to start another one there; a script starts it where it is."""
    stand.answer = lambda _: Reply(exit_code=1)
    with pytest.raises(WorkloadError, match="ended with exit code 1") as caught:
        stand.run()
    assert 'exec DIR/NAME "$@"' in caught.value.help


def test_instructions_alone_are_asked_for_and_not_to_be_had(stand: Bench) -> None:
    """Nothing is measured then, and the record holds the reason in the place of each count."""
    record = stand.run(metric=ExactMetric.INSTRUCTIONS)
    assert len(stand.executor.commands) == 3, "the outputs are compared all the same"
    assert (record.benchmarks, record.comparisons, record.measure, record.noise) == ((), (), None, None)
    assert [item.variant for item in record.instructions] == ["old", "new"]
    assert {item.reason for item in record.instructions} == {"perf is not installed; valgrind is not installed"}
    assert {item.count for item in record.instructions} == {None}


def test_another_metric_decides(stand: Bench) -> None:
    """Both are kept, and the one that was asked for is judged."""
    record = stand.run(metric=MetricName.CPU)
    assert {item.metric for item in record.comparisons} == {"cpu"}


def test_outputs_that_differ_are_warned_about(stand: Bench) -> None:
    """Nobody knows here which of them is right."""
    make_binary(stand.binaries["new"], "0.5 other")
    record = stand.run()
    assert [item.equal for item in record.outputs] == [True, False]
    (warning,) = [item for item in record.warnings if item.code == "outputs-differ"]
    assert warning.message == "new prints something different from old: they may not do the same work"


def test_an_output_that_is_never_the_same_is_not_compared(stand: Bench) -> None:
    """The first binary is run twice to find out."""
    stand.answer = lambda _: Reply(stdout=str(len(stand.executor.commands)).encode(), usage=make_usage(wall_s=1.0))
    record = stand.run()
    assert [item.equal for item in record.outputs] == [None, None]
    assert [item.code for item in record.warnings if item.code.startswith("outputs")] == ["outputs-not-compared"]


def test_a_run_that_fails_leaves_an_error_that_names_nothing_that_is_gone(stand: Bench) -> None:
    """The temporary directory is removed, and with it the log: what it said last stands in the error."""
    stand.answer = lambda _: Reply(exit_code=3, stderr=b"cannot read small.txt")
    with pytest.raises(WorkloadError, match="ended with exit code 3") as caught:
        stand.run()
    assert caught.value.location is None
    assert caught.value.detail == "cannot read small.txt"
    assert left_over(stand) == []


def test_a_run_that_hangs_is_answered_by_an_option(stand: Bench) -> None:
    """There is no build profile here to set a timeout in."""
    stand.answer = lambda _: Reply(exit_code=-15, timed_out=True)
    with pytest.raises(WorkloadTimeoutError) as caught:
        stand.run(timeout_s=2.0)
    assert {command.timeout_s for command in stand.executor.commands} == {2.0}
    assert caught.value.help == snapshot("give it more time (--timeout 30m) or less work")


def test_commands_between_runs_get_no_terminal_and_keep_no_output(stand: Bench) -> None:
    """However much a preparation prints, it is held nowhere; it is stopped after the same timeout as a run."""
    seen: list[Command] = []

    def answer(command: Command) -> Reply | None:
        if Path(command.argv[0]).name not in {"sync", "settle"}:
            return None
        seen.append(command)
        return Reply(stdout=b"x" * 1000)

    stand.answer = answer
    (stand.directory / "no-tools").mkdir()
    for name in ("sync", "settle"):
        make_binary(stand.directory / "no-tools" / name, "")
    stand.run(prepare=("sync", "-f"), conclude=("settle",), timeout_s=7.0)
    assert [command.argv for command in seen[:4]] == [("sync", "-f"), ("settle",)] * 2
    assert {(command.timeout_s, command.cwd) for command in seen} == {(7.0, stand.directory)}
    measured = [command for command in stand.executor.commands if os.sep in command.argv[0]]
    assert len(seen) == 2 * len(measured), "outputs are compared with them as well"


def test_a_load_of_fixed_duration_gets_no_verdict(stand: Bench) -> None:
    """Its time is the one that its command asks for, and the record says what to ask for instead."""
    make_binary(stand.binaries["new"], "1.0 out")
    record = stand.run("{bin}", "--seconds", "1")
    assert {comparison.verdict for comparison in record.comparisons} == {Verdict.INVALID}
    assert any("a fixed number of requests" in warning.message for warning in record.warnings)
