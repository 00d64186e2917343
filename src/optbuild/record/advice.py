"""What `optbuild advise` says, as data; its JSON has its own schema. Not for finding it: `observe/advice` does."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from optbuild.adapters import adapter_of, make_json_schema
from optbuild.observe.observation import Finding, Prospect
from optbuild.observe.shares import Part
from optbuild.record.store import dump_ascii

SCHEMA: Final = "optbuild/advice/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class AdviceOnWorkload:
    """What was found on one workload.

    Attributes:
        workload: Its name.
        summary: What can pay, or that nothing can, in one sentence; empty for benches that measure themselves.
        wall_s: How long a run takes when nobody observes it; null for such benches.
        cpu_s: Its CPU time; null likewise.
        samples: How many samples the shares rest on; null if every instruction was counted instead.
        waiting_ratio: The share of the elapsed time in which nothing of it ran; null if others may be the reason.
        parts: The shares of the CPU time, by whose it is: `own`, `rust`, `c`, `allocator`, `kernel`.
        allocated_blocks: How many allocations a run makes; null if they were not counted.
        allocated_bytes: The same in bytes.
        findings: The largest first.
        prospects: Whether LTO, PGO, BOLT and another allocator can pay.
        notes: What was not looked at, and why.
    """

    workload: str
    summary: str
    wall_s: float | None
    cpu_s: float | None
    samples: int | None
    waiting_ratio: float | None
    parts: Mapping[Part, float]
    allocated_blocks: int | None
    allocated_bytes: int | None
    findings: tuple[Finding, ...]
    prospects: tuple[Prospect, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AdviceDocument:
    """What can pay for a project.

    Attributes:
        variant: The variant that was looked at.
        tool: What took the samples: `perf` or `callgrind`.
    """

    schema: Literal["optbuild/advice/1"] = SCHEMA
    optbuild_version: str
    variant: str
    tool: str | None
    workloads: tuple[AdviceOnWorkload, ...]


def render_advice(document: AdviceDocument) -> str:
    """The document as JSON."""
    return dump_ascii(adapter_of(AdviceDocument).dump_python(document, mode="json"), indent=2) + "\n"


def render_advice_schema() -> str:
    """The JSON schema of the document as the text of a file."""
    return json.dumps(make_advice_schema(), indent=2, ensure_ascii=False) + "\n"


def make_advice_schema() -> dict[str, Any]:
    """The JSON schema of the document."""
    return make_json_schema(AdviceDocument, "optbuild advice")
