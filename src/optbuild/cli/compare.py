"""`optbuild compare`: its options, and what they mean together."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from optbuild.cli import options
from optbuild.cli.context import CliContext
from optbuild.cli.options import start_directory, with_common_options
from optbuild.cli.stories import carry_out
from optbuild.errors import UsageError
from optbuild.session.version_choices import OnDifference, ProfileOwner


@with_common_options
def compare(
    context: typer.Context,
    old: Annotated[
        str | None, typer.Argument(metavar="OLD", help="A git revision; left out with --baseline-binary.")
    ] = None,
    new: Annotated[
        str | None, typer.Argument(metavar="NEW", help="Another one; default: the working tree as it is.")
    ] = None,
    variant: Annotated[
        str | None, typer.Option("--variant", metavar="NAME", help="Build this variant; default: the last.")
    ] = None,
    build_profile_of: Annotated[
        ProfileOwner | None,
        typer.Option(
            "--build-profile-of", metavar="new|old|each", help="Whose build profile, workloads and files; default: new."
        ),
    ] = None,
    compare_output: Annotated[
        OnDifference, typer.Option("--compare-output", help="What to do where outputs differ.")
    ] = OnDifference.WARN,
    baseline_binary: Annotated[
        Path | None,
        typer.Option("--baseline-binary", metavar="PATH", help="A program that was built before, in OLD's place."),
    ] = None,
    build_profile: options.BuildProfile = None,
    train: options.Train = None,
    bench: options.Bench = None,
    stdin: options.Stdin = None,
    env: options.Env = None,
    jobs: options.Jobs = None,
    max_time: options.MaxTime = None,
    fresh: options.Fresh = False,
    no_wait: options.NoWait = False,
    as_json: options.Json = False,
) -> None:
    """Build two versions the same way and measure them in turns: `optbuild compare v1.2.0`.

    Your files and your git repository are only read.
    """
    from optbuild.session.compare import compare as compare_session
    from optbuild.session.compare_request import CompareRequest
    from optbuild.session.request import RunRequest

    call: CliContext = context.obj
    old, new = _settle_revisions(old, new, has_binary=baseline_binary is not None)
    if build_profile is not None and build_profile_of is not None:
        raise UsageError(
            "-f names one build profile for both versions, so that --build-profile-of has nothing to choose",
            help="leave out one of the two",
        )
    if baseline_binary is not None and build_profile_of not in {None, ProfileOwner.NEW}:
        raise UsageError(
            "a program that was built before has no build profile",
            help=f"leave out --build-profile-of {build_profile_of}",
        )
    request = CompareRequest(
        run=RunRequest(
            directory=start_directory(build_profile),
            build_profile=build_profile,
            workload=call.workload,
            train=options.split_commands(train),
            bench=options.split_commands(bench),
            command_options=options.command_options(call, stdin, env),
            jobs=jobs,
            max_time_s=max_time,
            fresh=fresh,
            wait=not no_wait,
            command_line=call.argv,
        ),
        old=old,
        new=new,
        baseline_binary=options.absolute(baseline_binary),
        variant=variant,
        profile_of=build_profile_of or ProfileOwner.NEW,
        on_difference=compare_output,
    )
    carry_out(call, lambda machine: compare_session(request, machine))


def _settle_revisions(old: str | None, new: str | None, *, has_binary: bool) -> tuple[str | None, str | None]:
    """The old and the new revision; where a program stands for the old one, the first that is named is the new one."""
    if has_binary and new is not None:
        raise UsageError(
            "--baseline-binary stands for OLD, and two revisions are named as well",
            help="name at most the new one: optbuild compare --baseline-binary PATH v1.3.0",
        )
    if has_binary:
        return None, old
    if old is None:
        raise UsageError(
            "the version to compare with is missing",
            help="optbuild compare v1.2.0, or: optbuild compare v1.2.0 v1.3.0; or a program that was built before: "
            "--baseline-binary PATH",
        )
    return old, new
