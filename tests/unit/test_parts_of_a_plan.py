"""A plan that is carried out in parts: nothing is done twice, and all parts are made of the same sources."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path

import pytest

from optbuild.errors import NotComparableError
from optbuild.execution.command import Command
from optbuild.making.carry_out import Making
from optbuild.testing import Reply
from tests.unit.build_cases import Workshop
from tests.unit.test_runner import LTO, PGO, RELEASE, Run, cargo, fails_for

WIDE = replace(PGO, name="wide", target_cpu="x86-64-v3")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run of four variants, two of which share a training."""
    return Run(Workshop(tmp_path), variants=(RELEASE, LTO, PGO, WIDE))


def making_of(run: Run) -> Making:
    """What carries the plan out, on the made-up machine."""
    run.make_together()  # it gives the machine its programs
    return Making(run.plan, replace(run.workshop.site(run.inputs), keep_going=run.keep_going))


def test_a_later_part_goes_on_where_the_one_before_it_ended(run: Run) -> None:
    """What was left out is built then; cargo and the training are called for nothing twice."""
    making = making_of(run)
    making.leave_out({"wide": "it waits"})
    first = making.carry_out()
    assert [variant.name for variant in first.proved] == ["release", "lto", "pgo"]
    assert dict(first.skipped) == {"wide": "it waits"}
    before, steps = len(run.workshop.executor.commands), {**first.steps}
    making.leave_out({})
    whole = making.carry_out()
    assert [variant.name for variant in whole.proved] == ["release", "lto", "pgo", "wide"]
    assert not whole.skipped
    again = run.workshop.executor.commands[before:]
    builds = [command for command in again if "build" in command.argv[:2]]
    assert builds
    assert all("x86-64-v3" in command.env["CARGO_ENCODED_RUSTFLAGS"] for command in builds)
    assert all(whole.steps[action] is step for action, step in steps.items())
    assert {step.action.label.partition(":")[0] for step in whole.steps.values() if step not in steps.values()} == {
        "wide"
    }
    starts = [step.started_s for step in whole.steps_in_order if step.started_s is not None]
    assert min(starts) >= 0
    assert whole.wall_s is not None
    assert first.wall_s is not None
    assert whole.wall_s > first.wall_s


def test_what_is_left_out_for_good_keeps_its_reason(run: Run) -> None:
    """The latest one; what failed keeps its own."""
    run.keep_going = True
    run.cargo = fails_for("lto", Reply(exit_code=101))
    making = making_of(run)
    making.leave_out({"wide": "it waits", "pgo": "it waits"})
    built = making.carry_out()
    making.leave_out({"wide": "it promises nothing", "lto": "it promises nothing"})
    assert built.skipped["wide"] == "it promises nothing"
    assert "pgo" not in built.skipped
    assert "cargo failed" in built.skipped["lto"]
    making.leave_out({})
    assert built.skipped.keys() == {"lto"}


def test_sources_that_change_between_two_parts_end_the_run(run: Run) -> None:
    """Variants of different sources may not be compared."""
    source = run.workshop.directory / "Cargo.toml"
    source.write_text("[package]\n")
    making = making_of(run)
    making.leave_out({"wide": "it waits"})
    assert making.carry_out().ended_by is None
    source.write_text("[package]\nname = 'other'\n")
    making.leave_out({})
    built = making.carry_out()
    assert isinstance(built.ended_by, NotComparableError)
    assert built.proved == ()


def test_a_part_that_is_interrupted_leaves_what_was_done(run: Run) -> None:
    """The second part ends; the first one's results stay."""
    making = making_of(run)
    making.leave_out({"wide": "it waits"})
    making.carry_out()

    def stopped(command: Command) -> Reply:
        return replace(cargo(command), exit_code=-signal.SIGTERM)

    run.cargo = stopped
    making.leave_out({})
    built = making.carry_out()
    assert built.ended_by is not None
    assert built.wall_s is None
    assert [variant.name for variant in built.proved] == ["release", "lto", "pgo"]
