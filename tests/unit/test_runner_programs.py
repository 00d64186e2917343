"""Building what cargo would run to measure variants on it: with the counts of the attempt that was accepted."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from optbuild.errors import BuildError, ProfileDataError
from optbuild.execution.command import Command
from optbuild.plan.action import Id
from optbuild.plan.kinds.compile import Compile
from optbuild.plan.kinds.merge import MergeProfiles
from optbuild.plan.planner import make_plan
from optbuild.plan.results import Binaries
from optbuild.profile.cargo_words import parse_cargo_words
from optbuild.profile.variants import Counters
from optbuild.record import assemble
from optbuild.record.assemble_evidence import describe_pgo
from optbuild.testing import TARGET, Answer, Reply, make_build_profile, make_plan_inputs, make_project
from tests.unit.build_cases import Workshop, trained_program
from tests.unit.test_instrumentation import program as instrumented_program
from tests.unit.test_runner import MISMATCH, PGO, RELEASE, Run, _warning, binary_for
from tests.unit.test_training_cargo import PARSE, PARSE_IN_TEST, record, tool_that_tells

BENCH = "speed-0123456789abcdef"
UNREADABLE = "/p/a.profdata: invalid instrumentation profile data (bad magic)"


def cargo(command: Command) -> Reply:
    """A cargo that builds a program, or for `bench` a bench that it would run."""
    directory = Path(command.argv[command.argv.index("--target-dir") + 1])
    flags = command.env.get("CARGO_ENCODED_RUSTFLAGS", "").replace("\x1f", " ")
    is_bench = command.argv[1] == "bench"
    name, function = (BENCH, PARSE_IN_TEST) if is_bench else ("demo", PARSE)
    place = directory / name
    message: dict[str, object] = {
        "reason": "compiler-artifact",
        "package_id": "path+file:///p#demo@0.1.0",
        "target": {"name": name, "kind": ["bench" if is_bench else "bin"]},
        "profile": {"test": is_bench},
        "fresh": False,
        "filenames": [str(place)],
        "executable": str(place),
    }
    told = {"optbuild-program": {"argv": [str(place), "--bench"], "cwd": str(command.cwd), "env": {}}}
    lines = [json.dumps(each) for each in (message, *([told] if is_bench else []))]
    return Reply(
        stdout="".join(f"{line}\n" for line in lines).encode(),
        stderr=f"     Running `/t/rustc --crate-name demo --target {TARGET} {flags}`\n".encode(),
        writes={place: instrumented_program({function: 2}) + binary_for(command)},
    )


def answers(build: Callable[[Command], Answer]) -> Callable[[Command], Answer]:
    """What is called: cargo for a bench, or a program."""
    return lambda command: build(command) if command.argv[1:2] == ("bench",) else trained_program(command)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run that trains and measures on a bench."""
    shop = Workshop(tmp_path, tool=tool_that_tells(record(PARSE), record(PARSE_IN_TEST)))
    run = Run(shop, cargo=cargo, program=answers(cargo))
    benches = replace(
        shop.workload("cargo", "bench", name="benches"),
        argv=(("cargo",), ("bench",)),
        bins=(),
        call=parse_cargo_words(("bench",)),
    )
    run.inputs = make_plan_inputs(
        project=make_project(directory=tmp_path),
        build_profile=make_build_profile(RELEASE, replace(PGO, counters=Counters.SINGLE), directory=tmp_path),
        workloads=(benches,),
    )
    run.plan = make_plan(run.inputs, ("release", "pgo"), measure=True)
    return run


def flags_of(run: Run, binaries: Id[Binaries]) -> str:
    """The flags that binaries were built with, which a made-up binary holds."""
    artifact = run.outcome.results[binaries].artifacts[BENCH]
    return artifact.path.read_bytes().decode("latin-1")


