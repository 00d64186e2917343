"""`optbuild compare`: its options, and what they mean together."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from optbuild.cli import options
from optbuild.cli.options import with_common_options, with_run_request
from optbuild.cli.stories import carry_out
from optbuild.errors import UsageError
from optbuild.session.version_choices import OnDifference, ProfileOwner

if TYPE_CHECKING:
    from optbuild.session.request import RunRequest


@with_common_options
@with_run_request(without=("out", "cross_validate", "keep_going"))
def compare(
    context: typer.Context,
    request: RunRequest,
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
) -> None:
    """Build two versions the same way and measure them in turns: `optbuild compare v1.2.0`.

    Your files and your git repository are only read.
    """
    from optbuild.session.compare import compare as compare_session
    from optbuild.session.compare_request import CompareRequest

    old, new = _settle_revisions(old, new, has_binary=baseline_binary is not None)
    if request.build_profile is not None and build_profile_of is not None:
        raise UsageError(
            "-f names one build profile for both versions, so --build-profile-of has nothing to choose",
            help="leave out one of the two",
        )
    if baseline_binary is not None and build_profile_of not in {None, ProfileOwner.NEW}:
        raise UsageError(
            "a program that was built before has no build profile",
            help=f"leave out --build-profile-of {build_profile_of}",
        )
    comparison = CompareRequest(
        run=request,
        old=old,
        new=new,
        baseline_binary=options.absolute(baseline_binary),
        variant=variant,
        profile_of=build_profile_of or ProfileOwner.NEW,
        on_difference=compare_output,
    )
    carry_out(context.obj, lambda machine: compare_session(comparison, machine))


def _settle_revisions(old: str | None, new: str | None, *, has_binary: bool) -> tuple[str | None, str | None]:
    """The old and the new revision; where a program stands for the old one, the first that is named is the new one."""
    if has_binary and new is not None:
        raise UsageError(
            "--baseline-binary replaces OLD, so only NEW may be named",
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
