from __future__ import annotations

import errno
import os
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from optbuild.errors import (
    InterruptedRunError,
    OptbuildError,
    StorageError,
    UsageError,
    WorkloadError,
    WorkloadTimeoutError,
)
from optbuild.execution.command import Command, Completed, ProgramNotFoundError
from optbuild.making import workload_runs
from optbuild.making.workload_runs import check_before_building
from optbuild.testing import Answer, Reply, make_invocation
from optbuild.workloads.inputs import InputHashes
from optbuild.workloads.invocation import Moment
from optbuild.workloads.programs import renew_scratch
from tests.unit.build_cases import Workshop


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    """A place to run a workload in."""
    return Workshop(tmp_path)


def run(workshop: Workshop, answer: Answer | None = None, **changes: object) -> tuple[Command, Path]:
    """Run a workload once, whose program answers like this; the last command of it, and its output."""
    if answer is not None:
        workshop.program = lambda _: answer
    binaries = {name: artifact.path for name, artifact in workshop.artifact("program").items()}
    workload = workshop.workload(**changes)
    _, stdout = workshop.workloads.run(workload, binaries, log_name="train-1", extra_env={"MORE": "1"})
    return workshop.executor.commands[-1], stdout


def test_output_is_kept_where_logs_are(workshop: Workshop) -> None:
    """Standard output and error go to files named for the action."""
    command, stdout = run(workshop, Reply(stdout=b"out", stderr=b"err"))
    assert stdout == workshop.layout.root / "logs/train-1.stdout"
    assert (stdout.read_bytes(), stdout.with_suffix(".stderr").read_bytes()) == (b"out", b"err")
    assert command.env["MORE"] == "1"


def test_a_workload_runs_from_the_stage(workshop: Workshop) -> None:
    """Whatever variant it is, its path is the same; the file on stage is the one that was built."""
    seen: list[bytes] = []

    def program(command: Command) -> Reply:
        seen.append(Path(command.argv[0]).read_bytes())
        return Reply()

    workshop.program = program
    last, _ = run(workshop)
    assert last.argv[0] == str(workshop.layout.root / "stage/demo")
    assert seen == [b"program"]


def test_scratch_is_new_for_each_run(workshop: Workshop) -> None:
    """Nothing that an earlier run left lies in it."""
    left = workshop.layout.scratch / "small" / "left"
    left.parent.mkdir(parents=True)
    left.touch()
    run(workshop)
    assert list(left.parent.iterdir()) == []


@pytest.mark.parametrize(
    ("reply", "kind", "message"),
    [
        (Reply(exit_code=2), WorkloadError, r"ended with exit code 2, expected exit code 0"),
        (Reply(exit_code=-6), WorkloadError, r"ended with signal 6 \(SIGABRT\), expected exit code 0"),
        (Reply(exit_code=-15, timed_out=True), WorkloadTimeoutError, r"stopped after its timeout of 5 min 00 s"),
        (Reply(survivors=("a (1)", "b\x1b (2)")), WorkloadError, r"left processes running; .*: a \(1\), b\^\[ \(2\)"),
    ],
)
def test_only_a_good_ending_is_accepted(
    workshop: Workshop, reply: Reply, kind: type[OptbuildError], message: str
) -> None:
    """By itself, as expected, and with all that it started: anything else is an error with the log's path."""
    with pytest.raises(kind, match=message) as caught:
        run(workshop, reply)
    assert caught.value.location == str(workshop.layout.root / "logs/train-1.stderr")


def test_another_exit_code_may_be_the_expected_one(workshop: Workshop) -> None:
    """`expect-exit` is for programs that say something with it."""
    _, stdout = run(workshop, Reply(exit_code=3, stdout=b"out"), expect_exit=3)
    assert stdout.read_bytes() == b"out"


@pytest.mark.parametrize(
    ("reply", "detail"),
    [
        (Reply(exit_code=1, stdout=b"out", stderr=b"err"), "err"),
        (Reply(exit_code=1, stdout=b"out"), "out"),
        (Reply(exit_code=1, stderr=b"x\n" * 40_000 + b"last"), "\n".join([*["x"] * 19, "last"])),
    ],
)
def test_the_last_words_of_a_workload_are_shown(workshop: Workshop, reply: Reply, detail: str) -> None:
    """Those on standard error, or else on standard output: the last 20 lines, however many there are."""
    with pytest.raises(WorkloadError) as caught:
        run(workshop, reply)
    assert caught.value.detail == detail


def test_a_workload_that_fails_after_it_has_succeeded_has_a_remedy_of_its_own(workshop: Workshop) -> None:
    """What an earlier run wrote may be in its way: variables and exit codes are right then."""
    replies = iter([Reply(), Reply(exit_code=1)])
    workshop.program = lambda _: next(replies)
    binaries = {name: artifact.path for name, artifact in workshop.artifact("program").items()}
    run_once = partial(workshop.workloads.run, workshop.workload(), binaries, log_name="x", extra_env={})
    run_once()
    with pytest.raises(WorkloadError) as caught:
        run_once()
    assert "it succeeded before in this run" in caught.value.help


