from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from optbuild.build.model import Trained
from optbuild.errors import NotComparableError, ProfileDataError, StorageError, WorkloadError
from optbuild.execution.command import Command
from optbuild.plan.model import ActionId, Train
from optbuild.testing import Reply, make_raw_profile, raw_profile_path
from optbuild.workloads.invocation import Invocation
from tests.unit.build_cases import Workshop, trained_program


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    """A place to train in."""
    return Workshop(tmp_path)


def train(workshop: Workshop, workload: Invocation | None = None, *, binary: str = "instrumented") -> Trained:
    """Train on a workload, planned as the planner would for these arguments."""
    workload = workload or workshop.workload()
    action = Train(
        id=ActionId("train-1"),
        needs=(ActionId("compile-1"),),
        label="pgo: train on small",
        workload=workload,
        binaries=ActionId("compile-1"),
        directory=workshop.layout.raw_profiles / "train-1",
    )
    return workshop.trainer.train(action, workshop.artifact(binary))


def test_training_yields_one_checked_profile(workshop: Workshop) -> None:
    """What the program wrote is merged, and the raw files, which are large, are gone."""
    trained = train(workshop)
    assert trained.profile.raw_profiles == 1
    assert not trained.reused
    assert trained.duration_s == 0.25
    assert not (workshop.layout.raw_profiles / "train-1").exists()


def test_raw_profiles_go_to_a_fresh_directory(workshop: Workshop) -> None:
    """One file per process and binary, in a directory of this run; what lay there before is never read."""
    foreign = workshop.layout.raw_profiles / "train-1" / "run-1" / "foreign.profraw"
    foreign.parent.mkdir(parents=True)
    foreign.write_bytes(make_raw_profile(b"foreign"))
    stale = workshop.layout.raw_profiles / "train-1" / "run-0" / "stale.profraw"
    stale.parent.mkdir()
    stale.write_bytes(make_raw_profile(b"stale"))
    trained = train(workshop)
    (command,) = workshop.runs()
    assert command.env["LLVM_PROFILE_FILE"] == str(foreign.parent / "%m_%p.profraw")
    assert trained.profile.raw_profiles == 1
    assert b"small" in trained.profile.path.read_bytes()
    assert b"foreign" not in trained.profile.path.read_bytes()


def test_every_process_counts(workshop: Workshop) -> None:
    """A workload may start the program several times."""

    def twice(command: Command) -> Reply:
        paths = [raw_profile_path(command, process=number) for number in (1, 2)]
        return Reply(writes={path: make_raw_profile(path.name.encode()) for path in paths})

    workshop.program = twice
    assert train(workshop).profile.raw_profiles == 2


def test_nothing_written_names_the_likely_causes(workshop: Workshop) -> None:
    """A program that is ended by a signal, or never ran, leaves no counts."""
    workshop.program = lambda _: Reply()
    with pytest.raises(ProfileDataError, match=r"wrote no raw profile \(it runs demo\)") as caught:
        train(workshop)
    assert "ended by a signal, by _exit or abort" in caught.value.message
    assert "through {bin}" in caught.value.help


def test_a_command_without_the_binary_is_named_as_the_cause(workshop: Workshop) -> None:
    """A script that runs another build of the program trains nothing."""
    workshop.program = lambda _: Reply()
    with pytest.raises(ProfileDataError, match=r"its command does not run \{bin\} itself"):
        train(workshop, workshop.workload("make", "run"))


def test_stray_files_are_named(workshop: Workshop) -> None:
    """A program started without our environment writes to the place that is compiled in."""
    workshop.program = lambda _: Reply(writes={workshop.layout.stray_profiles / "default_1.profraw": b"x"})
    with pytest.raises(ProfileDataError, match=f"but 1 to {workshop.layout.stray_profiles}") as caught:
        train(workshop)
    assert "LLVM_PROFILE_FILE" in caught.value.message


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("2.profraw", b""),
        ("2.profraw", make_raw_profile()[:10]),
        ("2.profraw", b"this is not a profile, but it is long enough"),
        ("2.profraw", b"\xfflprofi\x81" + bytes(8)),
        ("2.profraw", b"\x81rforpl\xff" + (10).to_bytes(8, "little")),
        ("core", b"dumped"),
    ],
)
def test_a_file_that_is_no_raw_profile_of_pgo_is_refused(workshop: Workshop, name: str, content: bytes) -> None:
    """Empty, cut short, foreign, merged or coverage: a merge would pass over some of them in silence."""

    def program(command: Command) -> Reply:
        good = raw_profile_path(command)
        return Reply(writes={good: make_raw_profile(), good.with_name(name): content})

    workshop.program = program
    with pytest.raises(ProfileDataError, match=rf"left 1 of 2 raw profiles empty, .*, {name} among them") as caught:
        train(workshop)
    assert Path(caught.value.location or "").is_dir()
    assert workshop.tool_runs("merge") == []


