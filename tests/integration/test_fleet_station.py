"""A unit on the machine of a worker, without a cluster around it: what is built where, and what a worker cannot do."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from optbuild.events import Event
from optbuild.fleet.actions import Action
from optbuild.fleet.distributed_run import make_preparer
from optbuild.fleet.load import load_fleet
from optbuild.fleet.parcels import Contents
from optbuild.fleet.results import UnitStatus
from optbuild.fleet.run import FleetRequest
from optbuild.fleet.station import Station, build, measure
from optbuild.fleet.turns import HostTurns
from optbuild.fleet.units import make_units
from optbuild.record.variants import VariantStatus
from tests.integration.fleet_cases import write_fleet
from tests.integration.optbuild_program import Optbuild, edit
from tests.integration.test_faults_storage import Mount, mount

__all__ = ["mount"]

pytestmark = pytest.mark.cargo


def ignore(_event: Event) -> None:
    """Show nobody anything."""


def station(directory: Path, environ: Mapping[str, str]) -> Station:
    """A worker that writes in a directory of its own."""
    turns = HostTurns(directory=directory.parent)
    return Station(
        name=directory.name, directory=directory, environ=environ, platform=sys.platform, emit=ignore, turns=turns
    )


def prepare_unit(file: Path, environ: Mapping[str, str]) -> tuple[Action, Contents]:
    """What is sent to workers for the first unit of a fleet."""
    fleet = load_fleet(file)
    with station(file.parent / "sender", environ).machine() as machine:
        prepare = make_preparer(fleet, FleetRequest(file=file), machine, idle_within_s=0.001)
        return prepare(make_units(fleet)[0])


@pytest.fixture
def fleet(optbuild: Optbuild, tmp_path: Path) -> Path:
    """The file of a fleet, whose first project can be built."""
    return write_fleet(tmp_path / "fleet", optbuild)


def test_what_cargo_runs_is_built_and_measured_by_the_benchmark_worker(
    optbuild: Optbuild, fleet: Path, tmp_path: Path
) -> None:
    """A builder hands over no program of it; all of it is done where it is measured, and nothing twice."""
    edit(fleet.parent / "fast.toml", 'command = ["{bin}", "turns.txt"]', 'cargo = ["run", "--", "../../turns.txt"]')
    (fleet.parent / "turns.txt").replace(fleet.parent / "app/turns.txt")
    edit(fleet.parent / "fast.toml", "../../turns.txt", "turns.txt")
    action, contents = prepare_unit(fleet, optbuild.environ)
    built, handed = build(action, contents, station(tmp_path / "builder", optbuild.environ))
    assert (built.failure, built.stays, handed) == (None, "a workload is run by cargo", {})
    assert not list((tmp_path / "builder").rglob("artifacts/*/*/turns*"))
    outcome = measure(action, built, contents, station(tmp_path / "bench", optbuild.environ))
    assert (outcome.worker, outcome.result.status) == ("bench", UnitStatus.COMPLETE)
    assert outcome.result.source_identity == action.identity
    record = outcome.result.record
    assert record is not None
    assert {variant.status for variant in record.variants} <= {VariantStatus.BUILT, VariantStatus.REUSED}
    assert record.benchmarks
    assert list((tmp_path / "bench").rglob("small/app"))


def test_a_full_disk_of_a_worker_is_no_fault_of_the_unit(
    optbuild: Optbuild, fleet: Path, tmp_path: Path, mount: Mount
) -> None:
    """Whether its files do not fit or what cargo makes of them: exit code 17, so that another worker tries."""
    action, contents = prepare_unit(fleet, optbuild.environ)
    for name, inodes in (("full-at-once", 10), ("full-while-it-builds", 60)):
        mount(tmp_path / name, f"size=1g,nr_inodes={inodes}")
        built, _ = build(action, contents, station(tmp_path / name, optbuild.environ))
        assert built.failure is not None
        assert (built.failure.exit_code, built.failure.status) == (17, UnitStatus.FAILED), name
    built, handed = build(action, contents, station(tmp_path / "roomy", optbuild.environ))
    assert built.failure is None
    outcome = measure(action, built, {**contents, **handed}, station(tmp_path / "bench", optbuild.environ))
    assert outcome.result.status is UnitStatus.COMPLETE


def test_an_action_of_another_version_is_not_done(optbuild: Optbuild, fleet: Path, tmp_path: Path) -> None:
    """Even if it gets as far as a worker; both versions are named."""
    action, contents = prepare_unit(fleet, optbuild.environ)
    built, _ = build(
        replace(action, optbuild_version="9.9.9"), contents, station(tmp_path / "builder", optbuild.environ)
    )
    assert built.failure is not None
    assert built.failure.error is not None
    assert built.failure.exit_code == 3
    assert "submitted by 9.9.9" in built.failure.error.message
