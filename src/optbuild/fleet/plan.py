"""A fleet as the matrix of a CI system: one job for each part, which any machine can do by its number alone."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from optbuild.adapters import make_json_schema
from optbuild.fleet.shards import share_out
from optbuild.fleet.units import Unit
from optbuild.record.store import dump_ascii
from optbuild.report.display import sentence
from optbuild.report.model import Align, Cell, Column, Report, Table
from optbuild.units import format_duration

MOST_JOBS = 256
"""So many jobs GitHub starts for one matrix.

Sources:
    GitHub Docs, "Running variations of jobs in a workflow": a matrix generates a maximum of 256 jobs per workflow run.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job of a matrix.

    Attributes:
        shard: What `optbuild fleet run --shard` takes.
        name: The projects, for people.
    """

    shard: str
    name: str
    estimate_s: float
    units: tuple[Unit, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """The jobs of a fleet. `include` is the only key: a CI system would take another one for an axis."""

    include: tuple[Job, ...]


def make_matrix(units: tuple[Unit, ...], shards: int | None) -> Matrix:
    """Divide a fleet into jobs.

    Args:
        units: All of them.
        shards: How many jobs; default: one for each unit, but not more than a matrix may have.
    """
    count = min(MOST_JOBS, len(units)) if shards is None else shards
    parts = share_out(units, count)
    jobs = (
        Job(
            shard=f"{number}/{count}",
            name=", ".join(dict.fromkeys(unit.label for unit in part)) or "nothing",
            estimate_s=sum(unit.estimate_s for unit in part),
            units=part,
        )
        for number, part in enumerate(parts, start=1)
    )
    return Matrix(include=tuple(jobs))


def render_matrix(matrix: Matrix) -> str:
    """A matrix as JSON on one line, as outputs of CI jobs have to be."""
    return dump_ascii(asdict(matrix)) + "\n"


def make_matrix_schema() -> dict[str, Any]:
    """The JSON schema of a matrix."""
    return make_json_schema(Matrix, "optbuild fleet plan")


def render_matrix_schema() -> str:
    """The JSON schema of a matrix as the text of a file."""
    return json.dumps(make_matrix_schema(), indent=2, ensure_ascii=False) + "\n"


def assemble_plan(matrix: Matrix) -> Report:
    """A fleet's plan for people."""
    units = [unit for job in matrix.include for unit in job.units]
    columns = (
        Column(heading="shard"),
        Column(heading="project"),
        Column(heading="source"),
        Column(heading="target"),
        Column(heading="variants"),
        Column(heading="builds", align=Align.RIGHT),
        Column(heading="estimate", align=Align.RIGHT),
    )
    rows = tuple(_row(job.shard, unit) for job in matrix.include for unit in job.units)
    longest = format_duration(max((job.estimate_s for job in matrix.include), default=0.0))
    return Report(
        title=f"{_count(len(units), 'unit')} in {_count(len(matrix.include), 'shard')}",
        tables=(Table(caption="", columns=columns, rows=rows),),
        footnotes=(
            f"Estimated for a minute a build and all the time that measuring may take; the longest shard: {longest}.",
            "Do one of them: optbuild fleet run FLEET.toml --shard K/N",
        ),
    )


def _row(shard: str, unit: Unit) -> tuple[Cell, ...]:
    return (
        Cell(text=shard),
        Cell(text=sentence(unit.project), foreign=True),
        Cell(text=sentence(unit.source.describe()), foreign=True),
        Cell(text=sentence(unit.target or "default"), foreign=True),
        Cell(text=sentence(", ".join(unit.variants) or "all"), foreign=True),
        Cell(text=str(unit.builds)),
        Cell(text=format_duration(unit.estimate_s)),
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
