"""Building variants whose programs each have a PGO profile of their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from optbuild.errors import NotComparableError, ProfileDataError
from optbuild.execution.command import Command
from optbuild.plan.planner import make_plan
from optbuild.profile.variants import PgoMode, Profiles
from optbuild.project.layout import Layout
from optbuild.project.selection import Targets
from optbuild.record import assemble
from optbuild.record.history import History
from optbuild.report.evidence_page import assemble_evidence
from optbuild.testing import (
    TARGET,
    Answer,
    Reply,
    make_build_profile,
    make_package,
    make_plan_inputs,
    make_project,
)
from tests.unit.build_cases import Workshop
from tests.unit.report_cases import make_measured
from tests.unit.test_runner import PGO, RELEASE, Run, binary_for

EACH = replace(PGO, name="each", profiles=Profiles.PER_BIN)
NAMES = ("north", "south")


def cargo(command: Command) -> Reply:
    """A cargo that builds the programs that it is asked for."""
    directory = Path(command.argv[command.argv.index("--target-dir") + 1])
    flags = command.env.get("CARGO_ENCODED_RUSTFLAGS", "").replace("\x1f", " ")
    names = [name for word, name in zip(command.argv, command.argv[1:], strict=False) if word == "--bin"]
    messages = [
        '{"reason":"compiler-artifact","package_id":"path+file:///p#demo@0.1.0",'
        f'"target":{{"name":"{name}","kind":["bin"]}},"fresh":false,"executable":"{directory / name}"}}\n'
        for name in names
    ]
    status = "".join(f"     Running `/t/rustc --crate-name {name} --target {TARGET} {flags}`\n" for name in names)
    writes = {directory / name: name.encode() + binary_for(command) for name in names}
    return Reply(stdout="".join(messages).encode(), stderr=status.encode(), writes=writes)


def fails_to_use(name: str) -> Callable[[Command], Answer]:
    """A cargo whose rustc does not hear of the profile for one program."""

    def answer(command: Command) -> Answer:
        reply = cargo(command)
        if "profile_use" in str(command.env) and command.argv.count("--bin") == 1 and name in command.argv:
            return replace(reply, stderr=reply.stderr.replace(b"profile_use", b"other"))
        return reply

    return answer


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run of release and of two programs with a profile each."""
    return run_of(tmp_path)


def run_of(directory: Path, pgo: PgoMode = PgoMode.REQUIRED) -> Run:
    """The same, where PGO may be demanded or not."""
    shop = Workshop(directory)
    run = Run(shop, cargo=cargo)
    package = make_package(directory=directory, bins=NAMES)
    inputs = make_plan_inputs(
        project=make_project(directory=directory, packages=(package,)),
        targets=Targets(packages=(package,), bins=package.bins),
        build_profile=make_build_profile(RELEASE, replace(EACH, pgo=pgo), directory=directory),
        workloads=tuple(shop.workload(f"{{bin:{name}}}", name, name=name) for name in NAMES),
    )
    run.plan = make_plan(inputs, ("release", "each"), measure=True)
    return run


def test_a_variant_is_built_of_programs_that_are_proved_one_by_one(run: Run) -> None:
    """Instrumented once, trained on each workload once, and compiled once for each program."""
    outcome = run.carry_out()
    assert run.done() == [
        *("build", "probe", "probe", "instrument"),
        *("train", "merge", "optimise", "train", "merge", "optimise"),
        *("compare", "compare"),
    ]
    each = run.plan.variants[1]
    assert each.compile is not None
    assert {*outcome.results[each.compile].artifacts} == {*NAMES}
    profiles = [outcome.profile_of(part) for part in each.parts.values()]
    assert len({profile.sha256 for profile in profiles if profile is not None}) == 2
    assert len(outcome.evidence) == 2
    assert outcome.is_built(each)


def test_the_record_has_the_evidence_of_each_program(run: Run) -> None:
    """And of the first one where older readers look; the next run begins with what was taken."""
    outcome = run.carry_out()
    _, each = assemble.describe_variants(outcome, Layout.of(Path("/p/target")), in_sample=True)
    assert [*each.pgo_by_bin] == [*NAMES]
    assert each.pgo == each.pgo_by_bin["north"]
    assert all(pgo.applied for pgo in each.pgo_by_bin.values())
    assert [*each.evidence] == ["each: north", "each: south"]
    assert [training.workload for training in each.pgo_by_bin["south"].trainings] == ["south"]
    record = replace(make_measured(), variants=(each,))
    assert History.of([record]).attempts == {"each: north": "lto-free", "each: south": "lto-free"}
    captions = [table.caption for table in assemble_evidence(record).tables]
    assert "each: south: checks of the profile" in captions
    steps = outcome.steps_of(run.plan.variants[1])
    assert [step.action.kind for step in steps].count("compile") == 3


def test_one_program_without_evidence_fails_the_variant(run: Run) -> None:
    """It is published whole or not at all; the other program's build is not asked for any more."""
    run.cargo = fails_to_use("north")
    error = run.fail(ProfileDataError)
    assert "each: north" in error.message
    assert run.built() == ["release"]
    assert not any("south" in step.action.label for step in run.outcome.steps.values() if "build" in step.action.label)


def test_where_pgo_may_be_left_out_the_variant_is_skipped_once(tmp_path: Path) -> None:
    """With the reason of the program that failed."""
    run = run_of(tmp_path, PgoMode.AUTO)
    run.cargo = fails_to_use("south")
    outcome = run.carry_out()
    assert run.built() == ["release"]
    assert "each: south" in outcome.skipped["each"]
    skipped = [notice.message for notice in run.workshop.notices if notice.code.endswith("-skipped")]
    assert len(skipped) == 1
    assert skipped[0].startswith("variant each is skipped")


def test_outputs_that_differ_fail_the_whole_variant(run: Run) -> None:
    """They are compared when all of its programs are there."""
    trained = run.program

    def differs(command: Command) -> Answer:
        if "LLVM_PROFILE_FILE" not in command.env and b"profile_use" in Path(command.argv[0]).read_bytes():
            return Reply(stdout=b"another")
        return trained(command)

    run.program = differs
    run.fail(NotComparableError)
    assert run.built() == ["release"]
