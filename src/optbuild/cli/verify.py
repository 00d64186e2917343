"""`optbuild verify`: its options, and what they mean together."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from optbuild.cli import options
from optbuild.cli.context import CliContext, leave, screen_of, write_out
from optbuild.cli.machine import running_machine
from optbuild.cli.options import start_directory, with_common_options
from optbuild.errors import UsageError


@with_common_options
def verify(
    context: typer.Context,
    subject: Annotated[
        str | None,
        typer.Argument(
            metavar="VARIANT|FILE",
            help="A variant, by default the last with PGO; with --record a program, or a .tar.gz, .tar.xz, .tar.zst, "
            ".zip or .whl with one.",
        ),
    ] = None,
    record: Annotated[
        str | None, typer.Option("--record", metavar="REC", help="Verify a file by this record.json or run.")
    ] = None,
    bin_name: Annotated[
        str | None, typer.Option("--bin", metavar="NAME", help="Which program of the file, where there are several.")
    ] = None,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Build the variant again from nothing, and compare the bytes.")
    ] = False,
    build_profile: options.BuildProfile = None,
    jobs: options.Jobs = None,
    no_wait: options.NoWait = False,
    as_json: options.Json = False,
) -> None:
    """Check committed counts, or a file that people will get; exit code 1 where a check fails.

    `optbuild verify` compares the committed counts and their lock with this project, and builds the variant without
    training. `optbuild verify dist/app.tar.gz --record record.json` looks whether the program in it is the one of the
    record, is optimised, counts nothing, keeps its hardening and fits its CPU level; nothing is built or run.
    """
    from optbuild.record.verification import render_verification
    from optbuild.report.formats.terminal import render_terminal
    from optbuild.report.verification import assemble_verification
    from optbuild.session.request import RunRequest
    from optbuild.session.verify import VerifyRequest
    from optbuild.session.verify import verify as verify_session
    from optbuild.session.verify_file import VerifyFileRequest, verify_file

    call: CliContext = context.obj
    _check_words(subject, record, bin_name, rebuild=rebuild)
    asked = RunRequest(
        directory=start_directory(build_profile),
        build_profile=build_profile,
        jobs=jobs,
        wait=not no_wait,
        command_line=call.argv,
    )
    with running_machine(call) as machine:
        if record is not None and subject is not None:
            found = verify_file(VerifyFileRequest(file=Path(subject), record=record, bin=bin_name, run=asked), machine)
        else:
            found = verify_session(VerifyRequest(run=asked, variant=subject, rebuild=rebuild), machine)
    report = render_terminal(assemble_verification(found), screen_of(call))
    write_out(render_verification(found) if as_json else report)
    if found.failed:
        leave(1)


def _check_words(subject: str | None, record: str | None, bin_name: str | None, *, rebuild: bool) -> None:
    """Refuse what belongs to the other use of the command."""
    if record is None and subject is not None and Path(subject).is_file():
        raise UsageError(
            f"it is not said which record {subject} is to be compared with",
            help=f"optbuild verify {subject} --record record.json",
        )
    if record is None and bin_name is not None:
        raise UsageError("--bin chooses a program of a file", help="optbuild verify FILE --record REC --bin NAME")
    if record is not None and subject is None:
        raise UsageError("--record needs the file to verify", help="optbuild verify FILE --record record.json")
    if record is not None and rebuild:
        raise UsageError("--rebuild builds a variant, and --record looks at a file", help="leave out one of the two")
