"""`optbuild fleet run`: the units of a fleet one after the other on this machine. Read `run_fleet` first."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from optbuild import __version__
from optbuild.errors import InterruptedRunError, OptbuildError
from optbuild.events import Level, Notice, labelled
from optbuild.files import claim_directory
from optbuild.fleet.ending import end_unit
from optbuild.fleet.limit import find_cause, limited
from optbuild.fleet.load import load_fleet
from optbuild.fleet.placing import Placer
from optbuild.fleet.results import ResultStore, UnitResult, UnitStatus
from optbuild.fleet.shards import Shard, units_of
from optbuild.fleet.sources import SourceStore
from optbuild.fleet.summary import FleetReport, report_on_store
from optbuild.fleet.units import SourceKind, Unit, make_units
from optbuild.record.lock import hold_lock
from optbuild.session.request import Machine, RunRequest
from optbuild.session.run import RunFailedError
from optbuild.session.run import run as run_project

OUT_NAME = "target/optbuild-fleet"
"""Where results are without `--out`, next to the fleet's file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetRequest:
    """What to do of a fleet.

    Attributes:
        file: The fleet's file, absolute.
        out: Where results go; None stands for a directory next to the file.
        shard: Only this part of it.
        keep_going: Continue with other variants of a project when one fails.
        fresh: Do finished units again.
    """

    file: Path
    out: Path | None = None
    shard: Shard | None = None
    jobs: int | None = None
    max_time_s: float | None = None
    keep_going: bool = False
    fresh: bool = False
    wait: bool = True
    command_line: tuple[str, ...] = ()

    @property
    def directory(self) -> Path:
        """Where results go."""
        return self.file.parent / OUT_NAME if self.out is None else self.out


def run_fleet(request: FleetRequest, machine: Machine) -> FleetReport:
    """Do the units of a fleet, or of a shard of it, that are not done yet; one that fails ends no other.

    Raises:
        UsageError: The fleet's file, or a build profile next to it, cannot be used: nothing was run.
        LockHeldError: Another run writes to the same directory, and this one may not wait.
        StorageError: A result cannot be kept.
        InterruptedRunError: A signal arrived; what was finished is kept.
    """
    with opened(request, machine) as (units, store):
        runner = UnitRunner(request=request, machine=machine)
        sources = open_sources(request, machine)
        for number, unit in enumerate(units, start=1):
            if is_done(unit, store, request, sources):
                tell(machine, "kept", f"{unit.label}: it was done before (--fresh does it again)")
                continue
            tell(machine, "unit", f"unit {number} of {len(units)}: {unit.label}")
            store.save(runner.do(unit))
        return report_on_store(store, units)


@contextmanager
def opened(request: FleetRequest, machine: Machine) -> Iterator[tuple[tuple[Unit, ...], ResultStore]]:
    """The units that are asked for and the place for their results, which nobody else writes to meanwhile."""
    fleet = load_fleet(request.file)
    units = make_units(fleet)
    store = ResultStore(directory=request.directory)
    claim_directory(store.directory)
    with hold_lock(store.directory / "lock", wait=request.wait, emit=machine.emit):
        store.save_list(units)
        yield units if request.shard is None else units_of(units, request.shard), store


def open_sources(request: FleetRequest, machine: Machine) -> SourceStore:
    """Where the sources of a fleet are put."""
    return SourceStore(fleet=request.file.parent, owned=request.directory, machine=machine)


def is_done(unit: Unit, store: ResultStore, request: FleetRequest, sources: SourceStore) -> bool:
    """Whether a unit has a result that still stands: of this version of optbuild, and of the same sources."""
    found = None if request.fresh else store.find(unit.id)
    if found is None or found.status is not UnitStatus.COMPLETE or found.optbuild_version != __version__:
        return False
    # a commit, a tag and a version are taken to be what they were; the files of a path may be others
    return unit.source.kind is not SourceKind.PATH or sources.place(unit.source).identity == found.source_identity


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitRunner:
    """Does units on this machine."""

    request: FleetRequest
    machine: Machine

    def do(self, unit: Unit) -> UnitResult:
        """Do one unit.

        Raises:
            InterruptedRunError: A signal arrived.
        """
        started = self.machine.now()
        machine = replace(self.machine, emit=labelled(self.machine.emit, unit.label))
        identity, record, error = None, None, None
        try:
            with limited(unit, machine.executor):
                source = open_sources(self.request, machine).place(unit.source)
                identity = source.identity
                placer = Placer(fleet=self.request.file.parent, owned=self.request.directory, machine=machine)
                placement = placer.place(unit, source)
                record = run_project(self._make_request(unit, placement.manifest.parent), machine, placement)
        except RunFailedError as failure:
            record, error = failure.record, find_cause(failure.error, unit)
        except OptbuildError as caught:
            error = find_cause(caught, unit)
        if isinstance(error, InterruptedRunError):
            raise error
        if error is not None:
            where = "" if error.location is None else f" ({error.location})"
            machine.emit(Notice(level=Level.ERROR, code=error.code, message=error.message, help=f"{error.help}{where}"))
        times = (started, self.machine.now())
        return end_unit(unit, times, identity=identity, record=record, error=error)

    def _make_request(self, unit: Unit, directory: Path) -> RunRequest:
        return RunRequest(
            directory=directory,
            variants=unit.variants,
            jobs=self.request.jobs,
            max_time_s=self.request.max_time_s,
            keep_going=self.request.keep_going,
            fresh=self.request.fresh,
            wait=self.request.wait,
            command_line=self.request.command_line,
        )


def tell(machine: Machine, code: str, message: str) -> None:
    """Say something to people."""
    machine.emit(Notice(level=Level.INFO, code=code, message=message))
