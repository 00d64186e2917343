from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from optbuild.errors import WorkloadError, WorkloadTimeoutError
from optbuild.execution.command import Command
from optbuild.files import claim_directory
from optbuild.profile.cargo_words import CargoCall, CargoVerb, TargetOption
from optbuild.testing import Answer, Reply, ScriptedExecutor, make_invocation, make_usage
from optbuild.workloads.cargo_build import CargoBuild, CargoProgram
from optbuild.workloads.harness import Harness
from optbuild.workloads.invocation import Invocation, Moment
from optbuild.workloads.programs import Place, WorkloadRun
from optbuild.workloads.running import run_workload

BENCH = {"call": CargoCall(verb=CargoVerb.BENCH)}


@dataclass
class Yard:
    """A project whose cargo has built two tests and the binary that they start, and copies of all three."""

    directory: Path
    answers: list[Answer] = field(default_factory=list)
    harness: Harness = Harness.LIBTEST
    extra_env: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.executor = ScriptedExecutor(lambda _: self.answers.pop(0) if self.answers else Reply())
        claim_directory(self.directory)
        self.home = self.directory / "cargo/release"
        self.stage = self.directory / "stage"
        for place in (self.home, self.stage):
            place.mkdir(parents=True)
        for name in ("demo", "cli-00005713aaaabbbb", "lib-00005713aaaabbbb"):
            (self.stage / name).write_text(f"instrumented {name}")

    def program(self, name: str, *arguments: str, **env: str) -> CargoProgram:
        return CargoProgram(
            name=f"{name}-00005713aaaabbbb",
            arguments=arguments,
            cwd=self.directory / "package",
            env={"CARGO_PKG_NAME": "demo", **env},
            harness=self.harness,
        )

    def run(self, *programs: CargoProgram, **changes: Any) -> WorkloadRun:  # noqa: ANN401 - fields of Invocation
        return run_workload(self.executor, self.invocation(**changes), self.place(programs))

    def invocation(self, **changes: Any) -> Invocation:  # noqa: ANN401 - fields of Invocation
        invocation = make_invocation("cargo", "test", name="tests", directory=self.directory)
        settings = {"call": CargoCall(verb=CargoVerb.TEST), "scratch": self.directory / "scratch", **changes}
        return replace(invocation, **settings)

    def place(self, programs: tuple[CargoProgram, ...]) -> Place:
        return Place(
            root=self.directory,
            binaries={path.name: path for path in self.stage.iterdir()},
            stdout=self.directory / "stdout",
            stderr=self.directory / "stderr",
            extra_env=self.extra_env,
            cargo_build=CargoBuild(programs=programs, started={"demo": self.home / "demo"}),
        )

    @property
    def ran(self) -> list[Command]:
        return self.executor.commands


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    """A project with two tests."""
    return Yard(tmp_path.resolve())


def test_programs_run_from_their_copies_as_cargo_would_run_them(yard: Yard) -> None:
    """In cargo's order, with cargo's arguments, directory and additions to the environment."""
    yard.run(yard.program("lib"), yard.program("cli", "--exact", OUT_DIR="/out"))
    assert [command.argv for command in yard.ran] == [
        (str(yard.stage / "lib-00005713aaaabbbb"),),
        (str(yard.stage / "cli-00005713aaaabbbb"), "--exact"),
    ]
    assert {command.cwd for command in yard.ran} == {yard.directory / "package"}
    assert yard.ran[1].env == {"PATH": "/bin", "CARGO_PKG_NAME": "demo", "OUT_DIR": "/out"}


def test_what_the_build_profile_says_of_the_environment_wins(yard: Yard) -> None:
    """Over cargo's own variables; and the profile of each program goes where it is wanted."""
    yard.extra_env["LLVM_PROFILE_FILE"] = "/raw/%p"
    declared = {"CARGO_PKG_NAME": "mine"}
    yard.run(yard.program("cli"), declared_env=declared, env={"PATH": "/bin", **declared})
    assert yard.ran[0].env == {"PATH": "/bin", "CARGO_PKG_NAME": "mine", "LLVM_PROFILE_FILE": "/raw/%p"}