def test_each_variants_bench_is_built_with_its_own_flags(run: Run) -> None:
    """With the counts by the bench's own names, which are another file than those of the program."""
    outcome = run.carry_out()
    release, pgo = run.plan.variants
    assert "profile_use" not in flags_of(run, release.programs["benches"])
    profiles = {}
    for merge in run.plan.of_kind(MergeProfiles):
        if merge.id in outcome.results:
            profiles[merge.program is not None] = outcome.results[merge.id].profile
    assert f"-Cprofile_use={profiles[True].path}" in flags_of(run, pgo.programs["benches"])
    assert record(PARSE_IN_TEST) in profiles[True].path.read_text(errors="replace")
    assert record(PARSE_IN_TEST) not in profiles[False].path.read_text(errors="replace")


def test_what_is_built_for_a_bench_is_no_step_of_the_variant(run: Run) -> None:
    """It is neither shipped nor in the time that building the variant takes."""
    outcome = run.carry_out()
    pgo = run.plan.variants[1]
    of_variant = {step.action.id for build in run.plan.variants for step in outcome.steps_of(build)}
    checks = {step.action for step in assemble.describe_checks(outcome, None)}
    assert pgo.programs["benches"] not in of_variant
    assert of_variant.isdisjoint(checks)
    assert of_variant | checks == {*outcome.steps}
    outputs = assemble.describe_outputs(outcome)
    assert [(item.variant, item.equal) for item in outputs] == [("release", True), ("pgo", True)]


def test_the_bench_follows_the_attempt_that_was_accepted(run: Run) -> None:
    """What belongs to the other one is not built."""
    rejected: list[Command] = []

    def rejecting(command: Command) -> Answer:
        reply = cargo(command)
        if "profile_use" not in str(command.env) or rejected or command.argv[1] == "bench":
            return reply
        rejected.append(command)
        return replace(reply, stdout=_warning(MISMATCH) + reply.stdout)

    run.cargo = rejecting
    outcome = run.carry_out()
    pgo = run.plan.variants[1]
    assert outcome.taken["pgo"].name == "exact"
    built = [step.action for step in outcome.steps.values() if isinstance(step.action, Compile)]
    optimised = [action for action in built if action.recipe.call and "profile_use" in str(action.env)]
    assert len(optimised) == 1
    assert outcome.results[pgo.programs["benches"]] == outcome.results[optimised[0].id]


def test_a_bench_that_cannot_be_built_fails_its_variant(run: Run) -> None:
    """There is nothing to measure then."""

    def broken(command: Command) -> Answer:
        return Reply(exit_code=101) if "profile_use" in str(command.env) else cargo(command)

    run.program = answers(broken)
    error = run.fail(BuildError)
    assert error.message == "pgo: build for benches: cargo failed (exit code 101)"
    assert run.built() == ["release"]


def test_what_the_profile_knows_of_a_bench_is_recorded(run: Run) -> None:
    """Beside the evidence of the variant itself, which is another program."""
    outcome = run.carry_out()
    pgo = describe_pgo(run.plan.variants[1], outcome, in_sample=None)
    assert pgo is not None
    (found,) = pgo.measured_programs
    assert (found.workload, found.functions, found.functions_with_counts) == (
        "benches",
        11,
        6,
    )  # as the made-up llvm-profdata says
    assert pgo.applied


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda reply: replace(reply, stderr=reply.stderr.replace(b"-Cprofile_use", b"-Cother")),
            "without the profile",
        ),
        (lambda reply: replace(reply, stdout=_warning(UNREADABLE) + reply.stdout), "rustc could not use the profile"),
    ],
)
def test_a_bench_that_was_not_built_with_the_profile_is_not_measured(
    run: Run, change: Callable[[Reply], Reply], message: str
) -> None:
    """Its times would be those of a build without PGO, under the name of one with it."""

    def unused(command: Command) -> Answer:
        reply = cargo(command)
        return change(reply) if command.argv[1] == "bench" and "profile_use" in str(command.env) else reply

    run.cargo, run.program = unused, answers(unused)
    error = run.fail(ProfileDataError)
    assert error.message.startswith("variant pgo: build for benches: ")
    assert message in error.message