def test_a_workload_that_fails_is_not_learnt_from(workshop: Workshop) -> None:
    """Counts of a failed run are not accepted, however many there are."""
    workshop.program = lambda c: replace(trained_program(c), exit_code=1, stderr=b"no such book")
    with pytest.raises(WorkloadError, match="ended with exit code 1, expected exit code 0") as caught:
        train(workshop)
    assert caught.value.detail == "no such book"
    assert workshop.tool_runs("merge") == []


def test_a_directory_that_cannot_be_made_is_a_storage_error(workshop: Workshop) -> None:
    """A file in the place of the directory is told with its path."""
    workshop.layout.raw_profiles.write_text("in the way")
    with pytest.raises(StorageError, match="raw/train-1/run-1"):
        train(workshop)


def test_a_full_disk_is_a_storage_error(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory that cannot be made is told with the system's reason."""
    make = Path.mkdir

    def refuse(path: Path, mode: int = 0o777, parents: bool = False, exist_ok: bool = False) -> None:  # noqa: FBT001, FBT002 - as Path has it
        if path.name == "run-1":
            raise OSError(28, "No space left on device")
        make(path, mode, parents, exist_ok)

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(StorageError, match=r"raw/train-1/run-1: No space left on device"):
        train(workshop)


def test_unchanged_training_is_reused(workshop: Workshop) -> None:
    """The same binary, command, inputs and tool give the counts of before, without a run."""
    first = train(workshop)
    workshop.run_id = "run-2"
    again = train(workshop)
    assert again == replace(first, reused=True)
    assert len(workshop.runs()) == 1


def test_a_workload_by_another_name_is_reused(workshop: Workshop) -> None:
    """Names, weights and comparisons do not change what a program counts."""
    train(workshop)
    renamed = workshop.workload(name="renamed", weight=7.0, compare_output="none")
    assert train(workshop, renamed).reused


@pytest.mark.parametrize(
    "change",
    ["binary", "input", "passed variable", "llvm-profdata", "fresh", "lost profile", "damaged profile"],
)
def test_each_input_makes_training_run_again(workshop: Workshop, change: str) -> None:
    """Whatever decides the counts is in the key: each alone, changed, makes the workload run."""
    corpus = workshop.directory / "corpus.txt"
    corpus.write_text("old")

    def workload(variable: str) -> Invocation:
        environ = {"CORPUS_LANG": variable}
        return workshop.workload(inputs=(corpus,), passed_env=("CORPUS_LANG",), environ=environ)

    first = train(workshop, workload("en"))
    changes: dict[str, Callable[[], object]] = {
        "input": lambda: corpus.write_text("new"),
        "llvm-profdata": lambda: setattr(workshop, "tool_version", "22.1.3"),
        "fresh": lambda: setattr(workshop, "fresh", True),
        "lost profile": first.profile.path.unlink,
        "damaged profile": lambda: first.profile.path.write_text("damaged"),
    }
    changes.get(change, lambda: None)()
    again = train(
        workshop,
        workload("de" if change == "passed variable" else "en"),
        binary="other" if change == "binary" else "instrumented",
    )
    assert not again.reused
    assert len(workshop.runs()) == 2


def test_a_damaged_result_is_told_and_made_again(workshop: Workshop) -> None:
    """A result file cut short is a warning and a run, nothing worse."""
    train(workshop)
    (stored,) = workshop.layout.results.iterdir()
    stored.write_bytes(stored.read_bytes()[:40])
    assert not train(workshop).reused
    assert [notice.code for notice in workshop.notices] == ["damaged-result"]
    assert train(workshop).reused


def test_a_failed_training_is_not_kept(workshop: Workshop) -> None:
    """What went wrong once is tried again the next time."""
    workshop.program = lambda _: Reply()
    with pytest.raises(ProfileDataError):
        train(workshop)
    workshop.program = trained_program
    assert not train(workshop).reused


def test_an_input_that_changes_during_training_is_refused(workshop: Workshop) -> None:
    """What was trained on is not what the result would be kept under."""
    corpus = workshop.directory / "corpus"
    corpus.write_text("old")
    workload = workshop.workload(inputs=(corpus,))

    def edit_meanwhile(command: Command) -> Reply:
        corpus.write_text("new")
        return trained_program(command)

    workshop.program = edit_meanwhile
    with pytest.raises(NotComparableError, match="corpus has changed"):
        train(workshop, workload)
    assert not list(workshop.layout.results.glob("*.json"))


def test_training_that_writes_to_a_file_it_names_is_done_again(workshop: Workshop) -> None:
    """Until a run leaves that file as it was."""
    out = workshop.directory / "out.txt"
    out.write_text("of another program")
    workload = workshop.workload(inputs=(out,), named=(out,))

    def write_out(command: Command) -> Reply:
        out.write_text("always the same")
        return trained_program(command)

    workshop.program = write_out
    assert [train(workshop, workload).reused for _ in range(3)] == [False, False, True]


def test_another_environment_trains_again(workshop: Workshop) -> None:
    """A time zone or a library path of the caller decides what a program does."""
    for zone, reused in (("UTC", False), ("UTC", True), ("Europe/Rome", False)):
        assert train(workshop, workshop.workload(environ={"TZ": zone})).reused is reused
