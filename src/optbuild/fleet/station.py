"""A unit on a machine of a cluster: a builder builds it, a benchmark worker measures it. Read `build` and `measure`.

Not for how documents and contents get there: this module takes and gives JSON documents and bytes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import psutil

from optbuild import __version__
from optbuild.errors import InterruptedRunError, OptbuildError, ToolchainError
from optbuild.events import Emit
from optbuild.execution.local import LocalExecutor
from optbuild.execution.stopping import StopRequest
from optbuild.files import MARKER, claim_directory, remove_below, tail_of
from optbuild.fleet.actions import Action, Built, Outcome
from optbuild.fleet.ending import end_unit
from optbuild.fleet.limit import find_cause, limited
from optbuild.fleet.parcels import Contents, Listing, pack, unpack
from optbuild.fleet.placing import Placer
from optbuild.fleet.sources import PlacedSource, SourceStore, place_of
from optbuild.fleet.trees import describe_file, find_all_files
from optbuild.fleet.turns import HostTurns
from optbuild.fleet.units import SourceKind
from optbuild.project.layout import Layout
from optbuild.record.model import RunRecord, WarningRecord
from optbuild.session.apart import BuiltApart, build_apart
from optbuild.session.measure_apart import Bench, measure_apart
from optbuild.session.request import Machine, RunRequest
from optbuild.session.run import RunFailedError
from optbuild.session.run import run as run_project
from optbuild.text import sanitize

STATION = "optbuild_station"
"""The attribute of a worker that holds its means."""
_BUSY_PERCENT = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """One worker's means.

    Attributes:
        name: What people call the worker.
        directory: Its own, emptied before each unit.
        stop: Made when the worker is asked to end.
    """

    name: str
    directory: Path
    environ: Mapping[str, str]
    platform: str
    emit: Emit
    stop: StopRequest = field(default_factory=StopRequest)
    turns: HostTurns = field(default_factory=HostTurns)

    @contextmanager
    def machine(self) -> Iterator[Machine]:
        """The access to this machine for one unit, in any thread; nothing that it has started is left in the end."""
        with LocalExecutor(self.emit) as executor, executor.until(self.stop):
            yield Machine(
                executor=executor,
                emit=self.emit,
                environ=self.environ,
                working_directory=self.directory,
                now=_now,
                platform=self.platform,
            )

    def clear(self) -> None:
        """Begin with nothing: what an earlier unit has left takes space."""
        claim_directory(self.directory)
        for place in list(self.directory.iterdir()):
            if place.name != MARKER:
                remove_below(self.directory, place)


def build(action: Action, contents: Contents, station: Station) -> tuple[Built, Contents]:
    """Build a unit, and hand over what is needed to measure it.

    Raises:
        InterruptedRunError: The worker is asked to end.
    """
    started = _now()
    built = Built(worker=station.name, identity=action.identity)
    with station.machine() as machine, station.turns.building(), limited(action.unit, machine.executor):
        began_s = time.monotonic()
        try:
            _require_version(action)
            station.clear()
            source, placer = _lay_out(action, contents, machine, station.directory)
            built = replace(built, identity=source.identity)
            placer = replace(placer, proposed=placer.propose(action.unit, source))
            placement = placer.place(action.unit, source)
            found = build_apart(_make_request(action, placement.manifest.parent), machine, placement)
            built = replace(built, taken_s=time.monotonic() - began_s)
            return _hand_over(built, found, source, placer)
        except RunFailedError as failure:
            record, error = failure.record, find_cause(failure.error, action.unit)
        except OptbuildError as caught:
            record, error = None, find_cause(caught, action.unit)
    if isinstance(error, InterruptedRunError):
        raise error
    times = (started, _now())
    ended = end_unit(action.unit, times, identity=built.identity, record=record, error=error)
    return replace(built, failure=replace(ended, log=_end_of_log(error, station.directory))), {}


def measure(action: Action, built: Built, contents: Contents, station: Station) -> Outcome:
    """Measure what was built, alone on this machine.

    Args:
        action: The unit.
        built: What a builder has made of it.
        contents: Of the files that `built` lists; for a unit that is built here, those of `action`.
        station: This worker.

    Raises:
        InterruptedRunError: The worker is asked to end.
    """
    if built.failure is not None:
        return Outcome(result=built.failure, worker=built.worker)
    started = _now()
    record, error = None, None
    warnings: tuple[WarningRecord, ...] = ()
    with (
        station.machine() as machine,
        station.turns.measuring(),
        limited(action.unit, machine.executor, taken_s=built.taken_s),
    ):
        try:
            _require_version(action)
            station.clear()
            warnings = await_idle(action.idle_within_s)
            if built.stays:
                record = _do_whole(action, contents, machine, station.directory)
            elif built.record is not None and len(built.variants) > 0:
                record = measure_apart(built.record, _open_bench(action, built, contents, machine, station.directory))
            else:
                record = built.record
        except RunFailedError as failure:
            record, error = failure.record, find_cause(failure.error, action.unit)
        except OptbuildError as caught:
            record, error = built.record, find_cause(caught, action.unit)
    if isinstance(error, InterruptedRunError):
        raise error
    times = (started, _now())
    result = end_unit(action.unit, times, identity=built.identity, record=record, error=error, warnings=warnings)
    return Outcome(result=replace(result, log=_end_of_log(error, station.directory)), worker=station.name)


def _end_of_log(error: OptbuildError | None, directory: Path) -> str:
    """The end of the log that an error names, for it is deleted with the directory of this worker."""
    place = None if error is None or error.location is None else Path(error.location)
    if place is None or not place.is_relative_to(directory) or not place.is_file():
        return ""
    return sanitize(tail_of(place).decode("utf-8", "replace"))


def await_idle(within_s: float) -> tuple[WarningRecord, ...]:
    """Wait until nothing else uses this machine, but not for ever; what is to be said if it stays busy."""
    deadline_s = time.monotonic() + within_s
    while True:
        busy_percent = psutil.cpu_percent(interval=min(1.0, max(within_s, 0.1)))
        if busy_percent <= _BUSY_PERCENT:
            return ()
        if time.monotonic() >= deadline_s:
            return (
                WarningRecord(
                    code="busy-host",
                    message=f"other programs used {busy_percent:.0f}% of the machine when measuring began",
                    help="let nothing else run on the machine of a benchmark worker",
                ),
            )


def _lay_out(action: Action, contents: Contents, machine: Machine, root: Path) -> tuple[PlacedSource, Placer]:
    """Put the files of a unit where they are built, or fetch them there."""
    fleet = unpack(action.beside, contents, root / "fleet", owned=root)
    placer = Placer(fleet=fleet, owned=root, machine=machine)
    source = replace(action.unit.source, place=action.url or action.unit.source.place)
    if source.kind is not SourceKind.PATH:
        return SourceStore(fleet=fleet, owned=root, machine=machine).place(source), placer
    return _unpack_sources(action, action.sources, contents, root), placer


def _unpack_sources(action: Action, listing: Listing, contents: Contents, root: Path) -> PlacedSource:
    home = place_of(action.unit.source, root)
    top = home / "source"
    directory = unpack(listing, contents, top, owned=root)
    return PlacedSource(directory=directory, identity=action.identity or "", home=home, top=top)


def _hand_over(built: Built, found: BuiltApart, source: PlacedSource, placer: Placer) -> tuple[Built, Contents]:
    """What a benchmark worker needs: the project's files, and the programs of every variant."""
    built = replace(built, record=found.record, proposed=placer.proposed, stays=found.stays)
    if found.stays or not found.variants:
        return built, {}
    top = source.top or source.directory
    files = find_all_files(top, start=source.directory)
    names = {
        variant: {name: f"{variant}/{path.name}" for name, path in programs.items()}
        for variant, programs in found.variants.items()
    }
    paths = {names[variant][name]: path for variant, own in found.variants.items() for name, path in own.items()}
    programs = {name: describe_file(path) for name, path in paths.items()}
    contents = {**pack(files), **{file.sha256: paths[name].read_bytes() for name, file in programs.items()}}
    built = replace(
        built,
        sources=Listing.of(files),
        programs=Listing(files=programs),
        variants=names,
        default_bin=found.default_bin,
    )
    return built, contents