def test_tests_find_the_binaries_of_their_own_build(yard: Yard) -> None:
    """At the path that was compiled into them, whatever was built since, and by the variable of newer cargos."""
    (yard.home / "demo").write_text("of another variant")
    yard.run(yard.program("cli", CARGO_BIN_EXE_demo=str(yard.home / "demo")))
    assert (yard.home / "demo").read_text() == "instrumented demo"
    assert yard.ran[0].env["CARGO_BIN_EXE_demo"] == str(yard.stage / "demo")


def test_a_binary_is_put_back_where_cargo_has_deleted_it(yard: Yard) -> None:
    """`cargo clean` does that; and what lies there already stays as it is."""
    for _ in range(2):
        yard.run(yard.program("cli"))
        assert (yard.home / "demo").samefile(yard.stage / "demo")
    assert [path.name for path in yard.home.iterdir()] == ["demo"]


def test_options_of_criterion_reach_criterion_alone(yard: Yard) -> None:
    """Where no bench of Criterion's is among the programs, everything goes to everyone, and an error is an error."""
    yard.extra_env["LLVM_PROFILE_FILE"] = "/raw/%p"
    options = ("--measurement-time", "0.2", "--noplot", "--bench")
    library = yard.program("lib", *options)
    yard.run(library, replace(yard.program("cli", *options), harness=Harness.CRITERION))
    assert [command.argv[1:3] for command in yard.ran] == [("--bench",), ("--measurement-time", "0.2")]
    yard.run(library, yard.program("cli", *options))
    assert [command.argv[1:] for command in yard.ran[2:]] == [options, options]


def test_a_harness_that_refuses_an_option_is_left_out_by_naming_the_others(yard: Yard) -> None:
    """The remedy fits only where cargo chose the programs and they were given an option."""

    def remedy(call: CargoCall) -> str:
        yard.answers = [Reply(exit_code=1)]
        with pytest.raises(WorkloadError) as caught:
            yard.run(yard.program("lib", *call.arguments), call=call)
        return caught.value.help

    call = CargoCall(verb=CargoVerb.BENCH, arguments=("--sample-count", "3"))
    assert remedy(call).endswith('name the programs it is for: "--bench", "NAME"')
    assert "NAME" not in remedy(replace(call, targets=(TargetOption(option="--lib"),)))
    assert "NAME" not in remedy(replace(call, arguments=("filter",)))


def test_criterion_is_brief_in_training_and_writes_to_the_scratch_directory(yard: Yard) -> None:
    """Not into the project's own target directory, where its owner compares results."""
    yard.harness = Harness.CRITERION
    yard.extra_env["LLVM_PROFILE_FILE"] = "/raw/%p"
    yard.run(yard.program("cli", "large", "--bench"))
    assert yard.ran[0].argv[1:] == ("large", "--bench", "--profile-time", "1")
    assert yard.ran[0].env["CRITERION_HOME"] == str(yard.directory / "scratch/criterion/cli-00005713aaaabbbb")


def sample(name: str, ns: float) -> bytes:
    """Criterion's samples of a benchmark."""
    return json.dumps({"iters": [1, 2], "times": [ns, 2 * ns]}).encode()


def measured(yard: Yard, program: CargoProgram, **benchmarks: float) -> Reply:
    """A Criterion bench that has measured so many nanoseconds."""
    home = yard.directory / "scratch/criterion" / program.name
    writes = {}
    for name, ns in benchmarks.items():
        writes[home / name / "new/sample.json"] = sample(name, ns)
        writes[home / name / "new/benchmark.json"] = json.dumps({"full_id": f"group/{name}"}).encode()
    return Reply(stdout=b"group/parse time: [1 ns 2 ns 3 ns]\n", writes=writes)


def test_criterion_tells_what_it_has_measured(yard: Yard) -> None:
    """Its own samples, by the names that people know; and variants are compared by those names."""
    yard.harness = Harness.CRITERION
    program = yard.program("cli", "--bench")
    yard.answers = [measured(yard, program, parse=5.0, count=7.0)]
    run = yard.run(program, **BENCH)
    assert run.benchmarks == {"group/count": pytest.approx(7e-9), "group/parse": pytest.approx(5e-9)}
    assert "--noplot" in yard.ran[0].argv
    assert yard.ran[0].env["CRITERION_HOME"] == str(yard.directory / "scratch/criterion" / program.name)
    assert (yard.directory / "stdout").read_text() == "benchmark group/count\nbenchmark group/parse\n"


