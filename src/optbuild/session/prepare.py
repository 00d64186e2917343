"""Everything before the first build: load the build profile, inspect project and machine, plan, and refuse early."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from optbuild.errors import ProfileDataError, UsageError, located
from optbuild.files import MARKER, sha256_of
from optbuild.making.training.profile_data import find_lent_names, load_portable_profile
from optbuild.making.workload_runs import check_before_building
from optbuild.plan.draft import PlanInputs
from optbuild.plan.lent_names import LentNames
from optbuild.plan.model import Plan, PlannedFold
from optbuild.plan.planner import make_plan, select_pgo_variants, select_variants
from optbuild.profile.model import BuildProfile
from optbuild.profile.profile_data import UseProfileData
from optbuild.profile.variants import Allocator, BoltMode, PgoMode
from optbuild.profile.workloads import Use
from optbuild.project.cargo_config import load_cargo_config
from optbuild.project.layout import Layout
from optbuild.project.lockfile import load_locked_packages
from optbuild.project.model import Project
from optbuild.project.selection import Targets
from optbuild.record.history import History
from optbuild.record.store import RecordStore
from optbuild.session.budget import count_cores, find_jobs, may_share_jobs
from optbuild.session.builders import for_builder, require_abilities, with_container
from optbuild.session.cpus import find_cpu_needs, require_cpu
from optbuild.session.cross_validation import describe_folds, find_folds, require_candidate
from optbuild.session.debug_builds import require_optimised
from optbuild.session.demands import with_request
from optbuild.session.opening import discover_for, load_for, open_project
from optbuild.session.placement import Placement
from optbuild.session.request import Machine, RunRequest, Selection
from optbuild.session.targets import choose_targets, drop_unused_libs
from optbuild.session.unstable import require_unstable
from optbuild.session.workload_choice import (
    make_invocations,
    require_variants_in,
    require_workloads,
    with_command_line,
)
from optbuild.text import sanitize_line
from optbuild.toolchain.doctor import free_disk_bytes
from optbuild.toolchain.lookup import Inquiry
from optbuild.toolchain.requirements import (
    require_bolt,
    require_builder,
    require_disk,
    require_pgo_tools,
    require_platform,
    require_rust_version,
    require_target,
)
from optbuild.toolchain.runnable import why_not_runnable
from optbuild.workloads.cargo_targets import check_targets
from optbuild.workloads.inputs import InputHashes
from optbuild.workloads.known_hashes import KnownHashes
from optbuild.workloads.overlap import Overlap, find_overlap, find_overlaps, is_any_in_sample
from optbuild.workloads.written import WrittenFiles

_IGNORE_RUST_VERSION = "--ignore-rust-version"
_LEAST_DISK_BYTES = 256 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A run that could start now.

    Attributes:
        shared_jobs: How many jobs all builds may use at once; None if they run one after another.
    """

    inputs: PlanInputs
    plan: Plan
    hashes: InputHashes
    shared_jobs: int | None = None

    @property
    def build_profile(self) -> BuildProfile:
        """The build profile, including the workloads of the command line."""
        return self.inputs.build_profile

    @property
    def layout(self) -> Layout:
        """The directory that the run writes to."""
        return self.inputs.layout

    @property
    def overlaps(self) -> tuple[Overlap, ...]:
        """What each benchmark workload shares with training, as currently known."""
        return find_overlaps(self.inputs.workloads, self.hashes)

    def remember_files(self) -> None:
        """Keep for later runs what was found out about inputs, and which files workloads created."""
        self.hashes.remember()
        WrittenFiles(path=self.layout.written).remember(self.hashes.created(), self.build_profile.workloads)

    def fold_in_sample(self, fold: PlannedFold) -> bool | None:
        """Whether a fold measures anything that is still in its training; None if unknown."""
        kept = [w for w in self.inputs.workloads if Use.TRAIN in w.use and w.name not in fold.left_out]
        measured = (w for w in self.inputs.workloads if w.name in fold.workloads)
        return is_any_in_sample([find_overlap(workload, kept, self.hashes) for workload in measured])


