"""Train: run instrumented binaries on a workload for their counts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from optbuild.errors import ImplausibleCountsError, OptbuildError, WorkloadTimeoutError
from optbuild.making.keys import Kept, training_key
from optbuild.making.kinds.kind import Kind, Retry, Shown
from optbuild.making.kinds.workload import demand_of_workload, describe_counts
from optbuild.making.order.exclusivity import Budget, Demand, Exclusivity
from optbuild.making.tools import Tools
from optbuild.making.training.merging import is_intact
from optbuild.plan.counts import Counts
from optbuild.plan.kinds.train import Train
from optbuild.plan.results import CargoTraining, Results


class TrainKind(Kind[Train, Counts]):
    """Training runs."""

    retry = Retry(error=WorkloadTimeoutError, code="workload-alone", reason="it timed out")

    def perform(self, action: Train, results: Results, tools: Tools) -> Counts:
        """Run the workload, and merge what it wrote."""
        return tools.trainer.train(action, results[action.binaries].artifacts, _cargo_training(action, results))

    def find_kept(self, action: Train, results: Results, kept: Kept) -> Counts | None:
        """The kept counts of the same binaries on the same inputs."""
        binaries, cargo = results[action.binaries].artifacts, _cargo_training(action, results)
        key = training_key(action, binaries, cargo, kept.hashes, kept.profdata_version)
        stored = kept.results.load(key, Counts)
        return stored if stored is not None and is_intact(stored.profile) else None

    def show(self, action: Train, tools: Tools) -> Shown:
        """The workload's command."""
        return Shown(argv=action.workload.shown_argv(), log=tools.logs / f"{action.id}.stderr")

    def describe(self, result: Counts) -> str:
        """How much ran."""
        return describe_counts(result.profile)

    def demand(self, action: Train, tools: Tools, _budget: Budget, *, alone: Exclusivity) -> Demand:
        """The stage; a workload that runs alongside itself only shares it."""
        return demand_of_workload(action.workload, tools.turn, alone=alone, parallel=action.workload.parallel)

    def remember_failure(self, action: Train, error: OptbuildError, results: Results, tools: Tools) -> None:
        """Do not count again in a way that produced impossible counts."""
        if isinstance(error, ImplausibleCountsError):
            binaries, cargo = results[action.binaries].artifacts, _cargo_training(action, results)
            tools.trainer.remember_refusal(action, binaries, cargo, error)

    def set_aside(self, result: Counts) -> Mapping[Path, str]:
        """Raw profiles that could not be merged."""
        return result.set_aside


def _cargo_training(action: Train, results: Results) -> CargoTraining | None:
    """The additional needs of a workload that cargo would run."""
    build = results[action.binaries].cargo_build
    if build is None or action.program is None:
        return None
    return CargoTraining(build=build, program=results[action.program].artifacts)
