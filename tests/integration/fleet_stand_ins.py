"""What workers are given to do in the place of builds and measurements: quick, and as unfortunate as a test wants it.

A unit's name says what happens to it; a file in the directory of the environment's TMPDIR, that it has happened.
"""

from __future__ import annotations

import os
import signal
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from distributed import get_worker

from optbuild.errors import StorageError
from optbuild.fleet.actions import Built, Outcome, parse_action, parse_built, render_built, render_outcome
from optbuild.fleet.ending import end_unit
from optbuild.fleet.results import UnitResult
from optbuild.fleet.tasks import Parcel
from optbuild.fleet.units import Unit
from tests.unit.fleet_cases import make_result


def build(action: str, contents: dict[str, bytes]) -> Parcel:
    """Build nothing; `kill-builder` ends its process once, `full-disk` fails where it is built first.

    `stranded` fails where it is built first, and ends the process of the second builder.
    """
    unit = parse_action(action).unit
    worker = get_worker().address
    _note("build", unit)
    times = len(list(Path(tempfile.gettempdir()).glob(f"{unit.project}@build@*")))
    if ("kill-builder" in unit.project and _is_first(unit)) or ("stranded" in unit.project and times == 2):
        os.kill(os.getpid(), signal.SIGKILL)
    built = Built(worker=worker)
    if ("full-disk" in unit.project and _is_first(unit)) or ("stranded" in unit.project and times == 1):
        error = StorageError("no space left on device", help="free some disk space")
        built = Built(worker=worker, failure=_failure(unit, error))
    return {"document": render_built(built), "contents": {**contents, "binary": b"\x7fELF" * 1000}}


def measure(action: str, parcel: Parcel) -> str:
    """Measure nothing; `kill-bench` ends its process once, after it has measured."""
    unit = parse_action(action).unit
    worker = get_worker().address
    built = parse_built(parcel["document"])
    _note("measure", unit)
    if built.failure is not None:
        return render_outcome(Outcome(result=built.failure, worker=built.worker))
    if "kill-bench" in unit.project and _is_first(unit):
        os.kill(os.getpid(), signal.SIGKILL)
    if "wait" in unit.project:
        _wait_for("go")
    return render_outcome(Outcome(result=make_result(unit, -0.1), worker=worker))


def done(place: Path, what: str) -> list[str]:
    """The units that were built or measured so far, in order, each as often as it was."""
    return sorted(path.name.split("@")[0] for path in place.glob(f"*@{what}@*"))


def _failure(unit: Unit, error: StorageError) -> UnitResult:
    now = datetime.now(UTC)
    return end_unit(unit, (now, now), identity=None, error=error)


def _note(what: str, unit: Unit) -> None:
    descriptor, _ = tempfile.mkstemp(prefix=f"{unit.project}@{what}@")
    os.close(descriptor)


def _is_first(unit: Unit) -> bool:
    try:
        (Path(tempfile.gettempdir()) / f"{unit.project}.once").touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def _wait_for(name: str) -> None:
    place = Path(tempfile.gettempdir()) / name
    while not place.exists():
        time.sleep(0.05)
