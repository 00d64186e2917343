"""Commands that look, tidy and propose: none of them runs anything that the repository names. Each is thin."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from optbuild.cli import options
from optbuild.cli.context import CliContext, leave, render_report, running_machine, write_out
from optbuild.cli.options import with_common_options
from optbuild.errors import UsageError
from optbuild.text import sanitize_line


@with_common_options
def plan(
    context: typer.Context,
    directory: options.Directory = Path(),
    build_profile: options.BuildProfile = None,
    train: options.Train = None,
    bench: options.Bench = None,
    stdin: options.Stdin = None,
    env: options.Env = None,
    cross_validate: options.CrossValidate = False,
    every: Annotated[bool, typer.Option("--all", help="Plan `optbuild run` instead of `optbuild pgo`.")] = False,
    out: options.Out = None,
    jobs: options.Jobs = None,
    max_time: options.MaxTime = None,
    as_json: options.Json = False,
) -> None:
    """Print the whole plan of `optbuild pgo` as it would run; runs nothing that the repository names."""
    import json

    from optbuild.plan.render import plan_to_dict, render_plan
    from optbuild.record.host import describe_host
    from optbuild.session.forecast import estimate_runs, forecast
    from optbuild.session.prepare import load_history, prepare
    from optbuild.session.request import RunRequest, Selection

    call: CliContext = context.obj
    request = RunRequest(
        directory=directory,
        selection=Selection.NAMED if every else Selection.PGO,
        build_profile=build_profile,
        workload=call.workload,
        train=options.split_commands(train),
        bench=options.split_commands(bench),
        command_options=options.command_options(call, stdin, env),
        out=options.absolute(out),
        jobs=jobs,
        max_time_s=max_time,
        cross_validate=cross_validate,
    )
    with running_machine(call) as machine:
        prepared = prepare(request, machine, trusted=False)
        history = load_history(prepared.layout)
        forecasts = forecast(prepared, describe_host(), history)
        estimate = estimate_runs(prepared.plan, forecasts, history)
    if as_json:
        write_out(json.dumps(plan_to_dict(prepared.plan, forecasts, estimate), indent=2) + "\n")
    else:
        write_out(render_plan(prepared.plan, forecasts, estimate))


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
    evidence: Annotated[
        bool, typer.Option("--evidence", help="What shows that PGO took effect, on a page of its own.")
    ] = False,
    build_profile: options.BuildProfile = None,
) -> None:
    """Render a stored run; runs nothing that the repository names."""
    from optbuild.session.inspect import find_record
    from optbuild.session.request import RunRequest

    call: CliContext = context.obj
    with running_machine(call) as machine:
        record = find_record(run_name, RunRequest(directory=Path(), build_profile=build_profile), machine)
    text = render_report(call, record, form, to_file=output is not None, evidence=evidence)
    if output is None:
        write_out(text)
        return
    from optbuild.files import atomic_write

    atomic_write(output.absolute(), text.encode())


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


@with_common_options
def clean(context: typer.Context, directory: options.Directory = Path()) -> None:
    """Remove what optbuild made in a project: only the directory that carries its marker."""
    from optbuild.session.inspect import clean as clean_project
    from optbuild.session.request import RunRequest
    from optbuild.units import format_bytes

    with running_machine(context.obj) as machine:
        removed, freed_bytes = clean_project(RunRequest(directory=directory), machine)
    place = sanitize_line(str(removed))
    write_out(f"removed {place} ({format_bytes(freed_bytes)})\n" if freed_bytes else f"nothing to remove in {place}\n")


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


COMMANDS: tuple[Callable[..., None], ...] = (plan, init, doctor, report, runs, clean, schema)
"""In the order of `optbuild --help`."""
