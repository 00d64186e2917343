"""Carry out plans: plans in, binaries and evidence out."""

from __future__ import annotations

import time
from collections.abc import Sequence
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
from optbuild.making.order.together import Loan, Together
from optbuild.making.order.workers import Workers
from optbuild.making.tools import Site, Tools, make_tools
from optbuild.plan.model import Plan


def carry_out(plan: Plan, site: Site) -> Built:
    """Do everything in a plan except its measuring.

    Returns:
        The outcome. An error that ends the run early is part of it (`ended_by`) and is not raised: finished results are
        kept.
    """
    (built,) = carry_out_together([(plan, site)])
    return built


def carry_out_together(works: Sequence[tuple[Plan, Site]], loans: tuple[Loan, ...] = ()) -> tuple[Built, ...]:
    """Do everything in several plans except their measuring, side by side under the budget of the first site.

    Args:
        works: Plans that write to different directories, with the same executor and number of jobs.
        loans: Target directories of one that begin as copies of another's.

    Returns:
        The outcome of each. What ends one ends all; it is part of the outcome of the plan that it came from, and a
        signal is part of each.
    """
    jobs = works[0][1].jobs
    jobserver = None if jobs is None else Jobserver(jobs)
    try:
        schedulers = tuple(
            make_scheduler(Progress(plan), make_tools(site, jobserver), site, jobserver) for plan, site in works
        )
        return _carry_out(make_together(schedulers, works[0][1], jobserver, loans))
    finally:
        if jobserver is not None:
            jobserver.close()


def _carry_out(together: Together) -> tuple[Built, ...]:
    began_s = time.monotonic()
    ended = False
    try:
        together.run()
    except OptbuildError as error:
        ended = True
        for member in together.members if isinstance(error, InterruptedRunError) else ():
            member.ended_by = member.ended_by or error
    wall_s = None if ended else time.monotonic() - began_s
    return tuple(_finish(member, wall_s) for member in together.members)


def _finish(member: Scheduler, wall_s: float | None) -> Built:
    changed_by = _check_sources(member.tools.sources)
    return member.progress.finish(
        ended_by=member.ended_by or changed_by, wall_s=wall_s, are_sources_unchanged=changed_by is None
    )


def make_scheduler(progress: Progress, tools: Tools, site: Site, jobserver: Jobserver | None) -> Scheduler:
    """The scheduler for the actions of a plan."""
    return Scheduler(
        progress=progress,
        decisions=Decisions(
            progress=progress, tools=tools, emit=site.emit, keep_going=site.keep_going, is_late=site.is_late
        ),
        dispatcher=Dispatcher(tools=tools, results=progress.so_far.results, emit=site.emit, last_s=site.durations_s),
        tools=tools,
        emit=site.emit,
        budget=_make_budget(site, jobserver),
    )


def make_together(
    members: tuple[Scheduler, ...], site: Site, jobserver: Jobserver | None, loans: tuple[Loan, ...] = ()
) -> Together:
    """What carries out the actions of all of them."""
    return Together(
        members=members,
        budget=members[0].budget,
        make_workers=partial(Workers[Performed], site.executor, jobserver),
        loans=loans,
    )


def _make_budget(site: Site, jobserver: Jobserver | None) -> Budget:
    if jobserver is None:
        return Budget()
    return Budget(jobs=jobserver.jobs, memory_bytes=site.free_memory_bytes, peaks=site.peaks_bytes)


def _check_sources(sources: SourceWatch) -> OptbuildError | None:
    """What is wrong with the sources now; a signal during the check also ends the run."""
    try:
        changed = sources.changed()
    except InterruptedRunError as error:
        return error
    return sources_changed(changed) if changed else None
