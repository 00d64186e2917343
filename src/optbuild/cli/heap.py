"""`optbuild heap`: its options, and what they mean together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from optbuild.cli import options
from optbuild.cli.choices import require_choice
from optbuild.cli.context import CliContext, screen_of, write_out
from optbuild.cli.machine import running_machine
from optbuild.cli.options import with_common_options, with_run_request
from optbuild.errors import UsageError

if TYPE_CHECKING:
    from optbuild.session.request import RunRequest

_WITHOUT = ("out", "max_time", "cross_validate", "allow_debug", "keep_going")


@with_common_options
@with_run_request(without=_WITHOUT)
def heap(
    context: typer.Context,
    request: RunRequest,
    variant: Annotated[str | None, typer.Argument(metavar="VARIANT", help="The variant to look at.")] = None,
    diff: Annotated[
        str | None, typer.Option("--diff", metavar="BASE", help="Compare with this variant, or file with --from.")
    ] = None,
    workload: options.OneWorkload = None,
    file: Annotated[
        Path | None,
        typer.Option(
            "--from", metavar="FILE", help="A file of DHAT, the crate dhat or heaptrack, instead of a variant."
        ),
    ] = None,
    tool: Annotated[
        str, typer.Option("--tool", metavar="TOOL", help="The tool that counts: dhat, or heaptrack for large programs.")
    ] = "dhat",
    sort: Annotated[str, typer.Option("--sort", metavar="KEY", help="bytes, blocks, short-lived or peak.")] = "bytes",
    top: Annotated[int, typer.Option("--top", metavar="N", min=1, help="How many sites to show.")] = 20,
) -> None:
    """Find where a variant allocates: bytes, blocks, short-lived blocks and the peak, by place in the source.

    `optbuild heap release` builds the variant with line tables and runs each benchmark workload once below valgrind's
    DHAT, or with heaptrack, which is much faster; the program is not changed. `optbuild heap --from dhat-heap.json`
    reads what a program wrote with the crate dhat, and `--from heaptrack.app.1.zst` what heaptrack wrote.
    """
    from optbuild.record.heap import HeapTool, render_heap
    from optbuild.report.formats.terminal import render_terminal
    from optbuild.report.heap import SortKey, assemble_heap
    from optbuild.session.heap import HeapRequest
    from optbuild.session.heap import heap as heap_session
    from optbuild.session.heap_file import read_heap

    call: CliContext = context.obj
    require_choice(sort, list(SortKey), "order")
    require_choice(tool, [HeapTool.DHAT, HeapTool.HEAPTRACK], "tool")
    _check_words(variant, file, call)
    asked = replace(request, allow_debug=True)  # a debug build allocates about the same
    with running_machine(call) as machine:
        if file is not None:
            found = read_heap(file, None if diff is None else Path(diff), machine)
        else:
            wanted = HeapRequest(run=asked, variant=variant or "", base=diff, workload=workload, tool=HeapTool(tool))
            found = heap_session(wanted, machine)
    report = assemble_heap(found, sort=SortKey(sort), top=top)
    write_out(render_heap(found) if call.json else render_terminal(report, screen_of(call)))


def _check_words(variant: str | None, file: Path | None, call: CliContext) -> None:
    """Refuse what belongs to the other use of the command."""
    if file is None and variant is None:
        raise UsageError(
            "it is not said what to look at",
            help="name a variant: optbuild heap release; or a file: optbuild heap --from dhat-heap.json",
        )
    if file is not None and (variant is not None or call.workload):
        raise UsageError("--from reads a file, and builds and runs nothing", help=f"optbuild heap --from {file}")