def test_criterion_never_finds_an_earlier_run(yard: Yard) -> None:
    """It would compare, and a benchmark that is gone would still be there; also where a `setup` keeps the scratch."""
    yard.harness = Harness.CRITERION
    program = yard.program("cli", "--bench")
    setup = {Moment.SETUP: (("make-data",),)}
    yard.answers = [measured(yard, program, parse=5.0), measured(yard, program, count=7.0)]
    assert [*yard.run(program, **BENCH, beside=setup).benchmarks] == ["group/parse"]
    assert [*yard.run(program, **BENCH, beside=setup).benchmarks] == ["group/count"]


def test_criterion_that_measures_nothing_is_an_error(yard: Yard) -> None:
    """A filter that matches nothing would otherwise be measured by how fast it does nothing."""
    yard.harness = Harness.CRITERION
    with pytest.raises(WorkloadError, match="Criterion measured nothing in cli") as caught:
        yard.run(yard.program("cli", "nope", "--bench"), **BENCH)
    assert "filter" in caught.value.help


def test_samples_that_cannot_be_read_are_an_error(yard: Yard) -> None:
    """With their file."""
    yard.harness = Harness.CRITERION
    program = yard.program("cli", "--bench")
    home = yard.directory / "scratch/criterion" / program.name
    yard.answers = [Reply(writes={home / "parse/new/sample.json": b"{}"})]
    with pytest.raises(WorkloadError, match=r"samples cannot be used: .*parse/new/sample\.json"):
        yard.run(program, **BENCH)


def test_benchmarks_of_libtest_are_read_from_what_it_prints(yard: Yard) -> None:
    """And what it prints of its own time is no difference between variants."""
    yard.answers = [Reply(stdout=b"test sums ... bench:   1,000 ns/iter (+/- 3)\nfinished in 0.51s\n")]
    assert yard.run(yard.program("lib", "--bench"), **BENCH).benchmarks == {"sums": pytest.approx(1e-6)}
    assert (yard.directory / "stdout").read_text() == "test sums ... bench\n"


def test_beside_benches_that_measure_themselves_others_count_by_their_wall_time(yard: Yard) -> None:
    """Programs of libtest that have no benches run nothing: they are not measured."""
    lines = b"test sums ... bench:   1,000 ns/iter (+/- 3)\n"
    yard.answers = [Reply(stdout=b"running 0 tests\n"), Reply(stdout=lines), Reply(stdout=b"42\n")]
    programs = [yard.program("lib", "--bench"), yard.program("cli", "--bench")]
    own = replace(yard.program("lib", "--bench"), harness=Harness.OTHER)
    run = yard.run(*programs, own, **BENCH)
    assert run.benchmarks == {"sums": pytest.approx(1e-6), "lib": 0.25}
    assert (yard.directory / "stdout").read_text() == "test sums ... bench\n42\n"


def test_benchmarks_of_one_name_in_two_programs_are_told_apart(yard: Yard) -> None:
    """By their targets, or their packages as well where those are called the same; others keep their short names."""
    sums = b"test sums ... bench: %d ns/iter (+/- 3)\n"
    yard.answers = [Reply(stdout=b"test own ... bench: 9 ns/iter (+/- 1)\n" + sums % 1), Reply(stdout=sums % 2)]
    run = yard.run(yard.program("lib", "--bench"), yard.program("cli", "--bench"), **BENCH)
    assert run.benchmarks == {
        "own": pytest.approx(9e-9),
        "lib/sums": pytest.approx(1e-9),
        "cli/sums": pytest.approx(2e-9),
    }
    yard.answers = [Reply(stdout=sums % ns) for ns in (1, 2, 3)]
    other = yard.program("lib", "--bench", CARGO_PKG_NAME="other")
    run = yard.run(yard.program("lib", "--bench"), other, yard.program("cli", "--bench"), **BENCH)
    assert run.benchmarks == {
        "demo/lib/sums": pytest.approx(1e-9),
        "other/lib/sums": pytest.approx(2e-9),
        "cli/sums": pytest.approx(3e-9),
    }


