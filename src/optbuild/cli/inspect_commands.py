"""Commands that inspect, clean and propose: none of them runs anything that the repository names. Each is thin."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from optbuild.cli import options
from optbuild.cli.choices import choose_form, require_choice
from optbuild.cli.context import (
    CliContext,
    fill_in_template,
    leave,
    render_report,
    screen_of,
    write_out,
    write_result,
)
from optbuild.cli.machine import running_machine
from optbuild.cli.options import with_common_options, with_run_request
from optbuild.errors import UsageError
from optbuild.text import sanitize_line

if TYPE_CHECKING:
    from optbuild.session.request import RunRequest


@with_common_options
@with_run_request(without=("keep_going", "fresh", "no_wait"))
def plan(
    context: typer.Context,
    request: RunRequest,
    directory: options.Directory = Path(),
    every: Annotated[bool, typer.Option("--all", help="Plan `optbuild run` instead of `optbuild pgo`.")] = False,
) -> None:
    """Show what `optbuild pgo` would do on one screen, each command with -v; runs nothing the repository names."""
    import json

    from optbuild.plan.overview import render_overview
    from optbuild.plan.render import plan_to_dict, render_actions
    from optbuild.record.host import describe_host
    from optbuild.session.forecast import estimate_runs, forecast
    from optbuild.session.opening import load_for
    from optbuild.session.prepare import load_history, prepare
    from optbuild.session.request import Selection

    call: CliContext = context.obj
    request = replace(request, directory=directory, selection=Selection.NAMED if every else Selection.PGO)
    with running_machine(call) as machine:
        targets = load_for(request, machine).project.targets
        plans = {}
        for target in targets or (None,):
            prepared = prepare(replace(request, target=target), machine, trusted=False)
            history = load_history(prepared.layout)
            forecasts = forecast(prepared, describe_host(), history)
            plans[target] = (prepared.plan, forecasts, estimate_runs(prepared.plan, forecasts, history))
    if call.json:
        first, *_ = documents = [plan_to_dict(*each) for each in plans.values()]
        several = {"targets": [{"target": target, **each} for target, each in zip(plans, documents, strict=True)]}
        write_out(json.dumps({**first, **(several if targets else {})}, indent=2) + "\n")
        return
    for target, (planned, forecasts, estimate) in plans.items():
        write_out("" if target is None else f"target {sanitize_line(target)}\n")
        write_out(render_overview(planned, forecasts, estimate))
        details = render_actions(planned, forecasts) if call.verbosity > 0 else "Every command: optbuild plan -v\n"
        write_out(f"\n{details}" if target is None else f"\n{details}\n")


@with_common_options
def init(
    context: typer.Context,
    directory: options.Directory = Path(),
    package: Annotated[
        str | None, typer.Option("--package", "-p", metavar="NAME", help="The package, if several have binaries.")
    ] = None,
    yes: options.Yes = False,
) -> None:
    """Propose an optbuild.toml, show it as a diff and ask before writing it; runs nothing that the repository names."""
    from optbuild.cli.settle import settle
    from optbuild.session.init import propose

    call: CliContext = context.obj
    with running_machine(call) as machine:
        proposal = propose(directory, package, machine)
    settle(proposal, call, yes=yes)


@with_common_options
def apply(
    context: typer.Context,
    variant: Annotated[str, typer.Argument(metavar="VARIANT", help="The variant whose settings to write.")],
    directory: options.Directory = Path(),
    build_profile: options.BuildProfile = None,
    yes: options.Yes = False,
) -> None:
    """Write a variant's settings into the Cargo profile of Cargo.toml, after showing a diff and asking."""
    from optbuild.cli.settle import settle
    from optbuild.session.apply import propose_cargo_profile
    from optbuild.session.request import RunRequest

    call: CliContext = context.obj
    with running_machine(call) as machine:
        request = RunRequest(directory=directory, build_profile=build_profile)
        proposal = propose_cargo_profile(variant, request, machine)
    settle(proposal, call, yes=yes)


