"""`optbuild advise`: its options, and what it prints."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from optbuild.cli import options
from optbuild.cli.context import CliContext, screen_of, write_out
from optbuild.cli.machine import running_machine
from optbuild.cli.options import with_common_options


@with_common_options
def advise(
    context: typer.Context,
    directory: options.Directory = Path(),
    variant: Annotated[
        str | None, typer.Option("--variant", metavar="NAME", help="The variant to look at; default: the baseline.")
    ] = None,
    workload: Annotated[
        str | None, typer.Option("--workload", metavar="NAME", help="Run only this one; default: all benchmarks.")
    ] = None,
    build_profile: options.BuildProfile = None,
    stdin: options.Stdin = None,
    env: options.Env = None,
    max_time: options.MaxTime = None,
    jobs: options.Jobs = None,
    no_wait: options.NoWait = False,
    as_json: options.Json = False,
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
    from optbuild.session.request import RunRequest

    call: CliContext = context.obj
    asked = RunRequest(
        directory=directory,
        build_profile=build_profile,
        workload=call.workload,
        command_options=options.command_options(call, stdin, env),
        jobs=jobs,
        max_time_s=max_time,
        wait=not no_wait,
        command_line=call.argv,
    )
    with running_machine(call) as machine:
        found = advise_session(AdviseRequest(run=asked, variant=variant, workload=workload), machine)
    write_out(render_advice(found) if as_json else render_terminal(assemble_advice(found), screen_of(call)))
