"""What the workloads of a run read, by content."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class InputRecord:
    """A file or a directory that a workload reads.

    Attributes:
        workload: Who reads it.
        path: Below the project where it lies there.
        sha256: Of a file's content; of a directory, of the names and contents of all that is in it, in optbuild's way.
        is_directory: Whether it is one.
    """

    workload: str
    path: str
    sha256: str
    is_directory: bool
