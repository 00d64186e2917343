"""`optbuild train`: its options, what it prints, and its JSON documents."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from optbuild.cli import options
from optbuild.cli.context import CliContext, leave, write_out
from optbuild.cli.machine import running_machine
from optbuild.cli.options import with_common_options, with_run_request
from optbuild.cli.stories import show_failure
from optbuild.errors import UsageError

if TYPE_CHECKING:
    from optbuild.session.request import Machine, RunRequest
    from optbuild.session.train import Trained, TrainRequest
    from optbuild.session.train_check import Checked


@with_common_options
@with_run_request(
    without=("train", "bench", "stdin", "env", "out", "max_time", "cross_validate", "allow_debug", "keep_going")
)
def train(
    context: typer.Context,
    request: RunRequest,
    directory: options.Directory = Path(),
    variant: Annotated[
        str | None,
        typer.Option("--variant", metavar="NAME", help="Default: the last variant with PGO, without `layout`."),
    ] = None,
    merge: Annotated[
        bool, typer.Option("--merge", help="Add to the committed counts, whose weight is halved.")
    ] = False,
    check: Annotated[
        bool,
        typer.Option("--check", help="Train nothing: say how well the counts still fit; exit 1 below `min-matched`."),
    ] = False,
) -> None:
    """Train, and write the portable profile that `profile-data.path` names, for builds where no training runs."""
    from optbuild.session.train import TrainRequest

    call: CliContext = context.obj
    if check and merge:
        raise UsageError("--check writes nothing, so --merge has nothing to add to", help="leave out one of the two")
    if request.workload:
        raise UsageError(
            "counts that are committed come from the training workloads of the build profile, not from a command line",
            help='add the command as a [[workloads]] table with use = ["train"], and leave out `-- CMD`',
        )
    training = TrainRequest(run=replace(request, directory=directory), variant=variant, merge=merge)
    with running_machine(call) as machine:
        status = _check(call, training, machine) if check else _train(call, training, machine)
    if status:
        leave(status)


def _train(call: CliContext, request: TrainRequest, machine: Machine) -> int:
    from optbuild.portable.difference import render_difference
    from optbuild.session.run import RunFailedError
    from optbuild.session.train import keep
    from optbuild.session.train import train as train_session
    from optbuild.units import format_bytes

    try:
        trained = train_session(request, machine)
    except RunFailedError as failure:
        return show_failure(call, failure)
    if not call.json and trained.difference is not None:
        write_out(render_difference(trained.difference))
    keep(trained)
    totals = trained.profile.totals
    counted = f"{totals.functions_with_counts:,} of {totals.functions:,} functions with counts"
    shown = f"{trained.path}: {counted}, {format_bytes(len(trained.data))}\n"
    write_out(_render_json(_describe_trained(trained)) if call.json else shown)
    return 0


def _check(call: CliContext, request: TrainRequest, machine: Machine) -> int:
    from optbuild.portable.fit import render_fit
    from optbuild.session.train_check import check_training
    from optbuild.units import format_share

    checked = check_training(request, machine)
    verdict = "" if checked.passed else f"that is below `min-matched`, {format_share(checked.min_matched)}\n"
    shown = render_fit(checked.fit, checked.trained_ratio) + verdict
    write_out(_render_json(_describe_checked(checked)) if call.json else shown)
    return 0 if checked.passed else 1


def _describe_trained(trained: Trained) -> Mapping[str, Any]:
    return {
        "schema": "optbuild/train/1",
        "path": str(trained.path),
        "size_bytes": len(trained.data),
        "content_sha256": trained.profile.content_sha256,
        "totals": trained.profile.totals.model_dump(),
        "matched_ratio": trained.lock.matched_ratio,
        "difference": None if trained.difference is None else asdict(trained.difference),
    }


def _describe_checked(checked: Checked) -> Mapping[str, Any]:
    return {
        "schema": "optbuild/train-check/1",
        "path": str(checked.path),
        "variant": checked.variant,
        "passed": checked.passed,
        "min_matched": checked.min_matched,
        "trained_ratio": checked.trained_ratio,
        **asdict(checked.fit),
    }


def _render_json(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=2) + "\n"
