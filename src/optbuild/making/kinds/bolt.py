"""BOLT: instrument linked programs, count their branches, merge the counts, lay out the programs, and strip them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import TypeVar, cast

from optbuild.errors import WorkloadTimeoutError
from optbuild.making.bolt.kept import find_programs, keep_programs
from optbuild.making.bolt.proof import check_laid_out
from optbuild.making.bolt.trainer import are_intact
from optbuild.making.keys import Kept, branch_merge_key, branch_training_key, linked_key
from optbuild.making.kinds.kind import Kind, Retry, Shown
from optbuild.making.kinds.workload import demand_of_workload
from optbuild.making.order.exclusivity import Budget, Demand, Exclusivity
from optbuild.making.tools import Tools
from optbuild.plan.action import Id
from optbuild.plan.counts import BranchCounts
from optbuild.plan.kinds.bolt import BoltInstrument, BoltMerge, BoltOptimise, BoltTrain, Strip
from optbuild.plan.results import Binaries, Bolted, Results
from optbuild.units import format_bytes

A = TypeVar("A", BoltInstrument, BoltOptimise, Strip)
B = TypeVar("B", bound=Binaries)


class _ProgramsKind(Kind[A, B]):
    """Programs that a tool makes of linked ones: kept by what they are made of."""

    def perform(self, action: A, results: Results, tools: Tools) -> B:
        """Make them, unless those of an earlier run are there."""
        key = self.key(action, results)
        if (stored := find_programs(key, action.id, tools.results)) is not None:
            return cast("B", stored)
        made = self.make(action, results, tools)
        keep_programs(key, made, tools.results)
        return made

    def find_kept(self, action: A, results: Results, kept: Kept) -> Binaries | None:
        """Those made of the same programs."""
        return find_programs(self.key(action, results), action.id, kept.results)

    def describe(self, result: B) -> str:
        """Their size."""
        return format_bytes(result.size_bytes)

    def key(self, action: A, results: Results) -> str:
        """What they are made of."""
        return linked_key(action, results[action.binaries].artifacts)

    @abstractmethod
    def make(self, action: A, results: Results, tools: Tools) -> B:
        """Make them.

        Raises:
            OptbuildError: A tool failed.
        """


class InstrumentKind(_ProgramsKind[BoltInstrument, Binaries]):
    """Programs that count their branches."""

    lays_out = True

    def make(self, action: BoltInstrument, results: Results, tools: Tools) -> Binaries:
        """Instrument them."""
        return Binaries(artifacts=tools.bolt.instrument(action, results[action.binaries].artifacts), reused=False)

    def show(self, action: BoltInstrument, tools: Tools) -> Shown:
        """The tool."""
        return Shown(argv=(str(action.tools.bolt.path), "-instrument"), log=tools.logs / f"{action.id}.log")


class TrainKind(Kind[BoltTrain, BranchCounts]):
    """Training runs that count branches."""

    lays_out = True

    retry = Retry(error=WorkloadTimeoutError, code="workload-alone", reason="it timed out")

    def perform(self, action: BoltTrain, results: Results, tools: Tools) -> BranchCounts:
        """Run the workload, and merge what its processes wrote."""
        preload = None if action.saves_counts is None else results[action.saves_counts].path
        return tools.bolt_trainer.train(action, results[action.binaries].artifacts, preload)

    def find_kept(self, action: BoltTrain, results: Results, kept: Kept) -> BranchCounts | None:
        """The kept counts of the same programs on the same inputs."""
        key = branch_training_key(action, results[action.binaries].artifacts, kept.hashes)
        stored = kept.results.load(key, BranchCounts)
        return stored if stored is not None and are_intact(stored) else None

    def show(self, action: BoltTrain, tools: Tools) -> Shown:
        """The workload's command."""
        return Shown(argv=action.workload.shown_argv(), log=tools.logs / f"{action.id}.stderr")

    def describe(self, result: BranchCounts) -> str:
        """How much ran."""
        return _describe_counts(result)

    def demand(self, action: BoltTrain, tools: Tools, _budget: Budget, *, alone: Exclusivity) -> Demand:
        """The stage, and the directory that its programs write to."""
        demand = demand_of_workload(action.workload, tools.turn, alone=alone)
        return Demand(exclusivity=demand.exclusivity, places=demand.places | {action.counts})


class MergeKind(Kind[BoltMerge, BranchCounts]):
    """Merges by weight."""

    lays_out = True

    def perform(self, action: BoltMerge, results: Results, tools: Tools) -> BranchCounts:
        """Merge them."""
        return tools.bolt_trainer.merge(action, _counted(action, results))

    def find_kept(self, action: BoltMerge, results: Results, kept: Kept) -> BranchCounts | None:
        """What was merged from the same counts."""
        stored = kept.results.load(branch_merge_key(action, _counted(action, results)), BranchCounts)
        return stored if stored is not None and are_intact(stored) else None

    def show(self, action: BoltMerge, _tools: Tools) -> Shown:
        """The tool."""
        return Shown(argv=(str(action.tools.merge_fdata),))

    def describe(self, result: BranchCounts) -> str:
        """How much ran."""
        return _describe_counts(result)


class OptimiseKind(_ProgramsKind[BoltOptimise, Bolted]):
    """Programs that BOLT has laid out."""

    lays_out = True

    def make(self, action: BoltOptimise, results: Results, tools: Tools) -> Bolted:
        """Lay them out, check what came of it, and run it."""
        linked = results[action.binaries].artifacts
        artifacts, facts = tools.bolt.optimise(action, linked, results[action.counts])
        made = Bolted(artifacts=artifacts, reused=False, facts=facts)
        check_laid_out(action, linked, made, tools.bolt_trainer)
        return made

    def key(self, action: BoltOptimise, results: Results) -> str:
        """The programs, and their counts."""
        return linked_key(action, results[action.binaries].artifacts, results[action.counts])

    def show(self, action: BoltOptimise, tools: Tools) -> Shown:
        """The tool."""
        return Shown(argv=(str(action.tools.bolt.path),), log=tools.logs / f"{action.id}.log")

    def describe(self, result: Bolted) -> str:
        """How many functions have counts, and the size."""
        counted = sum(facts.functions_with_counts for facts in result.facts.values())
        functions = sum(facts.functions for facts in result.facts.values())
        return f"{counted} of {functions} functions have counts, {super().describe(result)}"

    def demand(self, action: BoltOptimise, tools: Tools, _budget: Budget, *, alone: Exclusivity) -> Demand:
        """The stage, on which the result is run."""
        return demand_of_workload(action.smoke, tools.turn, alone=alone)


class StripKind(_ProgramsKind[Strip, Binaries]):
    """Stripped programs."""

    def make(self, action: Strip, results: Results, tools: Tools) -> Binaries:
        """Strip them."""
        return Binaries(artifacts=tools.bolt.strip(action, results[action.binaries].artifacts), reused=False)

    def show(self, action: Strip, tools: Tools) -> Shown:
        """The tool."""
        return Shown(argv=(str(action.tools.strip),), log=tools.logs / f"{action.id}.log")


def _counted(action: BoltMerge, results: Results) -> Mapping[Id[BranchCounts], BranchCounts]:
    return {training: results[training] for training in action.weights}


def _describe_counts(counts: BranchCounts) -> str:
    functions = sum(each.functions for each in counts.programs.values())
    files = sum(each.files for each in counts.programs.values())
    return f"branches of {functions} functions, {files} file{'s' * (files != 1)} of counts"
