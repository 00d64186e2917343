"""What Dask calls in the process of a worker before its first task: the worker gets the means to do units."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from optbuild.fleet.station import STATION, Station

if TYPE_CHECKING:
    from distributed import Worker

    from optbuild.events import Emit, Event


def dask_setup(worker: Worker) -> None:
    """Give a worker its means; what happens is reported only in the record of the unit.

    A terminal sends its interrupt to this process as well; who submitted the fleet ends it in order.
    """
    signal.signal(signal.SIGINT, lambda *_: None)  # not ignored: programs that are started would inherit that
    set_up(worker, _say_nothing)


def dask_teardown(worker: Worker) -> None:
    """End what a worker has started, which would keep it for as long as a build takes."""
    station: Station = getattr(worker, STATION)
    station.stop.make()


def set_up(worker: Worker, emit: Emit) -> Station:
    """Give a worker its means."""
    station = Station(
        name=worker.address,
        directory=Path(worker.local_directory) / "optbuild",
        environ=dict(os.environ),  # noqa: TID251 - the worker's own, read where its process begins
        platform=sys.platform,
        emit=emit,
    )
    setattr(worker, STATION, station)
    return station


def _say_nothing(_event: Event) -> None:
    pass
