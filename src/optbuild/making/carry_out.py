"""Carry out a plan: plan in, binaries and evidence out."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from optbuild.errors import InterruptedRunError, OptbuildError
from optbuild.execution.jobserver import Jobserver
from optbuild.making.built import Built
from optbuild.making.cargo.sources import SourceWatch, sources_changed
from optbuild.making.order.decisions import Decisions
from optbuild.making.order.dispatch import Dispatcher, Performed
from optbuild.making.order.exclusivity import Budget
from optbuild.making.order.progress import Progress
from optbuild.making.order.scheduler import Scheduler
from optbuild.making.order.workers import Workers
from optbuild.making.tools import Site, Tools, make_tools
from optbuild.plan.model import Plan


def carry_out(plan: Plan, site: Site) -> Built:
    """Do everything in a plan except its measuring.

    Returns:
        The outcome. An error that ends the run early is part of it (`ended_by`) and is not raised: finished results are
        kept.
    """
    return Making(plan, site).carry_out()


@dataclass(slots=True)
class Making:
    """A plan that may be carried out in parts: each goes on where the one before it ended.

    All parts are made of the same sources: one that has changed since an earlier part ends the run.
    """

    plan: Plan
    site: Site
    _progress: Progress = field(init=False)
    _sources: dict[Path, str | None] = field(init=False, default_factory=dict)
    _wall_s: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        self._progress = Progress(self.plan)

    def leave_out(self, reasons: Mapping[str, str]) -> None:
        """Do not build some variants in the next part; those that were left out before are wanted again.

        Args:
            reasons: Why, by the variant's name.
        """
        self._progress.leave_out(reasons)

    def carry_out(self) -> Built:
        """Do what is left. Returns as the function of this name, with what earlier parts did."""
        jobserver = None if self.site.jobs is None else Jobserver(self.site.jobs)
        try:
            return self._carry_out(make_tools(self.site, jobserver), jobserver)
        finally:
            if jobserver is not None:
                jobserver.close()

    def _carry_out(self, tools: Tools, jobserver: Jobserver | None) -> Built:
        began_s = time.monotonic()
        tools.sources.hashes = self._sources
        ended_by: OptbuildError | None = None
        try:
            make_scheduler(self._progress, tools, self.site, jobserver, began_s=began_s - self._wall_s).run()
        except OptbuildError as error:
            ended_by = error
        self._wall_s += time.monotonic() - began_s
        changed_by = _check_sources(tools.sources)
        return self._progress.finish(
            ended_by=ended_by or changed_by,
            wall_s=self._wall_s if ended_by is None else None,
            are_sources_unchanged=changed_by is None,
        )


def make_scheduler(
    progress: Progress, tools: Tools, site: Site, jobserver: Jobserver | None, *, began_s: float
) -> Scheduler:
    """The scheduler for the actions of a plan, which began to be carried out at a time of the monotonic clock."""
    budget = Budget()
    if jobserver is not None:
        budget = Budget(jobs=jobserver.jobs, memory_bytes=site.free_memory_bytes, peaks=site.peaks_bytes)
    return Scheduler(
        progress=progress,
        decisions=Decisions(
            progress=progress, tools=tools, emit=site.emit, keep_going=site.keep_going, is_late=site.is_late
        ),
        dispatcher=Dispatcher(
            tools=tools, results=progress.so_far.results, emit=site.emit, last_s=site.durations_s, began_s=began_s
        ),
        tools=tools,
        emit=site.emit,
        budget=budget,
        make_workers=partial(Workers[Performed], site.executor, jobserver),
    )


def _check_sources(sources: SourceWatch) -> OptbuildError | None:
    """What is wrong with the sources now; a signal during the check also ends the run."""
    try:
        changed = sources.changed()
    except InterruptedRunError as error:
        return error
    return sources_changed(changed) if changed else None
