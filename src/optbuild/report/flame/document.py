"""What was recorded as one JSON document, for other programs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final, Literal

from optbuild import __version__
from optbuild.adapters import adapter_of, make_json_schema
from optbuild.observe.call_tree import Change, Weight, make_table, make_tree
from optbuild.observe.profiles import Profiled
from optbuild.observe.samples import Unit
from optbuild.record.store import dump_ascii
from optbuild.report.flame.table import unit_of

SCHEMA: Final = "optbuild/flamegraph/1"
_SMALLEST_SHARE = 0.0001


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedArm:
    """One variant on one workload.

    Attributes:
        wall_s: How long a run takes when nothing records it.
        cpu_s: Its CPU time.
        recordings: How many recordings there are.
        samples: How many samples they have; null if every instruction was counted.
        lost: How many samples could not be kept.
    """

    workload: str
    variant: str
    wall_s: float
    cpu_s: float
    recordings: int
    samples: int | None
    lost: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedWeight:
    """What something takes in one run of every workload.

    Attributes:
        variant: In the variant.
        base: In the variant that it is compared with; null without one.
        noise: The largest difference that chance explains.
        change: What the difference says; null without one.
    """

    variant: float
    base: float | None
    noise: float
    change: Change | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedFunction:
    """A function.

    Attributes:
        itself: What it took without what it called.
        inclusive: What it took with what it called.
    """

    function: str
    itself: RecordedWeight
    inclusive: RecordedWeight


@dataclass(frozen=True, slots=True, kw_only=True)
class FlamegraphDocument:
    """Where time goes in a variant.

    Attributes:
        base: The variant that it is compared with; null without one.
        tool: What recorded it: `perf` or `callgrind`.
        unit: What weights count: seconds of CPU time, or instructions.
        total: Everything.
        functions: Those that took at least a ten thousandth of everything, the heaviest first.
        output: The file that was written; null without one.
        notes: What a reader has to know.
    """

    schema: Literal["optbuild/flamegraph/1"] = SCHEMA
    optbuild_version: str
    project: str
    variant: str
    base: str | None
    tool: str
    unit: Unit
    recorded: tuple[RecordedArm, ...]
    total: RecordedWeight
    functions: tuple[RecordedFunction, ...]
    output: str | None
    notes: tuple[str, ...]


def render_document(profiled: Profiled, output: str | None) -> str:
    """The document as text."""
    whole, unit = make_tree(profiled).inclusive, unit_of(profiled)
    least = _SMALLEST_SHARE * max(whole.variant, whole.base or 0.0)
    document = FlamegraphDocument(
        optbuild_version=__version__,
        project=profiled.project,
        variant=profiled.variant,
        base=profiled.base,
        tool=next(iter(profiled.workloads[0].arms.values())).recordings[0].tool,
        unit=Unit.SECONDS if unit.is_time else unit,  # samples of cycles stand for CPU time
        recorded=tuple(
            RecordedArm(
                workload=each.workload,
                variant=arm,
                wall_s=profile.wall_s,
                cpu_s=profile.cpu_s,
                recordings=len(profile.recordings),
                samples=profile.count,
                lost=profile.lost,
            )
            for each in profiled.workloads
            for arm, profile in each.arms.items()
        ),
        total=_describe(whole),
        functions=tuple(
            RecordedFunction(function=row.function, itself=_describe(row.itself), inclusive=_describe(row.inclusive))
            for row in make_table(profiled)
            if max(row.inclusive.variant, row.inclusive.base or 0.0) >= least
        ),
        output=output,
        notes=profiled.notes,
    )
    return dump_ascii(adapter_of(FlamegraphDocument).dump_python(document, mode="json"), indent=2) + "\n"


def render_document_schema() -> str:
    """The JSON schema of the document as the text of a file."""
    return json.dumps(make_document_schema(), indent=2, ensure_ascii=False) + "\n"


def make_document_schema() -> dict[str, Any]:
    """The JSON schema of the document."""
    return make_json_schema(FlamegraphDocument, "optbuild flamegraph")


def _describe(weight: Weight) -> RecordedWeight:
    return RecordedWeight(variant=weight.variant, base=weight.base, noise=weight.noise, change=weight.change)
