"""A rerun does what has changed, all of it and nothing else: each input in turn, on a made-up machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from optbuild.execution.command import Command
from optbuild.making.built import Built
from optbuild.making.carry_out import make_scheduler, make_together
from optbuild.making.order.progress import Progress
from optbuild.making.tools import make_tools
from optbuild.plan.forecast import Expectation
from optbuild.plan.kinds.make_object import MakeObject
from optbuild.plan.measure import Measure
from optbuild.plan.planner import make_plan
from optbuild.plan.results import Binaries, Results
from optbuild.profile.model import BuildProfile, MeasureSettings
from optbuild.profile.variants import TrainingLto, Variant
from optbuild.profile.workloads import Use
from optbuild.project.layout import Layout
from optbuild.project.model import Rustflags
from optbuild.record.history import History
from optbuild.record.model import HostRecord
from optbuild.record.store import RecordStore
from optbuild.session.earlier import find_earlier, measurement_key
from optbuild.session.forecast import forecast
from optbuild.session.prepare import Prepared
from optbuild.testing import (
    TARGET,
    Reply,
    make_build_profile,
    make_invocation,
    make_plan_inputs,
    make_project,
    make_raw_profile,
    make_run_record,
    make_toolchain,
    make_variants,
    raw_profile_path,
)
from optbuild.workloads.cargo_build import CargoBuild, CargoProgram
from optbuild.workloads.harness import Harness
from optbuild.workloads.inputs import InputHashes
from optbuild.workloads.invocation import Invocation
from tests.unit.build_cases import Workshop

HOST = HostRecord(cpu="A CPU", cores=2, memory_bytes=8 << 30, kernel="Linux 6.1", governor=None)
BUILDS = {"release: build", "lto: build", "pgo: build instrumented without LTO", "pgo: build"}
TRAINING = {"pgo: train on training", "pgo: merge profiles"}
OUTPUTS = {"outputs of benchmark", "lto: outputs of benchmark", "pgo: outputs of benchmark"}
LEARNT = {"pgo: build", "pgo: outputs of benchmark"}
ALL = BUILDS | TRAINING | OUTPUTS
MEASURE = {"measure"}


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Everything that a run depends on.

    Attributes:
        source: What the program is made of.
        training: Changes of the training workload; likewise for the benchmark.
        variables: The caller's environment, as far as a workload asks for it.
        cargo: What cargo adds to a binary that nobody has told us of: a build script's doing, another rustc.
    """

    source: str = "fn main"
    training: dict[str, Any] = field(default_factory=dict)
    training_file: str = "a book"
    training_place: str = "."
    benchmark: dict[str, Any] = field(default_factory=dict)
    benchmark_file: str = "another book"
    variables: dict[str, str] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    variants: tuple[Variant, ...] = tuple(make_variants().values())
    measure: MeasureSettings = field(default_factory=MeasureSettings)
    tool_version: str = "22.1.2"
    cargo: str = ""
    host: HostRecord = HOST


