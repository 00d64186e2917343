"""Check outputs: record what the baseline prints and writes, and compare every candidate with that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from optbuild.plan.action import Action, ActionId, Entry, Id
from optbuild.plan.fingerprint import make_action_id
from optbuild.plan.kinds.compile import Compile
from optbuild.plan.kinds.workload import describe_workload
from optbuild.plan.results import Binaries, Compared, Probed
from optbuild.workloads.invocation import Invocation


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeOutputs(Action[Probed]):
    """Run the baseline twice on a workload, to learn its output and whether that varies."""

    kind: ClassVar[str] = "probe"

    workload: Invocation
    binaries: Id[Binaries]

    @property
    def judges(self) -> Id[Binaries]:
        """The baseline."""
        return self.binaries

    def details(self) -> Mapping[str, object]:
        """The workload that is run."""
        return {**describe_workload(self.workload, self.binaries), "runs": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareOutputs(Action[Compared]):
    """Run a candidate on a workload and compare its output with the baseline's.

    Attributes:
        baseline: The action that builds the baseline, if one call of cargo does.
    """

    kind: ClassVar[str] = "compare"

    workload: Invocation
    binaries: Id[Binaries]
    probe: Id[Probed]
    baseline: Compile | None = None

    @property
    def judges(self) -> Id[Binaries]:
        """The candidate."""
        return self.binaries

    def details(self) -> Mapping[str, object]:
        """The workload that is run."""
        return describe_workload(self.workload, self.binaries)


def make_probe(workload: Invocation, baseline: Id[Binaries]) -> ProbeOutputs:
    """The action that records the baseline's output."""
    return ProbeOutputs(
        id=make_action_id("probe", workload.recipe(), workload.comparing, baseline),
        needs=(baseline,),
        label=f"outputs of {workload.name}",
        workload=workload,
        binaries=baseline,
    )


def make_output_check(
    probe: ProbeOutputs, candidate: Id[Binaries], variant: str, entries: Mapping[ActionId, Entry[object]]
) -> CompareOutputs:
    """The action that compares a candidate's output with the baseline's.

    Args:
        probe: The action that records the baseline's output.
        candidate: The candidate's binaries.
        variant: Its name.
        entries: The plan so far.
    """
    baseline = entries.get(probe.binaries)
    return CompareOutputs(
        id=make_action_id("compare", probe.id, candidate),
        needs=(probe.id, candidate),
        label=f"{variant}: outputs of {probe.workload.name}",
        workload=probe.workload,
        binaries=candidate,
        probe=probe.id,
        baseline=baseline if isinstance(baseline, Compile) else None,
    )
