"""`optbuild tune`: its options, what it shows before it starts, and what it writes at the end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from optbuild.cli import options
from optbuild.cli.context import CliContext, write_out
from optbuild.cli.machine import running_machine
from optbuild.cli.options import with_common_options, with_run_request
from optbuild.cli.stories import carry_out
from optbuild.errors import UsageError
from optbuild.profile.search_choices import Objective, Space

if TYPE_CHECKING:
    from optbuild.record.model import RunRecord
    from optbuild.session.request import RunRequest
    from optbuild.session.search import TuneRequest


@with_common_options
@with_run_request(without=("cross_validate", "keep_going", "max_time"))
def tune(
    context: typer.Context,
    request: RunRequest,
    directory: options.Directory = Path(),
    space: Annotated[
        Space | None,
        typer.Option("--space", help="Search this, not the factors of optbuild.toml; default: quick."),
    ] = None,
    objective: Annotated[
        Objective | None, typer.Option("--objective", help="What the winner has least of; default: time.")
    ] = None,
    budget: Annotated[
        float | None,
        typer.Option(
            "--budget",
            metavar="TIME",
            parser=options.read_duration_s,
            help="Budget for builds and measuring; default: 60m.",
        ),
    ] = None,
    max_time: Annotated[
        float | None,
        options.own_max_time("For the race (at least as long as the builds took), and for the confirmation."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the candidates and what is left out; build nothing.")
    ] = False,
    write: Annotated[
        bool, typer.Option("--write", help="Add the winner to optbuild.toml as `tuned`, after showing the diff.")
    ] = False,
    yes: options.Yes = False,
) -> None:
    """Search for the fastest (or smallest) variant: build candidates, race them, confirm the winner in fresh runs.

    Killed at any moment, the next call goes on where it was.
    """
    from dataclasses import replace

    from optbuild.session.search import TuneRequest

    call: CliContext = context.obj
    run = replace(request, directory=directory, max_time_s=max_time)
    asked = TuneRequest(run=run, space=space, objective=objective, budget_s=budget)
    if dry_run:
        if write:
            raise UsageError("--dry-run finds no winner that --write could add", help="leave out one of the two")
        _show(asked, call)
        return
    _search(asked, call, write=write, yes=yes)


def _search(asked: TuneRequest, call: CliContext, *, write: bool, yes: bool) -> None:
    from optbuild.session.tune import tune as tune_session

    def add_winner(record: RunRecord) -> int:
        return _write(record, asked, call, yes=yes)

    carry_out(call, lambda machine: tune_session(asked, machine), then=add_winner if write else None)


def _write(record: RunRecord, asked: TuneRequest, call: CliContext, *, yes: bool) -> int:
    """Add the winner to the build profile; where standard output holds JSON, the diff goes to standard error.

    Returns:
        The exit code: 1 where nothing is proven, for then the answer is no.
    """
    from optbuild.cli.console import Console
    from optbuild.cli.settle import settle
    from optbuild.events import Level, Notice
    from optbuild.session.tuned import NothingProven, propose_tuned

    with running_machine(call) as machine:
        proposal = propose_tuned(record, asked.run, machine)
    if isinstance(proposal, NothingProven):
        notice = Notice(level=Level.WARNING, code="not-proven", message=proposal.message, help=proposal.advice)
        Console(call).show(notice)
        return 1
    settle(proposal, call, yes=yes)
    return 0


def _show(asked: TuneRequest, call: CliContext) -> None:
    from optbuild.record.host import describe_host
    from optbuild.session.forecast import forecast
    from optbuild.session.prepare import load_history
    from optbuild.session.search import describe_search, prepare_search, render_search

    with running_machine(call) as machine:
        search = prepare_search(asked, machine, trusted=False)
        history = load_history(search.prepared.layout)
        forecasts = forecast(search.prepared, describe_host(), history)
    if call.json:
        write_out(json.dumps(describe_search(search, history), indent=2) + "\n")
    else:
        write_out(render_search(search, forecasts, history))