@dataclass
class Machine:
    """A directory in which run follows run; cargo remembers what it has built.

    Attributes:
        expected: What was forecast of the last run, by what it said.
    """

    directory: Path
    built: set[bytes] = field(default_factory=set)
    runs: int = 0
    expected: dict[Expectation, set[str]] = field(default_factory=dict)

    def run(self, world: World) -> set[str]:
        """Do what a plan says in this world; the labels of what was not reused."""
        shop = Workshop(self.directory, tool_version=world.tool_version)
        shop.program = lambda command: self._answer(command, world)
        build_profile, workloads = self._profile(shop, world), self._workloads(shop, world)
        inputs = make_plan_inputs(
            project=make_project(
                directory=self.directory,
                rustflags=Rustflags(flags=world.flags, origin="RUSTFLAGS" if world.flags else None),
            ),
            build_profile=build_profile,
            workloads=workloads,
            toolchain=make_toolchain(llvm_profdata=shop.merger.profdata.tool),
        )
        plan = make_plan(inputs, tuple(build_profile.variants), measure=True)
        progress, site = Progress(plan), shop.site(inputs)
        scheduler = make_scheduler(progress, make_tools(site, None), site, None, began_s=0.0)
        history = History.of(RecordStore(directory=inputs.layout.runs).load_newest())
        self._look_ahead(Prepared(inputs=inputs, plan=plan, hashes=InputHashes()), world.host, history)
        make_together((scheduler,), site, None).run()
        steps = (step for step in progress.so_far.steps.values() if not isinstance(step.action, MakeObject))
        done = {step.action.label for step in steps if not step.reused}
        assert plan.measure is not None
        return done | self._measure(plan.measure, progress.so_far, world)

    def _look_ahead(self, prepared: Prepared, host: HostRecord, history: History) -> None:
        found = forecast(prepared, host, history)
        plan = prepared.plan
        assert plan.measure is not None
        expected = {action: each.expectation for action, each in found.items()}
        labels = {action.id: action.label for action in plan.actions if not isinstance(action, MakeObject)}
        labels[plan.measure.id] = plan.measure.label
        self.expected = {
            what: {label for action, label in labels.items() if expected.get(action) is what} for what in Expectation
        }

    def _measure(self, action: Measure, outcome: Built, world: World) -> set[str]:
        key = measurement_key(action, outcome.results, InputHashes(), world.host)
        records = RecordStore(directory=Layout.of(self.directory / "target").runs)
        if find_earlier(key, action, records) is not None:
            return set()
        self.runs += 1
        records.save(make_run_record(result_key=key, run_id=f"run-{self.runs}"))
        return {action.label}

    def _profile(self, shop: Workshop, world: World) -> BuildProfile:
        return make_build_profile(*world.variants, directory=shop.directory, measure=world.measure)

    def _workloads(self, shop: Workshop, world: World) -> tuple[Invocation, ...]:
        files = [self.directory / name for name in ("train.txt", "bench.txt")]
        for path, text in zip(files, (world.training_file, world.benchmark_file), strict=True):
            path.write_text(text)
        place = self.directory / world.training_place
        place.mkdir(exist_ok=True)
        training = {"name": "training", "use": (Use.TRAIN,), "inputs": files[:1], "cwd": place, **world.training}
        benchmark = {"name": "benchmark", "use": (Use.BENCH,), "inputs": files[1:], **world.benchmark}
        return tuple(
            shop.workload(*given.pop("argv", ("{bin:demo}", given["inputs"][0].name)), **_as_tuples(given))
            for given in ({**each, "environ": world.variables} for each in (training, benchmark))
        )

    def _answer(self, command: Command, world: World) -> Reply:
        if "build" in command.argv[:2]:
            return self._build(command, world)
        said = " ".join([*command.argv[1:], *(path.read_text() for path in self._files(command))])
        if "LLVM_PROFILE_FILE" not in command.env:
            return Reply(stdout=said.encode())
        counts = f"{said} {Path(command.argv[0]).read_text()} {command.env.get('MODE')}"
        return Reply(writes={raw_profile_path(command): make_raw_profile(counts.encode())})

    def _files(self, command: Command) -> list[Path]:
        return [self.directory / word for word in command.argv[1:] if word.endswith(".txt")]

    def _build(self, command: Command, world: World) -> Reply:
        settings = [word for word in command.argv if word.startswith("profile.")]
        flags = command.env.get("CARGO_ENCODED_RUSTFLAGS", world.flags)
        content = f"{world.source} {settings} {flags} {world.cargo}".encode()
        fresh = content in self.built
        self.built.add(content)
        place = Path(command.argv[command.argv.index("--target-dir") + 1]) / "demo"
        message = (
            '{"reason":"compiler-artifact","package_id":"path+file:///p#demo@0.1.0","target":'
            f'{{"name":"demo","kind":["bin"]}},"fresh":{str(fresh).lower()},"executable":"{place}"}}\n'
        )
        status = f"     Running `rustc --crate-name demo --target {TARGET} {flags}`\n"
        return Reply(stdout=message.encode(), stderr=status.encode(), writes={place: content})


def _as_tuples(given: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in given.items()}


def training(**changes: Any) -> Callable[[World], World]:  # noqa: ANN401 - fields of Invocation
    """A change of the training workload."""
    return lambda world: replace(world, training=changes)


def benchmark(**changes: Any) -> Callable[[World], World]:  # noqa: ANN401 - fields of Invocation
    """A change of the benchmark workload."""
    return lambda world: replace(world, benchmark=changes)


def of(**changes: Any) -> Callable[[World], World]:  # noqa: ANN401 - fields of World
    """A change of the world around the workloads."""
    return lambda world: replace(world, **changes)


def variant(old: str, **changes: Any) -> Callable[[World], World]:  # noqa: ANN401 - fields of Variant
    """A change of one variant."""
    return lambda world: replace(
        world, variants=tuple(replace(v, **changes) if v.name == old else v for v in world.variants)
    )


