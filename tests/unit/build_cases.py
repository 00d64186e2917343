"""A made-up machine for tests of building: cargo, llvm-profdata and the program itself answer from here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from optbuild.events import Event, Notice
from optbuild.execution.command import Command
from optbuild.files import claim_directory, sha256_of
from optbuild.making.cargo.driver import CargoDriver
from optbuild.making.cargo.rebuilding import Rebuilder
from optbuild.making.model import Artifact
from optbuild.making.order.carrying import Runner
from optbuild.making.order.outcome import Outcome
from optbuild.making.order.performing import Performed, Performer
from optbuild.making.order.workers import Workers
from optbuild.making.outputs.checker import OutputChecker
from optbuild.making.proof.prover import Prover
from optbuild.making.proof.warning_probe import Canary
from optbuild.making.result_store import ResultStore
from optbuild.making.training.merging import ProfileMerger
from optbuild.making.training.profdata import Profdata
from optbuild.making.training.trainer import Trainer
from optbuild.making.workload_runs import WorkloadRunner
from optbuild.plan.actions import ActionId, Compile
from optbuild.plan.model import Plan
from optbuild.profile.model import EvidenceSettings, RawProfileSettings
from optbuild.project.layout import Layout
from optbuild.testing import (
    Answer,
    Reply,
    ScriptedExecutor,
    make_indexed_profile,
    make_invocation,
    make_raw_profile,
    raw_profile_path,
)
from optbuild.toolchain.model import Tool
from optbuild.workloads.inputs import InputHashes
from optbuild.workloads.invocation import Invocation

RECORDED = Path(__file__).parents[1] / "recorded" / "llvm_profdata"
SHOWN = (RECORDED / "show.llvm22.txt").read_text()
TOTAL = 2706  # the total count in it


def shown(*, total: int = TOTAL, ran: int = 6) -> bytes:
    """What `llvm-profdata show` prints of a profile with these numbers."""
    text = SHOWN.replace(f"Total count: {TOTAL}", f"Total count: {total}")
    return text.replace("(>= 1): 6", f"(>= 1): {ran}").encode()


def llvm_profdata(command: Command) -> Reply:
    """A tool whose merged profile is the list of its inputs, each with its content."""
    if command.argv[1] == "show":
        return Reply(stdout=shown())
    inputs = Path(command.argv[2].removeprefix("--input-files=")).read_text().splitlines()
    merged = make_indexed_profile(b"\n".join(_line(text) for text in inputs))
    return Reply(writes={Path(command.argv[3].removeprefix("--output=")): merged})


def _line(text: str) -> bytes:
    weight, _, path = text.partition(",")
    content = Path(path).read_bytes()
    return weight.encode() + b" x " + content.removeprefix(make_indexed_profile())


def content_of(profile: Path) -> str:
    """What went into a merged profile, with the weights."""
    return profile.read_bytes().removeprefix(make_indexed_profile()).decode()


def rustc(command: Command) -> Reply:
    """A compiler that tells of the one function that no profile knows."""
    return Reply(
        stderr=b"warning: x.0-cgu.0: no profile data available for function optbuild_canary Hash = 1 up to 0\n"
    )


def trained_program(command: Command) -> Reply:
    """An instrumented program that writes one raw profile, of its arguments."""
    if "LLVM_PROFILE_FILE" not in command.env:
        return Reply(stdout=" ".join(command.argv[1:]).encode())
    content = make_raw_profile(" ".join(command.argv[1:]).encode())
    return Reply(writes={raw_profile_path(command): content})


def unwatched(_action: Compile) -> Callable[[], None]:
    """Nobody watches the sources of a build."""
    return lambda: None


@dataclass
class Workshop:
    """All that training, merging and comparing are done with, in a directory of a test.

    Attributes:
        program: What the workload's program does.
        tool: What llvm-profdata does.
        compiler: What rustc does, where it is called directly.
        heard: The events so far.
    """

    directory: Path
    program: Callable[[Command], Answer] = trained_program
    tool: Callable[[Command], Answer] = llvm_profdata
    compiler: Callable[[Command], Answer] = rustc
    tool_version: str = "22.1.2"
    rustc_version: str = "1.95.0"
    run_id: str = "run-1"
    fresh: bool = False
    settings: RawProfileSettings = field(default_factory=RawProfileSettings)
    heard: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.executor = ScriptedExecutor(self._answer)
        claim_directory(self.layout.root)

    def _answer(self, command: Command) -> Answer:
        if "--crate-name=optbuild_marks" in command.argv:
            return Reply(writes={Path(command.argv[command.argv.index("-o") + 1]): b"object"})
        answers = {"/t/llvm-profdata": self.tool, "/t/rustc": self.compiler}
        return answers.get(command.argv[0], self.program)(command)

    @property
    def layout(self) -> Layout:
        return Layout.of(self.directory / "target")

    @property
    def results(self) -> ResultStore:
        return ResultStore(directory=self.layout.results, emit=self.heard.append, fresh=self.fresh)

    @property
    def workloads(self) -> WorkloadRunner:
        root = self.layout.root
        return WorkloadRunner(executor=self.executor, root=root, stage=root / "stage", logs=root / "logs")

    @property
    def merger(self) -> ProfileMerger:
        profdata = Profdata(
            executor=self.executor,
            tool=Tool(name="llvm-profdata", path=Path("/t/llvm-profdata"), version=self.tool_version, llvm_major=22),
            environ={"HOME": "/h"},
            work=self.layout.root / "merging",
            logs=self.layout.root / "logs",
            timeout_s=self.settings.merge_timeout_s,
        )
        return ProfileMerger(
            profdata=profdata, results=self.results, directory=self.layout.profile_data, emit=self.heard.append
        )

    @property
    def canary(self) -> Canary:
        return Canary(
            executor=self.executor,
            rustc=Tool(name="rustc", path=Path("/t/rustc"), version=self.rustc_version, llvm_major=22),
            cwd=self.directory,
            environ={"HOME": "/h"},
            results=self.results,
            work=self.layout.root / "merging",
        )

    @property
    def trainer(self) -> Trainer:
        return Trainer(
            workloads=self.workloads,
            merger=self.merger,
            results=self.results,
            hashes=InputHashes(),
            root=self.layout.root,
            run_id=self.run_id,
            kept=self.layout.quarantine,
            stray=self.layout.stray_profiles,
            settings=self.settings,
            emit=self.heard.append,
        )

    @property
    def outputs(self) -> OutputChecker:
        return OutputChecker(
            workloads=self.workloads,
            results=self.results,
            hashes=InputHashes(),
            kept=self.layout.root / "outputs",
            emit=self.heard.append,
        )

    def runner(
        self,
        plan: Plan,
        outcome: Outcome,
        *,
        has_tools: bool = True,
        demanded: EvidenceSettings | None = None,
        **changes: Any,  # noqa: ANN401 - fields of Runner
    ) -> Runner:
        """What carries a plan out with all of this."""
        merger = self.merger if has_tools else None
        cargo = CargoDriver(executor=self.executor, environ={}, emit=self.heard.append)
        return Runner(
            plan=plan,
            outcome=outcome,
            performer=Performer(
                cargo=cargo,
                trainer=self.trainer if has_tools else None,
                merger=merger,
                outputs=self.outputs,
                rebuilder=Rebuilder(
                    cargo=cargo,
                    root=self.layout.root,
                    place=self.layout.cargo_rebuild_target,
                    logs=self.layout.root / "logs",
                    emit=self.heard.append,
                ),
                stage=self.workloads.stage,
                logs=self.layout.root / "logs",
                emit=self.heard.append,
                outcome=outcome,
            ),
            prover=Prover(
                plan=plan,
                outcome=outcome,
                merger=merger,
                canary=self.canary,
                demanded=demanded or EvidenceSettings(),
                emit=self.heard.append,
            ),
            emit=self.heard.append,
            hire=partial(Workers[Performed], self.executor),
            **changes,
        )

    @property
    def notices(self) -> list[Notice]:
        return [event for event in self.heard if isinstance(event, Notice)]

    def workload(self, *command: str, **changes: Any) -> Invocation:  # noqa: ANN401 - fields of Invocation
        """A workload whose files lie in the test's directory."""
        settings = {"directory": self.directory, "scratch": self.layout.scratch / "small", **changes}
        return make_invocation(*(command or ("{bin:demo}", "small")), **settings)

    def artifact(self, content: str, name: str = "demo", action: str = "compile-1") -> dict[str, Artifact]:
        """A binary with this content, as a compile action leaves it."""
        path = self.layout.binaries / action / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        size = path.stat().st_size
        return {
            name: Artifact(bin=name, path=path, sha256=sha256_of(path), size_bytes=size, produced_by=ActionId(action))
        }

    def runs(self) -> list[Command]:
        """The commands that ran a workload."""
        return [command for command in self.executor.commands if not command.argv[0].startswith("/t/")]

    def tool_runs(self, verb: str) -> list[Command]:
        """The commands that ran llvm-profdata."""
        return [c for c in self.executor.commands if c.argv[0] == "/t/llvm-profdata" and c.argv[1] == verb]
