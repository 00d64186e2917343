"""Check outputs: probe the baseline, and compare candidates with it."""

from __future__ import annotations

from functools import partial

from optbuild.errors import WorkloadTimeoutError
from optbuild.making.cargo.rebuilding import Rebuild
from optbuild.making.keys import Kept, output_key
from optbuild.making.kinds.compile import environment_of
from optbuild.making.kinds.kind import Kind, Retry, Shown
from optbuild.making.kinds.workload import demand_of_workload
from optbuild.making.order.exclusivity import Budget, Demand, Exclusivity
from optbuild.making.tools import Tools
from optbuild.plan.kinds.check_outputs import CompareOutputs, ProbeOutputs
from optbuild.plan.results import Compared, Probed, Results
from optbuild.units import format_duration

_RETRY = Retry(error=WorkloadTimeoutError, code="workload-alone", reason="it timed out")


class ProbeKind(Kind[ProbeOutputs, Probed]):
    """Runs of the baseline."""

    retry = _RETRY

    def perform(self, action: ProbeOutputs, results: Results, tools: Tools) -> Probed:
        """Run the baseline twice."""
        binaries = results[action.binaries]
        return tools.outputs.probe(action, dict(binaries.artifacts), binaries.cargo_build)

    def find_kept(self, action: ProbeOutputs, results: Results, kept: Kept) -> Probed | None:
        """The kept output of the same baseline."""
        binaries = results[action.binaries]
        key = output_key(action, binaries.artifacts, kept.hashes, binaries.cargo_build)
        return kept.results.load(key, Probed)

    def show(self, action: ProbeOutputs, _tools: Tools) -> Shown:
        """The workload's command."""
        return Shown(argv=action.workload.shown_argv())

    def describe(self, result: Probed) -> str:
        """How long a run takes."""
        return f"{format_duration(result.run_s)} a run" + (", output varies" if result.varying else "")

    def demand(self, action: ProbeOutputs, tools: Tools, _budget: Budget, *, alone: Exclusivity) -> Demand:
        """The stage."""
        return demand_of_workload(action.workload, tools.turn, alone=alone)


class CompareKind(Kind[CompareOutputs, Compared]):
    """Runs of candidates."""

    retry = _RETRY

    def perform(self, action: CompareOutputs, results: Results, tools: Tools) -> Compared:
        """Run the candidate, and compare."""
        binaries, probed = results[action.binaries], results[action.probe]
        rebuild = self._rebuild_of(action, results, tools)
        return tools.outputs.compare(action, dict(binaries.artifacts), probed, binaries.cargo_build, rebuild=rebuild)

    def find_kept(self, action: CompareOutputs, results: Results, kept: Kept) -> Compared | None:
        """The kept comparison of the same candidate with the same output."""
        binaries, probed = results[action.binaries], results[action.probe]
        key = output_key(action, binaries.artifacts, kept.hashes, binaries.cargo_build, baseline=probed)
        return kept.results.load(key, Compared)

    def show(self, action: CompareOutputs, _tools: Tools) -> Shown:
        """The workload's command."""
        return Shown(argv=action.workload.shown_argv())

    def describe(self, result: Compared) -> str:
        """Whether it is equal."""
        return {True: "equal", None: "not compared", False: "different"}[result.equal]

    def demand(self, action: CompareOutputs, tools: Tools, _budget: Budget, *, alone: Exclusivity) -> Demand:
        """The stage; only the end of the run waits for it."""
        return demand_of_workload(action.workload, tools.turn, alone=alone, urgency=Exclusivity.ALONE_LAST)

    def _rebuild_of(self, action: CompareOutputs, results: Results, tools: Tools) -> Rebuild | None:
        """A function that builds the baseline again; None if one plain call of cargo does not build it."""
        build = action.baseline
        if build is None or build.recipe.call is not None:
            return None
        return partial(tools.rebuilder.rebuild, build, environment_of(build, results, tools), results[build.id])
