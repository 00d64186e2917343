"""Carry out a plan: plan in, binaries and evidence out."""

from __future__ import annotations

import time
from functools import partial

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
    progress = Progress(plan)
    jobserver = None if site.jobs is None else Jobserver(site.jobs)
    try:
        return _carry_out(progress, make_tools(site, jobserver), site, jobserver)
    finally:
        if jobserver is not None:
            jobserver.close()


def _carry_out(progress: Progress, tools: Tools, site: Site, jobserver: Jobserver | None) -> Built:
    began_s = time.monotonic()
    ended_by: OptbuildError | None = None
    try:
        make_scheduler(progress, tools, site, jobserver).run()
    except OptbuildError as error:
        ended_by = error
    wall_s = time.monotonic() - began_s if ended_by is None else None
    changed_by = _check_sources(tools.sources)
    return progress.finish(ended_by=ended_by or changed_by, wall_s=wall_s, are_sources_unchanged=changed_by is None)


def make_scheduler(progress: Progress, tools: Tools, site: Site, jobserver: Jobserver | None) -> Scheduler:
    """The scheduler for the actions of a plan."""
    budget = Budget()
    if jobserver is not None:
        budget = Budget(jobs=jobserver.jobs, memory_bytes=site.free_memory_bytes, peaks=site.peaks_bytes)
    return Scheduler(
        progress=progress,
        decisions=Decisions(
            progress=progress, tools=tools, emit=site.emit, keep_going=site.keep_going, is_late=site.is_late
        ),
        dispatcher=Dispatcher(tools=tools, results=progress.so_far.results, emit=site.emit, last_s=site.durations_s),
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
