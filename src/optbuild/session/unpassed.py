"""Inputs of optbuild that no workload gets: standard input, and variables of the environment."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from optbuild.events import Level, Notice
from optbuild.session.request import Machine
from optbuild.text import sanitize_line
from optbuild.workloads.environment import find_meant_for_programs
from optbuild.workloads.invocation import Invocation


def find_unpassed(
    workloads: Sequence[Invocation],
    programs: Iterable[str],
    machine: Machine,
    *,
    on_command_line: bool,
    read: Collection[str] = frozenset(),
) -> Iterator[Notice]:
    """Report what does not reach the programs, and how to pass it.

    Args:
        workloads: All workloads of the run.
        programs: Names of the programs and of their packages.
        machine: The caller's environment and standard input.
        on_command_line: The command line names a workload.
        read: Variables that the programs' sources read.
    """
    if on_command_line and all(item.stdin is None for item in workloads) and machine.has_input():
        yield Notice(
            level=Level.WARNING,
            code="input-not-passed",
            message="optbuild's standard input is not passed to any program: workloads get an empty one",
            help="write it to a file and pass that: --stdin FILE",
        )
    given = {name for item in workloads for name in (*item.declared_env, *item.passed_env)}
    left_out = [name for name in find_meant_for_programs(machine.environ, programs, read) if name not in given]
    if left_out:
        names = ", ".join(map(sanitize_line, left_out))
        passed = " ".join(f"--env {sanitize_line(name)}" for name in left_out)
        keys = "`pass-env` of its workload in optbuild.toml"
        yield Notice(
            level=Level.INFO,
            code="variables-not-passed",
            message=f"not passed to the program, because workloads get a separate environment: {names}",
            help=f"pass what it needs: {passed}" if on_command_line else f"name what it needs in {keys}",
        )
