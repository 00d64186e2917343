from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from optbuild.errors import BuildError, NotComparableError
from optbuild.execution.command import Command
from optbuild.plan.kinds.merge import MergeProfiles
from optbuild.profile.variants import PgoMode
from optbuild.testing import Answer, Reply
from optbuild.workloads.folds import Fold
from tests.unit.build_cases import Workshop, trained_program
from tests.unit.test_runner import ATTEMPT, LTO, MISMATCH, PGO, RELEASE, Run, _warning, _without_pgo, cargo, rejecting

FOLDS = tuple(Fold(left_out=(name,), workloads=(name,)) for name in ("one", "three"))
FOLD = ("merge", "optimise", "compare")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A cross-validation of pgo over two workloads in which everything goes well."""
    return Run(Workshop(tmp_path), variants=(RELEASE, LTO, PGO), folds=FOLDS)


def folds_built(run: Run) -> list[str]:
    """The folds whose binaries may be measured."""
    return [fold.build.name for fold in run.plan.folds if run.outcome.is_built(fold.build)]


def optimised(answer: Callable[[int, Command], Answer]) -> Callable[[Command], Answer]:
    """A cargo that answers the nth optimising build in this way."""
    seen: list[Command] = []

    def reply(command: Command) -> Answer:
        if "profile_use" not in str(command.env):
            return cargo(command)
        seen.append(command)
        return answer(len(seen), command)

    return reply


def test_folds_are_built_proved_and_checked_after_their_variant(run: Run) -> None:
    """Two more merges and two more builds, and no more training."""
    outcome = run.carry_out()
    assert run.done()[6:] == ["instrument", *["train"] * 3, "merge", "optimise", "compare", "compare", *FOLD, *FOLD]
    assert folds_built(run) == ["pgo without one", "pgo without three"]
    assert len(outcome.evidence) == 3
    assert all(outcome.evidence_of(fold.build) is not None for fold in run.plan.folds)


def test_each_fold_has_a_profile_of_its_own(run: Run) -> None:
    """It is merged of what is left, and compiled into another binary."""
    outcome = run.carry_out()
    merged = [outcome.profile_of(build) for build in run.plan.builds[2:]]
    assert [profile.raw_profiles for profile in merged if profile] == [3, 2, 2]
    assert len({profile.sha256 for profile in merged if profile}) == 3
    hashes = {outcome.results[build.compile].artifacts["demo"].sha256 for build in run.plan.builds if build.compile}
    assert len(hashes) == len(run.plan.builds) == 5


def test_a_second_run_builds_no_fold_again(run: Run) -> None:
    """Cargo finds them fresh, and merges and checks are kept."""
    run.carry_out()
    merges = len(run.workshop.tool_runs("merge"))
    again = Run(run.workshop, folds=FOLDS, cargo=lambda command: cargo(command, fresh=True))
    again.carry_out()
    assert {step.reused for step in again.outcome.steps.values()} == {True}
    assert len(run.workshop.tool_runs("merge")) == merges


def test_a_fold_that_proves_nothing_is_skipped_with_its_reason(run: Run) -> None:
    """The variant is as good as before, and so is the other fold: the run is no failure."""
    run.cargo = optimised(lambda number, command: _without_pgo(command) if number == 2 else cargo(command))
    outcome = run.carry_out()
    assert run.built() == ["release", "lto", "pgo"]
    assert folds_built(run) == ["pgo without three"]
    assert "the profile changed nothing" in outcome.skipped["pgo without one"]
    assert outcome.failures == {}
    (notice,) = run.workshop.notices
    assert (notice.code, notice.message[:32]) == ("fold-skipped", "fold pgo without one is skipped:")


def test_a_fold_without_counts_is_skipped(run: Run) -> None:
    """What is left of the training may never have run the code that matters."""
    tool = run.workshop.tool
    merge = run.plan.action(run.plan.folds[0].build.attempts[0].merge)
    assert isinstance(merge, MergeProfiles)
    run.workshop.tool = lambda c: Reply(exit_code=1) if merge.id in str(c.argv) else tool(c)
    outcome = run.carry_out()
    assert list(outcome.skipped) == ["pgo without one"]
    assert folds_built(run) == ["pgo without three"]


def test_a_fold_that_does_not_compile_is_an_error(run: Run) -> None:
    """As any build that fails; with --keep-going all else is done."""
    fails = optimised(lambda number, command: Reply(exit_code=101) if number == 2 else cargo(command))
    run.cargo = fails
    run.fail(BuildError)
    assert run.built() == ["release", "lto", "pgo"]
    again = Run(run.workshop, folds=FOLDS, keep_going=True)
    again.cargo = optimised(lambda number, command: Reply(exit_code=101) if number == 2 else cargo(command))
    again.carry_out()
    assert folds_built(again) == ["pgo without three"]
    assert list(again.outcome.skipped) == ["pgo without one"]


def test_a_fold_with_another_output_is_an_error(run: Run) -> None:
    """A miscompiled binary is none the better for being an experiment."""
    run.cargo = optimised(lambda number, command: replace(cargo(command), writes=_odd(command, number == 3)))
    run.program = lambda c: trained_program(c) if "LLVM_PROFILE_FILE" in c.env else Reply(stdout=_oddness(c))
    error = run.fail(NotComparableError)
    assert "pgo without three: outputs of three" in error.message
    assert run.built() == ["release", "lto", "pgo"]
    assert folds_built(run) == ["pgo without one"]


def _odd(command: Command, odd: bool) -> dict[Path, bytes]:  # noqa: FBT001 - a fact of the binary
    return {path: content + b" odd" * odd for path, content in cargo(command).writes.items()}


def _oddness(command: Command) -> bytes:
    return str(Path(command.argv[0]).read_bytes().endswith(b"odd")).encode()


def test_folds_follow_the_attempt_that_their_variant_took(run: Run) -> None:
    """Where training without LTO lost something, they are trained by the exact recipe as well, and at once."""
    run.cargo = rejecting(times=1)
    outcome = run.carry_out()
    train = [*["train"] * 3, "merge", "optimise"]
    assert run.done()[6:] == ["instrument", *train, "instrument", *train, "compare", "compare", *FOLD, *FOLD]
    assert folds_built(run) == ["pgo without one", "pgo without three"]
    taken = [outcome.attempt_of(fold.build) for fold in run.plan.folds]
    assert taken == [fold.build.attempts[1] for fold in run.plan.folds]
    assert list(outcome.rejected) == ["pgo"]


def test_folds_follow_where_a_build_that_they_share_fails(run: Run) -> None:
    """The instrumented build serves them as well; its failure is no failure of theirs."""
    run.cargo = lambda c: Reply(exit_code=101) if "-Clto=off" in str(c.env) else cargo(c)
    outcome = run.carry_out()
    assert outcome.skipped == {}
    assert folds_built(run) == ["pgo without one", "pgo without three"]


def test_a_fold_does_not_try_what_its_variant_did_not(run: Run) -> None:
    """Counts another way it would be compared with something else; it is left out, with the reason."""

    def answer(number: int, command: Command) -> Answer:
        reply = cargo(command)
        return replace(reply, stdout=_warning(MISMATCH) + reply.stdout) if number == 2 else reply

    run.cargo = optimised(answer)
    outcome = run.carry_out()
    assert run.done().count("instrument") == 1
    assert "lost 0 functions with counts, and 1 have a different" in outcome.skipped["pgo without one"]
    assert folds_built(run) == ["pgo without three"]


def test_without_its_variant_no_fold_is_built(run: Run) -> None:
    """With `pgo = "auto"` missing evidence skips the variant; its folds go with it, in silence."""
    auto = replace(PGO, pgo=PgoMode.AUTO)
    run = Run(run.workshop, variants=(RELEASE, LTO, auto), folds=FOLDS)
    run.cargo = lambda c: _without_pgo(c) if "profile_use" in str(c.env) else cargo(c)
    outcome = run.carry_out()
    assert list(outcome.skipped) == ["pgo", "pgo without one", "pgo without three"]
    assert [n.code for n in run.workshop.notices if "skipped" in n.code] == ["variant-skipped"]
    assert run.done().count("merge") == len(run.plan.variants[2].attempts)
    assert folds_built(run) == []


def test_training_that_fails_ends_variant_and_folds(run: Run) -> None:
    """The fold that leaves the failing workload out is of no use without the variant."""
    run.keep_going = True
    run.program = lambda c: Reply(exit_code=3) if _trains_on(c, "three") else trained_program(c)
    run.carry_out()
    assert run.built() == ["release", "lto"]
    assert folds_built(run) == []
    assert run.done()[6:] == ["instrument", *ATTEMPT[1:3]]


def _trains_on(command: Command, name: str) -> bool:
    return "LLVM_PROFILE_FILE" in command.env and command.argv[-1] == name
