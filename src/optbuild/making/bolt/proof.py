"""Check what BOLT made: that the counts fit, that it kept what protects the program, and that it runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from optbuild.errors import ProfileDataError, WorkloadError
from optbuild.plan.kinds.bolt import BoltOptimise
from optbuild.plan.results import Artifact, Bolted
from optbuild.text import sanitize_line
from optbuild.tools.elf import read_elf
from optbuild.tools.elf_symbols import read_build_id
from optbuild.tools.llvm_bolt import BoltFacts
from optbuild.units import format_share
from optbuild.workloads.invocation import Invocation

_MOST_STALE = 0.05
"""The share of functions whose counts do not fit: they were counted in this very program, so hardly any may not."""
_WITHOUT_BOLT = 'build the variant without BOLT: bolt = false, or bolt = "auto"'


class TriesOut(Protocol):
    """Runs finished programs on a workload."""

    def try_out(self, workload: Invocation, binaries: Mapping[str, Path], log_name: str) -> None:
        """Run them once.

        Raises:
            WorkloadError: They do not run.
        """
        ...


def check_laid_out(action: BoltOptimise, linked: Mapping[str, Artifact], made: Bolted, runner: TriesOut) -> None:
    """Accept laid-out programs only with evidence.

    Args:
        action: What made them.
        linked: The programs before.
        made: The programs after.
        runner: Runs them.

    Raises:
        ProfileDataError: The counts do not fit, or the program lost something, or it does not run.
    """
    for name, facts in made.facts.items():
        if (fault := _find_misfit(facts)) is not None:
            raise _refused(action, name, fault)
        lost = _find_lost(linked[name].path, made.artifacts[name].path)
        if lost:
            raise _refused(action, name, f"the program lost {', '.join(lost)}")
    try:
        runner.try_out(action.smoke, made.paths, f"{action.id}-run")
    except WorkloadError as error:
        raise ProfileDataError(
            f"{action.label}: what BOLT made does not run: {error.message}",
            help=_WITHOUT_BOLT,
            location=error.location,
            detail=error.detail,
        ) from error


def _find_misfit(facts: BoltFacts) -> str | None:
    if not facts.functions_with_counts:
        return "none of its functions has counts"
    stale = facts.stale_functions / facts.functions_with_counts
    if stale > _MOST_STALE:
        return f"the counts of {format_share(stale)} of its functions do not fit their code"
    if facts.taken_branches is None:
        return "llvm-bolt does not report its branches, so nothing shows what it changed"
    return None


def _find_lost(before: Path, after: Path) -> list[str]:
    """What protects a program or identifies it, and is not there any more."""
    old, new = (read_elf(path.read_bytes()) for path in (before, after))
    old_id, new_id = (read_build_id(path) for path in (before, after))
    lost = {
        "its read-only relocations (RELRO)": old.relro is not new.relro,
        "its stack that cannot be executed": new.executable_stack and not old.executable_stack,
        "its position independence": old.position_independent and not new.position_independent,
        # BOLT flips the last bit, so that the two programs differ.
        "its build ID": old_id is not None and (new_id is None or new_id[:-1] != old_id[:-1]),
    }
    return [what for what, is_lost in lost.items() if is_lost]


def _refused(action: BoltOptimise, program: str, fault: str) -> ProfileDataError:
    return ProfileDataError(
        f"{action.label}: {sanitize_line(program)}: {fault}", help=_WITHOUT_BOLT, location=str(action.directory)
    )
