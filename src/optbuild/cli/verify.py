"""`optbuild verify`: its options, and what they mean together."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from optbuild.cli import options
from optbuild.cli.context import CliContext, leave, running_machine, screen_of, write_out
from optbuild.cli.options import with_common_options
from optbuild.errors import UsageError


@with_common_options
def verify(
    context: typer.Context,
    subject: Annotated[
        str, typer.Argument(metavar="FILE", help="A program, or a .tar.gz, .tar.xz, .tar.zst, .zip or .whl with one.")
    ],
    record: Annotated[str | None, typer.Option("--record", metavar="REC", help="A record.json or a run's id.")] = None,
    bin_name: Annotated[
        str | None, typer.Option("--bin", metavar="NAME", help="Which program, where there are several.")
    ] = None,
    build_profile: options.BuildProfile = None,
    as_json: options.Json = False,
) -> None:
    """Check a file that people will get against the record of its run; exit code 1 where a check fails.

    `optbuild verify dist/app.tar.gz --record record.json` looks whether the program in it is the one of the record, is
    optimised, counts nothing, keeps its hardening and fits its CPU level. Nothing of it is run.
    """
    from optbuild.record.verification import render_verification
    from optbuild.report.formats.terminal import render_terminal
    from optbuild.report.verification import assemble_verification
    from optbuild.session.request import RunRequest
    from optbuild.session.verify_file import VerifyFileRequest, verify_file

    call: CliContext = context.obj
    if record is None:
        raise UsageError(
            f"it is not said which record {subject} is to be compared with",
            help=f"optbuild verify {subject} --record record.json",
        )
    asked = RunRequest(directory=Path(), build_profile=build_profile)
    with running_machine(call) as machine:
        found = verify_file(VerifyFileRequest(file=Path(subject), record=record, bin=bin_name, run=asked), machine)
    report = render_terminal(assemble_verification(found), screen_of(call))
    write_out(render_verification(found) if as_json else report)
    if found.failed:
        leave(1)
