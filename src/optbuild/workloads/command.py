"""A workload that is one command, measured by its own time."""

from __future__ import annotations

from optbuild.execution.command import ConcurrentExecutor
from optbuild.workloads.invocation import Invocation
from optbuild.workloads.programs import Place, WorkloadRun, check_ending, run_program
from optbuild.workloads.words import Values


def run_command(executor: ConcurrentExecutor, invocation: Invocation, place: Place, values: Values) -> WorkloadRun:
    """Run the command to its end.

    Raises:
        WorkloadError: It cannot be started, did not end as expected, or left processes behind.
        WorkloadTimeoutError: It took longer than its timeout.
        StorageError: A file for its output cannot be opened.
    """
    command = invocation.make_command(values, extra_env=place.extra_env, stdout=place.stdout, stderr=place.stderr)
    completed = run_program(executor, command, invocation)
    check_ending(completed, invocation, stdout=place.stdout, stderr=place.stderr, arm=place.arm)
    return WorkloadRun(usage=completed.usage)
