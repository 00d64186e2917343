"""`optbuild heap`: build a variant that can be observed, run its workloads below a tool, and say where it allocates."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from optbuild import __version__
from optbuild.errors import ToolchainError, UsageError, WorkloadError
from optbuild.events import Level, Notice, reported
from optbuild.observe.heap import Allocations, HeapObserver, HeapProfile, HeaptrackObserver, find_allocations
from optbuild.observe.inlining import InlineResolver
from optbuild.observe.observer import Observer
from optbuild.observe.recording import record
from optbuild.observe.sites import compare_sites, total_of
from optbuild.record.heap import HeapDocument, HeapOfWorkload, HeapTool
from optbuild.session.heap_file import words_of
from optbuild.session.observing import ObservedBuild, built_to_observe, make_resolver
from optbuild.session.request import Machine, RunRequest
from optbuild.text import sanitize_line
from optbuild.toolchain.lookup import find_program
from optbuild.toolchain.observers import HEAPTRACK_REMEDY, find_heaptrack
from optbuild.tools.allocators import STATIC, find_linked_allocator
from optbuild.tools.dhat import SHORT_LIVED_INSTRUCTIONS
from optbuild.units import format_bytes
from optbuild.workloads.invocation import Invocation, Kind
from optbuild.workloads.running import set_up

_FROM = "let the program count itself with the crate dhat, and call: optbuild heap --from dhat-heap.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeapRequest:
    """What to look at.

    Attributes:
        run: Which project, and how it is built.
        variant: Its name.
        base: The variant that it is compared with.
        workload: The only one to run; None takes all benchmark workloads.
        tool: What counts: valgrind's DHAT, or heaptrack.
    """

    run: RunRequest
    variant: str
    base: str | None = None
    workload: str | None = None
    tool: HeapTool = HeapTool.DHAT


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counted:
    """One variant on one workload, and the allocator that it brings along."""

    allocations: Allocations
    allocator: str | None


def heap(request: HeapRequest, machine: Machine) -> HeapDocument:
    """Build, run each workload below DHAT, and find the places in the source that allocate.

    Raises:
        OptbuildError: The request cannot be met, a build or a run failed, or the allocations cannot be seen.
    """
    if request.base == request.variant:
        raise UsageError(
            f"variant {request.variant} cannot be compared with itself", help="name another one: --diff BASE"
        )
    watcher = _find_watcher(request.tool, machine)
    names = (request.variant,) if request.base is None else (request.base, request.variant)
    asked = replace(request.run, bench_only=request.workload)
    with built_to_observe(asked, names, machine, sees_allocations=True) as build:
        workloads = _choose_countable(build)
        counted = [_count(workload, build, watcher, machine) for workload in workloads]
    found = [_describe(workload.name, counts, request) for workload, counts in zip(workloads, counted, strict=True)]
    return HeapDocument(
        optbuild_version=__version__,
        tool=request.tool,
        variant=request.variant,
        base=request.base,
        files=(),
        short_lived=words_of("instrs", SHORT_LIVED_INSTRUCTIONS) if request.tool is HeapTool.DHAT else None,
        allocator=next((counts[request.variant].allocator for counts in counted), None),
        workloads=tuple(found),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Watcher:
    """What watches programs.

    Attributes:
        program: What it is called in messages.
        make_observer: Makes what runs a workload's programs below it, by what names inlined functions afterwards.
    """

    tool: HeapTool
    program: str
    make_observer: Callable[[InlineResolver], Observer[tuple[HeapProfile, ...]]]


def _find_watcher(tool: HeapTool, machine: Machine) -> _Watcher:
    """The tool that was asked for."""
    if tool is HeapTool.HEAPTRACK:
        heaptrack = find_heaptrack(machine.environ)
        if heaptrack is None:
            raise ToolchainError(
                "heaptrack is not on PATH, or its library is not where its script says",
                help=f"install it with the system's package manager, as in: {HEAPTRACK_REMEDY}; or count with "
                "valgrind: --tool dhat",
            )
        by_heaptrack = HeaptrackObserver(executor=machine.executor, environ=machine.environ, heaptrack=heaptrack)
        return _Watcher(tool=tool, program="heaptrack", make_observer=lambda _: by_heaptrack)
    valgrind = find_program("valgrind", machine.environ)
    if valgrind is None:
        raise ToolchainError(
            "valgrind is not on PATH, which counts allocations",
            help=f"install it with the system's package manager, as in: apt-get install valgrind; or {_FROM}",
        )
    return _Watcher(
        tool=tool,
        program="valgrind",
        make_observer=lambda resolver: HeapObserver(path=valgrind, names_inlined=resolver.program is None),
    )


def _require_visible(binaries: Mapping[str, Path], variant: str, watcher: _Watcher) -> str | None:
    """The allocator that a variant's programs bring along, if any."""
    found = {find_linked_allocator(path.read_bytes()) for path in binaries.values()}
    if STATIC in found:
        raise ToolchainError(
            f"the programs of variant {variant} are linked statically: {watcher.program} sees none of their "
            "allocations",
            help=f"build for a target with a shared C library, such as x86_64-unknown-linux-gnu; or {_FROM}",
        )
    return next((name for name in found if name is not None), None)


