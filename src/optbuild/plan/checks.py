"""Actions that judge what was built: which attempt is accepted, and whether outputs are those of the baseline."""

from __future__ import annotations

from optbuild.plan.actions import ActionId, Attempt, Choose, CompareOutputs, ProbeOutputs
from optbuild.plan.fingerprint import make_action_id
from optbuild.workloads.invocation import Invocation


def make_choice(variant: str, attempts: tuple[Attempt, ...]) -> Choose:
    """The action that takes the first attempt whose evidence holds."""
    return Choose(
        id=make_action_id("choose", attempts),
        needs=tuple(attempt.compile for attempt in attempts),
        label=f"{variant}: the first attempt whose evidence holds",
        attempts=attempts,
    )


def make_probe(workload: Invocation, baseline: ActionId) -> ProbeOutputs:
    """The action that learns what the baseline prints."""
    return ProbeOutputs(
        id=make_action_id("probe", workload.recipe(), workload.comparing, baseline),
        needs=(baseline,),
        label=f"outputs of {workload.name}",
        workload=workload,
        binaries=baseline,
    )


def make_output_check(probe: ProbeOutputs, candidate: ActionId, variant: str) -> CompareOutputs:
    """The action that holds a candidate's output against the baseline's."""
    return CompareOutputs(
        id=make_action_id("compare", probe.id, candidate),
        needs=(probe.id, candidate),
        label=f"{variant}: outputs of {probe.workload.name}",
        workload=probe.workload,
        binaries=candidate,
        probe=probe.id,
    )
