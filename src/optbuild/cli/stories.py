"""What the commands that build and measure share: how their record leaves the process."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from optbuild.cli.context import CliContext, error_to_json, leave, render_report, screen_of, write_out
from optbuild.cli.machine import running_machine

if TYPE_CHECKING:
    from optbuild.record.model import RunRecord
    from optbuild.session.request import Machine
    from optbuild.session.run import RunFailedError


def carry_out(
    call: CliContext, story: Callable[[Machine], RunRecord], then: Callable[[RunRecord], int] | None = None
) -> None:
    """Run something to its record, print that, and leave with its exit code.

    Args:
        call: The call of the program.
        story: What is run.
        then: What follows once the record of a story that went well is printed; it returns the exit code.
    """
    from optbuild.cli.ci import show_error_on_ci, show_run_on_ci
    from optbuild.cli.console import Console
    from optbuild.errors import OptbuildError
    from optbuild.record.model import ErrorRecord
    from optbuild.record.store import render_record
    from optbuild.session.run import RunFailedError

    error = None
    with running_machine(call) as machine:
        try:
            record = story(machine)
        except RunFailedError as failure:
            record, error = failure.record, failure.error
    if call.json:
        write_out(render_record(record))
    elif error is None:
        write_out(render_report(call, record, "terminal", screen_of(call)))
    if error is not None:
        Console(call).show_error(error)
    show_run_on_ci(call, record)
    status = record.exit_code
    if error is None and then is not None:
        try:
            status = then(record)
        except OptbuildError as refusal:  # standard output holds the record already, and one document is all it holds
            Console(call).show_error(refusal)
            show_error_on_ci(call, ErrorRecord.of(refusal))
            status = refusal.status
    leave(status)


def show_failure(call: CliContext, failure: RunFailedError) -> int:
    """Show why a run failed whose record is not what the command prints; its exit code."""
    from optbuild.cli.console import Console

    Console(call).show_error(failure.error)
    if call.json:
        write_out(error_to_json(failure.error, call))
    return failure.record.exit_code
