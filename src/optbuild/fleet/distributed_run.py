"""`optbuild fleet run` on a cluster: the same units and the same results, done by workers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from optbuild.files import claim_directory
from optbuild.fleet.actions import Action
from optbuild.fleet.cluster import connected, local_cluster
from optbuild.fleet.dispatch import Site, Work, dispatch
from optbuild.fleet.load import Fleet, load_fleet
from optbuild.fleet.parcels import Contents, Listing, find_fleet_files, pack
from optbuild.fleet.run import FleetRequest, is_done, open_sources, opened, tell
from optbuild.fleet.summary import FleetReport, report_on_store
from optbuild.fleet.trees import find_tree
from optbuild.fleet.units import SourceKind, Unit, make_units
from optbuild.session.request import Machine


def run_on_cluster(request: FleetRequest, address: str, machine: Machine, *, idle_within_s: float) -> FleetReport:
    """Do the units of a fleet on the cluster at an address; results are kept here, as they come.

    Raises:
        UsageError: The fleet's file, or a build profile next to it, cannot be used: nothing was submitted.
        ToolchainError: The cluster lacks something, now or for too long; what was finished is kept.
        StorageError: A result cannot be kept.
        InterruptedRunError: A signal arrived; what was finished is kept.
    """
    from optbuild.fleet import tasks

    fleet = load_fleet(request.file)
    with opened(request, machine) as (units, store):
        sources = open_sources(request, machine)
        left = []
        for unit in units:
            if is_done(unit, store, request, sources):
                tell(machine, "kept", f"{unit.label}: it was done before (--fresh does it again)")
            else:
                left.append(unit)
        site = Site(
            address=address, connect=connected, work=Work(build=tasks.build, measure=tasks.measure), emit=machine.emit
        )
        prepare = make_preparer(fleet, request, machine, idle_within_s=idle_within_s)
        for result in dispatch(tuple(left), prepare, site):
            store.save(result)
        return report_on_store(store, units)


def run_on_local_cluster(
    request: FleetRequest, builders: int, machine: Machine, *, idle_within_s: float
) -> FleetReport:
    """The same on a cluster of this machine, which ends with it.

    Raises:
        UsageError: As above.
        ToolchainError: Dask is not installed.
    """
    make_units(load_fleet(request.file))  # refused before anything is started
    claim_directory(request.directory)
    with local_cluster(builders, request.directory / "workers") as address:
        return run_on_cluster(request, address, machine, idle_within_s=idle_within_s)


def make_preparer(
    fleet: Fleet, request: FleetRequest, machine: Machine, *, idle_within_s: float
) -> Callable[[Unit], tuple[Action, Contents]]:
    """What is sent for each unit: the files of a path, and those next to the fleet's that it needs."""

    def prepare(unit: Unit) -> tuple[Action, Contents]:
        beside = find_fleet_files(unit, fleet, machine)
        action = Action(
            unit=unit,
            beside=Listing.of(beside),
            jobs=request.jobs,
            max_time_s=request.max_time_s,
            keep_going=request.keep_going,
            idle_within_s=idle_within_s,
            command_line=request.command_line,
        )
        contents = pack(beside)
        if unit.source.kind is SourceKind.PATH:
            tree = find_tree(fleet.directory / unit.source.place, machine)
            return replace(action, sources=Listing.of(tree), identity=tree.id), {**contents, **pack(tree)}
        here: Path = fleet.directory / unit.source.place
        is_here = unit.source.kind is SourceKind.GIT and here.exists()
        return replace(action, url=str(here.resolve()) if is_here else None), contents

    return prepare
