"""Count allocations, exact even on a noisy machine: with valgrind's DHAT, or not at all.

As with instructions, a count is one value for one binary on one input, and two are compared without a test. Not for
where a program allocates: `optbuild heap` finds that.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from optbuild.execution.command import Command, Executor
from optbuild.tools import dhat
from optbuild.tools.allocators import STATIC, find_linked_allocator
from optbuild.tools.dhat import AllocationTotal, DhatProfile

_SLOWDOWN = 60.0
"""Roughly how many times longer a program takes at most; used only to check whether there is time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationCounter:
    """Counts the allocations of the programs that are compared; other programs of a workload are left out.

    Attributes:
        path: Where valgrind is.
    """

    path: str
    name: str = "dhat"
    slowdown: float = _SLOWDOWN

    def counted(self, command: Command, output: Path) -> Command:
        """The command that runs another and counts; `output` is the beginning of the files' names."""
        for path in output.parent.glob(f"{output.name}*"):
            path.unlink()
        return replace(command, argv=dhat.make_count_argv(self.path, output, command.argv))

    def read(self, output: Path, binaries: Mapping[str, Path]) -> AllocationTotal:
        """The count of a finished command, over all processes of the programs.

        Raises:
            ValueError: Nothing was counted, or not all that there is; the message says why.
        """
        profiles = [dhat.parse_profile(path.read_bytes()) for path in sorted(output.parent.glob(f"{output.name}*"))]
        each = [dhat.total_of_process(profile) for profile in profiles if _is_of(profile, binaries)]
        if not each:
            raise ValueError("dhat saw none of the programs that are compared")
        total = AllocationTotal(
            blocks=sum(one.blocks for one in each),
            bytes=sum(one.bytes for one in each),
            own_blocks=sum(one.own_blocks for one in each),
        )
        if not total.own_blocks and (hiding := _find_hiding(binaries)) is not None:
            raise ValueError(f"valgrind sees no allocations: the program brings {hiding}")
        return total


def find_allocation_counter(
    executor: Executor,  # noqa: ARG001 - as for instructions, whose tools need a trial
    environ: Mapping[str, str],
    scratch: Path,  # noqa: ARG001 - likewise
    is_worth_trying: Callable[[AllocationCounter], bool] = lambda _: True,  # noqa: ARG001 - likewise
) -> AllocationCounter | str:
    """What counts allocations on this machine, or why nothing does."""
    path = shutil.which("valgrind", path=environ.get("PATH"))
    return "valgrind is not installed" if path is None else AllocationCounter(path=path)


def _is_of(profile: DhatProfile, binaries: Mapping[str, Path]) -> bool:
    """Whether a process ran one of the programs; DHAT has its command line with blanks between the words."""
    return any(profile.command == str(path) or profile.command.startswith(f"{path} ") for path in binaries.values())


def _find_hiding(binaries: Mapping[str, Path]) -> str | None:
    """The allocator that hides allocations; a program without symbols does not name it."""
    found = [find_linked_allocator(path.read_bytes()) for path in binaries.values()]
    named = next((name for name in found if name is not None), None)
    return named if named is None or named == STATIC else f"its own allocator, {named}"
