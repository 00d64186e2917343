"""`optbuild advise`: its options, and what it prints."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from optbuild.cli import options
from optbuild.cli.context import CliContext, screen_of, write_out
from optbuild.cli.machine import running_machine
from optbuild.cli.options import with_common_options, with_run_request

if TYPE_CHECKING:
    from optbuild.session.request import RunRequest

_WITHOUT = ("train", "out", "max_time", "cross_validate", "keep_going")


@with_common_options
@with_run_request(without=_WITHOUT)
def advise(
    context: typer.Context,
    request: RunRequest,
    directory: options.Directory = Path(),
    variant: Annotated[
        str | None, typer.Option("--variant", metavar="NAME", help="The variant to look at; default: the baseline.")
    ] = None,
    workload: options.OneWorkload = None,
    max_time: Annotated[float | None, options.own_max_time("What sampling a workload may take; default: 30s.")] = None,
) -> None:
    """Say before anything is built twice what can pay: LTO, PGO, BOLT, another allocator, other code, or nothing.

    One variant is built. Each benchmark workload is sampled and its allocations are counted; benches that measure
    themselves run once. Every sentence has its figure, and says how much it can bring at most.
    """
    from optbuild.record.advice import render_advice
    from optbuild.report.advice import assemble_advice
    from optbuild.report.formats.terminal import render_terminal
    from optbuild.session.advise import AdviseRequest
    from optbuild.session.advise import advise as advise_session

    call: CliContext = context.obj
    asked = AdviseRequest(
        run=replace(request, directory=directory, max_time_s=max_time), variant=variant, workload=workload
    )
    with running_machine(call) as machine:
        found = advise_session(asked, machine)
    write_out(render_advice(found) if call.json else render_terminal(assemble_advice(found), screen_of(call)))
