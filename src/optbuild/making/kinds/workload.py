"""The common code of actions that run a workload or yield counts."""

from __future__ import annotations

from pathlib import Path

from optbuild.making.order.exclusivity import Demand, Exclusivity
from optbuild.plan.counts import PgoProfile
from optbuild.workloads.invocation import Invocation, Kind


def demand_of_workload(
    workload: Invocation,
    stage: Path,
    *,
    alone: Exclusivity,
    parallel: bool = False,
    urgency: Exclusivity = Exclusivity.ALONE_SOON,
) -> Demand:
    """What a run of a workload needs for itself.

    One that depends on time runs alone: a server has to be ready within so many seconds, its clients give up,
    and benches measure how often to repeat.

    Args:
        workload: What is run.
        stage: Where programs are placed while they run.
        alone: `SHARED`, unless it has failed to run alongside others.
        parallel: It has a separate stage, and others may run at the same time.
        urgency: When it runs if it runs alone.
    """
    is_timed = workload.kind is not Kind.COMMAND
    exclusivity = urgency if is_timed or alone is not Exclusivity.SHARED else Exclusivity.SHARED
    if not parallel:
        return Demand(exclusivity=exclusivity, places=frozenset({stage}))
    scratch = frozenset({workload.scratch})  # two variants may train on it
    return Demand(exclusivity=exclusivity, places=scratch, shared_places=frozenset({stage}))


def describe_counts(profile: PgoProfile) -> str:
    """How much ran."""
    ran = f"{profile.functions_with_counts} of {profile.functions} functions ran"
    return f"{ran}, {profile.raw_profiles} raw profile{'s' * (profile.raw_profiles != 1)}"
