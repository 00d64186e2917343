"""BOLT: instrument linked programs, count their branches, merge the counts, lay out the programs, and strip them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from optbuild.plan.action import Action, Id
from optbuild.plan.counts import BranchCounts
from optbuild.plan.kinds.workload import describe_workload
from optbuild.plan.results import Binaries, Bolted, MadeObject
from optbuild.toolchain.model import BoltTools
from optbuild.tools.fdata import merge_argv
from optbuild.tools.llvm_bolt import COUNTS_SUFFIX, instrument_argv, optimise_argv
from optbuild.tools.llvm_objcopy import Keep, strip_argv
from optbuild.workloads.invocation import Invocation


@dataclass(frozen=True, slots=True, kw_only=True)
class BoltInstrument(Action[Binaries]):
    """Make linked programs count their branches.

    Attributes:
        programs: Those that are instrumented; other binaries stay as they are.
        counts: The directory that all of them write to.
        directory: Where they are kept.
    """

    kind: ClassVar[str] = "bolt-instrument"

    binaries: Id[Binaries]
    programs: tuple[str, ...]
    tools: BoltTools
    counts: Path
    directory: Path

    def details(self) -> Mapping[str, object]:
        """The call of llvm-bolt."""
        argv = instrument_argv(
            self.tools.bolt.path,
            program=Path(f"{{{self.binaries}}}/{self.programs[0]}"),
            output=self.directory / self.programs[0],
            counts=counts_of(self.counts, self.programs[0]),
        )
        return {"argv": list(argv), "how": _how(self.programs), "writes": str(self.directory)}


@dataclass(frozen=True, slots=True, kw_only=True)
class BoltTrain(Action[BranchCounts]):
    """Run programs that count their branches on a workload.

    Attributes:
        counts: The directory that they write to.
        tools: The tools, for adding up what several processes wrote.
        saves_counts: Builds what lets a program write its counts when a signal ends it, if its workload needs that.
        directory: Where the counts are kept, by program.
    """

    kind: ClassVar[str] = "bolt-train"

    workload: Invocation
    binaries: Id[Binaries]
    programs: tuple[str, ...]
    counts: Path
    tools: BoltTools
    saves_counts: Id[MadeObject] | None
    directory: Path

    def details(self) -> Mapping[str, object]:
        """The workload, and the directory for its counts."""
        return {
            **describe_workload(self.workload, self.binaries),
            "writes": str(self.counts),
            "repeat": self.workload.repeat if self.workload.repeat > 1 else None,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class BoltMerge(Action[BranchCounts]):
    """Merge the workloads' counts by weight.

    Attributes:
        weights: The share of each training run in the merged counts, whatever its length.
    """

    kind: ClassVar[str] = "bolt-merge"

    weights: Mapping[Id[BranchCounts], float]
    tools: BoltTools
    directory: Path

    def details(self) -> Mapping[str, object]:
        """The call of merge-fdata."""
        argv = merge_argv(self.tools.merge_fdata, [Path("{inputs}")], output=Path("{counts}"))
        weighted = [f"{weight:g} × {{counts:{train}}}" for train, weight in self.weights.items()]
        return {"argv": list(argv), "inputs": weighted, "writes": str(self.directory)}


@dataclass(frozen=True, slots=True, kw_only=True)
class BoltOptimise(Action[Bolted]):
    """Lay out programs by their counts, strip them as their Cargo profile would, and run one of them.

    Attributes:
        binaries: The linked programs, with relocations and symbols.
        keep: What they keep of their symbols.
        is_aarch64: They are for that architecture.
        smoke: The workload that they are run on once.
    """

    kind: ClassVar[str] = "bolt-optimise"

    binaries: Id[Binaries]
    counts: Id[BranchCounts]
    programs: tuple[str, ...]
    tools: BoltTools
    keep: Keep
    is_aarch64: bool
    smoke: Invocation
    directory: Path

    def details(self) -> Mapping[str, object]:
        """The call of llvm-bolt."""
        argv = optimise_argv(
            self.tools.bolt.path,
            program=Path(f"{{{self.binaries}}}/{self.programs[0]}"),
            output=self.directory / self.programs[0],
            counts=Path(f"{{counts:{self.counts}}}"),
            is_aarch64=self.is_aarch64,
            keeps_debug=self.keep is Keep.ALL,
        )
        how = f"{_how(self.programs)}; then stripped by {self.tools.strip}, and run once on {self.smoke.name}"
        return {"argv": list(argv), "how": how, "writes": str(self.directory)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip(Action[Binaries]):
    """Strip programs as their Cargo profile would, and of their relocations."""

    kind: ClassVar[str] = "strip"

    binaries: Id[Binaries]
    tools: BoltTools
    keep: Keep
    directory: Path

    def details(self) -> Mapping[str, object]:
        """The call of llvm-strip."""
        source, output = Path(f"{{{self.binaries}}}/{{program}}"), self.directory / "{program}"
        argv = strip_argv(self.tools.strip, keep=self.keep, relocations=(".rela.text",), program=source, output=output)
        return {"argv": list(argv), "how": "each program", "writes": str(self.directory)}


def counts_of(directory: Path, program: str) -> Path:
    """What a program's own counts are called, without the process ID that is appended."""
    return directory / program / f"counts{COUNTS_SUFFIX}"


def _how(programs: tuple[str, ...]) -> str:
    return "once" if len(programs) == 1 else f"once for each of {', '.join(programs)}"
