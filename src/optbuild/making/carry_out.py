"""Carry out plans: plans in, binaries and evidence out."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
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
        (built,) = carry_out_together([self])
        return built

    def begin(self, jobserver: Jobserver | None, began_s: float) -> Scheduler:
        """What does what is left, from now on."""
        tools = make_tools(self.site, jobserver)
        tools.sources.hashes = self._sources
        return make_scheduler(self._progress, tools, self.site, jobserver, began_s=began_s - self._wall_s)

    def end(self, scheduler: Scheduler, took_s: float, *, is_finished: bool) -> Built:
        """What came of all parts so far.

        Args:
            scheduler: What did the last one.
            took_s: How long that took.
            is_finished: Nothing ended it, nor what was carried out alongside it.
        """
        self._wall_s += took_s
        changed_by = _check_sources(scheduler.tools.sources)
        return self._progress.finish(
            ended_by=scheduler.ended_by or changed_by,
            wall_s=self._wall_s if is_finished else None,
            are_sources_unchanged=changed_by is None,
        )


def carry_out_together(makings: Sequence[Making], loans: tuple[Loan, ...] = ()) -> tuple[Built, ...]:
    """Do everything in several plans except their measuring, side by side under the budget of the first site.

    Args:
        makings: Of plans that write to different directories, with the same executor and number of jobs.
        loans: Target directories of one that begin as copies of another's.

    Returns:
        The outcome of each. What ends one ends all; it is part of the outcome of the plan that it came from, and a
        signal is part of each.
    """
    jobs = makings[0].site.jobs
    jobserver = None if jobs is None else Jobserver(jobs)
    try:
        return _carry_out(makings, jobserver, loans)
    finally:
        if jobserver is not None:
            jobserver.close()


def _carry_out(makings: Sequence[Making], jobserver: Jobserver | None, loans: tuple[Loan, ...]) -> tuple[Built, ...]:
    began_s = time.monotonic()
    members = tuple(making.begin(jobserver, began_s) for making in makings)
    is_finished = True
    try:
        make_together(members, makings[0].site, jobserver, loans).run()
    except OptbuildError as error:
        is_finished = False
        for member in members if isinstance(error, InterruptedRunError) else ():
            member.ended_by = member.ended_by or error
    took_s = time.monotonic() - began_s
    ended = zip(makings, members, strict=True)
    return tuple(making.end(member, took_s, is_finished=is_finished) for making, member in ended)


def make_scheduler(
    progress: Progress, tools: Tools, site: Site, jobserver: Jobserver | None, *, began_s: float
) -> Scheduler:
    """The scheduler for the actions of a plan, which began to be carried out at a time of the monotonic clock."""
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
