"""Measure what another machine has built: like `optbuild bench`, with the workloads of a build profile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from optbuild.errors import NotComparableError
from optbuild.events import Level, Notice
from optbuild.making.workload_runs import WorkloadRunner, check_before_building
from optbuild.measure.arms import Arms
from optbuild.measure.contest import Venue, contest
from optbuild.measure.model import AaVerdict, Arm
from optbuild.profile.model import BuildProfile
from optbuild.profile.workloads import Use
from optbuild.project.layout import Layout
from optbuild.record.assemble import add_contest, describe_workloads
from optbuild.record.host import describe_host
from optbuild.record.model import OutputRecord, RunRecord, WarningRecord
from optbuild.session.bench_outputs import compare_outputs, place_given
from optbuild.session.measuring import make_settings
from optbuild.session.request import Machine
from optbuild.workloads.inputs import InputHashes
from optbuild.workloads.invocation import Invocation
from optbuild.workloads.make_invocation import make_invocation
from optbuild.workloads.overlap import find_overlaps
from optbuild.workloads.words import BuiltNames


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """Where something that was built elsewhere is measured.

    Attributes:
        layout: Of a directory with our marker, for everything.
        build_profile: Its workloads run where it lies.
        variants: The programs of each variant, the baseline first.
        default_bin: What `{bin}` stands for.
    """

    layout: Layout
    build_profile: BuildProfile
    variants: Mapping[str, Mapping[str, Path]]
    default_bin: str | None
    machine: Machine


def measure_apart(record: RunRecord, bench: Bench) -> RunRecord:
    """Compare the variants here, and add that to the record of how they were built.

    Raises:
        WorkloadError: A workload failed.
        NotComparableError: A program prints something else here than where it was built.
    """
    warnings = list(record.warnings)

    def emit(notice: Notice) -> None:
        if notice.level is not Level.INFO:
            warnings.append(WarningRecord(code=notice.code, message=notice.message, help=notice.help))

    machine = replace(bench.machine, emit=lambda event: emit(event) if isinstance(event, Notice) else None)
    invocations = _make_invocations(bench)
    workloads = tuple(each for each in invocations if Use.BENCH in each.use)
    hashes = InputHashes()
    for workload in workloads:
        check_before_building(workload, hashes)
    run_s = _check_outputs(record, workloads, bench, hashes)
    arms = Arms(variants={Arm(variant=name): programs for name, programs in bench.variants.items()})
    venue = Venue(executor=machine.executor, emit=machine.emit, environ=machine.environ, layout=bench.layout)
    found = contest(arms, workloads, make_settings(bench.build_profile), venue, run_s=run_s)
    for workload in workloads:
        hashes.check_after(workload)
    overlaps = find_overlaps(invocations, hashes)
    record = replace(
        record,
        host=describe_host(),
        workloads=describe_workloads(overlaps, found.workload_of),
        finished_at=machine.now().isoformat(timespec="seconds"),
        warnings=tuple(warnings),
        result_key=None if found.analysis.aa.verdict is AaVerdict.INVALID else record.result_key,
    )
    return add_contest(record, found)


def _make_invocations(bench: Bench) -> tuple[Invocation, ...]:
    bins = tuple(dict.fromkeys(name for programs in bench.variants.values() for name in programs))
    built = BuiltNames(bins=bins, default_bin=bench.default_bin, needs_runner=False)
    return tuple(
        make_invocation(
            workload,
            bench.build_profile,
            built,
            scratch=bench.layout.scratch,
            environ=bench.machine.environ,
        )
        for workload in bench.build_profile.workloads
        if workload.cargo is None
    )


def _check_outputs(
    record: RunRecord, workloads: tuple[Invocation, ...], bench: Bench, hashes: InputHashes
) -> dict[str, float]:
    """Run every program once, and see that it does what it did where it was built; how long a run takes."""
    root, stage = bench.layout.root, bench.layout.stage
    runner = WorkloadRunner(executor=bench.machine.executor, root=root, stage=stage, logs=root / "logs")
    copies = place_given(bench.variants, bench.layout)
    run_s = {}
    for workload in workloads:
        # differences between variants were judged where they were built, as leniently as the workload asks
        outputs, run_s[workload.name] = compare_outputs(workload, copies, runner, hashes, lambda _: None)
        if workload.compare_filter or workload.compare_tolerance is not None:
            continue
        there = {each.variant: each for each in record.outputs if each.workload == workload.name}
        for here in outputs:
            _require_same(there.get(here.variant), here)
    return run_s


def _require_same(there: OutputRecord | None, here: OutputRecord) -> None:
    if there is None or not there.equal or not here.equal or there.left_out or here.left_out:
        return  # an output that changes from run to run says nothing
    if there.sha256 != here.sha256:
        raise NotComparableError(
            f"{here.variant} does something else on the workload {here.workload} here than where it was built",
            help="name all files that the workload reads in its `inputs`, so that they travel as well; "
            "or measure where it is built: optbuild fleet run --shard K/N",
            location=here.workload,
        )
