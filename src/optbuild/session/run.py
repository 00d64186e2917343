"""One run from request to record. Read `run` first: it shows the whole process."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from optbuild.errors import OptbuildError
from optbuild.events import Level, Notice, RunExpected
from optbuild.files import claim_directory
from optbuild.making.carry_out import Making, carry_out_together
from optbuild.making.order.together import Loan
from optbuild.measure.arms import ArmBinaries, Arms
from optbuild.measure.model import AaVerdict, Analysis, Arm
from optbuild.plan.kinds.check_outputs import ProbeOutputs
from optbuild.plan.measure import HeldOutArm, Measure
from optbuild.plan.render import describe_estimate
from optbuild.project.source_marks import find_variables, read_package_sources
from optbuild.record.host import describe_host
from optbuild.record.lock import blaming_deletion, hold_lock
from optbuild.record.model import RunRecord
from optbuild.record.store import RecordStore
from optbuild.session.building import describe_site, publish
from optbuild.session.earlier import find_earlier, measurement_key
from optbuild.session.forecast import estimate_all
from optbuild.session.layouts import find_layout_trials
from optbuild.session.ledger import Ledger
from optbuild.session.measuring import measure
from optbuild.session.placement import Placement
from optbuild.session.prepare import Prepared, load_history, prepare
from optbuild.session.request import Machine, RunRequest
from optbuild.session.unpassed import find_unpassed
from optbuild.text import sanitize_line
from optbuild.workloads.inputs import InputHashes
from optbuild.workloads.invocation import Invocation


@dataclass(slots=True)
class RunFailedError(Exception):
    """A run that failed after it began: its error, and the record of what was finished."""

    error: OptbuildError
    record: RunRecord


def run(request: RunRequest, machine: Machine, placement: Placement | None = None) -> RunRecord:
    """Build the variants, prove them, measure them, and keep the record.

    Args:
        request: What to do.
        machine: What to do it with.
        placement: Where a project lies that is not built by its own build profile or in its own place.

    Raises:
        OptbuildError: The run could not begin.
        RunFailedError: It began and failed; what was finished is kept and in the record.
    """
    return run_prepared(prepare(request, machine, trusted=True, placement=placement), request, machine)


def run_prepared(prepared: Prepared, request: RunRequest, machine: Machine) -> RunRecord:
    """Run what could start now.

    Raises:
        OptbuildError: The run could not begin.
        RunFailedError: It began and failed; what was finished is kept and in the record.
    """
    with opened(prepared, request, machine) as ledger:
        build(ledger)
        ledger.result_key = _find_result_key(ledger)
        earlier = _find_earlier(ledger)
        if earlier is not None:
            _keep_layouts(ledger, {each.name for each in earlier.variants if each.bolt is not None and each.bolt.kept})
            return earlier
        _measure(ledger)
        _warn_of_unsteady(ledger)
        return ledger.close()


@contextmanager
def opened(prepared: Prepared, request: RunRequest, machine: Machine) -> Iterator[Ledger]:
    """A run that has begun, and has said what is known of it before the builds; see `begun`.

    Raises:
        OptbuildError: The run could not begin.
        RunFailedError: It began and failed.
    """
    with begun(prepared, request, machine) as ledger:
        _announce_not_measured(ledger)
        _announce_estimate(ledger)
        yield ledger


@contextmanager
def begun(prepared: Prepared, request: RunRequest, machine: Machine) -> Iterator[Ledger]:
    """A run or a search that has begun and holds its project: an error within becomes a record of what was finished.

    Raises:
        OptbuildError: The run could not begin.
        RunFailedError: It began and failed.
    """
    layout = prepared.layout
    claim_directory(layout.root)
    if layout.artifacts.parent != layout.root:
        claim_directory(layout.artifacts)
    with hold_lock(layout.lock, wait=request.wait, emit=machine.emit):
        history = load_history(layout)  # including the results of a run that held the lock before
        ledger = Ledger(prepared=prepared, request=request, machine=machine, history=history)
        try:
            announce_plan(ledger)
            warn_of_unpassed(ledger)
            with blaming_deletion(layout.root):
                yield ledger
        except OptbuildError as error:
            raise RunFailedError(error, ledger.close(error)) from error


def build(ledger: Ledger, making: Making | None = None) -> None:
    """Build and train everything, compare outputs, and publish the binaries that passed.

    Args:
        ledger: The run.
        making: The run's plan, if it is carried out in parts; None carries all of it out.

    Raises:
        OptbuildError: What ended it early; finished results are published, and in the ledger.
    """
    _build_together([(ledger, making or Making(ledger.plan, describe_site(ledger)))])
    if ledger.built.ended_by is not None:
        raise ledger.built.ended_by


def build_together(ledgers: Sequence[Ledger], loans: tuple[Loan, ...] = ()) -> None:
    """Do the same for several plans side by side; what ended one early is in its ledger, and not raised.

    Args:
        ledgers: Of plans with the same number of jobs.
        loans: Target directories of one that begin as copies of another's.
    """
    _build_together([(ledger, Making(ledger.plan, describe_site(ledger))) for ledger in ledgers], loans)


def _build_together(works: Sequence[tuple[Ledger, Making]], loans: tuple[Loan, ...] = ()) -> None:
    with ExitStack() as sorting:
        for ledger, _ in works:
            sorting.enter_context(ledger.in_order_of_the_plan())
        for (ledger, _), built in zip(works, carry_out_together([making for _, making in works], loans), strict=True):
            ledger.built = built
    for ledger, _ in works:
        publish(ledger.built, ledger.prepared.layout)


def _find_result_key(ledger: Ledger) -> str | None:
    """What a later run finds this one by; None if nothing is measured, or something is missing."""
    action, built = ledger.plan.measure, ledger.built
    if action is None or built.failures:
        return None
    return measurement_key(action, built.results, ledger.prepared.hashes, describe_host())


def _find_earlier(ledger: Ledger) -> RunRecord | None:
    """An earlier run whose result is still valid: same binaries, workloads, inputs and settings, and enough time."""
    action = ledger.plan.measure
    if action is None or ledger.result_key is None or ledger.request.fresh:
        return None
    records = RecordStore(directory=ledger.prepared.layout.runs, emit=ledger.emit)
    earlier = find_earlier(ledger.result_key, action, records)
    if earlier is None:
        return None
    ledger.emit(
        Notice(
            level=Level.INFO,
            code="reused-run",
            message=f"nothing has changed since run {earlier.run_id}: showing its result (--fresh measures again)",
        )
    )
    return earlier


def _measure(ledger: Ledger) -> None:
    """Benchmark every variant against the baseline."""
    action = ledger.plan.measure
    if action is None:
        return
    run_s = {probe.workload.name: ledger.built.results[probe.id].run_s for probe in ledger.plan.of_kind(ProbeOutputs)}
    machine = replace(ledger.machine, emit=ledger.emit)
    ledger.measured = measure(find_arms(ledger, action), action, ledger.prepared, machine, run_s=run_s)
    _keep_layouts(ledger, {layout.variant for layout in ledger.measured.layouts if layout.kept})
    if not is_reusable(ledger.measured.analysis, action.workloads, ledger.prepared.hashes):
        ledger.result_key = None


def _keep_layouts(ledger: Ledger, names: Collection[str]) -> None:
    """Publish the layouts by BOLT that pay; until then, variants are published without."""
    if names:
        ledger.built = replace(ledger.built, kept_layouts=frozenset(names))
        publish(ledger.built, ledger.prepared.layout)


def find_arms(ledger: Ledger, action: Measure) -> Arms:
    """What of a plan's arms there is: variants that were built, and on each workload those that have not seen it."""
    results = ledger.built.results
    built = {build.compile for build in ledger.plan.builds if ledger.built.is_built(build)}
    variants = {Arm(variant=arm.variant): results[arm.binaries].paths for arm in action.arms if arm.binaries in built}
    held_out: dict[str, dict[Arm, dict[str, Path]]] = {}
    programs: dict[str, dict[Arm, ArmBinaries]] = {}
    for arm in (*action.arms, *action.held_out):
        if arm.binaries not in built:
            continue
        measured = Arm(variant=arm.variant, is_held_out=isinstance(arm, HeldOutArm))
        if isinstance(arm, HeldOutArm):
            for workload in arm.workloads:
                held_out.setdefault(workload, {})[measured] = results[arm.binaries].paths
        for workload, built_for in arm.programs.items():
            own = results[built_for]
            programs.setdefault(workload, {})[measured] = ArmBinaries(binaries=own.paths, cargo_build=own.cargo_build)
    controls = {
        Arm(variant=arm.variant): results[arm.binaries].paths for arm in action.controls if arm.binaries in built
    }
    layouts = find_layout_trials(ledger.built, ledger.prepared.build_profile.gates.max_size_growth)
    return Arms(variants=variants, held_out=held_out, programs=programs, controls=controls, layouts=layouts)