def test_standard_input_must_not_be_a_directory(workshop: Workshop) -> None:
    """Unlike an input, it is opened: the program would fail after the builds."""
    made = workshop.workload()
    with pytest.raises(UsageError, match=f"its standard input {made.cwd} is a directory"):
        check_before_building(replace(made, argv=(("true",),), stdin=made.cwd), InputHashes())


def test_a_workload_that_removes_its_logs_is_judged_all_the_same(workshop: Workshop) -> None:
    """Without words the ending alone is told."""

    def program(_: Command) -> Reply:
        return Reply(exit_code=1)

    workshop.program = program
    plain = workshop.executor.run

    def run_and_remove(command: Command) -> Completed:
        completed = plain(command)
        for path in (workshop.layout.root / "logs").iterdir():
            path.unlink()
        return completed

    workshop.executor.run = run_and_remove  # type: ignore[assignment, method-assign]
    with pytest.raises(WorkloadError) as caught:
        run(workshop)
    assert caught.value.detail == ""


def test_a_program_that_is_missing_is_named(workshop: Workshop) -> None:
    """The remedy tells where programs are looked for."""
    with pytest.raises(WorkloadError, match=r"cannot start ./run\.sh: not there") as caught:
        run(workshop, ProgramNotFoundError("./run.sh", "not there"))
    assert "relative to cwd" in caught.value.help


def test_a_program_in_the_scratch_directory_need_not_be_there_yet(workshop: Workshop) -> None:
    """Its `prepare` makes it; any other program that is missing is told before the first build."""
    hashes = InputHashes()
    made = workshop.workload()
    check_before_building(replace(made, argv=((str(made.scratch / "driver"),),)), hashes)
    with pytest.raises(WorkloadError, match="driver is missing or not executable"):
        check_before_building(replace(made, argv=((str(made.cwd / "driver"),),)), hashes)


def test_a_stage_that_cannot_be_built_is_a_storage_error(workshop: Workshop) -> None:
    """A file in its place is deleted; what cannot be put there is told with its path."""
    (workshop.layout.root / "stage").touch()
    run(workshop)
    with pytest.raises(StorageError, match="/stage/gone"):
        workshop.workloads.run(workshop.workload(), {"gone": Path("/gone")}, log_name="x", extra_env={})


def test_what_another_variant_left_is_not_on_the_stage(workshop: Workshop) -> None:
    """All programs of one variant stand beside each other, and none of another one that has more."""
    seen: list[dict[str, bytes]] = []

    def program(command: Command) -> Reply:
        seen.append({path.name: path.read_bytes() for path in Path(command.argv[0]).parent.iterdir()})
        return Reply()

    workshop.program = program
    for contents in ({"demo": "1", "engine": "1", "third": "1"}, {"demo": "2", "engine": "2"}):
        made = [workshop.artifact(text, name=name)[name] for name, text in contents.items()]
        paths = {artifact.bin: artifact.path for artifact in made}
        workshop.workloads.run(workshop.workload(), paths, log_name="x", extra_env={})
    assert seen == [{"demo": b"1", "engine": b"1", "third": b"1"}, {"demo": b"2", "engine": b"2"}]


def test_programs_that_are_not_built_are_named_where_one_may_be_missed(workshop: Workshop) -> None:
    """The remedy of a failure tells which do not stand beside it, and nothing of that where all do."""
    with pytest.raises(WorkloadError) as caught:
        run(workshop, Reply(exit_code=9), not_built=("engine", "tool"))
    assert "not in its directory: engine, tool (add the programs that it starts to `bins`" in caught.value.help
    with pytest.raises(WorkloadError) as caught:
        run(workshop, Reply(exit_code=9))
    assert "`bins`" not in caught.value.help


@pytest.mark.parametrize("size", [8, 9])
def test_a_large_output_does_not_outlive_a_failure(
    workshop: Workshop, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A small one may show what went wrong; the last lines of either are in the error."""
    monkeypatch.setattr(workload_runs, "KEPT_BYTES", 8)
    with pytest.raises(WorkloadError) as caught:
        run(workshop, Reply(exit_code=1, stdout=b"x" * size))
    assert caught.value.detail == "x" * size
    assert workshop.workloads.output("train-1").exists() is (size == 8)


def test_files_on_the_stage_keep_their_names(workshop: Workshop) -> None:
    """Some targets give programs a suffix, by which others look for them."""
    built = workshop.directory / "demo.exe"
    built.write_text("program")
    workshop.program = lambda _: Reply()
    workshop.workloads.run(workshop.workload(), {"demo": built}, log_name="x", extra_env={})
    assert Path(workshop.runs()[-1].argv[0]).name == "demo.exe"


def test_where_files_have_one_name_only_the_stage_holds_copies(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file system without hard links is as good as another one."""
    seen: list[tuple[bytes, bool]] = []

    def program(command: Command) -> Reply:
        staged = Path(command.argv[0])
        seen.append((staged.read_bytes(), os.access(staged, os.X_OK)))
        return Reply()

    workshop.program = program
    built = workshop.artifact("program")["demo"].path
    built.chmod(0o755)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)
    workshop.workloads.run(workshop.workload(), {"demo": built}, log_name="x", extra_env={})
    assert seen == [(b"program", True)]


