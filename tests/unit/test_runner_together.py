"""Two plans that are carried out at the same time: what overlaps, what one gets from the other, and how they end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from optbuild.errors import BuildError, InterruptedRunError, StorageError
from optbuild.execution.command import Command
from optbuild.making.carry_out import make_together
from optbuild.making.order.exclusivity import Budget
from optbuild.making.order.together import Loan, Together
from optbuild.making.order.workers import Workers
from optbuild.plan.kinds.compile import Compile
from optbuild.project.layout import Layout
from optbuild.testing import Answer, Reply
from tests.unit.build_cases import Workshop
from tests.unit.test_runner import PGO, Run
from tests.unit.test_runner_beside import MANY, PATIENCE_S, Watched, kind_of


class SharingWorkshop(Workshop):
    """A version of a project, which has a directory in common with the others."""

    @property
    def layout(self) -> Layout:
        return replace(Layout.of(self.directory / "target"), shared=self.directory.parent)


@dataclass
class Pair:
    """An old and a new version of a program.

    Attributes:
        before: What a command of a version answers, if not what it does by itself.
        told: What began, in order.
    """

    directory: Path
    budget: Budget = MANY
    before: Callable[[str, Command], Answer | None] = lambda _, __: None
    loans: tuple[Loan, ...] = ()
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.old, self.new = (self._version(name) for name in ("old", "new"))
        self.executor = Watched(self._answer)
        for run in self.versions.values():
            run.workshop.executor = self.executor

    def _version(self, name: str) -> Run:
        return Run(SharingWorkshop(self.directory / name), variants=(PGO,), budget=self.budget)

    @property
    def versions(self) -> dict[str, Run]:
        return {"old": self.old, "new": self.new}

    def _answer(self, command: Command) -> Answer:
        name = "new" if str(self.directory / "new") in f"{command.argv} {command.env}" else "old"
        kind = f"{name} {kind_of(command)}"
        if not command.argv[0].startswith("/t/"):
            self.told.append(kind)
        return self.before(kind, command) or self.versions[name].workshop._answer(command)

    def make_together(self) -> Together:
        old, new = (run.make_together() for run in self.versions.values())
        site = self.old.workshop.site(self.old.inputs)
        return make_together((*old.members, *new.members), site, None, self.loans)

    def lend(self, take: Callable[[], None]) -> None:
        """Let the new version's instrumented build begin with a copy of the old one's."""
        places = [run.workshop.layout.cargo_pgo_target for run in (self.new, self.old)]
        self.loans = (Loan(place=places[0], source=places[1], take=take),)

    def ran(self, *kinds: str) -> list[str]:
        return [each for each in self.told if each.partition(" ")[2] in kinds]


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    """Two versions with four jobs, in which everything goes well."""
    return Pair(tmp_path)


def meet(*kinds: str) -> Callable[[str, Command], None]:
    """Hold the first command of each of these kinds until all have begun."""
    barrier = threading.Barrier(len(kinds), timeout=PATIENCE_S)
    awaited = set(kinds)

    def attend(kind: str, _command: Command) -> None:
        if kind in awaited:
            awaited.remove(kind)
            barrier.wait()

    return attend


def test_builds_of_two_plans_run_side_by_side(pair: Pair) -> None:
    """Each waits until the other one has begun."""
    pair.before = meet("old instrument", "new instrument")
    pair.make_together().run()
    assert pair.old.built() == pair.new.built() == ["pgo"]


def test_with_one_job_one_plan_follows_the_other(tmp_path: Path) -> None:
    """All of the first, in its own order, and then all of the second."""
    pair = Pair(tmp_path, budget=Budget())
    pair.make_together().run()
    names = [each.partition(" ")[0] for each in pair.told]
    assert set(names) == {"old", "new"}
    assert names == sorted(names, reverse=True)
    assert pair.old.done() == pair.new.done()


def test_workloads_of_two_plans_take_turns(pair: Pair) -> None:
    """Both may write the same files: what each training needs for itself is one place for both."""
    old, new = pair.make_together().members
    assert old.tools.turn == new.tools.turn
    for member in (old, new):
        assert {task.action.kind for task in member.users_of(member.tools.turn)} == {"train", "probe"}


def test_a_directory_is_lent_once_it_is_filled(pair: Pair) -> None:
    """The first build there waits; then it runs beside what the lender does next."""
    taken: list[list[str]] = []
    pair.lend(lambda: taken.append(list(pair.executor.now)))
    pair.before = meet("old train", "new instrument")
    pair.make_together().run()
    assert pair.ran("instrument") == ["old instrument", "new instrument"]
    (running,) = taken
    assert "instrument" not in running
    assert "pgo" not in running, "nobody writes there meanwhile"
    assert pair.new.built() == ["pgo"]


def test_nobody_waits_for_a_directory_that_nothing_fills(pair: Pair) -> None:
    """What no action of the other plan needs is as full as it gets."""
    taken: list[str] = []
    place = pair.new.workshop.layout.cargo_pgo_target
    pair.loans = (Loan(place=place, source=pair.directory / "nowhere", take=lambda: taken.append("now")),)
    pair.before = meet("old instrument", "new instrument")
    pair.make_together().run()
    assert taken == ["now"]


def test_a_copy_that_fails_ends_both_and_is_the_borrowers(pair: Pair) -> None:
    """As every error, it is about one of the versions."""
    error = StorageError("no space", help="make some")

    def take() -> None:
        raise error

    pair.lend(take)
    together = pair.make_together()
    with pytest.raises(StorageError):
        together.run()
    assert [member.ended_by for member in together.members] == [None, error]


def test_a_failure_ends_both_plans_and_belongs_to_one(pair: Pair) -> None:
    """The other version's build is ended, and what it had finished is kept."""
    attend = meet("old instrument", "new instrument")

    def fail(kind: str, command: Command) -> Answer | None:
        attend(kind, command)
        if kind == "old instrument":
            return pair.executor.run_for_ever()
        return Reply(exit_code=101, stderr=b"error: no\n") if kind == "new instrument" else None

    pair.before = fail
    together = pair.make_together()
    with pytest.raises(BuildError) as caught:
        together.run()
    assert [member.ended_by for member in together.members] == [None, caught.value]
    assert pair.executor.now == []
    assert not [step for step in pair.old.outcome.steps.values() if isinstance(step.action, Compile)]


def test_a_signal_ends_the_programs_of_both(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes while both build."""
    attend = meet("old instrument", "new instrument")

    def run_on(kind: str, command: Command) -> Answer | None:
        attend(kind, command)
        return pair.executor.run_for_ever() if "instrument" in kind else None

    pair.before = run_on
    wait = Workers.wait

    def wait_for_a_signal(self: Workers[object]) -> dict[str, object]:
        while not any(future.done() for future in self._running.values()):  # what has ended may let more begin
            if pair.executor.now == ["instrument", "instrument"]:
                raise InterruptedRunError(2)
            threading.Event().wait(0.005)
        return wait(self)

    monkeypatch.setattr(Workers, "wait", wait_for_a_signal)
    with pytest.raises(InterruptedRunError) as caught:
        pair.make_together().run()
    assert caught.value.signal_number == 2
    assert pair.executor.now == []
