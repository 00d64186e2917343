from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from optbuild.events import ActionFinished, ActionStarted, Event
from optbuild.execution.command import Command
from optbuild.files import claim_directory
from optbuild.measure.counting import INSTRUCTIONS, Counting
from optbuild.measure.model import Count
from optbuild.project.layout import Layout
from optbuild.testing import Answer, Reply, ScriptedExecutor, make_invocation
from optbuild.workloads.invocation import Invocation, Moment

COUNTS = {"release": 1000, "pgo": 900}


def is_counted(command: Command) -> bool:
    """Whether it runs a binary, and not a trial or what stands beside a run."""
    return "demo" in {Path(word).name for word in command.argv[:-1]}


class Stand:
    """Two binaries whose instructions are written in them, and a made-up valgrind that reads them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.heard: list[Event] = []
        self.now_s = 0.0
        self.answer: Callable[[Command], Answer | None] = lambda _: None
        self.executor = ScriptedExecutor(self._run)
        self.workload = make_invocation(
            "{bin:demo}", "small.txt", directory=directory, scratch=directory / "optbuild" / "scratch"
        )
        claim_directory(directory / "optbuild")
        for name in ("perf", "valgrind"):
            (directory / name).write_text("")
            (directory / name).chmod(0o755)
        for name, count in COUNTS.items():
            (directory / name).mkdir()
            (directory / name / "demo").write_text(str(count))

    def _run(self, command: Command) -> Answer:
        given = self.answer(command)
        if given is not None:
            return given
        if Path(command.argv[0]).name == "perf":
            return Reply(exit_code=1)
        output = next((word for word in command.argv if "out-file" in word), "").partition("=")[2]
        count = Path(command.argv[-2]).read_text() if is_counted(command) else "1"
        return Reply(stdout=b"out", writes={Path(output): f"summary: {count}\n".encode()} if output else {})

    def count(
        self, *workloads: Invocation, most_s: float | None = 100.0, run_s: float = 0.1, runner: str | None = None
    ) -> tuple[Count, ...]:
        """Count the two on some workloads, by default on one."""
        chosen = workloads or (self.workload,)
        counts, self.took_s = Counting(
            what=INSTRUCTIONS,
            executor=self.executor,
            emit=self.heard.append,
            environ={"PATH": str(self.directory)},
            layout=Layout.apart(self.directory / "optbuild"),
            arms={name: {"demo": self.directory / name / "demo"} for name in COUNTS},
            workloads=chosen,
            run_s={workload.name: run_s for workload in chosen},
            most_s=most_s,
            runner=runner,
            clock=lambda: self.now_s,
        ).count()
        return counts

    def counted(self) -> list[Command]:
        """The commands that were counted, without trials."""
        return [command for command in self.executor.commands if is_counted(command)]


@pytest.fixture
def stand(tmp_path: Path) -> Stand:
    """A machine without counters, and callgrind installed."""
    return Stand(tmp_path)


def reasons(counts: tuple[Count, ...]) -> Mapping[str, str | None]:
    """Why there is no count, by arm."""
    return {count.variant: count.reason for count in counts}


def test_each_arm_is_counted_once_on_each_workload(stand: Stand) -> None:
    """From one path: even the length of argv[0] counts. What is counted is told."""
    other = replace(stand.workload, name="large")
    counts = stand.count(stand.workload, other)
    assert [(item.workload, item.variant, item.count, item.tool, item.reason) for item in counts] == [
        (workload, arm, count, "callgrind", None) for workload in ("small", "large") for arm, count in COUNTS.items()
    ]
    assert len({command.argv[-2] for command in stand.counted()}) == 1
    assert [type(event) for event in stand.heard] == [ActionStarted, ActionFinished]
    assert isinstance(stand.heard[1], ActionFinished)
    assert stand.heard[1].outcome == "4 of 4"


def test_a_workload_is_counted_as_it_is_run(stand: Stand) -> None:
    """What it needs before each run is run, and is not counted."""
    beside = {Moment.SETUP: (("/bin/make-data",),), Moment.PREPARE: (("/bin/drop-caches",),)}
    workload = replace(stand.workload, beside=beside, expect_exit=3)
    assert set(reasons(stand.count(workload)).values()) == {
        "workload 'small' ended with exit code 0, expected exit code 3, with callgrind"
    }
    programs = [Path(command.argv[0]).name for command in stand.executor.commands]
    assert programs == ["perf", "valgrind", "make-data", *["drop-caches", "valgrind"] * 2]


def test_what_would_take_too_long_is_not_begun(stand: Stand) -> None:
    """Sixty times as long under callgrind: not even the trial is worth its second; a shorter workload is counted."""
    counts = stand.count(run_s=10.0)
    assert set(reasons(counts).values()) == {
        "would take 20 min 00 s with callgrind: `optbuild bench --metric instructions`"
    }
    assert [Path(command.argv[0]).name for command in stand.executor.commands] == ["perf"]
    assert [count.count for count in stand.count(run_s=10.0, most_s=None)] == [1000, 900]


def test_the_budget_holds_while_counting(stand: Stand) -> None:
    """A program that is slower under callgrind than most is stopped, and what is left is not begun."""

    def answer(command: Command) -> Reply | None:
        if not is_counted(command):
            return None
        assert command.timeout_s is not None
        stand.now_s += command.timeout_s
        return Reply(exit_code=-15, timed_out=True)

    stand.answer = answer
    counts = stand.count(stand.workload, replace(stand.workload, name="large"), most_s=30.0)
    assert [count.reason for count in counts] == [
        "took longer than 30 s with callgrind",
        "took longer than 0 ms with callgrind",
        *["would take 12 s with callgrind: `optbuild bench --metric instructions`"] * 2,
    ]
    assert stand.took_s == 30.0


def test_alone_a_count_may_take_as_long_as_a_run_may_times_the_slowdown(stand: Stand) -> None:
    """It was asked for, and a program that hangs is stopped all the same."""
    stand.count(replace(stand.workload, timeout_s=2.0), most_s=None)
    assert {command.timeout_s for command in stand.counted()} == {120.0}


def test_a_program_that_fails_has_its_reason(stand: Stand) -> None:
    """Valgrind may not know an instruction; the other arm is counted."""

    def answer(command: Command) -> Reply | None:
        fails = is_counted(command) and Path(command.argv[-2]).read_text() == "900"
        return Reply(exit_code=-4) if fails else None

    stand.answer = answer
    release, pgo = stand.count()
    assert (release.count, pgo.count) == (1000, None)
    assert pgo.reason == "workload 'small' ended with signal 4 (SIGILL), expected exit code 0, with callgrind"


def test_a_setup_that_fails_has_its_reason(stand: Stand) -> None:
    """The measuring that follows will tell it as an error."""
    workload = replace(stand.workload, beside={Moment.SETUP: (("/bin/make-data",),)})
    stand.answer = lambda command: Reply(exit_code=1) if command.argv[0] == "/bin/make-data" else None
    assert all(
        "`setup` of workload 'small' ended with" in (text or "") for text in reasons(stand.count(workload)).values()
    )


def test_a_counter_that_writes_nothing_has_counted_nothing(stand: Stand) -> None:
    """The program may have gone where callgrind cannot follow."""
    stand.answer = lambda command: Reply() if is_counted(command) else None
    assert set(reasons(stand.count()).values()) == {"callgrind counted no instructions"}


def test_without_a_tool_there_is_one_reason(stand: Stand) -> None:
    """Nothing is run then."""
    for name in ("perf", "valgrind"):
        (stand.directory / name).unlink()
    counts = stand.count()
    assert set(reasons(counts).values()) == {"perf is not installed; valgrind is not installed"}
    assert {count.tool for count in counts} == {None}
    assert stand.executor.commands == []


def test_an_emulator_is_not_counted_for_the_program(stand: Stand) -> None:
    """Its instructions are those of another machine's program, translated."""
    workload = replace(stand.workload, argv=(("qemu",), *stand.workload.argv))
    assert set(reasons(stand.count(workload, runner="qemu")).values()) == {
        "run by qemu, whose instructions would be counted"
    }
    assert [count.count for count in stand.count(runner="qemu")] == [1000, 900]