@with_common_options
def doctor(
    context: typer.Context,
    directory: options.Directory = Path(),
    fix: Annotated[bool, typer.Option("--fix", help="Install what is missing, after asking.")] = False,
    yes: options.Yes = False,
    draws: Annotated[
        bool, typer.Option("--flamegraph", help="With --fix: also install what draws flame graphs as SVG.")
    ] = False,
    measure: Annotated[bool, typer.Option("--measure", help="Check how precisely this machine measures.")] = False,
    build_profile: options.BuildProfile = None,
    as_json: options.Json = False,
) -> None:
    """Check the tools and the machine; each problem comes with its remedy."""
    from optbuild.cli.doctor import has_errors, make_confirm, render_findings
    from optbuild.session.examine import examine_measuring
    from optbuild.session.inspect import examine_machine
    from optbuild.session.request import RunRequest

    call: CliContext = context.obj
    request = RunRequest(directory=directory, build_profile=build_profile)
    with running_machine(call) as machine:
        findings = examine_machine(
            request, machine, confirm=make_confirm(yes=yes) if fix else None, draws=draws
        ).findings
        if measure:
            findings += examine_measuring(machine)
    write_out(render_findings(findings, as_json=as_json))
    if has_errors(findings):
        leave(3)


@with_common_options
def report(
    context: typer.Context,
    run_name: Annotated[
        str | None, typer.Argument(metavar="RUN", help="A run's id or a record.json; default: the last run.")
    ] = None,
    form: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="terminal (the default), markdown, html, svg, json or csv; for other programs github-benchmark, "
            "bencher, otava, hyperfine, junit or in-toto.",
        ),
    ] = None,
    output: options.Output = None,
    title: Annotated[str | None, typer.Option("--title", metavar="TEXT", help="The heading of the report.")] = None,
    template: Annotated[
        Path | None, typer.Option("--template", metavar="FILE", help="Fill in this jinja2 template instead.")
    ] = None,
    evidence: Annotated[
        bool, typer.Option("--evidence", help="Show the evidence that PGO took effect instead.")
    ] = False,
    build_profile: options.BuildProfile = None,
    as_json: options.Json = False,
) -> None:
    """Render a stored run; runs nothing that the repository names."""
    from optbuild.session.inspect import find_record
    from optbuild.session.request import RunRequest

    call: CliContext = context.obj
    if template is not None and (form is not None or as_json or evidence):
        other = "--evidence" if evidence else "--json" if as_json else "--format"
        raise UsageError(f"--template and {other} exclude each other", help=f"leave out {other}")
    form = choose_form(form, as_json=as_json)
    with running_machine(call) as machine:
        record = find_record(run_name, RunRequest(directory=Path(), build_profile=build_profile), machine)
    if template is not None:
        text = fill_in_template(record, template, title)
    else:
        screen = screen_of(call, output)
        text = render_report(call, record, form, screen, evidence=evidence, title=title)
    write_result(text, output)