CHANGES: dict[str, tuple[Callable[[World], World], set[str]]] = {
    "nothing": (of(), set()),
    "a source": (of(source="fn other"), ALL | MEASURE),
    "what only cargo knows of": (of(cargo="another rustc"), ALL | MEASURE),
    "the user's rustflags": (of(flags=("-g",)), ALL | MEASURE),
    "the file that is trained on": (of(training_file="a letter"), TRAINING | LEARNT | MEASURE),
    "the command that is trained": (training(argv=("{bin:demo}", "-v", "train.txt")), TRAINING | LEARNT | MEASURE),
    "a declared variable of the training": (
        training(declared_env={"MODE": "fast"}, env={"MODE": "fast"}),
        TRAINING | LEARNT | MEASURE,
    ),
    "where the training starts": (of(training_place="elsewhere"), TRAINING),
    "how often the training is repeated": (training(repeat=2), TRAINING),
    "the weight of the only training": (training(weight=2.0), {"pgo: merge profiles"}),
    "the name of the training": (training(name="other"), set()),
    "the version of llvm-profdata": (of(tool_version="22.1.3"), TRAINING),
    "the file that is measured": (of(benchmark_file="a poem"), OUTPUTS | MEASURE),
    "the command that is measured": (benchmark(argv=("{bin:demo}", "-q", "bench.txt")), OUTPUTS | MEASURE),
    "what is compared of the output": (benchmark(compare_output="none"), OUTPUTS | MEASURE),
    "the name of what is measured": (benchmark(name="other"), MEASURE),
    "the effect that matters": (of(measure=MeasureSettings(min_effect=0.05)), MEASURE),
    "the time there is": (of(measure=MeasureSettings(max_time_s=1.0)), set()),
    "the machine": (of(host=replace(HOST, cpu="Another CPU")), MEASURE),
    "settings of one variant": (
        variant("lto", panic="abort"),
        {"lto: build", "lto: outputs of benchmark"} | MEASURE,
    ),
    "the name of a variant": (variant("lto", name="full"), MEASURE),
    "the way of training": (
        variant("pgo", training_lto=TrainingLto.SAME),
        {"pgo: build instrumented"} | TRAINING | LEARNT | MEASURE,
    ),
}


SURPRISES = {"a source", "what only cargo knows of"}
"""Only cargo sees these: a plan says so of what it would build."""
IN_VAIN = {
    "where the training starts",
    "how often the training is repeated",
    "the weight of the only training",
    "the version of llvm-profdata",
}
"""The counts turn out to be the same, so that what would have followed is left out."""


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_followed_by_what_depends_on_it(tmp_path: Path, name: str) -> None:
    """Exactly that is done again; a second run after it does nothing, and what was there before is still known."""
    change, redone = CHANGES[name]
    machine, world = Machine(tmp_path), World()
    changed = change(world)
    assert machine.run(world) == ALL | MEASURE
    assert machine.run(changed) == redone
    assert machine.run(changed) == set()
    assert machine.run(world) == set()


@pytest.mark.parametrize("name", CHANGES)
def test_a_plan_says_what_a_run_would_do(tmp_path: Path, name: str) -> None:
    """What will run is told beforehand, and what is told to be reused is; only cargo knows what of a build is fresh."""
    change, redone = CHANGES[name]
    machine, world = Machine(tmp_path), World()
    machine.run(world)
    assert machine.expected[Expectation.RUNS] == ALL | MEASURE
    assert machine.run(change(world)) == redone
    runs, decides = machine.expected[Expectation.RUNS], machine.expected[Expectation.CARGO_DECIDES]
    if name in SURPRISES:
        assert (runs, decides) == (set(), BUILDS)
    elif name in IN_VAIN:
        assert runs >= redone
    else:
        assert runs == redone
    machine.run(change(world))
    certain = (Expectation.RUNS, Expectation.CARGO_DECIDES, Expectation.REUSED)
    assert [len(machine.expected[what]) for what in certain] == [0, len(BUILDS), len(TRAINING | OUTPUTS | MEASURE)]


def test_what_cargo_gives_its_programs_decides_a_measurement(tmp_path: Path) -> None:
    """Its configuration may set variables that no workload names: the same executables then do other work."""
    plan = make_plan(make_plan_inputs(workloads=(make_invocation(),)), ("release", "lto"), measure=True)
    assert plan.measure is not None
    action = plan.measure

    def key(build: CargoBuild | None) -> str:
        built = Results({action.arms[0].binaries: Binaries(artifacts={}, reused=False, cargo_build=build)})
        return measurement_key(action, built, InputHashes(), HOST)

    def build(**env: str) -> CargoBuild:
        program = CargoProgram(name="speed", arguments=(), cwd=tmp_path, env=env, harness=Harness.OTHER)
        return CargoBuild(programs=(program,), started={})

    keys = {key(None), key(build()), key(build(WORK="1")), key(build(WORK="20"))}
    assert len(keys) == 4
    assert key(build(WORK="1")) in keys