def prepare(
    request: RunRequest,
    machine: Machine,
    *,
    trusted: bool,
    placement: Placement | None = None,
    build_profile: BuildProfile | None = None,
) -> Prepared:
    """Plan a run, and find out now what would stop it later.

    Args:
        request: What to do.
        machine: What to do it with.
        trusted: Programs that the repository names may be run, because the user asked for a build.
        placement: Where another revision of the project lies; None stands for the project itself.
        build_profile: Taken in place of the one that the request names.

    Raises:
        UsageError: The command line or the build profile cannot be used.
        ToolchainError: The machine lacks something.
        WorkloadError: A workload's program is missing.
    """
    require_platform(machine.platform)
    if build_profile is None:
        build_profile = load_for(request, machine) if placement is None else placement.build_profile
    build_profile = with_command_line(build_profile, request, machine.working_directory)
    require_abilities(build_profile)
    build_profile = with_request(build_profile, request)
    names = _select(build_profile, request)
    has_profile_data = _has_profile_data(build_profile)
    _require_work(build_profile, names, request, has_profile_data=has_profile_data)
    placed = build_profile if placement is None else placement.placed
    toolchain = discover_for(placed, machine, trusted=trusted)
    project = open_project((placed.directory / placed.project.manifest).resolve(), toolchain, machine)
    targets = for_builder(choose_targets(project, build_profile, names), build_profile)
    layout = _find_layout(build_profile, project, request, placement)
    obstacle = why_not_runnable(toolchain)
    if obstacle is not None:
        project = with_container(project, toolchain)
    is_runnable = obstacle is None or (project.runner is not None and bool(project.runner.argv))
    workloads = make_invocations(build_profile, project, targets, toolchain, layout=layout, environ=machine.environ)
    in_container = toolchain.builder.row.target_mount is not None  # where a jobserver's pipe does not reach
    shared_jobs = None if in_container else _find_shared_jobs(request, machine, project)
    inquiry = Inquiry(executor=machine.executor, directory=project.directory, environ=machine.environ)
    inputs = PlanInputs(
        build_profile=build_profile,
        project=project,
        targets=drop_unused_libs(targets, workloads),
        toolchain=toolchain,
        layout=layout,
        workloads=workloads,
        container_options=machine.environ.get("CROSS_CONTAINER_OPTS", ""),
        jobs=request.jobs,
        shares_jobs=shared_jobs is not None,
        not_runnable=None if is_runnable else obstacle,
        shares_training=not request.ignore_profile_data,
        lockfile_sha256=None if project.lockfile is None else sha256_of(project.lockfile),
        locked_packages=load_locked_packages(project.lockfile)
        if _links_allocator(build_profile, names)
        else frozenset(),
        lent_names=_find_lent_names(build_profile) if has_profile_data else None,
        has_profile_data=has_profile_data and not (is_runnable and _trains_here(build_profile, request)),
        last_rustflags=request.last_rustflags,
        notes_outlines=request.notes_outlines,
        cpu_needs=find_cpu_needs(build_profile, names, project, toolchain, inquiry),
    )
    _check_machine(inputs, names)
    if request.measure:
        _check_measuring(inputs, names, request)
    _require_no_separator(layout.root)
    require_ours(layout)
    hashes = InputHashes(KnownHashes(path=layout.input_hashes))
    _check_workloads(inputs, targets, hashes)
    plan = _make_plan(inputs, names, request, hashes)
    return Prepared(inputs=inputs, plan=plan, hashes=hashes, shared_jobs=shared_jobs)


def _links_allocator(build_profile: BuildProfile, names: tuple[str, ...]) -> bool:
    """Whether a variant has an allocator that the project must not have as well."""
    return any(build_profile.variants[name].allocator is not Allocator.DEFAULT for name in names)


def _select(build_profile: BuildProfile, request: RunRequest) -> tuple[str, ...]:
    if request.selection is Selection.PGO:
        return select_pgo_variants(build_profile)
    return select_variants(build_profile, request.variants)


def _require_work(
    build_profile: BuildProfile, names: tuple[str, ...], request: RunRequest, *, has_profile_data: bool
) -> None:
    """Refuse a request without the workloads or the variants that it needs."""
    if not has_profile_data or request.measure:
        require_workloads(build_profile, names, request)
    if request.cross_validate:
        require_candidate(build_profile, names)


def _find_layout(
    build_profile: BuildProfile, project: Project, request: RunRequest, placement: Placement | None
) -> Layout:
    layout = Layout.of(project.target_directory, request.out) if placement is None else placement.layout
    if request.target is None:
        return layout
    return layout.for_target(request.target, is_first=request.target == build_profile.project.targets[0])


def _check_measuring(inputs: PlanInputs, names: tuple[str, ...], request: RunRequest) -> None:
    """Refuse to measure anything but release builds, what this CPU cannot run, or what no variant takes part in."""
    require_variants_in(inputs.workloads, inputs.build_profile, names)
    if not request.allow_debug:
        require_optimised(inputs.build_profile, names, inputs.project)
    require_cpu(inputs.build_profile, inputs.cpu_needs)


