"""`optbuild flamegraph`: build a variant so that its stacks can be seen, and sample it on its benchmark workloads."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from optbuild.errors import ToolchainError, UsageError
from optbuild.events import Level, Notice
from optbuild.observe.discover import Discovered, discover_sampler
from optbuild.observe.inlining import InlineResolver
from optbuild.observe.profiles import Profiled, WorkloadProfile
from optbuild.observe.taking_turns import Turns
from optbuild.session.observing import OBSERVABLE_FLAGS, ObservedBuild, built_to_observe, make_resolver
from optbuild.session.request import Machine, RunRequest
from optbuild.text import sanitize_line
from optbuild.tools.perf_record import CallGraph
from optbuild.units import format_share

DEFAULT_MAX_TIME_S = 60.0
_NOTICED_SHARE = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class FlamegraphRequest:
    """What to record.

    Attributes:
        run: Which project, and how it is built; its `max_time_s` is what the recordings of one workload may take.
        base: The variant to compare with, if any.
        workload: The one benchmark workload; None takes all.
        call_graph: How stacks are found. By DWARF, the variant is recorded exactly as it is built for use.
    """

    run: RunRequest
    variant: str
    base: str | None = None
    workload: str | None = None
    call_graph: CallGraph = CallGraph.FRAME_POINTERS


def profile_variants(request: FlamegraphRequest, machine: Machine) -> tuple[Profiled, Path]:
    """Build, and record in turns; also say where pages go that nobody names a file for.

    Raises:
        UsageError: The request cannot be met.
        ToolchainError: Nothing here can sample.
        OptbuildError: A build, a training or a workload failed.
    """
    names = tuple(name for name in (request.base, request.variant) if name is not None)
    if len(set(names)) != len(names):
        raise UsageError(f"{request.variant} cannot be compared with itself", help="name another variant with --diff")
    asked = replace(request.run, bench_only=request.workload)
    found = _find_sampler(request, machine)  # before anything is built for it
    rustflags = OBSERVABLE_FLAGS if request.call_graph is CallGraph.FRAME_POINTERS else ()
    with built_to_observe(asked, names, machine, rustflags=rustflags) as build:
        resolver = make_resolver(build, machine)
        if (runner := build.ledger.prepared.inputs.project.runner) is not None:
            raise ToolchainError(
                f"programs are started by {runner.words[0]} (from {runner.origin}), which would be recorded instead",
                help="record them on a machine where they run by themselves",
            )
        notes = _notes(found, resolver)
        for note in notes:
            build.ledger.emit(Notice(level=Level.WARNING, code="observing", message=note))
        turns = Turns(
            executor=machine.executor,
            observer=found.observer,
            resolver=resolver,
            emit=build.ledger.emit,
            directory=build.directory / "recording",
            max_time_s=request.run.max_time_s or DEFAULT_MAX_TIME_S,
        )
        profiles = tuple(turns.profile(workload, build.place(workload)) for workload in build.workloads)
        project = build.ledger.prepared.inputs.project.directory.name
        pages = build.ledger.prepared.layout.flame_graphs
        _warn_of_unnamed(profiles, build)
    profiled = Profiled(project=project, variant=request.variant, base=request.base, workloads=profiles, notes=notes)
    return profiled, pages


def _find_sampler(request: FlamegraphRequest, machine: Machine) -> Discovered:
    with tempfile.TemporaryDirectory(prefix="optbuild-") as scratch:
        return discover_sampler(machine.executor, machine.environ, Path(scratch), call_graph=request.call_graph)


def _warn_of_unnamed(profiles: tuple[WorkloadProfile, ...], build: ObservedBuild) -> None:
    """Say when a good part of the time is in functions without a name, as in a stripped program."""
    for each in profiles:
        for arm, profile in each.arms.items():
            share = profile.samples.unnamed_share
            if share > _NOTICED_SHARE:
                message = f"{format_share(share)} of the time of {arm} on {sanitize_line(each.workload)} has no name"
                remedy = 'leave out --unwind dwarf, or do not strip the variant: strip = "none", debug = "limited"'
                build.ledger.emit(Notice(level=Level.WARNING, code="no-names", message=message, help=remedy))


def _notes(found: Discovered, resolver: InlineResolver) -> tuple[str, ...]:
    """What a reader of the result has to know about how it was recorded."""
    notes = []
    if found.passed_over:
        notes.append(f"{found.passed_over}; callgrind counted instructions, without the kernel")
    if resolver.program is None:
        notes.append("neither llvm-symbolizer nor addr2line is installed: inlined functions are part of their callers")
    return tuple(notes)
