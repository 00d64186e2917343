"""`optbuild bench`: measure existing binaries. It needs no project; the record is stored only inside one."""

from __future__ import annotations

import os
import re
import secrets
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from optbuild.errors import ToolchainError, UsageError, WorkloadError, WorkloadTimeoutError
from optbuild.events import Emit, Event, Level, Notice
from optbuild.files import claim_directory, sha256_of
from optbuild.making.workload_runs import WorkloadRunner, check_before_building
from optbuild.measure.arms import Arms
from optbuild.measure.contest import Contest, Venue, contest, count
from optbuild.measure.counting import ALLOCATIONS, INSTRUCTIONS
from optbuild.measure.metrics import ExactMetric
from optbuild.measure.model import AllocationCount, Arm, Count
from optbuild.measure.settings import SamplingSettings
from optbuild.profile.command_options import CommandOptions
from optbuild.profile.load import command_line_words, command_line_workload
from optbuild.profile.model import BuildProfile, MeasureSettings
from optbuild.profile.shell_words import require_no_shell
from optbuild.profile.workloads import MetricName, Use
from optbuild.project.layout import Layout
from optbuild.record.assemble import add_contest
from optbuild.record.lock import hold_lock
from optbuild.record.model import RunRecord
from optbuild.record.store import RecordStore
from optbuild.record.variants import ArtifactRecord, VariantRecord, VariantStatus
from optbuild.session.bench_outputs import compare_outputs, place_given
from optbuild.session.debug_builds import require_optimised_file
from optbuild.session.inspect import find_layout
from optbuild.session.journal import Journal
from optbuild.session.prepare import require_ours
from optbuild.session.request import Machine, RunRequest
from optbuild.session.unpassed import find_unpassed
from optbuild.text import sanitize_line
from optbuild.workloads.inputs import REWRITTEN, InputHashes
from optbuild.workloads.invocation import Invocation
from optbuild.workloads.make_invocation import make_invocation
from optbuild.workloads.words import BuiltNames

_BIN = "bin"
_RESTORE = "give every run the file as it was: --prepare 'cp FILE {scratch}/FILE', and {scratch}/FILE in the command"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchRequest:
    """What to measure.

    Attributes:
        binaries: Paths by name, the baseline first.
        workload: The command, with `{bin}` for the binary.
        command_options: Its `--stdin` and `--env`.
        precision: The half-width to aim for, as a ratio; None for the larger of 1% and a tenth of the change.
        metric: The metric that the verdicts are about; or the only thing that is counted.
        prepare: Run before each timed run.
        conclude: Run after each timed run.
        allow_debug: Measure even what looks like a debug build.
    """

    binaries: Mapping[str, Path]
    workload: tuple[str, ...]
    command_options: CommandOptions = field(default_factory=CommandOptions)
    metric: MetricName | ExactMetric = MetricName.WALL
    precision: float | None = None
    min_effect: float = 0.01
    max_time_s: float = 300.0
    timeout_s: float = 300.0
    prepare: tuple[str, ...] = ()
    conclude: tuple[str, ...] = ()
    allow_debug: bool = False
    command_line: tuple[str, ...] = ()


def parse_binaries(words: list[str], directory: Path) -> dict[str, Path]:
    """Read `NAME=PATH` words.

    Raises:
        UsageError: A word does not have that form, a name is used twice, or a file cannot be executed.
    """
    binaries: dict[str, Path] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals or not text or not _NAME.fullmatch(name):
            raise UsageError(
                f"{word!r} is not NAME=PATH with a name of letters, digits, `.`, `_` and `-`",
                help="optbuild bench old=./a new=./b -- {bin} ARGS",
            )
        if name in binaries:
            raise UsageError(f"the name {name!r} is used twice", help="give each binary a different name")
        path = (directory / text).absolute()
        if not os.access(path, os.X_OK) or not path.is_file():
            raise UsageError(
                f"{name}: {path} is missing or not executable",
                help="build it first, or correct the path",
                location=text,
            )
        binaries[name] = path
    return binaries


def bench(request: BenchRequest, machine: Machine) -> RunRecord:
    """Measure binaries against the first of them: a run whose binaries already exist.

    Raises:
        OptbuildError: Something cannot be run; nothing is stored.
    """
    if not request.allow_debug:
        for name, path in request.binaries.items():
            require_optimised_file(path, name)
    journal = Journal(machine=machine)
    machine = replace(machine, emit=_with_own_remedies(journal.emit))
    with _workplace(machine) as (layout, store), _errors_without_profile(layout.root, keeps_logs=store is not None):
        workload = _make_invocation(request, machine, layout.scratch)
        programs = [path.name for path in request.binaries.values()]
        for notice in find_unpassed((workload,), programs, machine, on_command_line=True):
            machine.emit(notice)
        hashes = InputHashes()
        check_before_building(workload, hashes)
        copies = place_given({name: {_BIN: path} for name, path in request.binaries.items()}, layout)
        logs = layout.root / "logs" / journal.run_id
        runner = WorkloadRunner(executor=machine.executor, root=layout.root, stage=layout.stage, logs=logs)
        outputs, run_s = compare_outputs(workload, copies, runner, hashes, machine.emit)
        arms = Arms(variants={Arm(variant=name): binaries for name, binaries in copies.items()})
        venue = Venue(executor=machine.executor, emit=machine.emit, environ=machine.environ, layout=layout)
        shown: Contest | None = None
        counts: tuple[Count, ...] = ()
        allocations: tuple[AllocationCount, ...] = ()
        if request.metric is ExactMetric.INSTRUCTIONS:
            counts, _ = count(INSTRUCTIONS, arms, (workload,), venue, run_s={workload.name: run_s})
        elif request.metric is ExactMetric.ALLOCATIONS:
            allocations, _ = count(ALLOCATIONS, arms, (workload,), venue, run_s={workload.name: run_s})
        else:
            shown = contest(arms, (workload,), _settings(request), venue, run_s={workload.name: run_s})
        hashes.check_after(workload)
        hashes.tell_rewritten(machine.emit)
        record = replace(
            journal.begin_record(request.command_line),
            variants=_describe_binaries(request.binaries),
            outputs=outputs,
            instructions=counts,
            allocations=allocations,
        )
        record = record if shown is None else add_contest(record, shown)
        if store is not None:
            store.save(record)
    return record