def _check_workloads(inputs: PlanInputs, targets: Targets, hashes: InputHashes) -> None:
    """Refuse workloads without their programs or inputs."""
    where = inputs.build_profile.where
    for invocation in inputs.workloads:
        with located(where("workloads", invocation.name, invocation.kind)):
            check_targets(invocation, inputs.project, targets)
        with located(where("workloads", invocation.name, "inputs")):
            check_before_building(invocation, hashes)


def load_history(layout: Layout) -> History:
    """The findings of a project's newest runs."""
    return History.of(RecordStore(directory=layout.runs).load_newest())


def _find_shared_jobs(request: RunRequest, machine: Machine, project: Project) -> int | None:
    config = load_cargo_config(project.directory, machine.environ)
    jobs = find_jobs(request.jobs, config, machine.environ, count_cores())
    return jobs if may_share_jobs(jobs, machine.environ, machine.platform) else None


def _make_plan(inputs: PlanInputs, names: tuple[str, ...], request: RunRequest, hashes: InputHashes) -> Plan:
    if not request.cross_validate:
        return make_plan(inputs, names, measure=request.measure)
    overlaps = find_overlaps(inputs.workloads, hashes)
    folds = find_folds(inputs, overlaps)
    plan = make_plan(inputs, names, measure=request.measure, folds=folds)
    return replace(plan, notes=(*plan.notes, *describe_folds(plan, folds, overlaps, load_history(inputs.layout))))


def _has_profile_data(build_profile: BuildProfile) -> bool:
    """Whether there are committed counts to take."""
    file, settings = build_profile.profile_data_file, build_profile.profile_data
    if file is None:
        return False
    if file.is_file():
        load_portable_profile(file)  # refused now, before anything is built
        return True
    if settings.use is UseProfileData.ALWAYS:
        raise ProfileDataError(
            f"there is no {settings.path}, from which every build must take its counts",
            help='write it: optbuild train; or write use = "auto" under [profile-data]',
            location=build_profile.where("profile-data", "path") or str(file),
        )
    return False


def _trains_here(build_profile: BuildProfile, request: RunRequest) -> bool:
    """Whether a target that runs here is trained: with several targets, committed counts are for the others."""
    has_training = any(Use.TRAIN in workload.use for workload in build_profile.workloads)
    return request.target is not None and has_training and build_profile.profile_data.use is UseProfileData.AUTO


def _find_lent_names(build_profile: BuildProfile) -> LentNames | None:
    file = build_profile.profile_data_file
    return None if file is None else find_lent_names(file, load_portable_profile(file))


def _check_machine(inputs: PlanInputs, names: tuple[str, ...]) -> None:
    require_builder(inputs.toolchain)
    require_unstable(inputs, names)
    require_target(inputs.toolchain)
    if _IGNORE_RUST_VERSION not in inputs.build_profile.project.cargo_args:
        for package in inputs.targets.packages:
            require_rust_version(
                inputs.toolchain,
                package=package.name,
                rust_version=package.rust_version,
                location=str(package.manifest),
            )
    if any(inputs.build_profile.variants[name].pgo is PgoMode.REQUIRED for name in names):
        require_pgo_tools(inputs.toolchain)
    is_linux = "linux" in inputs.toolchain.target
    if is_linux and any(inputs.build_profile.variants[name].bolt is BoltMode.REQUIRED for name in names):
        require_bolt(inputs.toolchain)
    root = inputs.layout.root
    require_disk(root, free_bytes=free_disk_bytes(root), needed_bytes=_LEAST_DISK_BYTES)


def _require_no_separator(root: Path) -> None:
    """Refuse a directory that cargo cannot build below: it lists directories for the loader, with `:` between them."""
    if os.pathsep in str(root):
        raise UsageError(
            f"cargo cannot build below {sanitize_line(str(root))}: its path contains `{os.pathsep}`",
            help="name another target directory: export CARGO_TARGET_DIR=DIR",
            location=sanitize_line(str(root)),
        )


def require_ours(layout: Layout) -> None:
    """Refuse to work in a directory with somebody else's files.

    Raises:
        UsageError: It has such files, or is not a directory.
    """
    for directory in dict.fromkeys((layout.root, layout.artifacts)):
        is_within = directory != layout.root and directory.parent == layout.root
        if is_within or _is_free(directory) or (not directory.is_symlink() and (directory / MARKER).is_file()):
            continue
        raise UsageError(
            f"{directory} exists and was not made by optbuild; nothing in it was touched",
            help="move it away" if directory == layout.root else "name another directory with --out, or move it away",
            location=str(directory),
        )


def _is_free(directory: Path) -> bool:
    """Whether optbuild can create its directory here."""
    if directory.is_dir() and not directory.is_symlink():
        return not any(directory.iterdir())
    return not os.path.lexists(directory)
