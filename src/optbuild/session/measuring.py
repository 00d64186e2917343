"""Measure the arms of a prepared project: the settings of its build profile, the contest, and its inputs afterwards."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from optbuild.measure.arms import Arms
from optbuild.measure.contest import Contest, Venue, contest
from optbuild.measure.memory import Memory
from optbuild.measure.sampling import Leaving, stay_to_the_end
from optbuild.measure.settings import SamplingSettings
from optbuild.plan.measure import Measure
from optbuild.profile.model import BuildProfile
from optbuild.session.prepare import Prepared
from optbuild.session.request import Machine

_ALLOCATIONS_SHARE = 0.4
"""Of the time for measuring, if allocations are to be counted: valgrind takes many times as long as the program."""


def measure(  # noqa: PLR0913 - what is measured, where, and by which rules
    arms: Arms,
    action: Measure,
    prepared: Prepared,
    machine: Machine,
    *,
    run_s: Mapping[str, float],
    settings: SamplingSettings | None = None,
    leaving: Leaving = stay_to_the_end,
    memory: Memory | None = None,
) -> Contest:
    """Measure arms on the benchmarks of a plan, and make sure that these read the same all the time.

    Args:
        arms: The baseline first.
        action: The plan's measurement.
        prepared: What the plan belongs to.
        machine: Where; progress and warnings are reported to it.
        run_s: About how long one run of each workload takes, by its name.
        settings: How long and how precisely; None for those of the build profile.
        leaving: Which candidates leave before the end.
        memory: The rounds of the same contest that an interrupted run has taken.

    Raises:
        WorkloadError: A run failed.
        NotComparableError: What a workload reads has changed meanwhile.
    """
    runner = prepared.inputs.project.runner
    venue = Venue(
        executor=machine.executor,
        emit=machine.emit,
        environ=machine.environ,
        layout=prepared.layout,
        action=action.id,
        label=action.label,
        runner=None if runner is None else runner.words[0],
    )
    settings = settings or sampling_settings(prepared)
    found = contest(arms, action.workloads, settings, venue, run_s=run_s, leaving=leaving, memory=memory)
    for workload in action.workloads:
        prepared.hashes.check_after(workload)
    prepared.hashes.tell_rewritten(machine.emit)
    return found


def sampling_settings(prepared: Prepared) -> SamplingSettings:
    """How long and how precisely the build profile wants to measure."""
    return make_settings(prepared.build_profile)


def make_settings(build_profile: BuildProfile) -> SamplingSettings:
    """How long and how precisely a build profile wants to measure."""
    asked, gates = build_profile.measure, build_profile.gates
    return SamplingSettings(
        precision=asked.fixed_precision,
        min_effect=asked.min_effect,
        max_time_s=asked.max_time_s,
        confidence=asked.confidence,
        seed=secrets.randbits(32),
        allocations_share=_ALLOCATIONS_SHARE if asked.allocations or gates.max_allocation_growth is not None else 0.0,
    )
