"""Measure what is ready to run, whatever asked for it: instructions, then times with what is left of the budget."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from optbuild.events import Level, Notice
from optbuild.measure.counting import Count, InstructionCounting
from optbuild.measure.machine_checks import MachineCheck, check_machine
from optbuild.measure.measurement import Measurement, SamplingSettings
from optbuild.measure.sampler import Sampler
from optbuild.record import assemble
from optbuild.record.model import RunRecord

_COUNTING_SHARE = 0.1
"""Of the budget: more is spent on counting only where nothing else is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """All that was measured, and under which circumstances."""

    settings: SamplingSettings
    checks: tuple[MachineCheck, ...]
    counts: tuple[Count, ...]
    measurement: Measurement

    def added_to(self, record: RunRecord) -> RunRecord:
        """The record with all of it."""
        return replace(
            record,
            benchmarks=assemble.describe_benchmarks(self.measurement),
            resources=assemble.describe_resources(self.measurement),
            instructions=assemble.describe_counts(self.counts),
            comparisons=self.measurement.analysis.comparisons,
            measure=assemble.describe_measuring(self.measurement, self.settings),
            noise=assemble.describe_noise(self.measurement, self.checks),
        )


def measure(
    sampler: Sampler, *, environ: Mapping[str, str], action_id: str, label: str, runner: str | None = None
) -> Measured:
    """Count and time, and warn of what is to be known about the result.

    Args:
        sampler: With the settings that were asked for.
        environ: The caller's environment, in whose PATH the tools for counting are looked for.
        action_id: Of the measuring.
        label: Of the measuring, for people.
        runner: What starts programs that do not run here by themselves.

    Raises:
        WorkloadError: A run failed.
    """
    settings = sampler.settings
    counting = InstructionCounting(
        executor=sampler.executor,
        emit=sampler.emit,
        environ=environ,
        root=sampler.root,
        arms=sampler.arms.variants,
        workloads=sampler.workloads,
        run_s=sampler.run_s,
        most_s=_COUNTING_SHARE * settings.max_time_s,
        runner=runner,
    )
    counts, counted_s = counting.count()
    sampler.settings = replace(settings, max_time_s=max(0.0, settings.max_time_s - counted_s))
    checks = check_machine()
    measurement = sampler.measure(action_id, label)
    for warning in measurement.warnings:
        sampler.emit(Notice(level=Level.WARNING, code="measurement", message=warning))
    return Measured(settings=settings, checks=checks, counts=counts, measurement=measurement)
