"""Train: run instrumented binaries on a workload, and keep their counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from optbuild.plan.action import Action, Id
from optbuild.plan.counts import Counts
from optbuild.plan.kinds.workload import describe_workload
from optbuild.plan.results import Binaries
from optbuild.workloads.invocation import Invocation


@dataclass(frozen=True, slots=True, kw_only=True)
class Train(Action[Counts]):
    """Run an instrumented binary on a workload; its counts are the output `profdata`.

    Attributes:
        directory: Raw profiles are written to a fresh directory below this one.
        program: Builds the instrumented program whose counts are wanted, if others run instead of it.
    """

    kind: ClassVar[str] = "train"

    workload: Invocation
    binaries: Id[Binaries]
    directory: Path
    program: Id[Binaries] | None = None

    def details(self) -> Mapping[str, object]:
        """The workload, and the directory for its raw profiles."""
        details = describe_workload(self.workload, self.binaries)
        env = details["env"]
        assert isinstance(env, dict)  # noqa: S101 - for mypy
        return {
            **details,
            "env": {**env, "LLVM_PROFILE_FILE": f"{self.directory}/…/%m_%p.profraw"},
            "writes": str(self.directory),
            "repeat": self.workload.repeat if self.workload.repeat > 1 else None,
        }
