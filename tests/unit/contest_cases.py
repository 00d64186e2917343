"""A made-up machine for tests of measuring: programs take the time that is written in them."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from optbuild.events import Event
from optbuild.execution.command import Command
from optbuild.files import claim_directory
from optbuild.measure.arms import ArmBinaries, Arms
from optbuild.measure.contest import Contest, Venue, contest
from optbuild.measure.guard import NoiseGuard, Reading
from optbuild.measure.memory import Memory
from optbuild.measure.model import A_PRIME, Arm
from optbuild.measure.sampling import Leaving, stay_to_the_end
from optbuild.measure.settings import SamplingSettings
from optbuild.profile.cargo_words import CargoCall, CargoVerb
from optbuild.profile.workloads import MetricName
from optbuild.project.layout import Layout
from optbuild.testing import Answer, Reply, ScriptedExecutor, make_invocation, make_usage
from optbuild.workloads.cargo_build import CargoBuild, CargoProgram
from optbuild.workloads.harness import Harness
from optbuild.workloads.invocation import Invocation, Moment

ARMS = {"release": 1.0, "pgo": 0.8}


@dataclass
class Track:
    """A made-up machine: how long a binary runs is written in it, noise comes from a seed, and time is counted."""

    directory: Path
    arms: Mapping[str, float] = field(default_factory=lambda: ARMS)
    held_out: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    programs: Mapping[str, Mapping[str, ArmBinaries]] = field(default_factory=dict)
    noise: float = 0.001
    run_s: float = 1.0
    names: tuple[str, ...] = ("small",)
    settings: SamplingSettings = field(
        default_factory=lambda: SamplingSettings(
            precision=0.01, min_effect=0.01, max_time_s=1e9, confidence=0.95, seed=5713, counting_share=0.0
        )
    )
    now_s: float = 0.0
    suspended_s: float = 0.0
    slow_start_s: float = 0.0
    answer: Callable[[Command], Answer | None] = field(default=lambda _: None)
    metric: MetricName = MetricName.WALL
    beside: str | None = None
    heard: list[Event] = field(default_factory=list)
    told_s: float | None = None
    sources: Mapping[str, str] = field(default_factory=dict)
    leaving: Leaving = stay_to_the_end
    memory: Memory | None = None
    watching: NoiseGuard = field(init=False)

    def __post_init__(self) -> None:
        self.chance = random.Random(5713)  # noqa: S311 - noise that must repeat
        self.executor = ScriptedExecutor(self._run)
        claim_directory(self.root)
        self.binaries = {name: self._binary(name, seconds) for name, seconds in self.arms.items()}

    def _binary(self, name: str, seconds: float) -> dict[str, Path]:
        path = self.directory / name / "demo"
        path.parent.mkdir(exist_ok=True)
        path.write_text(str(seconds))
        return {"demo": path}

    @property
    def root(self) -> Path:
        return self.directory / "optbuild"

    def _run(self, command: Command) -> Answer:
        given = self.answer(command)
        if given is not None:
            return given
        seconds = float(Path(command.argv[0]).read_text()) * self.run_s
        seconds = seconds * (1 + self.chance.gauss(0, self.noise)) + self.slow_start_s
        self.slow_start_s = 0.0
        self.now_s += seconds
        return Reply(usage=make_usage(wall_s=seconds), stdout=b"out")

    def slow_reply(self, seconds: float) -> Reply:
        """A run that takes so long, whatever is written in the binary."""
        self.now_s += seconds
        return Reply(usage=make_usage(wall_s=seconds), stdout=b"out")

    def workloads(self) -> tuple[Invocation, ...]:
        moments = () if self.beside is None else (Moment.PREPARE, Moment.CONCLUDE)
        return tuple(
            make_invocation(
                "{bin:demo}",
                name,
                name=name,
                directory=self.directory,
                scratch=self.root / "scratch" / name,
                metric=self.metric,
                beside=dict.fromkeys(moments, ((self.beside or "",),)),
            )
            for name in self.names
        )

    def read(self) -> Reading:
        return Reading(monotonic_s=self.now_s, boottime_s=self.now_s + self.suspended_s, busy_s=None, steal_s=None)

    def guard(self) -> NoiseGuard:
        """What watches this machine."""
        return NoiseGuard(read=self.read, own_cpu_s=lambda: 0.0)

    def measure(self) -> Contest:
        """Let all arms take turns."""
        self.watching = self.guard()
        venue = Venue(
            executor=self.executor,
            emit=self.heard.append,
            environ={},
            layout=Layout.apart(self.root),
            action="measure-1",
            make_guard=lambda: self.watching,
            clock=lambda: self.now_s,
        )
        told_s = self.run_s if self.told_s is None else self.told_s
        return contest(
            self._arms(),
            self.workloads(),
            self.settings,
            venue,
            run_s=dict.fromkeys(self.names, told_s),
            leaving=self.leaving,
            memory=self.memory,
        )

    def _arms(self) -> Arms:
        held_out = {
            workload: {
                Arm(variant=variant, is_held_out=True): self._binary(f"{workload} {variant}", seconds)
                for variant, seconds in arms.items()
            }
            for workload, arms in self.held_out.items()
        }
        programs = {
            workload: {Arm(variant=variant): program for variant, program in own.items()}
            for workload, own in self.programs.items()
        }
        variants = {
            Arm(variant=variant, source=self.sources.get(variant, "")): binaries
            for variant, binaries in self.binaries.items()
        }
        return Arms(variants=variants, held_out=held_out, programs=programs)

    def arm_of(self, command: Command) -> str:
        """The arm that a command ran, by the place of its binary."""
        return [*self.arms, A_PRIME][int(Path(command.argv[0]).parent.name)]


BENCHES = {"release": "speed-00000000000000aa", "pgo": "speed-00000000000000bb"}
"""The bench's executable of each variant, as cargo names it."""


@dataclass
class CargoBenchTrack(Track):
    """The same for a workload `benches` that is `cargo bench`, with one executable a variant.

    Attributes:
        harness: What runs the benches.
    """

    names: tuple[str, ...] = ("benches",)
    harness: Harness = Harness.CRITERION

    def __post_init__(self) -> None:
        super().__post_init__()
        self.programs = {"benches": {arm: self._program(arm, name) for arm, name in BENCHES.items()}}

    def _program(self, arm: str, name: str) -> ArmBinaries:
        path = self.directory / f"bench of {arm}"
        path.write_text(arm)
        program = CargoProgram(name=name, arguments=("--bench",), cwd=self.directory, env={}, harness=self.harness)
        return ArmBinaries(binaries={name: path}, cargo_build=CargoBuild(programs=(program,), started={}))

    def workloads(self) -> tuple[Invocation, ...]:
        call = CargoCall(verb=CargoVerb.BENCH)
        return tuple(
            replace(workload, call=call, argv=(("cargo",), ("bench",)), bins=())
            if workload.name == "benches"
            else workload
            for workload in super().workloads()
        )
