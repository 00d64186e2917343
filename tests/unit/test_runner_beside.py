"""Actions that are carried out at the same time: what overlaps, what never does, and how they end together."""

from __future__ import annotations

import select
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from optbuild.errors import (
    BuildError,
    InterruptedRunError,
    NotComparableError,
    ProfileDataError,
    WorkloadError,
    WorkloadTimeoutError,
)
from optbuild.events import ActionFailed, ActionFinished, ActionStarted, Event, Notice, current_action
from optbuild.execution.command import Command
from optbuild.execution.stopping import StopRequest
from optbuild.making.cargo.sources import SourceWatch
from optbuild.making.order.decisions import TOO_LATE
from optbuild.making.order.dispatch import Performed
from optbuild.making.order.exclusivity import Budget
from optbuild.making.order.scheduler import Scheduler
from optbuild.making.order.workers import Workers
from optbuild.plan.action import ActionId
from optbuild.plan.kinds.compile import Compile, Role
from optbuild.plan.kinds.make_object import MakeObject
from optbuild.testing import Answer, Reply, ScriptedExecutor
from tests.unit.build_cases import Workshop, trained_program
from tests.unit.test_runner import Run, cargo

MANY = Budget(jobs=4, memory_bytes=64 << 30)
PATIENCE_S = 60.0


def kind_of(command: Command) -> str:
    """What a command is for."""
    if "build" not in command.argv[:2]:
        return "train" if "LLVM_PROFILE_FILE" in command.env else "run"
    flags = command.env.get("CARGO_ENCODED_RUSTFLAGS", "")
    if "profile_generate" in flags:
        return "instrument"
    if "profile_use" in flags:
        return "pgo"
    return "lto" if any("lto" in word for word in command.argv) else "release"


class Watched(ScriptedExecutor):
    """An executor that knows what runs at the same time, and whose programs can be ended."""

    def __init__(self, answer: Callable[[Command], Answer]) -> None:
        super().__init__(self._answer_watched)
        self.answer_freely = answer
        self.beside: dict[str, set[str]] = {}
        self.now: list[str] = []
        self.lock = threading.Lock()
        self.own = threading.local()

    def _answer_watched(self, command: Command) -> Answer:
        kind = kind_of(command) if not command.argv[0].startswith("/t/") else "tool"
        with self.lock:
            self.now.append(kind)
            for one in self.now:
                self.beside.setdefault(one, set()).update(self.now)
        try:
            return self.answer_freely(command)
        finally:
            with self.lock:
                self.now.remove(kind)

    @contextmanager
    def stoppable(self, stop: StopRequest) -> Iterator[None]:
        self.own.stop = stop
        yield

    def run_for_ever(self) -> Answer:
        """Run until a request comes."""
        stop: StopRequest = self.own.stop
        ready = select.select([stop], [], [], PATIENCE_S)[0]
        assert ready, "nobody asked"
        return stop.error()


class Meeting:
    """Programs of some kinds that begin and wait until all of those have begun."""

    def __init__(self, *kinds: str) -> None:
        self.kinds = kinds
        self.barrier = threading.Barrier(len(kinds), timeout=PATIENCE_S)

    def attend(self, command: Command) -> None:
        if kind_of(command) in self.kinds:
            self.barrier.wait()


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run of release, lto and pgo with four jobs."""
    return Run(Workshop(tmp_path), budget=MANY)


def watched(run: Run, before: Callable[[Command], object] = lambda _: None) -> Watched:
    """Let a run's programs be watched; what `before` gives for a command, if anything, is its answer."""
    plain = run.workshop.executor

    def answer(command: Command) -> Answer:
        found = before(command)
        if isinstance(found, (Reply, Exception)):
            return found
        return plain._answer(command)

    run.workshop.executor = Watched(answer)
    return run.workshop.executor


def test_the_instrumented_build_runs_beside_the_baseline(run: Run) -> None:
    """Each waits until the other has begun, so that it would end in no other way."""
    watched(run, Meeting("release", "instrument").attend)
    outcome = run.carry_out()
    assert run.built() == ["release", "lto", "pgo"]
    assert not outcome.failures


def test_the_build_with_a_profile_runs_beside_another_variant(run: Run) -> None:
    """The last two links are the longest steps of a run, and each uses one core."""
    watched(run, Meeting("lto", "pgo").attend)
    run.carry_out()
    assert run.built() == ["release", "lto", "pgo"]


