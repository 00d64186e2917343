"""What `optbuild heap` found, as data; its JSON has its own schema.

Not for recording: `observe/heap` does that.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Literal

from optbuild.adapters import adapter_of, make_json_schema
from optbuild.observe.sites import AllocationSite, Amounts, SiteDifference
from optbuild.record.store import dump_ascii

SCHEMA: Final = "optbuild/heap/1"


class HeapTool(StrEnum):
    """What counted."""

    DHAT = "dhat"
    """Valgrind's."""
    CRATE = "dhat-rs"
    """The crate `dhat`, with which a program counts itself."""
    HEAPTRACK = "heaptrack"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeapOfWorkload:
    """What one workload allocates.

    Attributes:
        workload: Its name; null for a file that a program wrote.
        total: Of the variant, or of the file.
        base_total: Of the base; null if nothing is compared.
        sites: The places in the source that allocate, the largest first.
        differences: Sites of both, the largest difference first; empty if nothing is compared.
        processes: How many processes of the project's programs ran.
        left_out: Other programs that ran and are not in the figures.
    """

    workload: str | None
    total: Amounts
    base_total: Amounts | None
    sites: tuple[AllocationSite, ...]
    differences: tuple[SiteDifference, ...] = ()
    processes: int = 1
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HeapDocument:
    """What a variant allocates on its workloads, or a program by its own account.

    Attributes:
        tool: What counted.
        variant: Its name; null for a file.
        base: What it is compared with; null if nothing is.
        files: The files that were read instead: the file and the base's; empty for a variant.
        short_lived: What a short-lived block is: freed within this time, in words; null if the tool knows no time. For
            heaptrack, it is a block that was freed before another one was allocated.
        allocator: The allocator that the program brings along, if that hides some allocations; null otherwise.
    """

    schema: Literal["optbuild/heap/1"] = SCHEMA
    optbuild_version: str
    tool: HeapTool
    variant: str | None
    base: str | None
    files: tuple[str, ...]
    short_lived: str | None
    allocator: str | None
    workloads: tuple[HeapOfWorkload, ...]


def render_heap(document: HeapDocument) -> str:
    """The document as JSON."""
    return dump_ascii(adapter_of(HeapDocument).dump_python(document, mode="json"), indent=2) + "\n"


def render_heap_schema() -> str:
    """The JSON schema of the document as the text of a file."""
    return json.dumps(make_heap_schema(), indent=2, ensure_ascii=False) + "\n"


def make_heap_schema() -> dict[str, Any]:
    """The JSON schema of the document."""
    return make_json_schema(HeapDocument, "optbuild heap")
