"""Training on what cargo would run: counts of other programs become those of the one that is optimised."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from optbuild.errors import ProfileDataError
from optbuild.execution.command import Command
from optbuild.files import sha256_of
from optbuild.plan.action import Id
from optbuild.plan.counts import Counts, PgoProfile
from optbuild.plan.kinds.merge import MergeProfiles
from optbuild.plan.kinds.train import Train
from optbuild.plan.results import Artifact, CargoTraining
from optbuild.profile.cargo_words import CargoCall, CargoVerb
from optbuild.testing import Answer, Reply
from optbuild.workloads.cargo_build import CargoBuild, CargoProgram
from optbuild.workloads.harness import Harness
from tests.unit.build_cases import Workshop, llvm_profdata
from tests.unit.test_instrumentation import program as instrumented_program

PARSE = "_ZN4demo5parse17h0123456789abcdefE"
PARSE_IN_TEST = "_ZN4demo5parse17hfedcba9876543210E"


def record(name: str, count: int = 30) -> str:
    """A function's record in a profile's text."""
    return f"{name}\n# Func Hash:\n2\n# Num Counters:\n1\n# Counter Values:\n{count}\n\n"


def tool_that_tells(*records: str) -> Callable[[Command], Answer]:
    """An `llvm-profdata` that knows these functions."""

    def tool(command: Command) -> Reply:
        if "--text" not in command.argv:
            return llvm_profdata(command)
        output = next(word for word in command.argv if word.startswith("--output="))
        return Reply(writes={Path(output.removeprefix("--output=")): b":ir\n" + "".join(records).encode()})

    return tool


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    """A place to train in."""
    return Workshop(tmp_path)


def artifact(workshop: Workshop, name: str, content: bytes, action: str) -> Artifact:
    """A file that an action built."""
    found = workshop.artifact("", name=name, action=action)[name]
    found.path.write_bytes(content)
    return replace(found, sha256=sha256_of(found.path))


def train(workshop: Workshop, program: bytes, *arguments: str) -> Counts:
    """Train on a test, for a program whose file is given."""
    workload = replace(workshop.workload("cargo", "test"), call=CargoCall(verb=CargoVerb.TEST), bins=())
    action = Train(
        id=Id("train-1"),
        needs=(Id("compile-1"), Id("compile-2")),
        label="pgo: train on tests",
        workload=workload,
        binaries=Id("compile-2"),
        directory=workshop.layout.raw_profiles / "train-1",
        program=Id("compile-1"),
    )
    test = CargoProgram(name="cli-5713", arguments=arguments, cwd=workshop.directory, env={}, harness=Harness.LIBTEST)
    cargo = CargoTraining(
        build=CargoBuild(programs=(test,), started={}),
        program={"demo": artifact(workshop, "demo", program, "compile-1")},
    )
    binaries = {"cli-5713": artifact(workshop, "cli-5713", b"test", "compile-2")}
    return workshop.trainer.train(action, binaries, cargo)


def test_counts_of_a_test_become_those_of_the_program(workshop: Workshop) -> None:
    """Under the names that functions have there; what is not the program's is left out."""
    workshop.tool = tool_that_tells(record(PARSE_IN_TEST), record("_ZN4test3runE"))
    profile = train(workshop, instrumented_program({PARSE: 2})).profile
    content = profile.path.read_text(errors="replace")
    assert record(PARSE) in content
    assert "4test3run" not in content
    assert profile.renamed_functions == 1
    assert profile.raw_profiles == 1
    assert not list((workshop.layout.root / "merging").glob("*.proftext"))


def test_a_test_that_runs_nothing_of_the_program_teaches_nothing(workshop: Workshop) -> None:
    """That is told, with what would."""
    workshop.tool = tool_that_tells(record("_ZN4test3runE"))
    with pytest.raises(ProfileDataError, match="has no counts of the optimised program") as caught:
        train(workshop, instrumented_program({PARSE: 2}))
    assert "integration tests" in caught.value.help


def test_where_functions_cannot_be_listed_names_have_to_do(workshop: Workshop) -> None:
    """A file of another format; nothing is lost that has the same name."""
    profile = train(workshop, b"\xcf\xfa\xed\xfe").profile
    assert profile.renamed_functions == 0
    assert [notice.code for notice in workshop.notices] == ["functions-unknown"]
    assert "the functions of demo cannot be listed" in workshop.notices[0].message


def test_a_training_is_used_again_where_programs_and_program_are_the_same(workshop: Workshop) -> None:
    """Other arguments, or another program that is optimised, are another training."""
    workshop.tool = tool_that_tells(record(PARSE_IN_TEST))
    assert not train(workshop, instrumented_program({PARSE: 2})).reused
    assert train(workshop, instrumented_program({PARSE: 2})).reused
    assert not train(workshop, instrumented_program({PARSE: 2}), "--exact").reused
    assert not train(workshop, instrumented_program({PARSE: 2, "main": 1})).reused


def test_a_merged_profile_is_given_the_names_of_a_bench(workshop: Workshop) -> None:
    """The counts of the program, under the names that its functions have where they are measured."""
    workshop.tool = tool_that_tells(record(PARSE))
    training: Id[Counts] = Id("train-1")
    profile = PgoProfile(
        path=workshop.directory / "train.profdata",
        sha256="1",
        functions=1,
        functions_with_counts=1,
        total_count=30,
        raw_profiles=1,
    )
    profile.path.write_bytes(b"counts")
    action = MergeProfiles(
        id=Id("merge-2"),
        needs=(training, Id("compile-3")),
        label="pgo: build for benches: counts by its names",
        weights={training: 1.0},
        tool=Path("/t/llvm-profdata"),
        directory=workshop.layout.profile_data,
        program=Id("compile-3"),
    )
    trained = {training: Counts(profile=profile, duration_s=1.0, reused=False)}
    program = {"speed": artifact(workshop, "speed", instrumented_program({PARSE_IN_TEST: 2}), "compile-3")}
    merged = workshop.merger.merge_weighted(action, trained, program)
    assert record(PARSE_IN_TEST) in merged.profile.path.read_text(errors="replace")
    assert merged.profile.renamed_functions == 1
    assert workshop.merger.merge_weighted(action, trained, program).reused
    other = {"speed": artifact(workshop, "speed", instrumented_program({PARSE_IN_TEST: 2, PARSE: 3}), "compile-3")}
    assert not workshop.merger.merge_weighted(action, trained, other).reused


def test_a_test_that_shares_only_the_standard_library_is_told(workshop: Workshop) -> None:
    """Its counts are of no use to the program, and nothing else would show it: functions with counts there are."""
    shared = "_ZN4core3fmt5write17h0123456789abcdefE"

    def train_with(listing: str) -> list[str]:
        tool = tool_that_tells(record(shared), record(PARSE))

        def answer(command: Command) -> Answer:
            return Reply(stdout=listing.encode()) if "--all-functions" in command.argv else tool(command)

        workshop.tool = answer
        workshop.fresh = True
        train(workshop, instrumented_program({shared: 2, PARSE: 2}))
        return [notice.code for notice in workshop.notices]

    def listed(name: str) -> str:
        return f"Counters:\n  {name}:\n    Hash: 0x2\n    Counters: 1\n    Block counts: [30]\n"

    assert train_with(listed(PARSE)) == []
    assert train_with(listed(shared)) == ["nothing-own-counted"]
