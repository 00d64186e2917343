"""`optbuild explain`: its options, and what it prints."""

from __future__ import annotations

from typing import Annotated

import typer

from optbuild.cli import options
from optbuild.cli.context import CliContext, leave, screen_of, write_out
from optbuild.cli.machine import running_machine
from optbuild.cli.options import start_directory, with_common_options
from optbuild.cli.stories import show_failure


@with_common_options
def explain(
    context: typer.Context,
    variant: Annotated[str, typer.Argument(metavar="VARIANT", help="The variant to explain.")],
    against: Annotated[
        str | None,
        typer.Option("--against", metavar="BASE", help="Default: the nearest variant that it inherits from."),
    ] = None,
    bin_name: Annotated[
        str | None, typer.Option("--bin", metavar="NAME", help="Only this program, where there are several.")
    ] = None,
    rows: Annotated[int, typer.Option("--top", metavar="N", min=1, help="How many rows a table may have.")] = 15,
    build_profile: options.BuildProfile = None,
    jobs: options.Jobs = None,
    fresh: options.Fresh = False,
    no_wait: options.NoWait = False,
    as_json: options.Json = False,
) -> None:
    """Say what PGO and the steps after it did to a variant, function by function.

    Builds VARIANT and BASE as a run does, and compares them: which functions are hot, what was inlined, split, grown or
    shrunk, where the hot code lies, and which code never ran in training.
    """
    from optbuild.record.explanation import render_explanation
    from optbuild.report.explanation import assemble_explanation
    from optbuild.report.formats.terminal import render_terminal
    from optbuild.session.explain import ExplainRequest
    from optbuild.session.explain import explain as explain_session
    from optbuild.session.request import RunRequest
    from optbuild.session.run import RunFailedError

    call: CliContext = context.obj
    asked = RunRequest(
        directory=start_directory(build_profile),
        build_profile=build_profile,
        jobs=jobs,
        fresh=fresh,
        wait=not no_wait,
        command_line=call.argv,
    )
    status = 0
    with running_machine(call) as machine:
        try:
            found = explain_session(ExplainRequest(run=asked, variant=variant, against=against, bin=bin_name), machine)
        except RunFailedError as failure:
            status = show_failure(call, failure)
    if status:
        leave(status)
    reports = assemble_explanation(found, rows=rows)
    text = "\n".join(render_terminal(report, screen_of(call)) for report in reports)
    write_out(render_explanation(found) if as_json else text)
