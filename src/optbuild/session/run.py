"""One run from request to record. Read `run` first: it is the whole story."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

from optbuild.errors import OptbuildError
from optbuild.events import Level, Notice, RunExpected
from optbuild.files import claim_directory
from optbuild.measure.arms import ArmBinaries, Arms
from optbuild.measure.measurement import SamplingSettings
from optbuild.measure.model import AaVerdict, Analysis, held_out_arm
from optbuild.measure.sampler import Sampler
from optbuild.plan.actions import ActionId, HeldOutArm, Measure, ProbeOutputs
from optbuild.plan.render import describe_estimate
from optbuild.record.host import describe_host
from optbuild.record.lock import hold_lock
from optbuild.record.model import RunRecord
from optbuild.record.store import RecordStore
from optbuild.session.building import build
from optbuild.session.earlier import find_earlier, measurement_key
from optbuild.session.forecast import estimate_all
from optbuild.session.journal import Journal
from optbuild.session.measuring import measure
from optbuild.session.prepare import load_history, prepare
from optbuild.session.request import Machine, RunRequest
from optbuild.session.unpassed import find_unpassed
from optbuild.text import sanitize_line
from optbuild.workloads.inputs import InputHashes
from optbuild.workloads.invocation import Invocation


@dataclass(slots=True)
class RunFailedError(Exception):
    """A run that failed after it had begun: its error, and the record of what was finished."""

    error: OptbuildError
    record: RunRecord


def run(request: RunRequest, machine: Machine) -> RunRecord:
    """Build the variants, prove them, measure them, and keep the record.

    Raises:
        OptbuildError: The run could not begin.
        RunFailedError: It began and failed; what was finished is kept and in the record.
    """
    prepared = prepare(request, machine, trusted=True)
    layout = prepared.layout
    claim_directory(layout.root)
    if layout.artifacts.parent != layout.root:
        claim_directory(layout.artifacts)
    with hold_lock(layout.lock, wait=request.wait, emit=machine.emit):
        history = load_history(layout)  # with what a run has added that held the lock before
        journal = Journal(prepared=prepared, request=request, machine=machine, history=history)
        try:
            for note in prepared.plan.notes:
                journal.emit(Notice(level=Level.INFO, code="plan", message=note))
            tell_unpassed(journal)
            _tell_not_measured(journal)
            _tell_estimate(journal)
            build(journal)
            earlier = _find_earlier(journal)
            if earlier is not None:
                return earlier
            _measure(journal)
            _tell_unsteady(journal)
            return journal.close()
        except OptbuildError as error:
            raise RunFailedError(error, journal.close(error)) from error


def measure_action(journal: Journal) -> Measure | None:
    """What the plan measures; None where it does not."""
    if journal.plan.measure is None:
        return None
    action = journal.plan.action(journal.plan.measure)
    assert isinstance(action, Measure)  # noqa: S101 - ids say what they are
    return action


def _find_earlier(journal: Journal) -> RunRecord | None:
    """An earlier run whose result still holds: same binaries, workloads, inputs and settings, and time enough."""
    action = measure_action(journal)
    if action is None or journal.outcome.failures:
        return None
    outcome = journal.outcome
    built = {name: outcome.compiled(binaries) for name, binaries in action.measured() if binaries in outcome.results}
    arms = [(name, compiled.artifacts, compiled.cargo_build) for name, compiled in built.items()]
    journal.result_key = measurement_key(action, arms, journal.prepared.hashes, describe_host())
    if journal.request.fresh:
        return None
    records = RecordStore(directory=journal.prepared.layout.runs, emit=journal.emit)
    earlier = find_earlier(journal.result_key, action, records)
    if earlier is None:
        return None
    journal.emit(
        Notice(
            level=Level.INFO,
            code="reused-run",
            message=f"nothing has changed since run {earlier.run_id}: this is its result (--fresh measures again)",
        )
    )
    return earlier


def _measure(journal: Journal) -> None:
    """Benchmark every variant against the baseline."""
    action = measure_action(journal)
    if action is None:
        return
    asked = journal.prepared.build_profile.measure
    settings = SamplingSettings(
        precision=asked.precision,
        min_effect=asked.min_effect,
        max_time_s=asked.max_time_s,
        confidence=asked.confidence,
        seed=secrets.randbits(32),
    )
    probes = [item for item in journal.plan.actions if isinstance(item, ProbeOutputs)]
    sampler = Sampler(
        executor=journal.machine.executor,
        emit=journal.emit,
        root=journal.prepared.layout.root,
        directory=action.directory,
        arms=find_arms(journal, action),
        workloads=action.workloads,
        run_s={probe.workload.name: journal.outcome.probed(probe.id).run_s for probe in probes},
        settings=settings,
    )
    runner = journal.prepared.inputs.project.runner
    measured = measure(
        sampler,
        environ=journal.machine.environ,
        action_id=action.id,
        label=action.label,
        runner=None if runner is None else runner.argv[0],
    )
    hashes = journal.prepared.hashes
    for workload in action.workloads:
        hashes.check_after(workload)
    hashes.tell_rewritten(journal.emit)
    journal.measured = measured
    if not is_reusable(measured.measurement.analysis, action.workloads, hashes):
        journal.result_key = None


def find_arms(journal: Journal, action: Measure) -> Arms:
    """What of a plan's arms there is: variants that were built, and on each workload those that have not seen it."""
    built = {build.compile for build in journal.plan.builds if journal.outcome.is_built(build)}
    variants = {arm.variant: _paths(journal, arm.binaries) for arm in action.arms if arm.binaries in built}
    held_out: dict[str, dict[str, dict[str, Path]]] = {}
    programs: dict[str, dict[str, ArmBinaries]] = {}
    for arm in (*action.arms, *action.held_out):
        if arm.binaries not in built:
            continue
        name = arm.variant
        if isinstance(arm, HeldOutArm):
            name = held_out_arm(arm.variant)
            for workload in arm.workloads:
                held_out.setdefault(workload, {})[name] = _paths(journal, arm.binaries)
        for workload, built_for in arm.programs.items():
            cargo_build = journal.outcome.compiled(built_for).cargo_build
            own = ArmBinaries(binaries=_paths(journal, built_for), cargo_build=cargo_build)
            programs.setdefault(workload, {})[name] = own
    return Arms(variants=variants, held_out=held_out, programs=programs)


