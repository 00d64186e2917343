"""Two built versions as the arms `old` and `new`: what they print, and the contest between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from optbuild.errors import NotComparableError, UsageError
from optbuild.events import Level, Notice, reported
from optbuild.files import sha256_of
from optbuild.making.outputs.checker import OutputChecker
from optbuild.making.outputs.leniency import Leniency, condition_of
from optbuild.making.outputs.versions import OutputComparison, compare_versions
from optbuild.making.result_store import ResultStore
from optbuild.making.workload_runs import WorkloadRunner
from optbuild.measure.arms import ArmBinaries, Arms
from optbuild.measure.model import Arm
from optbuild.plan.action import ActionId
from optbuild.plan.kinds.check_outputs import ProbeOutputs
from optbuild.plan.results import Artifact, Probed
from optbuild.profile.workloads import Use
from optbuild.record.model import OutputRecord
from optbuild.session.ledger import Ledger
from optbuild.session.measuring import measure
from optbuild.session.run import find_arms
from optbuild.session.sides import Side
from optbuild.session.sources import BaselineProgram, copy_as
from optbuild.session.versions import NEW, OLD, Versions
from optbuild.text import sanitize_line
from optbuild.workloads.invocation import Invocation


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionArm:
    """What one version runs.

    Attributes:
        binaries: By name, that of the new version.
        programs: For each workload that is what cargo would run, what that is.
        probed: What was learnt of each workload's output, as far as that is done.
    """

    binaries: Mapping[str, Path]
    programs: Mapping[str, ArmBinaries] = field(default_factory=dict)
    probed: Mapping[str, Probed] = field(default_factory=dict)

    def on(self, workload: Invocation) -> ArmBinaries:
        """What it runs on a workload."""
        return self.programs.get(workload.name) or ArmBinaries(binaries=self.binaries)


def benchmarks_of(side: Side) -> tuple[Invocation, ...]:
    """What a version is measured on."""
    return tuple(workload for workload in side.prepared.inputs.workloads if Use.BENCH in workload.use)


def find_renamed(old: Side, new: Side) -> tuple[str, str] | None:
    """The program of the old version that stands for one of another name in the new one; None where names are the same.

    Raises:
        UsageError: The old version lacks a program that is measured.
    """
    has = tuple(target.name for target in old.prepared.inputs.targets.bins)
    has += tuple(lib.file_name for lib in old.prepared.inputs.targets.libs)
    used = dict.fromkeys(name for workload in benchmarks_of(new) if workload.call is None for name in workload.bins)
    missing = [name for name in used if name not in has]
    if not missing:
        return None
    if len(used) == 1 and len(has) == 1:
        return has[0], missing[0]
    raise UsageError(
        f"{old.name} ({old.source.name}): it has no program {missing[0]}, which is measured; it has {', '.join(has)}",
        help="measure one that both versions have: -- {bin:NAME} ARGS; or build the old version yourself and name its "
        "program: --baseline-binary PATH",
    )


def arm_of(ledger: Ledger, *, renamed: tuple[str, str] | None = None, owned: Path | None = None) -> VersionArm:
    """A version that was built.

    Args:
        ledger: What came of its builds.
        renamed: The name of its program, and the one it gets.
        owned: The directory with our marker that a program with another name is put below.
    """
    plan, results = ledger.plan, ledger.built.results
    built = plan.baseline.compile
    assert built is not None  # noqa: S101 - asked before
    binaries: Mapping[str, Path] = results[built].paths
    if renamed is not None and owned is not None:
        name, other = renamed
        binaries = {other: copy_as(binaries[name], owned / "compare" / "renamed" / other, owned=owned)}
    action = plan.measure
    if action is None:
        return VersionArm(binaries=binaries)
    found = find_arms(ledger, action).programs
    return VersionArm(
        binaries=binaries,
        programs={workload: arms[Arm(variant=plan.baseline.name)] for workload, arms in found.items()},
        probed={probe.workload.name: results[probe.id] for probe in plan.of_kind(ProbeOutputs)},
    )


def arm_of_program(program: BaselineProgram) -> VersionArm:
    """A program that was built before, under the name of the new one."""
    return VersionArm(binaries={program.copy.name: program.copy})


def probe_old(versions: Versions, old: VersionArm, *, fresh: bool) -> VersionArm:
    """Learn what the old version writes, where the new one will: from the same path, and into the same files.

    Raises:
        WorkloadError: It fails on a workload.
        NotComparableError: Its output varies, and a comparison was demanded.
    """
    side, emit = versions.sides[NEW], versions.emit_for(OLD)
    layout = side.source.layout
    checker = OutputChecker(
        workloads=WorkloadRunner(
            executor=versions.machine.executor, root=layout.root, stage=layout.stage, logs=versions.logs
        ),
        results=ResultStore(directory=layout.results, emit=emit, fresh=fresh),
        hashes=side.prepared.hashes,
        kept=layout.outputs,
        emit=emit,
    )
    probed = {}
    for action in side.prepared.plan.of_kind(ProbeOutputs):
        arm = old.on(action.workload)
        artifacts = {name: _artifact_of(name, path) for name, path in arm.binaries.items()}
        with reported(emit, action.id, action.label) as ending:
            result = checker.probe(action, artifacts, arm.cargo_build)
            ending.reused = result.reused
        probed[action.workload.name] = result
    return replace(old, probed=probed)


def compare_outputs(versions: Versions, old: VersionArm, new: VersionArm, *, fails: bool) -> None:
    """Compare what both versions write on each workload; versions may differ, so a difference is only reported.

    Raises:
        NotComparableError: They differ, and `fails` is set.
    """
    records: list[OutputRecord] = []
    for workload in benchmarks_of(versions.sides[NEW]):
        olds, news = old.probed[workload.name], new.probed[workload.name]
        leniency = Leniency(filters=workload.compare_filter, tolerance=workload.compare_tolerance)
        found = compare_versions(olds, news, leniency)
        records.append(_describe(workload, OLD, olds, found, equal=olds.equal))
        records.append(_describe(workload, NEW, news, found, equal=found.equal))
        versions.outputs = tuple(records)
        if found.equal is not False:
            continue
        message = f"workload {sanitize_line(workload.name)!r}: the versions do not write the same: {found.difference}"
        lenient = "`compare-filter` passes over text"
        if found.proposal is not None:
            lenient = f"{condition_of(found.proposal)}: `{found.proposal}`"
        if fails:
            raise NotComparableError(
                message,
                help=f"find out which of the two is right; {lenient}; or measure anyway: --compare-output warn",
            )
        remedy = f"they may not do the same work: see whether that explains the change; {lenient}"
        versions.emit(Notice(level=Level.WARNING, code="outputs-differ", message=message, help=remedy))


def run_contest(versions: Versions, old: VersionArm, new: VersionArm) -> None:
    """Measure both in turns, on the benchmarks of the new version's side.

    Raises:
        WorkloadError: A run failed.
        NotComparableError: What a workload reads has changed meanwhile.
    """
    side = versions.sides[NEW]
    action = side.prepared.plan.measure
    assert action is not None  # noqa: S101 - whoever cannot measure was refused
    _report_identical(versions, old, new)
    arms = {Arm(variant=OLD): old, Arm(variant=NEW): new}
    calls = [workload.name for workload in action.workloads if workload.call is not None]
    versions.measured = measure(
        Arms(
            variants={name: arm.binaries for name, arm in arms.items()},
            programs={workload: {name: arm.programs[workload] for name, arm in arms.items()} for workload in calls},
        ),
        action,
        side.prepared,
        replace(versions.machine, emit=versions.emit),
        run_s={name: max(probed.run_s, old.probed[name].run_s) for name, probed in new.probed.items()},
    )


def _report_identical(versions: Versions, old: VersionArm, new: VersionArm) -> None:
    """Say that the builds of both are the same file, where what has changed reaches no program."""
    used = {name for workload in benchmarks_of(versions.sides[NEW]) for name in workload.bins}
    pairs = [(old.binaries[name], new.binaries[name]) for name in used]
    if pairs and not old.programs and all(sha256_of(one) == sha256_of(other) for one, other in pairs):
        message = "both versions give the same program, byte for byte: whatever is measured is noise"
        versions.emit(Notice(level=Level.WARNING, code="same-program", message=message))


def _artifact_of(name: str, path: Path) -> Artifact:
    return Artifact(
        bin=name, path=path, sha256=sha256_of(path), size_bytes=path.stat().st_size, produced_by=ActionId(OLD)
    )


def _describe(
    workload: Invocation, arm: str, probed: Probed, found: OutputComparison, *, equal: bool | None
) -> OutputRecord:
    return OutputRecord(
        workload=workload.name,
        variant=arm,
        equal=equal,
        sha256=probed.sha256 if probed.parts else None,
        left_out=found.left_out,
        filtered=bool(workload.compare_filter),
        tolerance=workload.compare_tolerance,
    )
