"""Inspect without building: a project's stored runs, the state of the machine, and cleaning up."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from optbuild.errors import BuildProfileError, ProfileDataError, StorageError, ToolchainError, UsageError
from optbuild.events import Level, Notice
from optbuild.files import MARKER, remove_below
from optbuild.making.training.profile_data import find_lent_names, load_portable_profile
from optbuild.profile.gates import GateSettings
from optbuild.profile.load import default_build_profile
from optbuild.profile.model import BuildProfile
from optbuild.profile.search_choices import Space
from optbuild.profile.variants import BoltMode
from optbuild.project.layout import Layout
from optbuild.record.judge import judge
from optbuild.record.lock import hold_lock
from optbuild.record.model import RunRecord
from optbuild.record.store import RECORD_NAME, RecordStore, parse_record
from optbuild.session.opening import discover_for, for_host, load_for, open_project
from optbuild.session.prepare import require_ours
from optbuild.session.request import Machine, RunRequest
from optbuild.text import sanitize_line
from optbuild.toolchain.discover import discover_git
from optbuild.toolchain.doctor import examine, examine_further_target, free_disk_bytes
from optbuild.toolchain.install import InstallStep, make_install_steps, run_install
from optbuild.toolchain.lookup import Inquiry, find_program
from optbuild.toolchain.model import Finding, Toolchain
from optbuild.toolchain.observers import examine_observers


def find_layout(request: RunRequest, machine: Machine, *, trusted: bool = False) -> Layout:
    """Where a project's runs lie.

    Args:
        request: Which project it is about.
        machine: What to look with.
        trusted: Programs that the repository names may be run, because the user asked for a build.

    Raises:
        UsageError: The project does not exist.
        ToolchainError: Cargo cannot be run.
    """
    build_profile = for_host(_profile_or_default(request, machine))  # which may be known where another target is not
    toolchain = discover_for(build_profile, machine, trusted=trusted)
    project = open_project(build_profile.directory / build_profile.project.manifest, toolchain, machine)
    return Layout.of(project.target_directory, request.out)


def find_record(run: str | None, request: RunRequest, machine: Machine) -> RunRecord:
    """A stored run: by its id or the beginning of one, by the path of a record, or the newest.

    Raises:
        UsageError: The run does not exist.
    """
    path = None if run is None else machine.working_directory / run
    if path is not None and path.is_file():
        return _load_record(path)
    return RecordStore(directory=find_layout(request, machine).runs, emit=machine.emit).find(run)


def collect_records(places: Iterable[Path], request: RunRequest, machine: Machine) -> tuple[RunRecord, ...]:
    """All stored runs of a project, and the records in the named files and directories.

    If places are named, neither a project nor cargo is needed.

    Raises:
        UsageError: A place does not exist or holds no record, or there is neither a project nor a place.
        ToolchainError: No place is named, and cargo cannot be run.
    """
    named = tuple(record for place in places for record in _records_at(machine.working_directory / place, machine))
    try:
        stored = RecordStore(directory=find_layout(request, machine).runs, emit=machine.emit).load_all()
    except (UsageError, ToolchainError):
        if not named:
            raise
        stored = ()
    return (*stored, *named)


def _records_at(place: Path, machine: Machine) -> tuple[RunRecord, ...]:
    if place.is_file():
        return (_load_record(place),)
    if not place.is_dir():
        raise UsageError(
            f"{place} does not exist",
            help="name record.json files, or directories with them: optbuild history DIR",
            location=str(place),
        )
    found = []
    for path in sorted(path for path in place.rglob("*.json") if path.is_file()):
        try:
            found.append(parse_record(path.read_bytes()))
        except ValueError:
            if path.name == RECORD_NAME:
                message = f"{path} is damaged and was skipped"
                machine.emit(Notice(level=Level.WARNING, code="damaged-record", message=message))
    if not found:
        raise UsageError(
            f"{place} contains no record of optbuild",
            help="store some there: optbuild pgo --json > NAME.json",
            location=str(place),
        )
    return tuple(found)


def _load_record(path: Path) -> RunRecord:
    try:
        return parse_record(path.read_bytes())
    except ValueError as error:
        raise UsageError(
            f"{path} is not a record of optbuild",
            help="name a run (`optbuild runs` lists them) or a record.json",
            location=str(path),
        ) from error


def judge_run(run: str | None, request: RunRequest, machine: Machine) -> tuple[RunRecord, GateSettings]:
    """A stored run with its gates judged, and the current gates of the build profile.

    Raises:
        UsageError: The run or the variant does not exist, or no gate is set.
        BuildProfileError: The build profile cannot be used.
    """
    build_profile = load_for(request, machine)
    gates = build_profile.gates
    if gates.is_empty:
        raise UsageError(
            "the build profile has no [gates]",
            help='add, for instance, [gates] with min-gain = "3%" and max-regression = "2%"',
            location=str(build_profile.path) if build_profile.path else None,
        )
    record = find_record(run, request, machine)
    judged = judge(record, gates)
    if record.arms and gates.min_gain is not None:
        machine.emit(
            Notice(
                level=Level.INFO,
                code="min-gain",
                message="`min-gain` is what a variant owes to its baseline, and is not judged between versions",
            )
        )
    if not judged:
        raise UsageError(
            f"no gate of the build profile is about versions, which the run {record.run_id} compares",
            help='add `max-regression = "2%"` to [gates], or judge a run of variants with --run',
            location=str(build_profile.path) if build_profile.path else None,
        )
    return replace(record, gates=judged), gates


def clean(request: RunRequest, machine: Machine) -> tuple[Path, int]:
    """Delete everything that optbuild made in a project; return its directory, and how many bytes were freed.

    Raises:
        LockHeldError: A run is in progress.
        UsageError: The directory lacks optbuild's marker; nothing was touched.
        StorageError: It cannot be deleted.
    """
    layout = find_layout(request, machine)
    root = layout.root
    require_ours(layout)  # before the lock, which is a file in it
    if not (root / MARKER).is_file():
        return root, 0
    with hold_lock(layout.lock, wait=False, emit=machine.emit):
        size_bytes = _size_on_disk(root)
        remove_below(root, root)
    return root, size_bytes


def _size_on_disk(root: Path) -> int:
    """The size of all files below a directory; one with several names is counted once."""
    states = (path.lstat() for path in (root, *root.rglob("*")))
    return sum({(state.st_dev, state.st_ino): state.st_blocks * 512 for state in states}.values())


_StepsOf = Callable[[Toolchain | ToolchainError | UsageError], tuple[InstallStep, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """The findings of `doctor`.

    Attributes:
        steps: The commands that would install what is missing.
    """

    findings: tuple[Finding, ...]
    steps: tuple[InstallStep, ...]


def examine_machine(
    request: RunRequest,
    machine: Machine,
    *,
    confirm: Callable[[tuple[InstallStep, ...]], bool] | None,
    draws: bool = False,
) -> Examination:
    """Report what is installed and whether it fits; install what is missing if that is confirmed.

    Args:
        request: The project; a directory without one is fine.
        machine: The means to look with.
        confirm: Asked before anything is installed; None only reports.
        draws: What draws flame graphs is installed as well.
    """
    build_profile = _profile_or_default(request, machine)
    profiles = _for_each_target(build_profile)
    found = [_discover(each, machine) for each in profiles]
    steps_of = partial(_find_steps, machine=machine, draws=draws, lays_out=_lays_out(build_profile))
    steps = tuple(dict.fromkeys(step for each in found for step in steps_of(each)))
    if steps and confirm is not None and confirm(steps):
        found = [_install(each, steps_of, machine) for each in profiles]
    first, *others = found
    directory = build_profile.directory
    findings = examine(
        first,
        environ=machine.environ,
        directory=directory,
        platform=machine.platform,
        git=discover_git(Inquiry(executor=machine.executor, directory=directory, environ=machine.environ)),
        free_disk_bytes=free_disk_bytes(directory),
    )
    observers = examine_observers(machine.environ, is_root=os.geteuid() == 0)
    of_others = tuple(finding for each in others for finding in examine_further_target(each))
    return Examination(findings=(*findings, *of_others, *observers, *_examine_profile_data(build_profile)), steps=steps)


def _for_each_target(build_profile: BuildProfile) -> tuple[BuildProfile, ...]:
    """The build profile for each target that it names, or as it is."""
    project = build_profile.project
    targets = project.targets or (project.target,)
    return tuple(replace(build_profile, project=replace(project, target=target)) for target in targets)


def _find_steps(
    found: Toolchain | ToolchainError | UsageError, machine: Machine, *, draws: bool, lays_out: bool
) -> tuple[InstallStep, ...]:
    """The commands that would install what a target lacks."""
    if not isinstance(found, Toolchain):
        return ()
    return make_install_steps(
        found,
        machine.environ,
        is_root=os.geteuid() == 0,
        has=lambda name: find_program(name, machine.environ) is not None,
        draws=draws,
        lays_out=lays_out,
    )


def _install(
    build_profile: BuildProfile, steps_of: _StepsOf, machine: Machine
) -> Toolchain | ToolchainError | UsageError:
    """Install what a target still lacks; the toolchain afterwards."""
    found = _discover(build_profile, machine)
    if not isinstance(found, Toolchain):
        return found
    return run_install(
        steps_of(found),
        toolchain=found,
        environ=machine.environ,
        executor=machine.executor,
        emit=machine.emit,
        rediscover=lambda: discover_for(build_profile, machine, trusted=False),
    )


def _examine_profile_data(build_profile: BuildProfile) -> tuple[Finding, ...]:
    """What the committed counts are; a file of another kind is named."""
    file = build_profile.profile_data_file
    if file is None or not file.is_file():
        return ()
    try:
        profile = load_portable_profile(file)
        find_lent_names(file, profile)
    except (ProfileDataError, StorageError) as error:
        return (Finding(level=Level.ERROR, subject="profile data", message=error.message, remedy=error.help),)
    training = profile.training
    trained = f"{training.package} for {training.target} by {training.rustc}"
    message = f"{file.name}: {profile.totals.functions_with_counts:,} functions with counts, trained on {trained}"
    return (Finding(level=Level.INFO, subject="profile data", message=sanitize_line(message)),)


def _lays_out(build_profile: BuildProfile) -> bool:
    """Whether a variant or a search may use BOLT."""
    tune = build_profile.tune
    levels = tune.factors.get("bolt", ())
    modes = (variant.bolt for variant in build_profile.variants.values())
    return any(mode is not BoltMode.OFF for mode in modes) or any(levels) or tune.space is Space.THOROUGH


def _profile_or_default(request: RunRequest, machine: Machine) -> BuildProfile:
    """The build profile, or None if it is broken: `doctor` and the stored runs do not need it."""
    try:
        return load_for(request, machine)
    except BuildProfileError:
        return default_build_profile(request.directory.resolve())


def _discover(build_profile: BuildProfile, machine: Machine) -> Toolchain | ToolchainError | UsageError:
    try:
        return discover_for(build_profile, machine, trusted=False)
    except (ToolchainError, UsageError) as error:
        return error
