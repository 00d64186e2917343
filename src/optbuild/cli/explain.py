"""`optbuild explain`: its options, and what it prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from optbuild.cli.context import CliContext, leave, screen_of, write_out
from optbuild.cli.machine import running_machine
from optbuild.cli.options import with_common_options, with_run_request
from optbuild.cli.stories import show_failure

if TYPE_CHECKING:
    from optbuild.session.request import RunRequest

_WITHOUT = ("bench", "max_time", "cross_validate", "keep_going")


@with_common_options
@with_run_request(without=_WITHOUT)
def explain(
    context: typer.Context,
    request: RunRequest,
    variant: Annotated[str, typer.Argument(metavar="VARIANT", help="The variant to explain.")],
    against: Annotated[
        str | None,
        typer.Option("--against", metavar="BASE", help="Default: the nearest variant that it inherits from."),
    ] = None,
    bin_name: Annotated[
        str | None, typer.Option("--bin", metavar="NAME", help="Only this program, where there are several.")
    ] = None,
    rows: Annotated[int, typer.Option("--top", metavar="N", min=1, help="How many rows a table may have.")] = 15,
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
    from optbuild.session.run import RunFailedError

    call: CliContext = context.obj
    asked = ExplainRequest(run=request, variant=variant, against=against, bin=bin_name)
    status = 0
    with running_machine(call) as machine:
        try:
            found = explain_session(asked, machine)
        except RunFailedError as failure:
            status = show_failure(call, failure)
    if status:
        leave(status)
    reports = assemble_explanation(found, rows=rows)
    text = "\n".join(render_terminal(report, screen_of(call)) for report in reports)
    write_out(render_explanation(found) if call.json else text)
