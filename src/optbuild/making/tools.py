"""Everything that performs actions, constructed for a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from optbuild.errors import ToolchainError
from optbuild.events import Emit
from optbuild.execution.command import ConcurrentExecutor
from optbuild.execution.jobserver import Jobserver
from optbuild.making.bolt.driver import BoltDriver
from optbuild.making.bolt.trainer import BoltTrainer
from optbuild.making.cargo.driver import CargoDriver
from optbuild.making.cargo.rebuilding import Rebuilder
from optbuild.making.cargo.sources import SourceWatch
from optbuild.making.outputs.checker import OutputChecker
from optbuild.making.proof.prover import Prover
from optbuild.making.proof.warning_probe import WarningProbe
from optbuild.making.result_store import ResultStore
from optbuild.making.training.merging import ProfileMerger
from optbuild.making.training.profdata import Profdata
from optbuild.making.training.trainer import Trainer
from optbuild.making.workload_runs import WorkloadRunner
from optbuild.plan.draft import PlanInputs
from optbuild.workloads.inputs import InputHashes

T = TypeVar("T")


def never() -> bool:
    """There is no limit."""
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The facts of a run when the making begins.

    Attributes:
        inputs: The inputs of the plan.
        environ: The caller's environment.
        logs: The directory for the output of programs.
        run_id: Names the fresh directories of raw profiles.
        fresh: Use no earlier result.
        keep_going: Continue with other variants when one fails.
        jobs: How many jobs concurrent builds share; None if actions run one after another.
        free_memory_bytes: Free memory while optbuild runs no program.
        peaks_bytes: How much memory actions needed in earlier runs.
        durations_s: How long they took.
        is_late: Whether there is no time left to begin building another variant.
    """

    inputs: PlanInputs
    hashes: InputHashes
    executor: ConcurrentExecutor
    environ: Mapping[str, str]
    emit: Emit
    logs: Path
    run_id: str
    fresh: bool = False
    keep_going: bool = False
    jobs: int | None = None
    free_memory_bytes: int = 0
    peaks_bytes: Mapping[str, int] = field(default_factory=dict)
    durations_s: Mapping[str, float] = field(default_factory=dict)
    is_late: Callable[[], bool] = never


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What performs the actions of one run.

    Attributes:
        training: The trainer; None if no `llvm-profdata` fits rustc; such a plan has no training.
        turn: The place that a run of a workload holds: one at a time, of all versions of a project.
        logs: The directory for the output of programs.
    """

    executor: ConcurrentExecutor
    environ: Mapping[str, str]
    cargo: CargoDriver
    rebuilder: Rebuilder
    sources: SourceWatch
    training: Trainer | None
    prover: Prover
    bolt: BoltDriver
    bolt_trainer: BoltTrainer
    results: ResultStore
    outputs: OutputChecker
    turn: Path
    logs: Path

    @property
    def trainer(self) -> Trainer:
        """The trainer.

        Raises:
            ToolchainError: No `llvm-profdata` fits rustc.
        """
        if self.training is None:
            raise ToolchainError("no llvm-profdata fits rustc", help="optbuild doctor --fix")
        return self.training

    @property
    def merger(self) -> ProfileMerger:
        """The merger.

        Raises:
            ToolchainError: No `llvm-profdata` fits rustc.
        """
        return self.trainer.merger


def make_tools(site: Site, jobserver: Jobserver | None) -> Tools:
    """Construct everything that performs the actions of a run."""
    inputs, layout, emit, executor = site.inputs, site.inputs.layout, site.emit, site.executor
    results = ResultStore(directory=layout.results, emit=emit, fresh=site.fresh)
    workloads = WorkloadRunner(executor=executor, root=layout.root, stage=layout.stage, logs=site.logs)
    cargo = CargoDriver(
        executor=executor,
        environ=site.environ,
        emit=emit,
        sysroot=inputs.toolchain.sysroot,
        jobserver=jobserver,
    )
    training = _make_trainer(site, results, workloads)
    return Tools(
        executor=executor,
        environ=site.environ,
        cargo=cargo,
        rebuilder=Rebuilder(
            cargo=cargo, root=layout.root, place=layout.cargo_rebuild_target, logs=site.logs, emit=emit
        ),
        sources=_watch_sources(inputs),
        training=training,
        prover=_make_prover(site, results, training),
        bolt=BoltDriver(executor=executor, environ=site.environ, logs=site.logs),
        bolt_trainer=BoltTrainer(
            workloads=workloads,
            results=results,
            hashes=site.hashes,
            environ=site.environ,
            root=layout.root,
            settings=inputs.build_profile.raw_profiles,
        ),
        results=results,
        outputs=OutputChecker(workloads=workloads, results=results, hashes=site.hashes, kept=layout.outputs, emit=emit),
        turn=layout.turn,
        logs=site.logs,
    )


def _make_trainer(site: Site, results: ResultStore, workloads: WorkloadRunner) -> Trainer | None:
    """What trains and merges; None if no `llvm-profdata` fits rustc."""
    inputs, layout = site.inputs, site.inputs.layout
    tool, settings = inputs.toolchain.llvm_profdata, inputs.build_profile.raw_profiles
    if tool is None:
        return None
    profdata = Profdata(
        executor=site.executor,
        tool=tool,
        environ=site.environ,
        work=layout.merging,
        logs=site.logs,
        timeout_s=settings.merge_timeout_s,
    )
    return Trainer(
        workloads=workloads,
        merger=ProfileMerger(profdata=profdata, results=results, directory=layout.profile_data, emit=site.emit),
        results=results,
        hashes=site.hashes,
        root=layout.root,
        run_id=site.run_id,
        kept=layout.quarantine,
        stray=layout.stray_profiles,
        settings=settings,
        emit=site.emit,
    )


def _make_prover(site: Site, results: ResultStore, training: Trainer | None) -> Prover:
    inputs = site.inputs
    probe = WarningProbe(
        executor=site.executor,
        rustc=inputs.toolchain.rustc,
        cwd=inputs.project.directory,
        environ=site.environ,
        results=results,
        work=inputs.layout.merging,
    )
    profdata = None if training is None else training.merger.profdata
    return Prover(profdata=profdata, probe=probe, demanded=inputs.build_profile.evidence, emit=site.emit)


def _watch_sources(inputs: PlanInputs) -> SourceWatch:
    project, layout = inputs.project, inputs.layout
    root = project.workspace_root
    manifests = [root / "Cargo.toml", root / "Cargo.lock", *(package.manifest for package in project.packages)]
    manifests += project.config_files
    return SourceWatch(ignored=layout.root, stamp=layout.stamp, manifests=tuple(manifests))