def _paths(journal: Journal, binaries: ActionId) -> dict[str, Path]:
    return {name: artifact.path for name, artifact in journal.outcome.artifacts(binaries).items()}


def is_reusable(analysis: Analysis, workloads: tuple[Invocation, ...], hashes: InputHashes) -> bool:
    """Whether a later run may take a result for its own: the harness was sound, and what was read is still there."""
    return analysis.aa.verdict is not AaVerdict.INVALID and all(map(hashes.is_steady, workloads))


def tell_unpassed(journal: Journal) -> None:
    """Say what the caller has given to optbuild, and the programs do not get."""
    inputs = journal.prepared.inputs
    programs = [name for target in inputs.targets.bins for name in (target.name, target.package)]
    on_command_line = journal.request.has_command
    for notice in find_unpassed(inputs.workloads, programs, journal.machine, on_command_line=on_command_line):
        journal.emit(notice)


def _tell_not_measured(journal: Journal) -> None:
    """Say before the builds that they are all that there will be."""
    reason = journal.prepared.inputs.not_runnable
    if reason is not None and journal.request.measure:
        journal.emit(
            Notice(
                level=Level.WARNING,
                code="not-measured",
                message=f"nothing is measured: {reason}",
                help="name an emulator as the target's `runner` in Cargo's configuration, or measure where it runs",
            )
        )


def _tell_estimate(journal: Journal) -> None:
    """Say before the builds what all of it took the last time, if it was done before."""
    estimate = estimate_all(journal.plan, journal.history)
    journal.emit(RunExpected(each_s=estimate.shares_s()))
    if described := describe_estimate(estimate):
        message = f"all of this took {described} the last time; what has not changed is not done again"
        journal.emit(Notice(level=Level.INFO, code="estimate", message=message))


def _tell_unsteady(journal: Journal) -> None:
    """Say why results of this run cannot be used again."""
    hashes = journal.prepared.hashes
    for path in (path for path in hashes.unsteady() if not hashes.is_told(path)):
        journal.emit(
            Notice(
                level=Level.INFO,
                code="unsteady-input",
                message=f"{sanitize_line(str(path))} changed while a workload ran whose command names it: "
                "the next run does that again",
                help="list what a workload writes in `compare-output`, or let it write below {scratch}",
            )
        )
