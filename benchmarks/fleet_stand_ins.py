"""What workers do in the place of builds and measurements when only the way there and back is measured."""

from __future__ import annotations

from datetime import UTC, datetime

from optbuild.fleet.actions import Built, Outcome, parse_action, parse_built, render_built, render_outcome
from optbuild.fleet.ending import end_unit
from optbuild.fleet.results import UnitResult
from optbuild.fleet.tasks import Parcel
from optbuild.fleet.units import Unit
from optbuild.measure.model import Comparison, Series, Superblock, Verdict
from optbuild.record.model import RunRecord, RunStatus

_ARMS = ("release", "lto", "pgo", "A'")
_ROUNDS = 30
_PROGRAM_BYTES = 100_000


def build(action: str, contents: dict[str, bytes]) -> Parcel:
    """Hand over a program of 100 kB."""
    parse_action(action)
    return {
        "document": render_built(Built(worker="builder")),
        "contents": {**contents, "binary": bytes(_PROGRAM_BYTES)},
    }


def measure(action: str, parcel: Parcel) -> str:
    """Give a record with raw samples of thirty rounds of four arms."""
    parse_built(parcel["document"])
    unit = parse_action(action).unit
    return render_outcome(Outcome(result=make_result(unit), worker="w"))


def make_result(unit: Unit) -> UnitResult:
    """The result of a unit that took no time."""
    now = _now()
    return end_unit(unit, (now, now), identity="x", record=make_record(unit))


def make_record(unit: Unit) -> RunRecord:
    """A record like that of a short measurement."""
    change = -0.05 - int(unit.id[:4], 16) / 1e6
    values = {arm: (0.1 + index / 1e3, 0.1 + index / 1e3) for index, arm in enumerate(_ARMS)}
    rounds = tuple(Superblock(order=_ARMS + _ARMS[::-1], values=values) for _ in range(_ROUNDS))
    return RunRecord(
        optbuild_version="0",
        run_id=unit.id,
        status=RunStatus.COMPLETE,
        exit_code=0,
        started_at=_now().isoformat(),
        finished_at=_now().isoformat(),
        command_line=("optbuild", "fleet", "run"),
        benchmarks=(Series(workload="w", metric="wall", unit="s", rounds=rounds),),
        comparisons=tuple(_compare(change, name) for name in _ARMS[1:3]),
    )


def _compare(change: float, name: str) -> Comparison:
    return Comparison(
        workload=None,
        metric="wall",
        baseline=_ARMS[0],
        candidate=name,
        change=change,
        ci_low=change - 0.01,
        ci_high=change + 0.01,
        confidence=0.95,
        p_value=0.001,
        p_adjusted=0.002,
        verdict=Verdict.FASTER,
        rounds=_ROUNDS,
        mde=0.01,
    )


def _now() -> datetime:
    return datetime.now(UTC)
