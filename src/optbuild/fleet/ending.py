"""The result of a unit from what came of its run."""

from __future__ import annotations

from datetime import datetime

from optbuild.errors import OptbuildError
from optbuild.fleet.results import UnitResult, UnitStatus
from optbuild.fleet.units import Unit
from optbuild.record.host import describe_host
from optbuild.record.model import ErrorRecord, RunRecord, RunStatus, WarningRecord

_STATUS = {
    RunStatus.COMPLETE: UnitStatus.COMPLETE,
    RunStatus.INCOMPLETE: UnitStatus.INCOMPLETE,
    RunStatus.FAILED: UnitStatus.FAILED,
}


def end_unit(
    unit: Unit,
    times: tuple[datetime, datetime],
    *,
    identity: str | None,
    record: RunRecord | None = None,
    error: OptbuildError | None = None,
    warnings: tuple[WarningRecord, ...] = (),
) -> UnitResult:
    """The result of a unit on this machine.

    Args:
        unit: The unit.
        times: When it began and ended.
        identity: What exactly its sources are.
        record: Its run, as far as it came.
        error: What ended it.
        warnings: Those that are not in the record.
    """
    status = UnitStatus.FAILED if error is not None or record is None else _STATUS[record.status]
    started, finished = (time.isoformat(timespec="seconds") for time in times)
    return UnitResult(
        unit=unit,
        status=status,
        exit_code=error.status if error is not None else 0 if record is None else record.exit_code,
        source_identity=identity,
        started_at=started,
        finished_at=finished,
        host=describe_host(),
        record=record,
        warnings=warnings,
        error=ErrorRecord.of(error) if error is not None else None if record is None else record.error,
    )
