"""A run for each target of a build profile: each is planned before the first is built, and one record is about all.

Not for one target: `session.run` does that, and performs each of these.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from optbuild.errors import InterruptedRunError, OptbuildError
from optbuild.events import Level, Notice
from optbuild.record.model import RunRecord, TargetRecord
from optbuild.record.store import RecordStore
from optbuild.session.opening import load_for
from optbuild.session.prepare import Prepared, prepare
from optbuild.session.request import Machine, RunRequest
from optbuild.session.run import RunFailedError, run, run_prepared
from optbuild.text import sanitize_line


def run_each(request: RunRequest, machine: Machine) -> RunRecord:
    """Run for every target; the record is the first one's, with those of all targets in it.

    A target that fails ends the run unless it is to keep going; what other targets have finished is in the record.

    Raises:
        OptbuildError: The run could not begin: nothing was built for any target.
        RunFailedError: It failed for a target; what was finished is kept and in the record.
    """
    targets = load_for(request, machine).project.targets
    if not targets:
        return run(request, machine)
    requests = {target: replace(request, target=target) for target in targets}
    prepared = {target: prepare(each, machine, trusted=True) for target, each in requests.items()}
    records: dict[str, RunRecord] = {}
    failure: OptbuildError | None = None
    for target, each in prepared.items():
        _announce(target, each, machine)
        try:
            records[target] = run_prepared(each, requests[target], machine)
        except RunFailedError as failed:
            records[target] = failed.record
            failure = failure or failed.error
            if isinstance(failed.error, InterruptedRunError) or not request.keep_going:
                break
    described = tuple(_describe(target, prepared[target], record) for target, record in records.items())
    combined = summarise(list(records.values()), described)
    RecordStore(directory=prepared[targets[0]].layout.runs).save(combined)
    if failure is not None:
        raise RunFailedError(failure, combined)
    return combined


def summarise(records: Sequence[RunRecord], targets: tuple[TargetRecord, ...]) -> RunRecord:
    """The record of the first target, with all of them; it has failed if the run of one of them has.

    Args:
        records: The runs of the targets, in their order.
        targets: The same as parts of a record.
    """
    first = records[0]
    failed = next((record for record in records if record.exit_code), first)
    return replace(first, targets=targets, status=failed.status, exit_code=failed.exit_code, error=failed.error)


def _describe(target: str, prepared: Prepared, record: RunRecord) -> TargetRecord:
    inputs = prepared.inputs
    runner = inputs.project.runner
    return TargetRecord(
        target=target,
        run_id=record.run_id,
        status=record.status,
        exit_code=record.exit_code,
        runner=() if runner is None else runner.words,
        not_measured=inputs.not_measurable,
        toolchain=record.toolchain,
        variants=record.variants,
        outputs=record.outputs,
        benchmarks=record.benchmarks,
        resources=record.resources,
        comparisons=record.comparisons,
        noise=record.noise,
        warnings=record.warnings,
        error=record.error,
    )


def _announce(target: str, prepared: Prepared, machine: Machine) -> None:
    inputs = prepared.inputs
    runner = inputs.project.runner
    how = "it is built, trained and measured here"
    if inputs.not_runnable is not None:
        how = "it is built, and not measured here"
    elif runner is not None:
        name = sanitize_line(runner.words[0])
        how = f"it is trained by {name}, and not measured" if runner.engine else f"it is trained and measured by {name}"
    machine.emit(Notice(level=Level.INFO, code="target", message=f"target {sanitize_line(target)}: {how}"))
