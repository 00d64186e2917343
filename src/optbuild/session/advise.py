"""`optbuild advise`: look at one variant before several are built, and say what can pay.

Each workload is sampled, and run once more below DHAT where there is time for that. Benches that measure themselves run
once, and their times are looked at.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from optbuild import __version__
from optbuild.errors import WorkloadError
from optbuild.events import Level, Notice, reported
from optbuild.observe.advice import advise as judge
from optbuild.observe.benches import find_folded
from optbuild.observe.discover import Discovered, discover_sampler
from optbuild.observe.heap import HEAP_SLOWDOWN, HeapObserver, find_allocations
from optbuild.observe.observation import Observation
from optbuild.observe.profiles import ArmProfile
from optbuild.observe.recording import record
from optbuild.observe.sites import AllocationSite, total_of
from optbuild.observe.taking_turns import Turns
from optbuild.plan.draft import resolve_lto
from optbuild.plan.kinds.compile import Compile
from optbuild.plan.planner import baseline_name
from optbuild.project.cargo_profile import WITH_LTO
from optbuild.record.advice import AdviceDocument, AdviceOnWorkload
from optbuild.session.observing import ObservedBuild, built_to_observe, make_resolver
from optbuild.session.opening import load_for
from optbuild.session.request import Machine, RunRequest
from optbuild.session.stalls import StallClock
from optbuild.text import sanitize_line
from optbuild.tools.allocators import STATIC, find_linked_allocator
from optbuild.tools.elf import read_symbol_sizes
from optbuild.units import format_duration
from optbuild.workloads.invocation import Invocation, Kind
from optbuild.workloads.programs import Place
from optbuild.workloads.running import run_workload, set_up

DEFAULT_MAX_TIME_S = 30.0
_COUNTING_S = 60.0
"""A workload that would take longer below DHAT is not counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdviseRequest:
    """What to look at.

    Attributes:
        run: Which project, and how it is built; its `max_time_s` is what sampling one workload may take.
        variant: Its name; None takes the baseline.
        workload: The only one to run; None takes all benchmark workloads.
    """

    run: RunRequest
    variant: str | None = None
    workload: str | None = None


def advise(request: AdviseRequest, machine: Machine) -> AdviceDocument:
    """Build the variant, observe its workloads, and say what can pay.

    Raises:
        OptbuildError: The request cannot be met, nothing here can sample, or a build or a workload failed.
    """
    variant = request.variant or baseline_name(load_for(request.run, machine))
    with built_to_observe(replace(request.run, bench_only=request.workload), (variant,), machine) as build:
        sampler = None
        if any(workload.kind is not Kind.CARGO for workload in build.workloads):
            sampler = discover_sampler(machine.executor, machine.environ, build.directory)
            _tell_passed_over(sampler, build)
        found = tuple(
            _look_at_benches(workload, build.place(workload)[variant], machine)
            if sampler is None or workload.kind is Kind.CARGO
            else _observe(workload, variant, build, sampler, request, machine)
            for workload in build.workloads
        )
    tool = None if sampler is None else sampler.observer.name
    return AdviceDocument(optbuild_version=__version__, variant=variant, tool=tool, workloads=found)


def _tell_passed_over(sampler: Discovered, build: ObservedBuild) -> None:
    if sampler.passed_over:
        message = f"{sampler.passed_over}; callgrind counts instructions instead, without the kernel"
        build.ledger.emit(Notice(level=Level.WARNING, code="observing", message=message))


def _observe(
    workload: Invocation,
    variant: str,
    build: ObservedBuild,
    sampler: Discovered,
    request: AdviseRequest,
    machine: Machine,
) -> AdviceOnWorkload:
    place = build.place(workload)[variant]
    turns = Turns(
        executor=machine.executor,
        observer=sampler.observer,
        resolver=make_resolver(build, machine),
        emit=build.ledger.emit,
        directory=build.directory / "recording",
        max_time_s=request.run.max_time_s or DEFAULT_MAX_TIME_S,
    )
    stalls = StallClock()
    profile = turns.profile(workload, {variant: place}).arms[variant]
    stalled = stalls.share()
    linked = _find_linked(place)
    sites, notes = _count(workload, place, build, machine, profile, linked)
    seen = Observation(
        samples=profile.samples,
        wall_s=profile.wall_s,
        cpu_s=profile.cpu_s,
        stalled_share=stalled,
        sites=sites,
        own_crates=_own_crates(build),
        sizes_bytes=_sizes(profile, place),
        has_lto=_has_lto(build),
        allocator=None if linked == STATIC else linked,
    )
    advice = judge(seen)
    if not profile.samples.unit.is_time:
        notes.append("callgrind does not see the kernel: its share is unknown, and those of the others are too large")
    if seen.waiting_share is None:
        notes.append("how long it waits is not known: other programs kept the CPUs busy meanwhile")
    total = None if sites is None else total_of(sites)
    return AdviceOnWorkload(
        workload=workload.name,
        summary=advice.summary,
        wall_s=profile.wall_s,
        cpu_s=profile.cpu_s,
        samples=profile.count,
        waiting_ratio=advice.waiting_share,
        parts=advice.parts,
        allocated_blocks=None if total is None else total.blocks,
        allocated_bytes=None if total is None else total.bytes,
        findings=advice.findings,
        prospects=advice.prospects,
        notes=tuple(notes),
    )


