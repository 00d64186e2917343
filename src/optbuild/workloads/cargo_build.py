"""What cargo built for a workload, as data; not for running it: `cargo` does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from optbuild.workloads.harness import Harness

PACKAGE_NAME = "CARGO_PKG_NAME"
"""The variable with which cargo gives a program the name of its package."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CargoProgram:
    """A program of a workload, and how cargo starts it.

    Attributes:
        name: Its file's name, also used for its copies.
        env: What cargo adds to the environment.
    """

    name: str
    arguments: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str]
    harness: Harness

    @property
    def package(self) -> str:
        """The name of its package, as given by cargo."""
        return self.env.get(PACKAGE_NAME, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class CargoBuild:
    """What cargo built for a workload.

    Attributes:
        programs: In the order in which cargo runs them.
        started: The binaries that they may start, by name, and where cargo put each.
    """

    programs: tuple[CargoProgram, ...]
    started: Mapping[str, Path]
