"""`optbuild fleet`: many projects, on one machine or on many."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from optbuild.cli import options
from optbuild.cli.choices import choose_form, require_choice
from optbuild.cli.context import CliContext, find_working_directory, leave, screen_of, write_out, write_result
from optbuild.cli.machine import running_machine
from optbuild.cli.options import with_common_options
from optbuild.errors import UsageError

if TYPE_CHECKING:
    from optbuild.fleet.run import FleetRequest
    from optbuild.fleet.summary import FleetReport
    from optbuild.session.request import Machine

fleet = typer.Typer(
    name="fleet",
    help="Build and measure many projects, named in FLEET.toml; one report over all.",
    no_args_is_help=True,
)

FleetFile = Annotated[Path, typer.Argument(metavar="FLEET.toml", help="The list of projects.")]
_DEFAULT = Path("FLEET.toml")


@fleet.command()
@with_common_options
def plan(
    context: typer.Context,
    file: FleetFile = _DEFAULT,
    shards: Annotated[
        int | None,
        typer.Option("--shards", min=1, max=10_000, metavar="N", help="Divide it by N; default: one for each unit."),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Show the units of a fleet and how they are shared out; with --json the matrix of a CI job. Runs nothing."""
    from optbuild.fleet.load import load_fleet
    from optbuild.fleet.plan import assemble_plan, make_matrix, render_matrix
    from optbuild.fleet.units import make_units
    from optbuild.report.formats.terminal import render_terminal

    call: CliContext = context.obj
    matrix = make_matrix(make_units(load_fleet(find_working_directory() / file)), shards)
    write_out(render_matrix(matrix) if as_json else render_terminal(assemble_plan(matrix), screen_of(call)))


@fleet.command()
@with_common_options
def run(
    context: typer.Context,
    file: FleetFile = _DEFAULT,
    shard: Annotated[
        str | None, typer.Option("--shard", metavar="K/N", help="Only part K of N; every machine finds the same parts.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="The directory for results; default: target/optbuild-fleet."),
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option("--scheduler", metavar="ADDRESS", help="Let the workers of this Dask cluster do it."),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers", min=1, max=256, metavar="N", help="Let N builders and a benchmark worker here do it, by Dask."
        ),
    ] = None,
    idle_within: Annotated[
        float | None,
        typer.Option(
            "--idle-within",
            metavar="TIME",
            parser=options.read_duration_s,
            help="How long a benchmark worker waits for its machine to become idle.",
            show_default="30s",
        ),
    ] = None,
    jobs: options.Jobs = None,
    max_time: Annotated[float | None, options.own_max_time("Budget for all measuring of each unit.")] = None,
    keep_going: options.KeepGoing = False,
    fresh: options.Fresh = False,
    no_wait: options.NoWait = False,
    as_json: options.Json = False,
) -> None:
    """Build, prove and benchmark every project; what is done already is kept, and one that fails ends no other."""
    from optbuild.fleet.run import FleetRequest, run_fleet
    from optbuild.fleet.shards import Shard

    call: CliContext = context.obj
    request = FleetRequest(
        file=find_working_directory() / file,
        out=options.absolute(out),
        shard=None if shard is None else Shard.parse(shard),
        jobs=jobs,
        max_time_s=max_time,
        keep_going=keep_going,
        fresh=fresh,
        wait=not no_wait,
        command_line=call.argv,
    )
    _check_places(shard, scheduler, workers)
    with running_machine(call) as machine:
        if scheduler is None and workers is None:
            found = run_fleet(request, machine)
        else:
            found = _run_on_cluster(
                request, scheduler or workers or 1, machine, idle_within_s=30.0 if idle_within is None else idle_within
            )
    _conclude(call, found)


def _check_places(shard: str | None, scheduler: str | None, workers: int | None) -> None:
    """Refuse several answers to the question where the work is done."""
    given = {"--shard": shard, "--scheduler": scheduler, "--workers": workers}
    named = [name for name, value in given.items() if value is not None]
    if len(named) > 1:
        raise UsageError(f"{' and '.join(named)} exclude each other", help="name one of them")


