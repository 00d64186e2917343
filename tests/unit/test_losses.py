from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from optbuild.errors import ProfileDataError
from optbuild.events import Event, Level, Notice
from optbuild.execution.command import Command
from optbuild.making.training.losses import describe_losses
from optbuild.plan.action import Id
from optbuild.plan.counts import Counts, Losses
from optbuild.plan.kinds.train import Train
from optbuild.profile.model import RawFiles, RawProfileSettings
from optbuild.testing import Reply, make_raw_profile
from optbuild.tools.start_marks import lost_processes, marks_directory
from tests.unit.build_cases import Workshop


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    """A place to train in."""
    return Workshop(tmp_path)


def pattern_of(command: Command) -> Path:
    """Where a program is to write its counts."""
    return Path(command.env["LLVM_PROFILE_FILE"])


def program(
    *,
    started: tuple[int, ...],
    ended: tuple[int, ...] = (),
    replaced: tuple[int, ...] = (),
    came: tuple[int, ...],
    said: bytes = b"",
    stray: Path | None = None,
) -> Callable[[Command], Reply]:
    """A program whose processes have these ids; some of them write a raw profile."""

    def run(command: Command) -> Reply:
        directory = pattern_of(command).parent
        marks = marks_directory(directory)
        names = [*map(str, started), *(f"{pid}e" for pid in ended), *(f"{pid}r" for pid in replaced)]
        writes = {marks / name: b"" for name in names if marks.is_dir()}
        writes |= {directory / f"7_{pid}.profraw": make_raw_profile(b"x") for pid in came}
        if stray is not None:
            writes[stray / "default_7.profraw"] = b"x"
        return Reply(writes=writes, stderr=said)

    return run


def warnings(events: list[Event]) -> dict[str, Notice]:
    """What was warned of, by its code."""
    return {event.code: event for event in events if isinstance(event, Notice) and event.level is Level.WARNING}


def train(workshop: Workshop, **changes: Any) -> Counts:  # noqa: ANN401 - fields of Invocation
    """Train once."""
    action = Train(
        id=Id("train-1"),
        needs=(Id("compile-1"),),
        label="pgo: train on small",
        workload=workshop.workload(**changes),
        binaries=Id("compile-1"),
        directory=workshop.layout.raw_profiles / "train-1",
    )
    return workshop.trainer.train(action, workshop.artifact("instrumented"))


def test_processes_are_told_apart_by_the_id_in_the_file_name() -> None:
    """A file that stands for a process counts, whichever binary wrote it, and whether it can be merged or not."""
    assert lost_processes(["12", "112"], ["7_0_12.profraw", "8_12.profraw"]) == {"112"}
    assert lost_processes([], ["7_12.profraw"]) == set()


def test_a_process_that_replaced_itself_lost_counts(workshop: Workshop) -> None:
    """It left a raw profile with what it counted after that."""
    workshop.program = program(started=(11, 12), replaced=(12,), came=(11, 12))
    assert train(workshop).losses == Losses(processes=2, without_counts=1)
    assert "replaced itself by exec" in warnings(workshop.heard)["processes-without-counts"].message


def test_a_process_that_left_no_raw_profile_is_warned_of(workshop: Workshop) -> None:
    """The front process wrote its counts, and that says nothing of its workers."""
    workshop.program = program(started=(11, 12, 13), came=(11,))
    assert train(workshop).losses == Losses(processes=3, without_counts=2)
    warning = warnings(workshop.heard)["processes-without-counts"]
    assert "lacks the counts of 2 of 3 processes" in warning.message
    assert "`flush-object = true`" in warning.help


def test_where_counts_are_saved_from_signals_that_is_not_advised(workshop: Workshop) -> None:
    """A remedy that is in use already is none."""
    workshop.program = program(started=(11, 12), came=(11,))
    train(workshop, needs_flush_object=True)
    assert "flush-object" not in warnings(workshop.heard)["processes-without-counts"].help


def test_a_training_that_is_used_again_is_warned_of_again(workshop: Workshop) -> None:
    """What it lacks is lacking still."""
    workshop.program = program(started=(11, 12), came=(11,))
    train(workshop)
    workshop.heard.clear()
    assert train(workshop).reused
    assert "processes-without-counts" in warnings(workshop.heard)


def test_where_all_counts_came_nothing_is_said(workshop: Workshop) -> None:
    """A process that was only forked has no mark, and its counts are in the file of the one it was forked from."""
    workshop.program = program(started=(11, 12), came=(11, 12, 13))
    assert train(workshop).losses == Losses(processes=2)
    assert warnings(workshop.heard) == {}


def test_in_a_pool_of_files_those_are_lost_that_came_to_no_end(workshop: Workshop) -> None:
    """No raw profile has an id there; a process that only was forked ends without a start."""
    workshop.settings = RawProfileSettings(files=RawFiles.POOL)
    workshop.program = program(started=(11, 12, 13), ended=(11, 13, 14), came=(0,))
    assert train(workshop).losses == Losses(processes=3, without_counts=1)
    assert "processes-without-counts" in warnings(workshop.heard)


def test_outside_of_a_pool_a_process_that_ended_without_a_raw_profile_is_lost(workshop: Workshop) -> None:
    """It could not write a file."""
    workshop.program = program(started=(11, 12), ended=(11, 12), came=(11,))
    assert train(workshop).losses == Losses(processes=2, without_counts=1)


def test_what_the_runtime_says_is_read(workshop: Workshop) -> None:
    """It says so on a stream that nobody reads, and the program ends well all the same."""
    said = b'hello\nLLVM Profile Error: Failed to write file "a\x1b": No space left on device\n' * 2
    workshop.program = program(started=(11,), came=(11,), said=said)
    assert len(train(workshop).losses.errors) == 1
    warning = warnings(workshop.heard)["profile-errors"]
    assert "No space left on device" in warning.message
    assert "\x1b" not in warning.message


def test_counts_that_went_elsewhere_are_warned_of(workshop: Workshop) -> None:
    """Only what was written in this training: what lay there before says nothing of it."""
    stray = workshop.layout.stray_profiles
    stray.mkdir(parents=True)
    (stray / "default_1.profraw").write_bytes(b"old")
    workshop.program = program(started=(11,), came=(11,), stray=stray)
    assert train(workshop).losses.stray == 1
    warning = warnings(workshop.heard)["stray-counts"]
    assert "lacks LLVM_PROFILE_FILE" in warning.message
    assert str(stray) in warning.message


def test_old_stray_files_are_not_the_cause_of_anything(workshop: Workshop) -> None:
    """A training that wrote nothing at all is refused with what is known of it."""
    stray = workshop.layout.stray_profiles
    stray.mkdir(parents=True)
    (stray / "default_1.profraw").write_bytes(b"old")
    workshop.program = program(started=(), came=())
    with pytest.raises(ProfileDataError, match="never ran the instrumented binary"):
        train(workshop)


def test_processes_that_all_wrote_nothing_are_counted(workshop: Workshop) -> None:
    """Then the program did run, so that nobody has to look for that cause."""
    workshop.program = program(started=(11, 12), came=(), said=b"LLVM Profile Error: Failed to open\n")
    with pytest.raises(ProfileDataError, match="it ran 2 processes of the instrumented program") as caught:
        train(workshop)
    assert "Failed to open" in caught.value.message


def test_without_losses_nothing_is_told() -> None:
    """An ordinary training has no warnings."""
    assert list(describe_losses(Losses(processes=4), "w", Path("/stray"), has_flush_object=False)) == []