def _require_seen(
    found: Allocations, variant: str, workload: Invocation, allocator: str | None, watcher: _Watcher
) -> None:
    """Refuse figures that would all be too small."""
    if not found.processes and found.left_out and watcher.tool is HeapTool.HEAPTRACK:
        raise WorkloadError(
            f"workload {sanitize_line(workload.name)!r} starts {sanitize_line(found.left_out[0])}, and heaptrack does "
            "not follow what that starts",
            help="let the workload's command be {bin} itself, or count with valgrind: --tool dhat",
            location=str(workload.cwd),
        )
    if not found.processes:
        raise WorkloadError(
            f"workload {sanitize_line(workload.name)!r} ran none of the programs that are built here, or they were "
            "killed",
            help="let its command start {bin}, and let that end by itself",
            location=str(workload.cwd),
        )
    if found.own_blocks or allocator is None:
        return
    raise ToolchainError(
        f"variant {variant} allocates with {allocator}, which is linked into it: {watcher.program} sees none of its "
        "allocations",
        help="look at a variant that uses the system's allocator (a Cargo feature that leaves out "
        f"#[global_allocator]); or {_FROM}",
    )


def _choose_countable(build: ObservedBuild) -> tuple[Invocation, ...]:
    """The workloads whose allocations are those of the program, and the same in every run."""
    runner = build.ledger.prepared.inputs.project.runner
    if runner is not None:
        raise ToolchainError(
            f"programs for this target are run by {sanitize_line(runner.words[0])}, whose allocations would be counted",
            help='build for this machine: target = "host"',
        )
    found = tuple(workload for workload in build.workloads if workload.kind is not Kind.CARGO)
    if not found:
        raise WorkloadError(
            "every benchmark workload is run by cargo: such a bench repeats its work until a time has passed, so "
            "its allocations say nothing",
            help="write a [[workloads]] table with `command` or `server`, or name a command: optbuild heap VARIANT "
            "-- {bin} ARGS",
        )
    return found


def _count(workload: Invocation, build: ObservedBuild, watcher: _Watcher, machine: Machine) -> Mapping[str, _Counted]:
    """Run each variant once on a workload."""
    places = build.place(workload)
    resolver = make_resolver(build, machine)
    observer = watcher.make_observer(resolver)
    sources = build.ledger.prepared.inputs.project.workspace_root
    found = {}
    with set_up(machine.executor, workload, next(iter(places.values()))):
        for name, place in places.items():
            allocator = _require_visible(place.binaries, name, watcher)
            label = f"{name}: count the allocations of {sanitize_line(workload.name)}"
            with reported(machine.emit, f"heap-{name}-{workload.slug}", label) as ending, _naming(watcher):
                recording = record(machine.executor, observer, workload, place, build.directory / "recording")
                profiles = [profile for program in recording.programs for profile in program]
                allocations = find_allocations(profiles, place.binaries.values(), resolver, sources)
                _require_seen(allocations, name, workload, allocator, watcher)
                total = total_of(allocations.sites)
                ending.outcome = f"{format_bytes(total.bytes)} in {total.blocks:,} blocks"
            found[name] = _Counted(allocations=allocations, allocator=allocator)
    _tell_left_out(workload, found.values(), machine)
    return found


@contextmanager
def _naming(watcher: _Watcher) -> Iterator[None]:
    """Name what watched a program, in errors that it may have caused."""
    try:
        yield
    except WorkloadError as error:
        if watcher.program not in error.message:
            error.message += f", run by {watcher.program}"
        if "SIGILL" in error.message and watcher.tool is HeapTool.DHAT:
            error.help = "valgrind lacks some instructions: look at a variant without `target-cpu`"
        raise


def _tell_left_out(workload: Invocation, counted: Iterable[_Counted], machine: Machine) -> None:
    others = dict.fromkeys(name for each in counted for name in each.allocations.left_out)
    if others:
        names = ", ".join(map(sanitize_line, others))
        message = f"{sanitize_line(workload.name)} also ran {names}: allocations of other programs are left out"
        machine.emit(Notice(level=Level.INFO, code="left-out", message=message))


def _describe(workload: str, counted: Mapping[str, _Counted], request: HeapRequest) -> HeapOfWorkload:
    found = counted[request.variant].allocations
    before = None if request.base is None else counted[request.base].allocations.sites
    return HeapOfWorkload(
        workload=workload,
        total=total_of(found.sites),
        base_total=None if before is None else total_of(before),
        sites=found.sites,
        differences=() if before is None else compare_sites(before, found.sites),
        processes=found.processes,
        left_out=found.left_out,
    )