def test_a_scratch_directory_that_cannot_be_made_is_a_storage_error(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk is told before the workload runs."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(StorageError, match="No space left on device"):
        renew_scratch(workshop.layout.root, workshop.workload())


def test_a_binary_of_ours_need_not_exist_yet(workshop: Workshop) -> None:
    """Before the build only what is not built is looked for."""
    check_before_building(workshop.workload(), InputHashes())
    with pytest.raises(UsageError, match="cannot read the input"):
        check_before_building(workshop.workload(inputs=(workshop.directory / "gone",)), InputHashes())


BESIDE = {Moment.SETUP: (("make-data",),), Moment.PREPARE: (("drop-caches",), ("3",)), Moment.CLEANUP: (("tidy",),)}


def ran(workshop: Workshop) -> list[str]:
    """The names of the programs that were run, in order."""
    return [Path(command.argv[0]).name for command in workshop.executor.commands]


def test_what_belongs_to_a_workload_runs_around_it(workshop: Workshop) -> None:
    """`setup` and `cleanup` once, `prepare` before each run."""
    binaries = {name: artifact.path for name, artifact in workshop.artifact("program").items()}
    workload = workshop.workload(beside=BESIDE)
    with workshop.workloads.set_up(workload, binaries, log_name="x", extra_env={}) as run_once:
        run_once()
        run_once()
    assert ran(workshop) == ["make-data", "drop-caches", "demo", "drop-caches", "demo", "tidy"]


def test_what_a_setup_leaves_in_scratch_is_there_for_every_run(workshop: Workshop) -> None:
    """With a `setup`, the scratch directory is made anew before that, and not before each run."""
    made = workshop.layout.scratch / "small" / "data"

    def program(command: Command) -> Reply:
        if command.argv[0] == "make-data":
            return Reply(writes={made: b"data"})
        return Reply(exit_code=0 if made.is_file() else 9)

    workshop.program = program
    run(workshop, beside={Moment.SETUP: (("make-data",),)})
    assert made.is_file()


@pytest.mark.parametrize("failing", ["drop-caches", "demo"])
def test_cleaning_up_happens_after_a_failure_as_well(workshop: Workshop, failing: str) -> None:
    """The first error is the one that is told, even where cleaning up then fails, too."""
    workshop.program = lambda command: Reply(exit_code=9 * (Path(command.argv[0]).name in {failing, "tidy"}))
    with pytest.raises(WorkloadError, match=f"`prepare`.*{failing}|'small' ended with exit code 9"):
        run(workshop, beside=BESIDE)
    assert ran(workshop)[-1] == "tidy"


def test_an_interrupt_starts_nothing_more(workshop: Workshop) -> None:
    """Whoever presses Ctrl-C waits for what runs to end, and for nothing else."""

    def program(command: Command) -> Answer:
        return InterruptedRunError(2) if Path(command.argv[0]).name == "demo" else Reply()

    workshop.program = program
    with pytest.raises(InterruptedRunError):
        run(workshop, beside=BESIDE)
    assert ran(workshop)[-1] == "demo"


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (Reply(exit_code=3, stderr=b"no data"), "`setup` of workload 'small' ended with exit code 3: make-data"),
        (Reply(timed_out=True, exit_code=-15), "`setup` of workload 'small' was stopped after its timeout: make-data"),
        (Reply(survivors=("a (1)",)), "`setup` of workload 'small' left processes running: make-data"),
    ],
)
def test_a_setup_has_to_succeed(workshop: Workshop, reply: Reply, message: str) -> None:
    """Without what it was to make, the workload would do something else."""
    workshop.program = lambda _: reply
    with pytest.raises(WorkloadError) as caught:
        run(workshop, beside=BESIDE)
    assert caught.value.message == message
    assert caught.value.location == str(workshop.layout.root / "logs/train-1.stderr.setup")
    assert ran(workshop) == ["make-data", "tidy"]


def test_what_is_not_the_workload_is_not_trained_on(workshop: Workshop) -> None:
    """A `prepare` that runs the instrumented binary writes its counts nowhere."""
    binaries = {name: artifact.path for name, artifact in workshop.artifact("program").items()}
    workload = workshop.workload(beside=BESIDE)
    workshop.workloads.run(workload, binaries, log_name="x", extra_env={"LLVM_PROFILE_FILE": "/raw/%m_%p"})
    found = {Path(c.argv[0]).name: c.env["LLVM_PROFILE_FILE"] for c in workshop.executor.commands}
    assert found == {"make-data": "/dev/null", "drop-caches": "/dev/null", "demo": "/raw/%m_%p", "tidy": "/dev/null"}


def test_a_missing_program_beside_the_workload_is_found_before_building(tmp_path: Path) -> None:
    """Each of its commands is looked at."""
    workload = make_invocation(directory=tmp_path, beside={Moment.PREPARE: (("no-such-program",),)})
    with pytest.raises(WorkloadError, match="no-such-program is missing") as caught:
        check_before_building(workload, InputHashes())
    assert "correct `prepare`" in caught.value.help
