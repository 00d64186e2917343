"""Measure the arms of a prepared project: the settings of its build profile, the contest, and its inputs afterwards."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from optbuild.measure.arms import Arms
from optbuild.measure.contest import Contest, Venue, contest
from optbuild.measure.settings import SamplingSettings
from optbuild.plan.measure import Measure
from optbuild.profile.model import BuildProfile
from optbuild.session.prepare import Prepared
from optbuild.session.request import Machine


def measure(
    arms: Arms, action: Measure, prepared: Prepared, machine: Machine, *, run_s: Mapping[str, float]
) -> Contest:
    """Measure arms on the benchmarks of a plan, and make sure that these read the same all the time.

    Args:
        arms: The baseline first.
        action: The plan's measurement.
        prepared: What the plan belongs to.
        machine: Where; it is told of progress and warnings.
        run_s: About how long one run of each workload takes, by its name.

    Raises:
        WorkloadError: A run failed.
        NotComparableError: What a workload reads has changed meanwhile.
    """
    runner = prepared.inputs.project.runner
    settings = make_settings(prepared.build_profile)
    venue = Venue(
        executor=machine.executor,
        emit=machine.emit,
        environ=machine.environ,
        root=prepared.layout.root,
        directory=action.directory,
        action=action.id,
        label=action.label,
        runner=None if runner is None else runner.argv[0],
    )
    found = contest(arms, action.workloads, settings, venue, run_s=run_s)
    for workload in action.workloads:
        prepared.hashes.check_after(workload)
    prepared.hashes.tell_rewritten(machine.emit)
    return found


def make_settings(build_profile: BuildProfile) -> SamplingSettings:
    """How long and how precisely a build profile asks to measure."""
    asked = build_profile.measure
    return SamplingSettings(
        precision=asked.fixed_precision,
        min_effect=asked.min_effect,
        max_time_s=asked.max_time_s,
        confidence=asked.confidence,
        seed=secrets.randbits(32),
    )
