"""How long a unit of a fleet may take in all: what it runs is ended, and the unit fails.

A workload has its own timeout; this is for all the rest: a build script that waits for ever, a project that is
larger than it seemed.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from optbuild.errors import InterruptedRunError, OptbuildError, UnitTimeoutError
from optbuild.execution.command import ConcurrentExecutor
from optbuild.execution.stopping import StopRequest
from optbuild.fleet.units import Unit
from optbuild.units import format_duration

_NUMBER = signal.SIGALRM
"""Tells the end of the time from a signal, which ends the whole fleet."""


@contextmanager
def limited(unit: Unit, executor: ConcurrentExecutor, *, taken_s: float = 0.0) -> Iterator[None]:
    """End what any thread runs once the unit has had its time.

    Args:
        unit: Says how long it may take.
        executor: Runs its programs.
        taken_s: What it has had of it before, on another machine.
    """
    if unit.timeout_s is None:
        yield
        return
    stop = StopRequest()
    timer = threading.Timer(max(0.0, unit.timeout_s - taken_s), stop.make, [_NUMBER])
    timer.daemon = True
    timer.start()
    try:
        with executor.until(stop):
            yield
    finally:
        timer.cancel()
        timer.join()
        stop.close()


def find_cause(error: OptbuildError, unit: Unit) -> OptbuildError:
    """What ended a unit: the end of its time, or the error itself."""
    if not isinstance(error, InterruptedRunError) or error.signal_number != _NUMBER or unit.timeout_s is None:
        return error
    return UnitTimeoutError(
        f"{unit.label} took longer than its timeout of {format_duration(unit.timeout_s)}; what it ran was ended",
        help="give it more time: `timeout` of the project in the fleet's file; or fewer `variants`",
    )
