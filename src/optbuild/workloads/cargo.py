"""A workload that is the project's own tests, benches or programs: cargo builds them and says how it would start them.

The programs run one after the other, as cargo would run them, from copies: the next variant's build replaces what cargo
itself keeps. A test or bench may start the package's binaries by the path at which cargo had put them when it was
compiled, so before each run those of its own build are put there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from optbuild.execution.command import Command, Executor, Usage
from optbuild.files import writing
from optbuild.workloads.cargo_build import CargoProgram
from optbuild.workloads.harness import CRITERION_HOME, Harness, training_arguments
from optbuild.workloads.invocation import Invocation
from optbuild.workloads.programs import PROFILE_FILE, Place, WorkloadRun, check_ending, run_program
from optbuild.workloads.words import Values

_SHORTEST_TIMEOUT_S = 0.001
_HASH = re.compile("-[0-9a-f]{16}$")  # in the file names of tests and benches
_BINARY_VARIABLE = "CARGO_BIN_EXE_"


def run_cargo(executor: Executor, invocation: Invocation, place: Place, values: Values) -> WorkloadRun:
    """Run every program to its end.

    Raises:
        WorkloadError: One cannot be started, ended in another way than expected, or left processes behind.
        WorkloadTimeoutError: All together took longer than the timeout.
        StorageError: A file cannot be written.
    """
    build = place.cargo_build
    assert build is not None  # noqa: S101 - for mypy: whoever runs a workload of this kind has built it
    for name, path in build.started.items():
        _put_back(values.binaries[name], path)
    usages: list[Usage] = []
    for program in build.programs:
        left_s = invocation.timeout_s - sum(usage.wall_s for usage in usages)
        command = _make_command(program, invocation, place, values)
        command = replace(command, timeout_s=max(left_s, _SHORTEST_TIMEOUT_S))
        named = replace(invocation, name=f"{invocation.name}: {_HASH.sub('', program.name)}")
        completed = run_program(executor, command, named, "cargo")
        check_ending(completed, named, stdout=place.stdout, stderr=place.stderr, arm=place.arm)
        usages.append(completed.usage)
    return WorkloadRun(usage=_total(usages))


def _make_command(program: CargoProgram, invocation: Invocation, place: Place, values: Values) -> Command:
    """How cargo would start it, but from its copy, and with what the build profile says of its environment."""
    command = invocation.make_command(values, extra_env=place.extra_env, stdout=place.stdout, stderr=place.stderr)
    arguments = program.arguments
    if PROFILE_FILE in place.extra_env:
        arguments += training_arguments(program.harness, arguments)
    env = {**command.env, **program.env}
    env |= {
        _BINARY_VARIABLE + name: str(path) for name, path in values.binaries.items() if _BINARY_VARIABLE + name in env
    }
    if program.harness is Harness.CRITERION:
        env[CRITERION_HOME] = str(invocation.scratch / "criterion")
    env |= {name: command.env[name] for name in (*invocation.declared_env, *place.extra_env)}
    return replace(
        command, argv=(*invocation.runner, str(values.binaries[program.name]), *arguments), cwd=program.cwd, env=env
    )


def _put_back(binary: Path, path: Path) -> None:
    """Make a path name a binary, whatever a later build has put there."""
    if path.is_file() and path.samefile(binary):
        return
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        link = path.with_name(f".{path.name}.optbuild")
        link.unlink(missing_ok=True)
        link.hardlink_to(binary)
        link.replace(path)


def _total(usages: Iterable[Usage]) -> Usage:
    """What several programs cost that ran one after the other."""
    each = tuple(usages)
    return Usage(
        wall_s=sum(usage.wall_s for usage in each),
        user_s=sum(usage.user_s for usage in each),
        system_s=sum(usage.system_s for usage in each),
        peak_rss_bytes=max(usage.peak_rss_bytes for usage in each),
        peak_rss_floor_bytes=max(usage.peak_rss_floor_bytes for usage in each),
        major_faults=sum(usage.major_faults for usage in each),
        involuntary_switches=sum(usage.involuntary_switches for usage in each),
    )
