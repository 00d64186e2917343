"""Fleets that are made up, for the tests of what is done with them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from optbuild.errors import BuildError
from optbuild.fleet.results import UnitResult, UnitStatus
from optbuild.fleet.units import ProjectSource, SourceKind, Unit
from optbuild.measure.model import Comparison, Verdict
from optbuild.record.host import describe_host
from optbuild.record.model import ErrorRecord, RunRecord, RunStatus


def make_unit(name: str, *, estimate_s: float = 60.0, target: str | None = None) -> Unit:
    """A unit whose id is its name."""
    source = ProjectSource(kind=SourceKind.CRATE, place=name, version="1.0.0")
    return Unit(id=f"id-{name}", project=name, source=source, builds=1, estimate_s=estimate_s, target=target)


def compare(change: float, *, half_width: float = 0.01, variant: str = "pgo") -> Comparison:
    """A change over all workloads."""
    low, high = change - half_width, change + half_width
    verdict = Verdict.FASTER if high < 0 else Verdict.SLOWER if low > 0 else Verdict.INCONCLUSIVE
    return Comparison(
        workload=None,
        metric="wall",
        baseline="release",
        candidate=variant,
        change=change,
        ci_low=low,
        ci_high=high,
        confidence=0.95,
        p_value=0.01,
        p_adjusted=0.01,
        verdict=verdict,
        rounds=20,
        mde=0.02,
    )


def make_result(unit: Unit, *changes: float, finished_at: str = "2026-11-29T10:05:00+00:00") -> UnitResult:
    """A unit that was done, with these changes of the variants `pgo`, `pgo-2`, …."""
    names = [f"pgo-{number}" if number > 1 else "pgo" for number in range(1, len(changes) + 1)]
    record = RunRecord(
        optbuild_version="0.1.0",
        run_id=f"run-{unit.project}",
        status=RunStatus.COMPLETE,
        exit_code=0,
        started_at="2026-11-29T10:00:00+00:00",
        finished_at=finished_at,
        command_line=("optbuild", "fleet", "run"),
        comparisons=tuple(compare(change, variant=name) for change, name in zip(changes, names, strict=True)),
    )
    return UnitResult(
        unit=unit,
        status=UnitStatus.COMPLETE,
        exit_code=0,
        source_identity="checksum",
        started_at="2026-11-29T10:00:00+00:00",
        finished_at=finished_at,
        host=describe_host(),
        record=record,
    )


def make_failure(unit: Unit, message: str = "release: build: cargo failed") -> UnitResult:
    """A unit that could not be built."""
    error = BuildError(message, help="mend what the compiler says", location="logs/build.log")
    return replace(make_result(unit), status=UnitStatus.FAILED, exit_code=10, record=None, error=ErrorRecord.of(error))


def write_project(directory: Path, profile: str | None = None) -> Path:
    """A directory that looks like a Cargo project."""
    directory.mkdir(parents=True, exist_ok=True)
    name = directory.name
    (directory / "Cargo.toml").write_text(f'[package]\nname = "{name}"\nversion = "0.1.0"\nedition = "2021"\n')
    if profile is not None:
        (directory / "optbuild.toml").write_text(profile)
    return directory
