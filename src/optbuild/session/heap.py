"""`optbuild heap`: build a variant that can be observed, run its workloads below DHAT, and say where it allocates.

`heap` shows the whole process; `read_heap` does the same with a file that a program wrote itself.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from optbuild import __version__
from optbuild.errors import OptbuildError, ToolchainError, UsageError, WorkloadError
from optbuild.events import ActionFailed, ActionFinished, ActionStarted, Level, Notice
from optbuild.observe.heap import Allocations, HeapObserver, find_allocations
from optbuild.observe.recording import record
from optbuild.observe.sites import compare_sites, find_sites, total_of
from optbuild.record.heap import HeapDocument, HeapOfWorkload
from optbuild.session.observing import ObservedBuild, built_to_observe, make_resolver
from optbuild.session.request import Machine, RunRequest
from optbuild.text import sanitize_line
from optbuild.toolchain.lookup import find_program
from optbuild.tools.allocators import STATIC, find_linked_allocator
from optbuild.tools.dhat import SHORT_LIVED_INSTRUCTIONS, DhatProfile, parse_profile
from optbuild.units import format_bytes
from optbuild.workloads.invocation import Invocation, Kind
from optbuild.workloads.running import set_up

_SHORT_LIVED = {"instrs": "{} instructions", "µs": "{} µs"}
_FROM = "let the program count itself with the crate dhat, and call: optbuild heap --from dhat-heap.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeapRequest:
    """What to look at.

    Attributes:
        run: Which project, and how it is built.
        variant: Its name.
        base: The variant that it is compared with.
        workload: The only one to run; None takes all benchmark workloads.
    """

    run: RunRequest
    variant: str
    base: str | None = None
    workload: str | None = None


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
    valgrind = _find_valgrind(machine)
    names = (request.variant,) if request.base is None else (request.base, request.variant)
    with built_to_observe(replace(request.run, bench_only=request.workload), names, machine) as build:
        workloads = _choose_countable(build)
        counted = [_count(workload, build, valgrind, machine) for workload in workloads]
    found = [_describe(workload.name, counts, request) for workload, counts in zip(workloads, counted, strict=True)]
    return HeapDocument(
        optbuild_version=__version__,
        tool="dhat",
        variant=request.variant,
        base=request.base,
        files=(),
        short_lived=_SHORT_LIVED["instrs"].format(SHORT_LIVED_INSTRUCTIONS),
        allocator=next((counts[request.variant].allocator for counts in counted), None),
        workloads=tuple(found),
    )


def read_heap(file: Path, base: Path | None, machine: Machine) -> HeapDocument:
    """What is in a file of DHAT or of the crate `dhat`; nothing is built or run.

    Args:
        file: The file.
        base: Another one that it is compared with.
        machine: Where a relative path begins.

    Raises:
        UsageError: A file is missing, or is none of DHAT.
    """
    profile = _load(machine.working_directory / file)
    sites = find_sites(profile)
    before = None if base is None else find_sites(_load(machine.working_directory / base))
    unit = _SHORT_LIVED.get(profile.time_unit, f"{{}} {profile.time_unit}").format(profile.short_lived)
    return HeapDocument(
        optbuild_version=__version__,
        tool="dhat-rs" if profile.mode.startswith("rust-") else "dhat",
        variant=None,
        base=None,
        files=tuple(str(each) for each in (file, base) if each is not None),
        short_lived=unit if profile.knows_lifetimes else None,
        allocator=None,
        workloads=(
            HeapOfWorkload(
                workload=None,
                total=total_of(sites),
                base_total=None if before is None else total_of(before),
                sites=sites,
                differences=() if before is None else compare_sites(before, sites),
            ),
        ),
    )


def _load(path: Path) -> DhatProfile:
    try:
        return parse_profile(path.read_bytes())
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}",
            help="name a file that valgrind's DHAT or the crate dhat has written",
            location=str(path),
        ) from error
    except ValueError as error:
        raise UsageError(
            f"{path} cannot be used: {error}",
            help="write one with `valgrind --tool=dhat PROGRAM`, or with the crate dhat in heap mode",
            location=str(path),
        ) from error


def _find_valgrind(machine: Machine) -> Path:
    found = find_program("valgrind", machine.environ)
    if found is None:
        raise ToolchainError(
            "valgrind is not on PATH, which counts allocations",
            help=f"install it with the system's package manager, as in: apt-get install valgrind; or {_FROM}",
        )
    return found


def _require_visible(binaries: Mapping[str, Path], variant: str) -> str | None:
    """The allocator that a variant's programs bring along, if any.

    Raises:
        ToolchainError: They are static: valgrind cannot replace any function of them.
    """
    found = {find_linked_allocator(path.read_bytes()) for path in binaries.values()}
    if STATIC in found:
        raise ToolchainError(
            f"the programs of variant {variant} are linked statically: valgrind sees none of their allocations",
            help=f"build for a target with a shared C library, such as x86_64-unknown-linux-gnu; or {_FROM}",
        )
    return next((name for name in found if name is not None), None)


def _require_seen(found: Allocations, variant: str, workload: Invocation, allocator: str | None) -> None:
    """Refuse figures that would all be too small.

    Raises:
        WorkloadError: None of the project's programs ran.
        ToolchainError: The programs' own code was never seen to allocate, and they bring an allocator along.
    """
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
        f"variant {variant} allocates with {allocator}, which is linked into it: valgrind sees none of its allocations",
        help="look at a variant that uses the system's allocator (a Cargo feature that leaves out "
        f"#[global_allocator]); or {_FROM}",
    )


def _choose_countable(build: ObservedBuild) -> tuple[Invocation, ...]:
    """The workloads whose allocations are those of the program, and the same in every run.

    Raises:
        ToolchainError: The programs are started by a runner.
        WorkloadError: There is none.
    """
    runner = build.ledger.prepared.inputs.project.runner
    if runner is not None:
        raise ToolchainError(
            f"programs for this target are run by {sanitize_line(runner.words[0])}, whose allocations would be counted",
            help='build for this machine: target = "host"',
        )
    found = tuple(workload for workload in build.workloads if workload.kind is not Kind.CARGO)
    if not found:
        raise WorkloadError(
            "every benchmark workload is run by cargo: such a bench repeats its work until a time has passed, so that "
            "its allocations say nothing",
            help="write a [[workloads]] table with `command` or `server`, or name a command: optbuild heap VARIANT "
            "-- {bin} ARGS",
        )
    return found


def _count(workload: Invocation, build: ObservedBuild, valgrind: Path, machine: Machine) -> Mapping[str, _Counted]:
    """Run each variant once on a workload."""
    places = build.place(workload)
    resolver = make_resolver(build, machine)
    observer = HeapObserver(path=valgrind, names_inlined=resolver.program is None)
    sources = build.ledger.prepared.inputs.project.workspace_root
    found = {}
    with set_up(machine.executor, workload, next(iter(places.values()))):
        for name, place in places.items():
            allocator = _require_visible(place.binaries, name)
            with _reported(name, workload, machine) as outcome:
                recording = record(machine.executor, observer, workload, place, build.directory / "recording")
                profiles = [profile for program in recording.programs for profile in program]
                allocations = find_allocations(profiles, place.binaries.values(), resolver, sources)
                _require_seen(allocations, name, workload, allocator)
                outcome.append(allocations)
            found[name] = _Counted(allocations=allocations, allocator=allocator)
    _tell_left_out(workload, found.values(), machine)
    return found


@contextmanager
def _reported(variant: str, workload: Invocation, machine: Machine) -> Iterator[list[Allocations]]:
    """Tell of a run below DHAT, whose result is put into the list."""
    label = f"{variant}: count the allocations of {sanitize_line(workload.name)}"
    action, outcome = f"heap-{variant}-{workload.slug}", list[Allocations]()
    machine.emit(ActionStarted(action=action, label=label))
    began_s = time.monotonic()
    try:
        yield outcome
    except OptbuildError as error:
        machine.emit(ActionFailed(action=action, label=label, duration_s=time.monotonic() - began_s))
        if isinstance(error, WorkloadError):
            error.message += ", run by valgrind"
            if "SIGILL" in error.message:
                error.help = "valgrind lacks some instructions: look at a variant without `target-cpu`"
        raise
    total = total_of(outcome[0].sites)
    said = f"{format_bytes(total.bytes)} in {total.blocks:,} blocks"
    machine.emit(ActionFinished(action=action, label=label, duration_s=time.monotonic() - began_s, outcome=said))


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
