"""The program and the commands that run things. Each is thin: read options, call the session, print the result."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from optbuild.cli import options
from optbuild.cli.advise import advise
from optbuild.cli.compare import compare
from optbuild.cli.context import CliContext, render_report, screen_of, write_out
from optbuild.cli.explain import explain
from optbuild.cli.flamegraph import flamegraph
from optbuild.cli.fleet import fleet
from optbuild.cli.heap import heap
from optbuild.cli.inspect_commands import COMMANDS
from optbuild.cli.machine import running_machine
from optbuild.cli.options import with_common_options, with_run_request
from optbuild.cli.stories import carry_out
from optbuild.cli.train import train
from optbuild.cli.tune import tune
from optbuild.cli.verify import verify
from optbuild.cli.worker import worker
from optbuild.errors import UsageError

if TYPE_CHECKING:
    from optbuild.session.request import RunRequest

app = typer.Typer(
    name="optbuild",
    help="Find, prove and reproduce the fastest release binary of a Cargo project.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(value: bool) -> None:
    if value:
        from optbuild import __version__

        write_out(f"optbuild {__version__}\n")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", "-V", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Find, prove and reproduce the fastest release binary of a Cargo project."""


@app.command()
@with_common_options
@with_run_request()
def pgo(context: typer.Context, request: RunRequest, directory: options.Directory = Path()) -> None:
    """Build the baseline and the PGO variants, train, prove, benchmark, and print the comparison.

    `optbuild pgo [DIR] -- CMD…` takes CMD as the one workload, for training and benchmark; {bin} is the binary.
    """
    from optbuild.session.request import Selection

    _run(context.obj, replace(request, directory=directory, selection=Selection.PGO))


@app.command()
@with_common_options
@with_run_request()
def run(
    context: typer.Context,
    request: RunRequest,
    variants: Annotated[list[str] | None, typer.Argument(metavar="VARIANT", help="Default: all.")] = None,
) -> None:
    """Build, prove and benchmark every variant of the build profile, or the named ones and the baseline."""
    _run(context.obj, replace(request, variants=tuple(variants or ())))


@app.command()
@with_common_options
@with_run_request(without=("bench", "max_time", "cross_validate", "allow_debug"))
def build(
    context: typer.Context,
    request: RunRequest,
    variants: Annotated[list[str] | None, typer.Argument(metavar="VARIANT", help="Default: all.")] = None,
) -> None:
    """Build (and train) every variant, or the named ones and the baseline; measure nothing."""
    _run(context.obj, replace(request, variants=tuple(variants or ()), measure=False))


@app.command()
@with_common_options
def bench(
    context: typer.Context,
    binaries: Annotated[list[str], typer.Argument(metavar="NAME=PATH", help="Binaries; the first is the baseline.")],
    stdin: options.Stdin = None,
    env: options.Env = None,
    metric: Annotated[
        str, typer.Option("--metric", metavar="NAME", help="wall, cpu, faults, rss, instructions or allocations.")
    ] = "wall",
    precision: options.Precision = None,
    min_effect: options.MinEffect = 0.01,
    max_time: options.MaxTime = None,
    timeout: Annotated[
        float | None,
        typer.Option(
            "--timeout", metavar="TIME", parser=options.read_duration_s, help="How long a run may take; default: 5m."
        ),
    ] = None,
    prepare: Annotated[str, typer.Option("--prepare", metavar="CMD", help="Run before each timed run.")] = "",
    conclude: Annotated[str, typer.Option("--conclude", metavar="CMD", help="Run after each timed run.")] = "",
    allow_debug: options.AllowDebug = False,
    as_json: options.Json = False,
) -> None:
    """Benchmark existing binaries against the first: `optbuild bench old=./a new=./b -- {bin} ARGS`."""
    from optbuild.cli.metrics import read_metric
    from optbuild.record.store import render_record
    from optbuild.session.bench import BenchRequest, parse_binaries
    from optbuild.session.bench import bench as bench_session

    call: CliContext = context.obj
    if not call.workload:
        raise UsageError("there is no command to measure", help="optbuild bench old=./a new=./b -- {bin} ARGS")
    with running_machine(call) as machine:
        request = BenchRequest(
            binaries=parse_binaries(binaries, machine.working_directory),
            workload=call.workload,
            command_options=options.command_options(call, stdin, env),
            metric=read_metric(metric),
            precision=precision,
            min_effect=min_effect,
            max_time_s=300.0 if max_time is None else max_time,
            timeout_s=300.0 if timeout is None else timeout,
            prepare=next(iter(options.split_commands([prepare] if prepare else None)), ()),
            conclude=next(iter(options.split_commands([conclude] if conclude else None)), ()),
            allow_debug=allow_debug,
            command_line=call.argv,
        )
        record = bench_session(request, machine)
    write_out(render_record(record) if call.json else render_report(call, record, "terminal", screen_of(call)))


for _command in (compare, explain, train, tune, verify, flamegraph, heap, advise, *COMMANDS):
    app.command()(_command)
app.add_typer(fleet)
app.command()(worker)


@app.command(name="help")
@with_common_options
def help_(
    context: typer.Context,
    topic: Annotated[str, typer.Argument(metavar="TOPIC", help="exit-codes, or a command.")] = "",
) -> None:
    """Explain a topic: `optbuild help exit-codes`."""
    from optbuild.cli.help_topics import TOPICS

    if topic in TOPICS:
        write_out(TOPICS[topic])
        return
    own = [] if not topic else [topic]
    app(args=[*own, "--help"], prog_name="optbuild", obj=context.obj)


def _run(call: CliContext, request: RunRequest) -> None:
    from optbuild.session.each_target import run_each

    carry_out(call, lambda machine: run_each(request, machine))
