"""`optbuild heap`: build a variant with line tables, run its workloads below DHAT, and say where it allocates.

`heap` shows the whole process; `read_heap` does the same with a file that a program wrote itself.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from optbuild import __version__
from optbuild.errors import ToolchainError, UsageError
from optbuild.events import ActionFailed, ActionFinished, ActionStarted, Level, Notice
from optbuild.files import remove_below, writing
from optbuild.observe.heap import HeapRecorder, HeapRecording
from optbuild.observe.sites import AllocationSite, compare_sites, find_sites, total_of
from optbuild.record.heap import HeapDocument, HeapOfWorkload
from optbuild.session.observed import Observed, observed
from optbuild.session.request import Machine, RunRequest
from optbuild.text import sanitize_line
from optbuild.toolchain.lookup import find_program
from optbuild.tools import symbolizer
from optbuild.tools.allocators import STATIC, find_linked_allocator
from optbuild.tools.dhat import DhatProfile, parse_profile
from optbuild.units import format_bytes
from optbuild.workloads.invocation import Invocation
from optbuild.workloads.placing import place_together
from optbuild.workloads.programs import Place

_PLACE = "heap"
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
    with observed(request.run, names, request.workload, machine) as found:
        allocators = {name: _require_visible(found.binaries[name], name) for name in names}
        recordings = {
            (name, workload.name): _record(found, name, workload, valgrind, machine)
            for workload in found.workloads
            for name in names
        }
        remove_below(found.prepared.layout.root, found.prepared.layout.root / _PLACE)
        for (name, workload), recording in recordings.items():
            _require_seen(recording, name, workload, allocators[name])
    return HeapDocument(
        optbuild_version=__version__,
        tool="dhat",
        variant=request.variant,
        base=request.base,
        files=(),
        short_lived="500 instructions",
        allocator=allocators[request.variant],
        workloads=tuple(_describe(workload.name, recordings, request) for workload in found.workloads),
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


def _find_symbolizer(observed_: Observed, machine: Machine) -> Path | None:
    major = observed_.prepared.inputs.toolchain.rustc.llvm_major
    found = (find_program(name, machine.environ) for name in symbolizer.list_programs(major))
    return next((path for path in found if path is not None), None)


def _require_visible(binaries: Mapping[str, Path], variant: str) -> str | None:
    """The allocator that a variant's programs bring along, if any.

    Raises:
        ToolchainError: They are static: valgrind cannot replace any function of them.
    """
    found = {find_linked_allocator(path.read_bytes()) for path in binaries.values()}
    if STATIC in found:
        raise ToolchainError(
            f"the programs of variant {variant} are linked statically, so that valgrind sees none of their allocations",
            help=f"build for a target with a shared C library, such as x86_64-unknown-linux-gnu; or {_FROM}",
        )
    return next((name for name in found if name is not None), None)


def _require_seen(recording: HeapRecording, variant: str, workload: str, allocator: str | None) -> None:
    """Refuse figures of a program whose own code was never seen to allocate: they would all be too small."""
    if recording.own_blocks or not recording.sites or allocator is None:
        return
    raise ToolchainError(
        f"variant {variant} allocates with {allocator}, which is linked into it: valgrind sees none of its allocations "
        f"on workload {sanitize_line(workload)}",
        help="look at a variant that uses the system's allocator (a Cargo feature that leaves out "
        f"#[global_allocator]); or {_FROM}",
    )


def _record(found: Observed, variant: str, workload: Invocation, valgrind: Path, machine: Machine) -> HeapRecording:
    root = found.prepared.layout.root
    directory = root / _PLACE
    remove_below(root, directory)
    with writing(directory):
        directory.mkdir(parents=True)
    recorder = HeapRecorder(
        executor=machine.executor,
        valgrind=valgrind,
        symbolizer=_find_symbolizer(found, machine),
        sources=found.prepared.inputs.project.workspace_root,
        environ=machine.environ,
        directory=directory,
    )
    place = Place(
        root=root,
        binaries=place_together(found.binaries[variant], directory / "bin", root=root),
        stdout=directory / "stdout",
        stderr=directory / "stderr",
        extra_env={},
    )
    label = f"{variant}: count the allocations of {sanitize_line(workload.name)}"
    machine.emit(ActionStarted(action=_PLACE, label=label))
    began_s = time.monotonic()
    try:
        recording = recorder.record(workload, place)
    except BaseException:
        machine.emit(ActionFailed(action=_PLACE, label=label, duration_s=time.monotonic() - began_s))
        raise
    total = total_of(recording.sites)
    outcome = f"{format_bytes(total.bytes)} in {total.blocks:,} blocks"
    machine.emit(ActionFinished(action=_PLACE, label=label, duration_s=time.monotonic() - began_s, outcome=outcome))
    if recording.left_out:
        names = ", ".join(map(sanitize_line, recording.left_out))
        message = (
            f"workload {sanitize_line(workload.name)} also ran {names}: allocations of other programs are left out"
        )
        machine.emit(Notice(level=Level.INFO, code="left-out", message=message))
    return recording


def _describe(
    workload: str, recordings: Mapping[tuple[str, str], HeapRecording], request: HeapRequest
) -> HeapOfWorkload:
    recording = recordings[request.variant, workload]
    before: tuple[AllocationSite, ...] | None = None
    if request.base is not None:
        before = recordings[request.base, workload].sites
    return HeapOfWorkload(
        workload=workload,
        total=total_of(recording.sites),
        base_total=None if before is None else total_of(before),
        sites=recording.sites,
        differences=() if before is None else compare_sites(before, recording.sites),
        processes=recording.processes,
        left_out=recording.left_out,
    )
