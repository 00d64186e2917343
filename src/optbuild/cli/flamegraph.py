"""`optbuild flamegraph`: its options, and where its result goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from optbuild.cli import options
from optbuild.cli.choices import require_choice
from optbuild.cli.context import CliContext, screen_of, write_out, write_result
from optbuild.cli.machine import running_machine
from optbuild.cli.options import with_common_options, with_run_request

if TYPE_CHECKING:
    from pathlib import Path

    from optbuild.session.drawing import Form
    from optbuild.session.flamegraph import FlamegraphRequest
    from optbuild.session.request import RunRequest

_WITHOUT = ("max_time", "cross_validate", "keep_going")


@with_common_options
@with_run_request(without=_WITHOUT)
def flamegraph(
    context: typer.Context,
    request: RunRequest,
    variant: Annotated[str, typer.Argument(metavar="VARIANT", help="The variant to look at.")],
    diff: Annotated[
        str | None, typer.Option("--diff", metavar="BASE", help="Compare with this variant, in both directions.")
    ] = None,
    workload: options.OneWorkload = None,
    form: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="svg, html, folded, speedscope, firefox or table; default: by the name of the file.",
        ),
    ] = None,
    output: options.Output = None,
    unwind: Annotated[
        str,
        typer.Option(
            "--unwind",
            metavar="HOW",
            help="fp: build with frame pointers; dwarf: record the program as it ships, by its debug information.",
        ),
    ] = "fp",
    max_time: Annotated[float | None, options.own_max_time("What recording a workload may take; default: 1m.")] = None,
) -> None:
    """Show where a variant spends its time on its benchmark workloads: a table, and a page or picture.

    Without `-o` and `--format`, the table is printed, and a page is written below the target directory.
    """
    from dataclasses import replace

    from optbuild.files import require_writable
    from optbuild.session.drawing import choose_form, require_renderer
    from optbuild.session.flamegraph import FlamegraphRequest
    from optbuild.tools.perf_record import CallGraph

    call: CliContext = context.obj
    require_choice(unwind, list(CallGraph), "way to unwind")
    chosen = choose_form(form, output)
    require_renderer(chosen, call.environ)
    if output is not None:
        require_writable(output.absolute())
    asked = FlamegraphRequest(
        run=replace(request, max_time_s=max_time),
        variant=variant,
        base=diff,
        workload=workload,
        call_graph=CallGraph(unwind),
    )
    _record_and_draw(asked, chosen, output, call)


def _record_and_draw(asked: FlamegraphRequest, form: Form | None, output: Path | None, call: CliContext) -> None:
    """Write the form that was asked for; without one the table to standard output, and a page to a file."""
    from optbuild.cli.console import Console
    from optbuild.events import Level, Notice
    from optbuild.report.flame.document import render_document
    from optbuild.report.flame.table import make_report
    from optbuild.report.formats.terminal import render_terminal
    from optbuild.session.drawing import Form, draw
    from optbuild.session.flamegraph import profile_variants

    with running_machine(call) as machine:
        profiled, pages = profile_variants(asked, machine)
        table = render_terminal(make_report(profiled), screen_of(call, output))
        target = output
        if form is None:
            base = "" if asked.base is None else f"-{asked.base}"
            form, target = Form.HTML, pages / f"{asked.variant}{base}.html"
        text = table if form is Form.TABLE else draw(profiled, form, machine)
    if target is not None:
        write_result(text, target)
        Console(call).show(Notice(level=Level.INFO, code="written", message=f"wrote {target}"))
    if call.json:
        write_out(render_document(profiled, None if target is None else str(target)))
    elif target is None:
        write_out(text)
    elif output is None:
        write_out(table)
