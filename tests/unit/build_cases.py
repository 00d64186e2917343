"""A made-up machine for tests of building: cargo, llvm-profdata and the program itself answer from here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from optbuild.events import Event, Notice
from optbuild.execution.command import Command
from optbuild.files import claim_directory, sha256_of
from optbuild.making.outputs.checker import OutputChecker
from optbuild.making.proof.warning_probe import WarningProbe
from optbuild.making.result_store import ResultStore
from optbuild.making.tools import Site, Tools, make_tools
from optbuild.making.training.merging import ProfileMerger
from optbuild.making.training.trainer import Trainer
from optbuild.making.workload_runs import WorkloadRunner
from optbuild.plan.action import ActionId
from optbuild.plan.draft import PlanInputs
from optbuild.plan.results import Artifact
from optbuild.profile.model import EvidenceSettings, RawProfileSettings
from optbuild.project.layout import Layout
from optbuild.testing import (
    Answer,
    Reply,
    ScriptedExecutor,
    make_indexed_profile,
    make_invocation,
    make_plan_inputs,
    make_project,
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
    return Reply(stderr=b"warning: x.0-cgu.0: no profile data available for function optbuild_probe Hash = 1 up to 0\n")


def trained_program(command: Command) -> Reply:
    """An instrumented program that writes one raw profile, of its arguments."""
    if "LLVM_PROFILE_FILE" not in command.env:
        return Reply(stdout=" ".join(command.argv[1:]).encode())
    content = make_raw_profile(" ".join(command.argv[1:]).encode())
    return Reply(writes={raw_profile_path(command): content})


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
    demanded: EvidenceSettings = field(default_factory=EvidenceSettings)
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

    def site(self, inputs: PlanInputs | None = None, *, has_tools: bool = True) -> Site:
        """What a run with all of this knows; the programs that it calls are the made-up ones."""
        inputs = inputs or make_plan_inputs(project=make_project(directory=self.directory))
        rustc = Tool(name="rustc", path=Path("/t/rustc"), version=self.rustc_version, llvm_major=22)
        tool = Tool(name="llvm-profdata", path=Path("/t/llvm-profdata"), version=self.tool_version, llvm_major=22)
        toolchain = replace(inputs.toolchain, rustc=rustc, llvm_profdata=tool if has_tools else None)
        build_profile = replace(inputs.build_profile, raw_profiles=self.settings, evidence=self.demanded)
        return Site(
            inputs=replace(inputs, toolchain=toolchain, build_profile=build_profile, layout=self.layout),
            hashes=InputHashes(),
            executor=self.executor,
            environ={"HOME": "/h"},
            emit=self.heard.append,
            logs=self.layout.root / "logs",
            run_id=self.run_id,
            fresh=self.fresh,
        )

    @property
    def tools(self) -> Tools:
        """All that performs actions, as in any run."""
        return make_tools(self.site(), None)

    @property
    def merger(self) -> ProfileMerger:
        return self.tools.merger

    @property
    def probe(self) -> WarningProbe:
        return self.tools.prover.probe

    @property
    def trainer(self) -> Trainer:
        return self.tools.trainer

    @property
    def outputs(self) -> OutputChecker:
        return self.tools.outputs

    @property
    def workloads(self) -> WorkloadRunner:
        return self.tools.outputs.workloads

    @property
    def results(self) -> ResultStore:
        return self.tools.outputs.results

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
