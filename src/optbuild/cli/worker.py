"""`optbuild worker`: offer this machine to a fleet's cluster."""

from __future__ import annotations

import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from optbuild.cli import options
from optbuild.cli.context import CliContext
from optbuild.cli.options import with_common_options


@with_common_options
def worker(
    context: typer.Context,
    address: Annotated[
        str, typer.Argument(metavar="ADDRESS", help="The scheduler's address, such as tcp://HOST:8786.")
    ],
    bench: Annotated[
        bool, typer.Option("--bench", help="Measure, alone on this machine, instead of building.")
    ] = False,
    name: Annotated[str | None, typer.Option("--name", metavar="NAME", help="The name that people see.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Where it writes; default: a temporary directory.")
    ] = None,
    patience: Annotated[
        float | None,
        typer.Option(
            "--patience",
            metavar="TIME",
            parser=options.read_duration_s,
            help="How long to wait for a scheduler that is gone.",
            show_default="10m",
        ),
    ] = None,
) -> None:
    """Offer this machine to a Dask cluster, on which `optbuild fleet run --scheduler ADDRESS` builds and measures.

    Whoever may submit to the scheduler may run programs here, so use it only in a network that you trust.
    """
    from optbuild.cli.console import Console
    from optbuild.fleet.cluster import require_dask

    require_dask()
    from optbuild.cli.worker_setup import set_up
    from optbuild.fleet.turns import HostTurns
    from optbuild.fleet.worker import WorkerRequest, serve

    call: CliContext = context.obj
    place = tempfile.TemporaryDirectory(prefix="optbuild-worker-") if out is None else nullcontext(str(out.resolve()))
    alone = HostTurns().only_benchmark_worker() if bench else nullcontext()
    with Console(call) as console, alone, place as directory:
        request = WorkerRequest(
            address=address,
            role="bench" if bench else "build",
            name=name,
            directory=Path(directory),
            patience_s=600.0 if patience is None else patience,
        )
        serve(request, set_up, console.show)
