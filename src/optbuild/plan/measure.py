"""The measuring after everything is built: which binaries take turns, on which workloads, for how long."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from optbuild.plan.action import Entry, Id
from optbuild.plan.results import Binaries
from optbuild.units import format_duration
from optbuild.workloads.invocation import Invocation
from optbuild.workloads.words import render_words


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """A variant as it is measured.

    Attributes:
        programs: For workloads that cargo would run, the action that builds their programs; by workload name.
    """

    variant: str
    binaries: Id[Binaries]
    programs: Mapping[str, Id[Binaries]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOutArm(Arm):
    """A variant as it is measured only on the workloads that its profile left out.

    Attributes:
        workloads: Their names.
    """

    workloads: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure(Entry[None]):
    """Run all arms on all benchmark workloads, interleaved, and compare them with the first arm.

    Attributes:
        held_out: The arms that take turns only on single workloads, for a cross-validation.
        controls: Arms that are compared only with those that they control.
    """

    kind: ClassVar[str] = "measure"

    arms: tuple[Arm, ...]
    workloads: tuple[Invocation, ...]
    max_time_s: float
    directory: Path
    held_out: tuple[HeldOutArm, ...] = ()
    controls: tuple[Arm, ...] = ()

    def measured(self) -> Iterator[tuple[str, Id[Binaries]]]:
        """All measured binaries, each with a unique name."""
        named = [(arm.variant, arm) for arm in (*self.arms, *self.controls)]
        held_out = [(f"{arm.variant} {arm.workloads}", arm) for arm in self.held_out]
        for name, arm in (*named, *held_out):
            yield name, arm.binaries
            yield from ((f"{name} {workload}", programs) for workload, programs in arm.programs.items())

    def details(self) -> Mapping[str, object]:
        """The arms and their workloads."""
        return {
            "argv": [list(workload.shown_argv()) for workload in self.workloads],
            "server": [list(render_words(each.server.argv)) for each in self.workloads if each.server is not None],
            "arms": [
                *(f"{arm.variant} ({arm.binaries})" for arm in (*self.arms, *self.controls)),
                *(f"{arm.variant} ({arm.binaries}) on {', '.join(arm.workloads)} only" for arm in self.held_out),
                *(
                    f"{arm.variant} on {name} ({programs})"
                    for arm in (*self.arms, *self.held_out)
                    for name, programs in arm.programs.items()
                ),
            ],
            "budget": format_duration(self.max_time_s),
            "counts": "instructions, each once, by perf or callgrind if that takes a tenth of the budget at most",
            "writes": str(self.directory),
        }
