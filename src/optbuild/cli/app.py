"""The commands. Each is thin: read options, call the session, print what came of it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from optbuild.cli import options
from optbuild.cli.context import CliContext, leave, running_machine, write_out
from optbuild.cli.options import with_common_options
from optbuild.errors import UsageError

if TYPE_CHECKING:
    from optbuild.record.model import RunRecord
    from optbuild.session.request import RunRequest

app = typer.Typer(
    name="optbuild",
    help="Find, prove and reproduce the fastest release binary of a Cargo project.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_LATER = {
    "compare": "build two git revisions and measure them interleaved",
    "check": "apply the gates to the last run",
    "apply": "write a variant's settings into Cargo.toml",
    "flamegraph": "record and draw a variant",
}


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
def pgo(
    context: typer.Context,
    directory: options.Directory = Path(),
    build_profile: options.BuildProfile = None,
    train: options.Train = None,
    bench: options.Bench = None,
    out: options.Out = None,
    jobs: options.Jobs = None,
    max_time: options.MaxTime = None,
    keep_going: options.KeepGoing = False,
    fresh: options.Fresh = False,
    no_wait: options.NoWait = False,
    as_json: options.Json = False,
) -> None:
    """Build the baseline and the PGO variants, train, prove, benchmark, and print the comparison.

    `optbuild pgo [DIR] -- CMD…` takes CMD as the one workload, for training and benchmark; {bin} is the binary.
    """
    from optbuild.session.request import RunRequest, Selection

    call: CliContext = context.obj
    _run(
        call,
        RunRequest(
            directory=directory,
            selection=Selection.PGO,
            build_profile=build_profile,
            workload=call.workload,
            train=_split(train),
            bench=_split(bench),
            out=_absolute(out),
            jobs=jobs,
            max_time_s=max_time,
            keep_going=keep_going,
            fresh=fresh,
            wait=not no_wait,
            command_line=call.argv,
        ),
    )


@app.command()
@with_common_options
def run(
    context: typer.Context,
    variants: Annotated[list[str] | None, typer.Argument(metavar="[VARIANT]…", help="Default: all.")] = None,
    build_profile: options.BuildProfile = None,
    train: options.Train = None,
    bench: options.Bench = None,
    out: options.Out = None,
    jobs: options.Jobs = None,
    max_time: options.MaxTime = None,
    keep_going: options.KeepGoing = False,
    fresh: options.Fresh = False,
    no_wait: options.NoWait = False,
    as_json: options.Json = False,
) -> None:
    """Build, prove and benchmark every variant of the build profile, or the named ones and the baseline."""
    from optbuild.session.request import RunRequest

    call: CliContext = context.obj
    _run(
        call,
        RunRequest(
            directory=_start(build_profile),
            build_profile=build_profile,
            variants=tuple(variants or ()),
            workload=call.workload,
            train=_split(train),
            bench=_split(bench),
            out=_absolute(out),
            jobs=jobs,
            max_time_s=max_time,
            keep_going=keep_going,
            fresh=fresh,
            wait=not no_wait,
            command_line=call.argv,
        ),
    )


@app.command()
@with_common_options
def build(
    context: typer.Context,
    variants: Annotated[list[str] | None, typer.Argument(metavar="[VARIANT]…", help="Default: all.")] = None,
    build_profile: options.BuildProfile = None,
    train: options.Train = None,
    out: options.Out = None,
    jobs: options.Jobs = None,
    keep_going: options.KeepGoing = False,
    fresh: options.Fresh = False,
    no_wait: options.NoWait = False,
    as_json: options.Json = False,
) -> None:
    """Build (and train) every variant, or the named ones and the baseline; measure nothing."""
    from optbuild.session.request import RunRequest

    call: CliContext = context.obj
    _run(
        call,
        RunRequest(
            directory=_start(build_profile),
            build_profile=build_profile,
            variants=tuple(variants or ()),
            workload=call.workload,
            train=_split(train),
            measure=False,
            out=_absolute(out),
            jobs=jobs,
            keep_going=keep_going,
            fresh=fresh,
            wait=not no_wait,
            command_line=call.argv,
        ),
    )


@app.command()
@with_common_options
def bench(
    context: typer.Context,
    binaries: Annotated[list[str], typer.Argument(metavar="NAME=PATH…", help="Binaries; the first is the baseline.")],
    metric: Annotated[str, typer.Option("--metric", metavar="NAME", help="wall, cpu or instructions.")] = "wall",
    precision: options.Precision = 0.01,
    min_effect: options.MinEffect = 0.01,
    max_time: options.MaxTime = None,
    prepare: Annotated[str, typer.Option("--prepare", metavar="CMD", help="Run before each timed run.")] = "",
    conclude: Annotated[str, typer.Option("--conclude", metavar="CMD", help="Run after each timed run.")] = "",
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
            metric=read_metric(metric),
            precision=precision,
            min_effect=min_effect,
            max_time_s=300.0 if max_time is None else max_time,
            prepare=next(iter(_split([prepare] if prepare else None)), ()),
            conclude=next(iter(_split([conclude] if conclude else None)), ()),
            command_line=call.argv,
        )
        record = bench_session(request, machine)
    write_out(render_record(record) if call.json else _render(call, record, "terminal", to_file=False))


@app.command()
@with_common_options
def plan(
    context: typer.Context,
    directory: options.Directory = Path(),
    build_profile: options.BuildProfile = None,
    train: options.Train = None,
    bench: options.Bench = None,
    every: Annotated[bool, typer.Option("--all", help="Plan `optbuild run` instead of `optbuild pgo`.")] = False,
    out: options.Out = None,
    jobs: options.Jobs = None,
    max_time: options.MaxTime = None,
    as_json: options.Json = False,
) -> None:
    """Print the whole plan of `optbuild pgo` as it would run; runs nothing that the repository names."""
    import json

    from optbuild.plan.render import plan_to_dict, render_plan
    from optbuild.session.prepare import prepare
    from optbuild.session.request import RunRequest, Selection

    call: CliContext = context.obj
    request = RunRequest(
        directory=directory,
        selection=Selection.NAMED if every else Selection.PGO,
        build_profile=build_profile,
        workload=call.workload,
        train=_split(train),
        bench=_split(bench),
        out=_absolute(out),
        jobs=jobs,
        max_time_s=max_time,
    )
    with running_machine(call) as machine:
        planned = prepare(request, machine, trusted=False).plan
    write_out(
        json.dumps(plan_to_dict(planned), indent=2, ensure_ascii=False) + "\n" if as_json else render_plan(planned)
    )


@app.command()
@with_common_options
def init(
    context: typer.Context,
    directory: options.Directory = Path(),
    package: Annotated[
        str | None, typer.Option("--package", "-p", metavar="NAME", help="The package, where several have binaries.")
    ] = None,
    yes: options.Yes = False,
) -> None:
    """Propose an optbuild.toml, show it as a diff and write it after asking; runs nothing that the repository names."""
    from optbuild.cli.init import settle
    from optbuild.session.init import propose

    call: CliContext = context.obj
    with running_machine(call) as machine:
        proposal = propose(directory, package, machine)
    settle(proposal, call, yes=yes)


@app.command()
@with_common_options
def doctor(
    context: typer.Context,
    directory: options.Directory = Path(),
    fix: Annotated[bool, typer.Option("--fix", help="Install what is missing, after asking.")] = False,
    yes: options.Yes = False,
    measure: Annotated[bool, typer.Option("--measure", help="How good is this machine for measuring?")] = False,
    build_profile: options.BuildProfile = None,
    as_json: options.Json = False,
) -> None:
    """Say whether everything is here and fits, each line with its remedy."""
    from optbuild.cli.doctor import has_errors, make_confirm, render_findings
    from optbuild.session.inspect import examine_machine
    from optbuild.session.measure_check import examine_measuring
    from optbuild.session.request import RunRequest

    call: CliContext = context.obj
    request = RunRequest(directory=directory, build_profile=build_profile)
    with running_machine(call) as machine:
        findings = examine_machine(request, machine, confirm=make_confirm(yes=yes) if fix else None).findings
        if measure:
            findings += examine_measuring(machine)
    write_out(render_findings(findings, as_json=as_json))
    if has_errors(findings):
        leave(3)


@app.command()
@with_common_options
def report(
    context: typer.Context,
    run_name: Annotated[
        str | None, typer.Argument(metavar="[RUN]", help="A run's id or a record.json; default: the last run.")
    ] = None,
    form: Annotated[
        str, typer.Option("--format", metavar="FORMAT", help="terminal, markdown, html, json or csv.")
    ] = "terminal",
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write to a file.")] = None,
    build_profile: options.BuildProfile = None,
) -> None:
    """Render a stored run; runs nothing that the repository names."""
    from optbuild.session.inspect import find_record
    from optbuild.session.request import RunRequest

    call: CliContext = context.obj
    with running_machine(call) as machine:
        record = find_record(run_name, RunRequest(directory=Path(), build_profile=build_profile), machine)
    text = _render(call, record, form, to_file=output is not None)
    if output is None:
        write_out(text)
        return
    from optbuild.files import atomic_write

    atomic_write(output.absolute(), text.encode())


@app.command()
@with_common_options
def runs(context: typer.Context, directory: options.Directory = Path(), as_json: options.Json = False) -> None:
    """List stored runs."""
    import json

    from optbuild.record.store import RecordStore
    from optbuild.report.runs_table import render_runs
    from optbuild.session.inspect import find_layout
    from optbuild.session.request import RunRequest

    with running_machine(context.obj) as machine:
        records = RecordStore(
            directory=find_layout(RunRequest(directory=directory), machine).runs, emit=machine.emit
        ).load_all()
    if as_json:
        rows = [
            {"run_id": item.run_id, "started_at": item.started_at, "status": item.status, "exit_code": item.exit_code}
            for item in records
        ]
        write_out(json.dumps(rows, indent=2) + "\n")
    else:
        write_out(render_runs(records))


@app.command()
@with_common_options
def clean(context: typer.Context, directory: options.Directory = Path()) -> None:
    """Remove what optbuild made in a project: only the directory that carries its marker."""
    from optbuild.session.inspect import clean as clean_project
    from optbuild.session.request import RunRequest
    from optbuild.units import format_bytes

    with running_machine(context.obj) as machine:
        removed, freed_bytes = clean_project(RunRequest(directory=directory), machine)
    write_out(
        f"removed {removed} ({format_bytes(freed_bytes)})\n" if freed_bytes else f"nothing to remove in {removed}\n"
    )


@app.command()
@with_common_options
def schema(
    context: typer.Context,
    which: Annotated[str, typer.Argument(metavar="[profile|record]", help="Which schema.")] = "profile",
) -> None:
    """Print the JSON schema of the build profile or of the record."""
    from optbuild.profile.schema import render_profile_schema
    from optbuild.record.store import render_record_schema

    renderers = {"profile": render_profile_schema, "record": render_record_schema}
    if which not in renderers:
        raise UsageError(f"there is no schema {which!r}", help="optbuild schema profile, or optbuild schema record")
    write_out(renderers[which]())


@app.command(name="help")
@with_common_options
def help_(
    context: typer.Context,
    topic: Annotated[str, typer.Argument(metavar="[TOPIC]", help="exit-codes, or a command.")] = "",
) -> None:
    """Explain a topic: `optbuild help exit-codes`."""
    from optbuild.cli.help_topics import TOPICS

    if topic in TOPICS:
        write_out(TOPICS[topic])
        return
    own = [] if not topic else [topic]
    app(args=[*own, "--help"], prog_name="optbuild", obj=context.obj)


def _add_later(name: str, what: str) -> None:
    @app.command(name=name, help=f"Not in this version: {what}.", hidden=True, context_settings=_ANYTHING)
    def later(context: typer.Context) -> None:
        raise UsageError(
            f"`optbuild {name}` ({what}) needs a newer optbuild",
            help="pip install --upgrade cargo-optbuild; see `optbuild --help` for what is there",
        )


_ANYTHING = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}
for _name, _what in _LATER.items():
    _add_later(_name, _what)


def _run(call: CliContext, request: RunRequest) -> None:
    from optbuild.cli.console import Console
    from optbuild.record.store import render_record
    from optbuild.session.run import RunFailedError
    from optbuild.session.run import run as run_session

    error = None
    with running_machine(call) as machine:
        try:
            record = run_session(request, machine)
        except RunFailedError as failure:
            record, error = failure.record, failure.error
    if call.json:
        write_out(render_record(record))
    elif error is None:
        write_out(_render(call, record, "terminal", to_file=False))
    if error is not None:
        if call.debug:
            raise error
        Console(call).show_error(error)
    leave(record.exit_code)


def _render(call: CliContext, record: RunRecord, form: str, *, to_file: bool) -> str:
    import shutil

    from optbuild.report.assemble import assemble
    from optbuild.report.formats import FORMATS
    from optbuild.report.model import Screen

    if form not in FORMATS:
        raise UsageError(f"there is no format {form!r}", help=f"choose one of: {', '.join(FORMATS)}")
    colour = not to_file and call.wants_colour(is_terminal=sys.stdout.isatty())
    width = shutil.get_terminal_size((100, 24)).columns if sys.stdout.isatty() else 100
    return FORMATS[form](record, assemble(record), Screen(width=width, colour=colour))


def _split(commands: list[str] | None) -> tuple[tuple[str, ...], ...]:
    """Split commands as a shell splits words; no shell is involved."""
    import shlex

    split = []
    for command in commands or ():
        try:
            split.append(tuple(shlex.split(command)))
        except ValueError as error:
            raise UsageError(f"cannot split {command!r} into words: {error}", help="close every quote") from error
    return tuple(split)


def _absolute(path: Path | None) -> Path | None:
    return None if path is None else path.resolve()


def _start(build_profile: str | None) -> Path:
    """Where to look for the project: beside a named build profile, else here."""
    if build_profile is None or build_profile.startswith("preset:"):
        return Path()
    return Path(build_profile).parent
