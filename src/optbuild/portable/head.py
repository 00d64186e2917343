"""The head of a portable profile, in plain text: what trained it, and what it holds.

Not for judging whether it fits: `matching` finds that out from the functions.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
NonNegative = Annotated[int, Field(ge=0)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class TrainedInput(_Part):
    """A file that a workload read.

    Attributes:
        path: As the build profile has it.
        sha256: Of its content.
    """

    path: str
    sha256: Sha256


class TrainedWorkload(_Part):
    """A workload that counted.

    Attributes:
        name: As the build profile has it.
        weight: Its share of the counts, against the others'.
        inputs: The files that it read, as far as they are declared or named.
    """

    name: str
    weight: float = 1.0
    inputs: tuple[TrainedInput, ...] = ()


class Training(_Part):
    """What trained a profile.

    Attributes:
        package: The package of the program, with its version.
        rustc: What `rustc --version` said.
        llvm: The version of LLVM that counted.
        target: The triple it was compiled for.
        recipe: What decides the code before it is counted, in words: Cargo profile, LTO, panic, features.
        workloads: What was run.
    """

    package: str
    rustc: str
    llvm: str | None = None
    target: str
    recipe: tuple[str, ...] = ()
    workloads: tuple[TrainedWorkload, ...] = ()


class Totals(_Part):
    """What a profile holds.

    Attributes:
        functions: Functions by name and control flow.
        functions_with_counts: Those that ran.
        total_count: The sum of all counters.
        dropped_functions: Left out, the coldest first, to keep the file small.
        dropped_count: What they had counted.
    """

    functions: NonNegative
    functions_with_counts: NonNegative
    total_count: NonNegative
    dropped_functions: NonNegative = 0
    dropped_count: NonNegative = 0


class Body(_Part):
    """What follows the head.

    Attributes:
        size_bytes: Of what stands in the file.
        content_bytes: Of what that is when it is unpacked.
        content_sha256: Of the same: it does not depend on who packed it.
    """

    size_bytes: NonNegative
    content_bytes: NonNegative
    content_sha256: Sha256


class Head(_Part):
    """The plain text at the beginning of the file."""

    written_by: str
    training: Training
    totals: Totals
    body: Body