def _settings(request: BenchRequest) -> SamplingSettings:
    return SamplingSettings(
        precision=request.precision,
        min_effect=request.min_effect,
        max_time_s=request.max_time_s,
        confidence=MeasureSettings().confidence,
        seed=secrets.randbits(32),
    )


def _with_own_remedies(emit: Emit) -> Emit:
    """Pass events on, with remedies for a command without a build profile."""

    def pass_on(event: Event) -> None:
        emit(replace(event, help=_RESTORE) if isinstance(event, Notice) and event.code == REWRITTEN else event)

    return pass_on


@contextmanager
def _workplace(machine: Machine) -> Iterator[tuple[Layout, RecordStore | None]]:
    """The work directory: the project's, with a place for the record, or a new one outside projects."""
    layout = _find_project(machine)
    if layout is not None:
        claim_directory(layout.root)
        with hold_lock(layout.lock, wait=True, emit=machine.emit):
            yield layout, RecordStore(directory=layout.runs)
        return
    with tempfile.TemporaryDirectory(prefix="optbuild-") as name:
        claim_directory(Path(name))
        yield Layout.apart(Path(name)), None


def _find_project(machine: Machine) -> Layout | None:
    """The directory of the nearest project's runs; None also if the project cannot be read, as it is not needed."""
    directory = machine.working_directory
    project = next((folder for folder in (directory, *directory.parents) if (folder / "Cargo.toml").is_file()), None)
    if project is None:
        return None
    try:
        layout = find_layout(RunRequest(directory=project), machine)
        require_ours(layout)
    except (UsageError, ToolchainError) as error:
        message = f"the result will not be stored in {sanitize_line(str(project))}: {sanitize_line(error.message)}"
        machine.emit(Notice(level=Level.INFO, code="not-stored", message=message, help=error.help))
        return None
    return layout


@contextmanager
def _errors_without_profile(root: Path, *, keeps_logs: bool) -> Iterator[None]:
    """Make errors name an option instead of a key of the build profile, and omit logs that are deleted."""
    try:
        yield
    except WorkloadError as error:
        if isinstance(error, WorkloadTimeoutError):
            error.help = "give it more time (--timeout 30m) or less work"
        elif error.location is not None and Path(error.location).is_relative_to(root):  # it ran
            error.help = (
                "run its command by hand to see why; each binary runs as a copy without its neighbouring files: "
                """for one that needs those, write a script (exec DIR/NAME "$@"), and pass that instead"""
            )
        if not keeps_logs and error.location is not None and Path(error.location).is_relative_to(root):
            error.location = None
        raise


def _make_invocation(request: BenchRequest, machine: Machine, scratch: Path) -> Invocation:
    directory = machine.working_directory
    if not any("{bin}" in word for word in request.workload):
        raise UsageError(
            "the command does not contain {bin}, so every binary would run the same",
            help="optbuild bench old=./a new=./b -- {bin} ARGS",
        )
    metric = request.metric if isinstance(request.metric, MetricName) else MetricName.WALL
    require_no_shell(request.workload, directory)
    workload = replace(
        command_line_workload(request.workload, (Use.BENCH,), directory, options=request.command_options),
        metric=metric,
        timeout_s=request.timeout_s,
        prepare=command_line_words(request.prepare) or None,
        conclude=command_line_words(request.conclude) or None,
    )
    profile = BuildProfile(path=None, directory=directory, variants={}, measure=MeasureSettings())
    built = BuiltNames(bins=(_BIN,), default_bin=_BIN)
    return make_invocation(workload, profile, built, scratch=scratch, environ=machine.environ)


def _describe_binaries(binaries: Mapping[str, Path]) -> tuple[VariantRecord, ...]:
    baseline = next(iter(binaries))
    return tuple(
        VariantRecord(
            name=name,
            baseline=name == baseline,
            status=VariantStatus.REUSED,
            artifacts=(
                ArtifactRecord(bin=path.name, path=str(path), sha256=sha256_of(path), size_bytes=path.stat().st_size),
            ),
        )
        for name, path in binaries.items()
    )