def is_reusable(analysis: Analysis, workloads: tuple[Invocation, ...], hashes: InputHashes) -> bool:
    """Whether a later run may reuse a result: the harness was sound, and the inputs have not changed."""
    return analysis.aa.verdict is not AaVerdict.INVALID and all(map(hashes.is_steady, workloads))


def announce_plan(ledger: Ledger) -> None:
    """Say before the builds what is special about them."""
    for note in ledger.plan.notes:
        ledger.emit(Notice(level=Level.INFO, code="plan", message=note))


def warn_of_unpassed(ledger: Ledger) -> None:
    """Say what the caller has given to optbuild, and the programs do not get."""
    inputs = ledger.prepared.inputs
    programs = [name for target in inputs.targets.bins for name in (target.name, target.package)]
    texts = (text for package in inputs.targets.packages for text in read_package_sources(package.manifest.parent))
    notices = find_unpassed(
        inputs.workloads,
        programs,
        ledger.machine,
        on_command_line=ledger.request.has_command,
        read=find_variables(texts),
    )
    for notice in notices:
        ledger.emit(notice)


def _announce_not_measured(ledger: Ledger) -> None:
    """Report before the builds that nothing will be measured."""
    reason = ledger.prepared.inputs.not_measurable
    if reason is not None and ledger.request.measure:
        ledger.emit(
            Notice(
                level=Level.WARNING,
                code="not-measured",
                message=f"nothing is measured: {reason}",
                help="set an emulator as the target's `runner` in Cargo's configuration, or measure on such a machine",
            )
        )


def _announce_estimate(ledger: Ledger) -> None:
    """Report before the builds how long everything took last time."""
    estimate = estimate_all(ledger.plan, ledger.history)
    ledger.emit(RunExpected(each_s=estimate.shares_s()))
    if described := describe_estimate(estimate):
        message = f"last time this took {described}; unchanged steps are reused"
        ledger.emit(Notice(level=Level.INFO, code="estimate", message=message))


def _warn_of_unsteady(ledger: Ledger) -> None:
    """Report why results of this run cannot be reused."""
    hashes = ledger.prepared.hashes
    for path in (path for path in hashes.unsteady() if not hashes.has_warned(path)):
        ledger.emit(
            Notice(
                level=Level.INFO,
                code="unsteady-input",
                message=f"{sanitize_line(str(path))} changed during a workload whose command names it: "
                "the next run repeats this step",
                help="list the workload's outputs in `compare-output`, or make it write below {scratch}",
            )
        )