def _find_linked(place: Place) -> str | None:
    """The allocator that one of the programs brings along."""
    found = (find_linked_allocator(path.read_bytes()) for path in place.binaries.values())
    return next((each for each in found if each is not None), None)


def _count(
    workload: Invocation,
    place: Place,
    build: ObservedBuild,
    machine: Machine,
    profile: ArmProfile,
    linked: str | None,
) -> tuple[tuple[AllocationSite, ...] | None, list[str]]:
    """Where a workload allocates, or why that is not known."""
    valgrind = shutil.which("valgrind", path=machine.environ.get("PATH"))
    needed_s = profile.cpu_s * HEAP_SLOWDOWN
    if valgrind is None:
        return None, ["allocations were not counted: valgrind is not installed"]
    if needed_s > _COUNTING_S:
        return None, [
            f"allocations were not counted: that may take {format_duration(needed_s)}; optbuild heap takes the time"
        ]
    resolver = make_resolver(build, machine)
    observer = HeapObserver(path=Path(valgrind), names_inlined=resolver.program is None)
    action, label = f"heap-{workload.slug}", f"count the allocations of {sanitize_line(workload.name)}"
    try:
        with reported(machine.emit, action, label), set_up(machine.executor, workload, place):
            recording = record(machine.executor, observer, workload, place, build.directory / "recording")
    except WorkloadError as error:
        return None, [f"allocations were not counted: {sanitize_line(error.message)}"]
    profiles = [each for program in recording.programs for each in program]
    sources = build.ledger.prepared.inputs.project.workspace_root
    found = find_allocations(profiles, place.binaries.values(), resolver, sources)
    if not found.own_blocks and linked is not None:
        return None, [f"allocations were not counted: valgrind does not see those of {linked}"]
    return found.sites, []


def _look_at_benches(workload: Invocation, place: Place, machine: Machine) -> AdviceOnWorkload:
    """Benches measure themselves: run them once, and see whether their times say anything."""
    with set_up(machine.executor, workload, place):
        run = run_workload(machine.executor, workload, place)
    findings = tuple(find_folded(run.benchmarks))
    count = len(run.benchmarks)
    note = f"{count} benchmark{'s measure themselves' if count != 1 else ' measures itself'}; {len(findings)} of them "
    note += "look as if their work had been removed"
    if not count:
        note = "nothing can be said: what cargo runs is not sampled, and it prints no times of benchmarks; name a "
        note += "workload with `command`: optbuild advise -- {bin} ARGS"
    return AdviceOnWorkload(
        workload=workload.name,
        summary="",
        wall_s=None,
        cpu_s=None,
        samples=None,
        waiting_ratio=None,
        parts={},
        allocated_blocks=None,
        allocated_bytes=None,
        findings=findings,
        prospects=(),
        notes=(note,),
    )


def _own_crates(build: ObservedBuild) -> frozenset[str]:
    """The names of crates of the project's own packages, and of their programs."""
    packages = build.ledger.prepared.inputs.project.packages
    names = [name for package in packages for name in (package.name, *(target.name for target in package.bins))]
    return frozenset(name.replace("-", "_") for name in names)


def _sizes(profile: ArmProfile, place: Place) -> Mapping[str, int]:
    symbols = {stack.frames[-1].symbol for stack in profile.samples.stacks if stack.frames}
    symbols |= {frame.symbol for stack in profile.samples.stacks for frame in stack.frames[-8:] if not frame.is_inlined}
    found: dict[str, int] = {}
    for path in place.binaries.values():
        found |= read_symbol_sizes(path.read_bytes(), symbols)
    return found


def _has_lto(build: ObservedBuild) -> bool:
    compilations = [each for each in build.ledger.plan.actions if isinstance(each, Compile)]
    return any(resolve_lto(each.recipe, build.ledger.prepared.inputs) in WITH_LTO for each in compilations)