def test_what_measures_nothing_itself_is_measured_as_a_whole(yard: Yard) -> None:
    """Tests, programs, and benches of their own making; their output is compared as it is."""
    yard.harness = Harness.OTHER
    yard.answers = [Reply(stdout=b"42\n")]
    assert yard.run(yard.program("cli", "--bench"), **BENCH).benchmarks == {}
    assert (yard.directory / "stdout").read_text() == "42\n"


def test_a_run_costs_what_its_programs_cost(yard: Yard) -> None:
    """Times and faults add up; memory is the largest."""
    usage = make_usage(wall_s=2.0, major_faults=3, peak_rss_bytes=100)
    yard.answers = [Reply(usage=usage), Reply(usage=replace(usage, wall_s=1.0, peak_rss_bytes=700))]
    total = yard.run(yard.program("lib"), yard.program("cli")).usage
    assert (total.wall_s, total.major_faults, total.peak_rss_bytes) == (3.0, 6, 700)


def test_the_timeout_is_for_all_programs_together(yard: Yard) -> None:
    """The second one has what the first has left."""
    yard.answers = [Reply(usage=make_usage(wall_s=90.0)), Reply(timed_out=True, exit_code=-15)]
    with pytest.raises(WorkloadTimeoutError, match="'tests: cli' was stopped after its timeout of 1 min 40 s"):
        yard.run(yard.program("lib"), yard.program("cli"), timeout_s=100.0)
    assert [command.timeout_s for command in yard.ran] == [100.0, 10.0]


def test_the_first_program_that_fails_ends_the_run_and_is_named(yard: Yard) -> None:
    """Without the hash in its file's name, and with what it said."""
    yard.answers = [Reply(exit_code=101, stdout=b"test evaluates ... FAILED\n")]
    with pytest.raises(WorkloadError, match="'tests: lib' ended with exit code 101, expected exit code 0") as caught:
        yard.run(yard.program("lib"), yard.program("cli"))
    assert caught.value.detail == "test evaluates ... FAILED"
    assert len(yard.ran) == 1


def test_programs_of_another_machine_are_run_by_a_runner(yard: Yard) -> None:
    """As cargo would, by what its configuration names."""
    yard.run(yard.program("cli", "--exact"), runner=("qemu-aarch64", "-L", "/sysroot"))
    assert yard.ran[0].argv == ("qemu-aarch64", "-L", "/sysroot", str(yard.stage / "cli-00005713aaaabbbb"), "--exact")


def test_gungraun_trains_without_valgrind(yard: Yard) -> None:
    """Once each, and with the variable that says where counts go; what it keeps is out of the owner's sight."""
    yard.harness = Harness.GUNGRAUN
    yard.extra_env = {"LLVM_PROFILE_FILE": "/raw/%p.profraw"}
    yard.run(yard.program("cli", "--bench"), call=CargoCall(verb=CargoVerb.BENCH))
    env = yard.ran[0].env
    assert (env["GUNGRAUN_TEST"], env["GUNGRAUN_ENV_CLEAR"]) == ("true", "false")
    assert env["GUNGRAUN_HOME"] == env["IAI_CALLGRIND_HOME"]
    assert Path(env["GUNGRAUN_HOME"]).is_relative_to(yard.directory / "scratch")


def test_benches_that_count_are_compared_by_their_names(yard: Yard) -> None:
    """Their counts are what is measured, and differ by right; other programs of the call add nothing."""
    yard.harness = Harness.GUNGRAUN
    yard.answers = [Reply(stdout=b"speed::words::parse long:1\n  Instructions:   1734|N/A  (*********)\n")]
    run = yard.run(yard.program("cli", "--bench"), call=CargoCall(verb=CargoVerb.BENCH))
    assert (run.benchmarks, run.instructions) == ({}, {"words::parse/long": 1734})
    assert (yard.directory / "stdout").read_text() == "benchmark words::parse/long\n"
    assert "GUNGRAUN_TEST" not in yard.ran[0].env


def test_benches_that_count_nothing_are_told(yard: Yard) -> None:
    """A filter that matches none measures none."""
    yard.harness = Harness.GUNGRAUN
    with pytest.raises(WorkloadError, match="Gungraun measured nothing in cli"):
        yard.run(yard.program("cli", "--bench"), call=CargoCall(verb=CargoVerb.BENCH))