def hold_lto_back(run: Run, monkeypatch: pytest.MonkeyPatch, answer: Answer | None = None) -> None:
    """Let the build without the profile end only after the one with it was taken in, and with this answer."""
    gate = threading.Event()
    settle = Scheduler.settle

    def before(command: Command) -> object:
        if kind_of(command) != "lto":
            return None
        assert gate.wait(PATIENCE_S)
        return answer

    def settle_and_tell(self: Scheduler, done: Mapping[ActionId, Performed | BaseException]) -> None:
        settle(self, done)
        actions = [run.plan.action(ActionId(name)) for name in done]
        if any(isinstance(action, Compile) and action.role is Role.OPTIMISE for action in actions):
            gate.set()

    watched(run, before)
    monkeypatch.setattr(Scheduler, "settle", settle_and_tell)


def test_a_build_with_a_profile_waits_for_what_it_is_held_against(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """That its binary is another one than without the profile is shown also where that one ends later."""
    hold_lto_back(run, monkeypatch)
    outcome = run.carry_out()
    assert run.built() == ["release", "lto", "pgo"]
    assert [evidence.differs for evidence in outcome.evidence.values()] == [True]
    finished = [event.label for event in run.workshop.heard if isinstance(event, ActionFinished)]
    assert finished.index("lto: build") < finished.index("pgo: build")


def test_a_profile_that_changed_nothing_is_found_whatever_ends_first(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The binary with it is there before the one without it."""
    hold_lto_back(run, monkeypatch)

    def same(command: Command) -> Reply:
        reply = cargo(command)
        if kind_of(command) == "instrument":
            return reply
        return replace(reply, writes=dict.fromkeys(reply.writes, b"same"))

    run.cargo = same
    assert "the profile changed nothing" in run.fail(ProfileDataError).message


def test_no_proof_waits_for_a_build_that_failed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """What rustc said is proof without it."""
    run.keep_going = True
    hold_lto_back(run, monkeypatch, Reply(exit_code=101, stderr=b"error: no\n"))
    outcome = run.carry_out()
    assert run.built() == ["release", "pgo"]
    assert [evidence.differs for evidence in outcome.evidence.values()] == [None]


@pytest.mark.parametrize("budget", [MANY, Budget()])
def test_no_proof_waits_for_a_build_that_nobody_wants(run: Run, budget: Budget) -> None:
    """Once nothing else is to be done, it will not come."""
    run.budget = budget
    run.progress.give_up([run.plan.variants[1]], "given up")
    outcome = run.carry_out()
    assert run.built() == ["release", "pgo"]
    assert [evidence.differs for evidence in outcome.evidence.values()] == [None]


def test_builds_in_one_directory_never_overlap(run: Run) -> None:
    """Cargo would let one of them wait; and all workloads run from one place."""
    executor = watched(run)
    run.carry_out()
    assert not {"lto"} & executor.beside["release"]
    assert not {"pgo"} & executor.beside["instrument"]
    assert not {"train"} & executor.beside["run"]


def test_the_record_has_the_plans_order_whatever_ends_first(run: Run) -> None:
    """Release ends after the instrumented build here, and before it there; results and steps are the same."""

    def orders(first: str, then: str) -> tuple[list[str], list[str]]:
        gate = threading.Event()

        def in_order(command: Command) -> None:
            if kind_of(command) == then:
                assert gate.wait(PATIENCE_S)

        again = Run(Workshop(run.workshop.directory / first), budget=MANY)
        watched(again, in_order)
        together = again.make_together()
        (scheduler,) = together.members

        def emit(event: Event) -> None:
            again.workshop.heard.append(event)
            if isinstance(event, ActionFinished) and first in event.label:
                gate.set()

        scheduler.dispatcher = replace(scheduler.dispatcher, emit=emit)
        together.run()
        outcome = again.outcome
        finished = [event.label for event in again.workshop.heard if isinstance(event, ActionFinished)]
        finished = [label for label in finished if not label.startswith("object")]
        steps = [step.action.label for step in outcome.steps_in_order]
        pgo = [step.action.label for step in outcome.steps_of(again.plan.variants[2])]
        assert first in finished[0]
        return steps, pgo

    assert orders("release", "instrument") == orders("instrumented", "release")


def test_a_failure_ends_what_runs_beside_it(run: Run) -> None:
    """The first failure is the run's; nobody waits for builds that nobody will use."""
    executor: Watched
    instruments = threading.Event()

    def before(command: Command) -> object:
        if kind_of(command) == "instrument":
            instruments.set()
            return executor.run_for_ever()
        if kind_of(command) != "release":
            return None
        assert instruments.wait(PATIENCE_S)
        return Reply(exit_code=101, stderr=b"error: no\n")

    executor = watched(run, before)
    run.fail(BuildError)
    assert executor.now == []
    assert not [step for step in run.outcome.steps.values() if not isinstance(step.action, MakeObject)]
    ended = {event.label for event in run.workshop.heard if isinstance(event, ActionFailed)}
    assert ended == {"release: build", "pgo: build instrumented without LTO"}


def test_a_failure_of_one_variant_leaves_the_others_alone(run: Run) -> None:
    """With `keep_going` what runs beside it goes on."""
    run.keep_going = True
    meeting = Meeting("lto", "pgo")

    def before(command: Command) -> object:
        meeting.attend(command)
        return Reply(exit_code=101, stderr=b"error: no\n") if kind_of(command) == "lto" else None

    watched(run, before)
    outcome = run.carry_out()
    assert run.built() == ["release", "pgo"]
    assert [error.code for error in outcome.failures.values()] == ["build"]


def test_an_interrupt_ends_all_and_keeps_what_was_finished(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The signal comes while two builds run, after a third is done."""
    executor: Watched
    meeting = Meeting("lto", "pgo")

    def before(command: Command) -> object:
        meeting.attend(command)
        return executor.run_for_ever() if kind_of(command) in meeting.kinds else None

    executor = watched(run, before)
    settle, wait, interrupted = Scheduler.settle, Workers[Performed].wait, threading.Event()

    def interrupt(self: Scheduler, done: Mapping[ActionId, Performed | BaseException]) -> None:
        settle(self, done)
        if any(name.startswith("merge") for name in done):
            interrupted.set()

    def wait_for_a_signal(self: Workers[Performed]) -> dict[str, Performed | BaseException]:
        # What has ended may let more begin.
        while interrupted.is_set() and not any(future.done() for future in self._running.values()):
            if set(executor.now) == set(meeting.kinds):
                raise InterruptedRunError(2)
            threading.Event().wait(0.005)
        return wait(self)

    monkeypatch.setattr(Scheduler, "settle", interrupt)
    monkeypatch.setattr(Workers, "wait", wait_for_a_signal)
    with pytest.raises(InterruptedRunError) as caught:
        run.carry_out()
    assert caught.value.signal_number == 2
    assert executor.now == []
    kinds = {step.action.kind for step in run.outcome.steps.values()}
    assert kinds - {"probe", "object"} == {
        "compile",
        "train",
        "merge",
    }  # the baseline's outputs may be looked at meanwhile
    assert run.built() == ["release"]


def test_workloads_train_at_the_same_time_where_they_may(tmp_path: Path) -> None:
    """Each from a place of its own, which is gone afterwards; both counts are in the profile."""
    run = Run(Workshop(tmp_path), budget=MANY, parallel=True)
    meeting = threading.Barrier(2, timeout=PATIENCE_S)
    places: set[Path] = set()

    def before(command: Command) -> None:
        if kind_of(command) == "train":
            places.add(Path(command.argv[0]).parent)
            meeting.wait()

    watched(run, before)
    outcome = run.carry_out()
    assert run.built() == ["release", "lto", "pgo"]
    assert len(places) == 2
    assert not any(place.exists() for place in places)
    profile = outcome.profile_of(run.plan.variants[2])
    assert profile is not None
    assert profile.raw_profiles == 2


def test_a_training_that_took_too_long_beside_builds_is_run_alone(run: Run) -> None:
    """Its timeout was meant for a machine of its own; the second time it has one, and counts."""
    meeting = Meeting("release", "train")
    beside: list[set[str]] = []
    executor: Watched

    def before(command: Command) -> object:
        if kind_of(command) == "release":
            meeting.attend(command)
        if kind_of(command) != "train" or command.argv[-1] != "one":
            return None
        if not beside:
            meeting.attend(command)
        beside.append(set(executor.now))
        return Reply(timed_out=True, exit_code=-15) if len(beside) == 1 else None

    executor = watched(run, before)
    run.carry_out()
    assert run.built() == ["release", "lto", "pgo"]
    assert [notice.code for notice in run.workshop.notices].count("workload-alone") == 1
    assert beside[1:] == [{"train"}]  # the first met another build


def test_a_training_that_takes_too_long_alone_has_failed(run: Run) -> None:
    """It is tried again once only, and not at all where nothing ran beside it."""
    run.budget = Budget()
    calls = []

    def before(command: Command) -> object:
        if kind_of(command) != "train":
            return None
        calls.append(command)
        return Reply(timed_out=True, exit_code=-15)

    watched(run, before)
    run.fail(WorkloadTimeoutError)
    assert len(calls) == 1


def test_memory_keeps_links_of_whole_programs_apart(run: Run) -> None:
    """Two that together need more than there is run one after the other."""
    run.budget = replace(MANY, memory_bytes=3 << 30)
    executor = watched(run)
    run.carry_out()
    assert "lto" not in executor.beside["pgo"]
    assert run.built() == ["release", "lto", "pgo"]


def test_outputs_that_differ_end_one_variant(run: Run) -> None:
    """They are looked at beside other builds; with `keep_going` those go on."""
    run.keep_going = True

    def program(command: Command) -> Answer:
        built = Path(command.argv[0]).read_text()
        is_lto = "lto" in built and "-C" not in built
        return Reply(stdout=b"other") if is_lto else trained_program(command)

    run.program = program
    watched(run)
    run.carry_out()
    assert [type(error) for error in run.outcome.failures.values()] == [NotComparableError]
    assert [variant.name for variant in run.plan.variants if run.outcome.is_built(variant)] == ["release", "pgo"]


def test_sources_are_watched_from_the_beginning_of_each_build(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two builds at the same time have different beginnings, and each has its own end."""
    watched(run, Meeting("release", "instrument").attend)
    seen: list[str] = []
    now_ns, add = SourceWatch.now_ns, SourceWatch.add

    def begin(self: SourceWatch) -> int:
        seen.append("begin")
        return now_ns(self)

    def end(self: SourceWatch, *args: Any, **since: Any) -> None:  # noqa: ANN401 - passed on
        seen.append("end")
        add(self, *args, **since)

    monkeypatch.setattr(SourceWatch, "now_ns", begin)
    monkeypatch.setattr(SourceWatch, "add", end)
    run.carry_out()
    assert seen[:2] == ["begin", "begin"]
    assert (seen.count("begin"), seen.count("end")) == (4, 4)


def test_what_is_told_belongs_to_an_action(run: Run) -> None:
    """Also in a thread of its own, so that warnings can be put in order afterwards."""
    tellers: list[str] = []

    def before(command: Command) -> object:
        if kind_of(command) == "instrument":
            tellers.append(current_action())
        return None

    watched(run, before)
    run.carry_out()
    assert tellers == [run.plan.variants[2].attempts[0].instrument]


def test_a_workload_that_fails_beside_builds_is_not_tried_again(run: Run) -> None:
    """Only time is short on a busy machine."""
    watched(run, lambda c: Reply(exit_code=3) if kind_of(c) == "train" else None)
    run.fail(WorkloadError)
    started = [event.label for event in run.workshop.heard if isinstance(event, ActionStarted)]
    assert started.count("pgo: train on one") == 1


def test_one_job_carries_out_a_plan_in_its_order(run: Run) -> None:
    """As it was printed."""
    run.budget = Budget()
    watched(run)
    outcome = run.carry_out()
    assert [step.action.id for step in outcome.steps.values()] == [s.action.id for s in outcome.steps_in_order]


@pytest.mark.parametrize("has_deadline", [False, True])
def test_a_deadline_lets_the_plan_decide_what_comes_first(run: Run, *, has_deadline: bool) -> None:
    """Without one, what many steps follow is begun first; with one, that would leave nothing finished in the end."""
    watched(run)
    together = run.make_together()
    (scheduler,) = together.members
    if has_deadline:
        scheduler.decisions = replace(scheduler.decisions, is_late=lambda: False)
    together.run()
    assert run.built() == ["release", "lto", "pgo"]
    started = [event.label for event in run.workshop.heard if isinstance(event, ActionStarted)]
    assert (started[0] == "release: build") is has_deadline


def test_what_there_is_no_time_for_is_told_once(run: Run) -> None:
    """With the names; the baseline is built all the same."""
    watched(run)
    together = run.make_together()
    (scheduler,) = together.members
    scheduler.decisions = replace(scheduler.decisions, is_late=lambda: True)
    together.run()
    assert run.built() == ["release"]
    assert run.outcome.skipped == dict.fromkeys(("lto", "pgo"), TOO_LATE)
    notices = [event.message for event in run.workshop.heard if isinstance(event, Notice)]
    assert notices == ["there was no time left to build lto, pgo"]