@with_common_options
def check(
    context: typer.Context,
    directory: options.Directory = Path(),
    run_name: Annotated[
        str | None, typer.Option("--run", metavar="RUN", help="A run's id or a record.json; default: the last run.")
    ] = None,
    form: Annotated[
        str, typer.Option("--format", metavar="FORMAT", help="terminal, markdown, junit or github.")
    ] = "terminal",
    output: options.Output = None,
    build_profile: options.BuildProfile = None,
    as_json: options.Json = False,
) -> None:
    """Apply the gates of the build profile to the last run; exit code 1 if one does not pass. Runs nothing."""
    from optbuild.cli.ci import show_text_on_ci
    from optbuild.record.judge import is_accepted
    from optbuild.record.store import render_record
    from optbuild.report.formats import GATE_FORMATS
    from optbuild.report.formats.github import make_gate_annotations
    from optbuild.session.inspect import judge_run
    from optbuild.session.request import RunRequest

    call: CliContext = context.obj
    require_choice(form, GATE_FORMATS, "format", "gates")
    with running_machine(call) as machine:
        record, gates = judge_run(run_name, RunRequest(directory=directory, build_profile=build_profile), machine)
    text = render_record(record) if as_json else GATE_FORMATS[form](record, gates, screen_of(call, output))
    write_result(text, output)
    annotations = make_gate_annotations(record, gates) if form != "github" or output is not None else ()
    show_text_on_ci(call, GATE_FORMATS["markdown"](record, gates, screen_of(call)), annotations)
    if not all(is_accepted(gate, gates) for gate in record.gates):
        leave(1)


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
def history(
    context: typer.Context,
    places: Annotated[
        list[Path] | None,
        typer.Argument(metavar="RECORD|DIR", help="Records from elsewhere, in addition to the stored runs."),
    ] = None,
    form: Annotated[str, typer.Option("--format", metavar="FORMAT", help="terminal, html or csv.")] = "terminal",
    output: options.Output = None,
    build_profile: options.BuildProfile = None,
) -> None:
    """Show runs as series for each machine, variant and workload, and where one changed for good; runs nothing."""
    from optbuild.cli.ci import show_text_on_ci
    from optbuild.record.series import make_series
    from optbuild.report.formats.history import HISTORY_FORMATS
    from optbuild.report.formats.markdown import render_markdown
    from optbuild.report.history import assemble_history
    from optbuild.session.inspect import collect_records
    from optbuild.session.request import RunRequest

    call: CliContext = context.obj
    require_choice(form, HISTORY_FORMATS, "format")
    with running_machine(call) as machine:
        request = RunRequest(directory=Path(), build_profile=build_profile)
        records = collect_records(places or (), request, machine)
    unique = {record.run_id: record for record in records}
    of_versions = sum(bool(record.arms) for record in unique.values())
    found = assemble_history(make_series(records), runs=len(unique), of_versions=of_versions)
    write_result(HISTORY_FORMATS[form](found, screen_of(call, output)), output)
    show_text_on_ci(call, render_markdown(found.report))


@with_common_options
def clean(context: typer.Context, directory: options.Directory = Path()) -> None:
    """Remove what optbuild made in a project: only the directory with its marker."""
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
    which: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="profile, record, verify, explain, heap, flamegraph, advise, fleet, fleet-plan, fleet-unit or "
            "fleet-report.",
        ),
    ] = "profile",
) -> None:
    """Print the JSON schema of the build profile, of the record, or of what another command prints as JSON."""
    renderers = find_schemas()
    require_choice(which, renderers, "schema")
    write_out(renderers[which]())


def find_schemas() -> Mapping[str, Callable[[], str]]:
    """The JSON schemas by the name that `optbuild schema` takes."""
    from optbuild.fleet.plan import render_matrix_schema
    from optbuild.fleet.results import render_unit_schema
    from optbuild.fleet.settings import render_fleet_schema
    from optbuild.fleet.summary import render_report_schema
    from optbuild.profile.schema import render_profile_schema
    from optbuild.record.advice import render_advice_schema
    from optbuild.record.explanation import render_explanation_schema
    from optbuild.record.heap import render_heap_schema
    from optbuild.record.store import render_record_schema
    from optbuild.record.verification import render_verification_schema
    from optbuild.report.flame.document import render_document_schema

    return {
        "profile": render_profile_schema,
        "record": render_record_schema,
        "verify": render_verification_schema,
        "explain": render_explanation_schema,
        "heap": render_heap_schema,
        "flamegraph": render_document_schema,
        "advise": render_advice_schema,
        "fleet": render_fleet_schema,
        "fleet-plan": render_matrix_schema,
        "fleet-unit": render_unit_schema,
        "fleet-report": render_report_schema,
    }


COMMANDS: tuple[Callable[..., None], ...] = (plan, init, apply, doctor, report, check, history, runs, clean, schema)
"""In the order of `optbuild --help`."""