def _run_on_cluster(request: FleetRequest, where: str | int, machine: Machine, *, idle_within_s: float) -> FleetReport:
    """Do a fleet on the cluster at an address, or on so many builders here."""
    from optbuild.fleet.cluster import require_dask

    require_dask()
    from optbuild.fleet.distributed_run import run_on_cluster, run_on_local_cluster

    if isinstance(where, int):
        return run_on_local_cluster(request, where, machine, idle_within_s=idle_within_s)
    return run_on_cluster(request, where, machine, idle_within_s=idle_within_s)


@fleet.command()
@with_common_options
def merge(
    context: typer.Context,
    places: Annotated[
        list[Path],
        typer.Argument(
            metavar="FLEET.toml|DIR", help="The directories that `fleet run` has written, and their FLEET.toml."
        ),
    ],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Copy what counts into this directory.")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Make one report of what several machines have done; each unit counts once, and missing ones are named."""
    from optbuild.fleet.load import load_fleet
    from optbuild.fleet.merge import merge as merge_results
    from optbuild.fleet.units import make_units

    call: CliContext = context.obj
    here = find_working_directory()
    files, directories = _sort_places(here, places)
    if not directories:
        raise UsageError("no results are named", help="optbuild fleet merge FLEET.toml shard-1 shard-2")
    units = make_units(load_fleet(files[0])) if files else ()
    with running_machine(call) as machine:
        found = merge_results(directories, machine.emit, units=units, out=options.absolute(out))
    _conclude(call, found)


@fleet.command()
@with_common_options
def report(
    context: typer.Context,
    place: Annotated[
        Path, typer.Argument(metavar="FLEET.toml|DIR", help="A fleet that was run, or a directory of results.")
    ] = _DEFAULT,
    form: Annotated[
        str | None, typer.Option("--format", metavar="FORMAT", help="terminal (the default), markdown, html or json.")
    ] = None,
    output: options.Output = None,
    as_json: options.Json = False,
) -> None:
    """Render what is known of a fleet; runs nothing."""
    from optbuild.fleet.load import load_fleet
    from optbuild.fleet.merge import merge as merge_results
    from optbuild.fleet.report import FLEET_FORMATS
    from optbuild.fleet.run import OUT_NAME
    from optbuild.fleet.units import make_units

    call: CliContext = context.obj
    form = choose_form(form, as_json=as_json)
    require_choice(form, FLEET_FORMATS, "format")
    files, directories = _sort_places(find_working_directory(), [place])
    units = make_units(load_fleet(files[0])) if files else ()
    directories = directories or [files[0].parent / OUT_NAME]
    with running_machine(call) as machine:
        found = merge_results(directories, machine.emit, units=units)
    write_result(FLEET_FORMATS[form](found, screen_of(call, output)), output)


def _sort_places(here: Path, places: list[Path]) -> tuple[list[Path], list[Path]]:
    """The fleet's file, where it is named, and the directories."""
    found = [here / place for place in places]
    files = [place for place in found if not place.is_dir()]
    if len(files) > 1:
        absent = next((place for place in files if not place.is_file()), files[1])
        raise UsageError(
            f"{absent} is not a directory",
            help="name one fleet file at most, and the directories that `optbuild fleet run --out DIR` has written",
        )
    return files, [place for place in found if place.is_dir()]


def _conclude(call: CliContext, found: FleetReport) -> None:
    """Print the report of a fleet, and leave with its exit code."""
    from optbuild.cli.ci import show_text_on_ci
    from optbuild.fleet.report import FLEET_FORMATS

    form = "json" if call.json else "terminal"
    write_out(FLEET_FORMATS[form](found, screen_of(call)))
    show_text_on_ci(call, FLEET_FORMATS["markdown"](found, screen_of(call)))
    leave(found.exit_code)
