"""One report from the results of several machines, which may overlap: each unit counts once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from optbuild.errors import UsageError
from optbuild.events import Emit, Level, Notice
from optbuild.files import atomic_copy, claim_directory
from optbuild.fleet.results import ResultStore, UnitStatus
from optbuild.fleet.summary import FleetReport, UnitSummary, make_report, summarise
from optbuild.fleet.units import Unit
from optbuild.text import sanitize_line

_BEST_FIRST = (UnitStatus.COMPLETE, UnitStatus.INCOMPLETE, UnitStatus.FAILED)


@dataclass(slots=True, kw_only=True)
class _Merging:
    """What was found so far; of each result only what a report shows.

    Attributes:
        places: The file that counts for each unit.
    """

    found: dict[str, UnitSummary] = field(default_factory=dict)
    ranks: dict[str, tuple[int, str]] = field(default_factory=dict)
    places: dict[str, Path] = field(default_factory=dict)
    duplicates: list[str] = field(default_factory=list)

    def read(self, store: ResultStore, units: Iterable[Unit]) -> Iterator[Path]:
        """Read the results of a directory; the files that should be one and are damaged."""
        for unit in units:
            result = store.find(unit.id)
            if result is None:
                if store.path_of(unit.id).exists():
                    yield store.path_of(unit.id)
                continue
            if unit.id in self.found and unit.id not in self.duplicates:
                self.duplicates.append(unit.id)
            rank = (-_BEST_FIRST.index(result.status), result.finished_at)
            if unit.id not in self.ranks or rank > self.ranks[unit.id]:
                self.found[unit.id], self.ranks[unit.id] = summarise(result), rank
                self.places[unit.id] = store.path_of(unit.id)


def merge(
    directories: Iterable[Path], emit: Emit, *, units: tuple[Unit, ...] = (), out: Path | None = None
) -> FleetReport:
    """Make one report of all results in some directories.

    Of several results of a unit a complete one counts, and of equal ones the newest.

    Args:
        directories: What `fleet run` has written.
        emit: Told of what cannot be read, and of what does not fit together.
        units: What the fleet consists of; default: all that the directories name.
        out: A directory that gets a copy of every result that counts.

    Raises:
        UsageError: A directory holds no results of a fleet, or those of another one.
        StorageError: The copy cannot be written.
    """
    stores = [ResultStore(directory=directory) for directory in directories]
    listed = [store.load_list() for store in stores]
    wanted = units or tuple({unit.id: unit for own in listed for unit in own}.values())
    _refuse_others(stores, listed, wanted)
    merging = _Merging()
    for store in stores:
        for path in merging.read(store, wanted):
            emit(_warning("damaged-result", f"{path} is damaged, and does not count", "do its unit again"))
    report = make_report(wanted, merging.found, merging.duplicates)
    for notice in find_differences(report):
        emit(notice)
    if out is not None:
        _copy(merging.places, wanted, out)
    return report


def find_differences(report: FleetReport) -> Iterator[Notice]:
    """What makes the units of a report less alike than they seem."""
    versions = sorted({unit.optbuild_version for unit in report.units if unit.optbuild_version is not None})
    if len(versions) > 1:
        yield _warning(
            "versions-differ",
            f"the units were measured by several versions of optbuild: {', '.join(map(sanitize_line, versions))}",
            "do those of the older one again",
        )


def _refuse_others(stores: list[ResultStore], listed: list[tuple[Unit, ...]], wanted: tuple[Unit, ...]) -> None:
    ids = {unit.id for unit in wanted}
    for store, own in zip(stores, listed, strict=True):
        if own and ids.isdisjoint(unit.id for unit in own):
            raise UsageError(
                f"{store.directory} holds the results of another fleet: no unit of it belongs to this one",
                help="leave it out, or name the fleet's file that it was made with",
                location=str(store.list_path),
            )


def _copy(places: dict[str, Path], units: tuple[Unit, ...], out: Path) -> None:
    claim_directory(out)
    target = ResultStore(directory=out)
    target.save_list(units)
    for unit_id, path in places.items():
        if path != target.path_of(unit_id):
            atomic_copy(path, target.path_of(unit_id))


def _warning(code: str, message: str, advice: str) -> Notice:
    return Notice(level=Level.WARNING, code=code, message=message, help=advice)
