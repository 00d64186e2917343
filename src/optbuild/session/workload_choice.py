"""The workloads of a run: those of the build profile or of the command line, and what is to be started for each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from optbuild.errors import UsageError, located
from optbuild.profile.load import command_line_workload, searched_paths
from optbuild.profile.model import BuildProfile
from optbuild.profile.shell_words import require_no_shell
from optbuild.profile.variants import BoltMode, PgoMode
from optbuild.profile.workloads import Use, Workload
from optbuild.project.layout import Layout
from optbuild.project.model import Project
from optbuild.project.selection import Targets, default_bin
from optbuild.session.request import RunRequest
from optbuild.toolchain.model import Toolchain
from optbuild.toolchain.runnable import why_not_runnable
from optbuild.tools.builders import BUILDERS
from optbuild.workloads.invocation import Invocation
from optbuild.workloads.make_invocation import make_invocation
from optbuild.workloads.words import BuiltNames
from optbuild.workloads.written import WrittenFiles


def with_command_line(build_profile: BuildProfile, request: RunRequest, directory: Path) -> BuildProfile:
    """Replace the profile's workloads and budget with those of the command line.

    Raises:
        UsageError: The options contradict each other, or a command would need a shell.
    """
    if request.workload and (request.train or request.bench):
        raise UsageError(
            "a command after `--` is both training and benchmark; it cannot be combined with --train or --bench",
            help="give either `-- CMD`, or --train 'CMD' and --bench 'CMD'",
        )
    options = request.command_options
    options.require_command(given=request.has_command)
    workloads = build_profile.workloads
    if request.workload:
        require_no_shell(request.workload, directory)
        workloads = (command_line_workload(request.workload, (Use.TRAIN, Use.BENCH), directory, options=options),)
    for use, commands in ((Use.TRAIN, request.train), (Use.BENCH, request.bench)):
        if commands:
            kept = (replace(w, use=tuple(u for u in w.use if u is not use)) for w in workloads)
            added = (command_line_workload(argv, (use,), directory, options=options) for argv in commands)
            workloads = _joined((*(w for w in kept if w.use), *added))
    measure = build_profile.measure
    if request.max_time_s is not None:
        measure = replace(measure, max_time_s=request.max_time_s)
    return replace(build_profile, workloads=workloads, measure=measure)


def _joined(workloads: tuple[Workload, ...]) -> tuple[Workload, ...]:
    """One workload of each name: the same command for training and benchmark is one workload with both uses."""
    by_name: dict[str, Workload] = {}
    for workload in workloads:
        before = by_name.get(workload.name)
        by_name[workload.name] = workload if before is None else replace(before, use=(*before.use, *workload.use))
    return tuple(by_name.values())


def require_workloads(build_profile: BuildProfile, names: tuple[str, ...], request: RunRequest) -> None:
    """Refuse a run that has nothing to train or measure with, though it needs that.

    Raises:
        UsageError: It has no workload, or none for its benchmark.
    """
    uses = {use for workload in build_profile.workloads for use in workload.use}
    variants = [build_profile.variants[name] for name in names]
    needs_training = any(variant.pgo is PgoMode.REQUIRED or variant.bolt is BoltMode.REQUIRED for variant in variants)
    if build_profile.workloads and (Use.BENCH in uses or not request.measure):
        return
    if not build_profile.workloads and not request.measure and not needs_training:
        return
    if build_profile.workloads:
        raise UsageError(
            "no workload is a benchmark",
            help='add "bench" to the `use` of a [[workloads]] table, give --bench CMD, or run `optbuild build`',
            location=None if build_profile.path is None else str(build_profile.path),
        )
    where = f"{searched_paths(request.directory)[0].name} does not exist"
    remedy = "write a build profile: optbuild init"
    if build_profile.path is not None:
        where = f"{build_profile.path} has no [[workloads]]"
        remedy = f"fill in a [[workloads]] table in {build_profile.path}"
    searched = "\n".join(f"  {path}" for path in searched_paths(request.directory))
    raise UsageError(
        f"no workload to train and measure with: {where}, and the command line names none",
        help=f"name a command: optbuild pgo -- {{bin}} ARGS; or {remedy}",
        detail=None if build_profile.path is not None else f"searched:\n{searched}",
    )


def require_variants_in(workloads: Iterable[Invocation], build_profile: BuildProfile, names: tuple[str, ...]) -> None:
    """Refuse a benchmark that would run the same program for every variant.

    One that also trains proves that by counts.

    Raises:
        UsageError: A workload's commands contain none of the files that are built.
    """
    if BUILDERS[build_profile.project.builder].makes_wheels:
        return  # they are on the path of every Python
    trains = any(build_profile.variants[name].pgo is not PgoMode.OFF for name in names)
    for each in workloads:
        if each.call is None and not each.bins and Use.BENCH in each.use and not (trains and Use.TRAIN in each.use):
            raise UsageError(
                f"workload {each.name!r}: its command does not contain {{bin}}, so every variant would run the same",
                help="write {bin}, or {bin:NAME}, where the command names the program",
                location=build_profile.where("workloads", each.name, each.kind),
            )


def make_invocations(
    build_profile: BuildProfile,
    project: Project,
    targets: Targets,
    toolchain: Toolchain,
    *,
    layout: Layout,
    environ: Mapping[str, str],
) -> tuple[Invocation, ...]:
    """Make each workload of a build profile ready to run.

    Raises:
        UsageError: A placeholder stands for nothing, or for something that is not built.
    """
    default = default_bin(targets)
    built = BuiltNames(
        bins=tuple(target.name for target in targets.bins),
        default_bin=None if default is None else default.name,
        libs=targets.libs,
        runner=() if project.runner is None else project.runner.argv,
        needs_runner=why_not_runnable(toolchain) is not None,
        python=next(iter(toolchain.builder.interpreters), None),
    )
    written = WrittenFiles(path=layout.written)
    not_built = _not_built(project, targets)
    invocations = []
    for workload in build_profile.workloads:
        with located(build_profile.where("workloads", workload.name)):
            made = make_invocation(
                workload,
                build_profile,
                built,
                scratch=layout.scratch,
                environ=environ,
                written=written.of(workload),
            )
            invocations.append(replace(made, not_built=not_built))
    return tuple(invocations)


def _not_built(project: Project, targets: Targets) -> tuple[str, ...]:
    """Programs that a plain `cargo build` of the workspace puts next to the others, and that are not built here."""
    built = {target.name for target in targets.bins}
    names = (target.name for package in project.packages for target in package.bins)
    return tuple(name for name in dict.fromkeys(names) if name not in built)