def _open_bench(action: Action, built: Built, contents: Contents, machine: Machine, root: Path) -> Bench:
    source = _unpack_sources(action, built.sources, contents, root)
    programs = unpack(built.programs, contents, root / "programs", owned=root)
    fleet = unpack(action.beside, contents, root / "fleet", owned=root)
    placer = Placer(fleet=fleet, owned=root, machine=machine, proposed=built.proposed)
    build_profile, _ = placer.find_profile(action.unit, source)
    if action.max_time_s is not None:
        measure_settings = replace(build_profile.measure, max_time_s=action.max_time_s)
        build_profile = replace(build_profile, measure=measure_settings)
    return Bench(
        layout=Layout.apart(root),
        build_profile=build_profile,
        variants={
            variant: {name: programs / file for name, file in files.items()}
            for variant, files in built.variants.items()
        },
        default_bin=built.default_bin,
        machine=machine,
    )


def _do_whole(action: Action, contents: Contents, machine: Machine, root: Path) -> RunRecord:
    """Build and measure here, where measuring needs what built it."""
    source, placer = _lay_out(action, contents, machine, root)
    placement = placer.place(action.unit, source)
    return run_project(_make_request(action, placement.manifest.parent), machine, placement)


def _make_request(action: Action, directory: Path) -> RunRequest:
    return RunRequest(
        directory=directory,
        variants=action.unit.variants,
        jobs=action.jobs,
        max_time_s=action.max_time_s,
        keep_going=action.keep_going,
        command_line=action.command_line,
    )


def _require_version(action: Action) -> None:
    if action.optbuild_version != __version__:
        raise ToolchainError(
            f"this worker has optbuild {__version__}, and the fleet was submitted by {action.optbuild_version}",
            help=f"install the same on both: pip install cargo-optbuild[fleet]=={action.optbuild_version}",
        )


def _now() -> datetime:
    return datetime.now(UTC)
