"""Make the record of a run. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from optbuild.files import sha256_of
from optbuild.making.built import Built, Step
from optbuild.measure.contest import Contest, describe_budget
from optbuild.measure.model import A_PRIME
from optbuild.plan.action import ActionId
from optbuild.plan.kinds.check_outputs import CompareOutputs, ProbeOutputs
from optbuild.plan.kinds.compile import Compile
from optbuild.plan.model import PlannedVariant
from optbuild.plan.results import Compared, Compiled, Probed
from optbuild.project.layout import Layout
from optbuild.project.model import Project
from optbuild.project.selection import Targets
from optbuild.record.assemble_bolt import describe_bolt, with_layouts
from optbuild.record.assemble_evidence import describe_pgo, describe_quarantine
from optbuild.record.inputs import InputRecord
from optbuild.record.model import (
    BuilderRecord,
    MeasureRecord,
    NoiseRecord,
    OutputRecord,
    ProjectRecord,
    RunRecord,
    ToolchainRecord,
    ToolRecord,
    WorkloadRecord,
)
from optbuild.record.variants import ArtifactRecord, StepRecord, VariantRecord, VariantStatus
from optbuild.toolchain.model import Toolchain
from optbuild.workloads.inputs import InputHashes
from optbuild.workloads.invocation import Invocation
from optbuild.workloads.overlap import Overlap


def describe_project(project: Project, targets: Targets) -> ProjectRecord:
    """The record's part about the project."""
    packages = tuple(package.name for package in targets.packages)
    return ProjectRecord(
        manifest=str(project.manifest),
        package=packages[0],
        packages=packages,
        bins=tuple(target.name for target in targets.bins),
        libs=tuple(lib.file_name for lib in targets.libs),
        git_commit=project.git.commit,
        git_dirty=project.git.dirty,
        lockfile_sha256=None if project.lockfile is None else sha256_of(project.lockfile),
    )


def describe_toolchain(toolchain: Toolchain) -> ToolchainRecord:
    """The record's part about the toolchain."""
    tool, builder = toolchain.llvm_profdata, toolchain.builder
    return ToolchainRecord(
        rustc=toolchain.rustc.version,
        cargo=toolchain.cargo.version,
        host=toolchain.host,
        target=toolchain.target,
        llvm_major=toolchain.rustc.llvm_major,
        llvm_profdata=None if tool is None else ToolRecord(path=str(tool.path), version=tool.version),
        builder=None
        if builder.tool is None
        else BuilderRecord(
            name=builder.tool.name,
            path=str(builder.tool.path),
            version=builder.tool.version,
            target=builder.target_of(toolchain.target),
        ),
    )


def describe_variants(built: Built, layout: Layout, *, in_sample: bool | None) -> tuple[VariantRecord, ...]:
    """Every variant, complete or not."""
    return tuple(
        describe_build(
            variant,
            built,
            steps=_steps_of(variant, built),
            published=layout.artifacts / variant.name,
            in_sample=in_sample,
        )
        for variant in built.plan.variants
    )


def describe_build(
    variant: PlannedVariant,
    built: Built,
    *,
    steps: tuple[Step, ...],
    published: Path | None,
    in_sample: bool | None,
) -> VariantRecord:
    """One build, complete or not.

    Args:
        variant: Its plan.
        built: The outcome of the run.
        steps: The steps that made it.
        published: Where its binaries were published; None if they are only kept.
        in_sample: Whether any measured input was in its training.
    """
    asked, variant = variant, built.shipped(variant)
    found = {name: describe_pgo(part, built, in_sample=in_sample) for name, part in variant.parts.items()}
    pgo_by_bin = {name: pgo for name, pgo in found.items() if pgo is not None}
    pgo = describe_pgo(variant, built, in_sample=in_sample) or next(iter(pgo_by_bin.values()), None)
    record = VariantRecord(
        name=asked.name,
        baseline=asked is built.plan.baseline,
        status=VariantStatus.SKIPPED if built.serving(variant).isdisjoint(built.failures) else VariantStatus.FAILED,
        steps=tuple(map(_describe_step, steps)),
        pgo=pgo,
        pgo_by_bin=pgo_by_bin,
        quarantined=describe_quarantine(variant, built),
        cpu_features=variant.cpu_features,
        bolt=describe_bolt(asked, built),
    )
    if not built.is_built(variant):
        return replace(record, reason=built.skipped.get(asked.name))
    assert variant.compile is not None  # noqa: S101 - `is_built` has said so
    return replace(
        record,
        status=VariantStatus.REUSED if all(step.reused for step in steps) else VariantStatus.BUILT,
        artifacts=tuple(
            ArtifactRecord(
                bin=name,
                path=str(artifact.path if published is None else published / artifact.path.name),
                sha256=artifact.sha256,
                size_bytes=artifact.size_bytes,
            )
            for name, artifact in built.results[variant.compile].artifacts.items()
        ),
        build_s=_build_s(steps, built),
    )


def _steps_of(variant: PlannedVariant, built: Built) -> tuple[Step, ...]:
    """The steps of what was asked for, and of what is shipped in its place."""
    shipped = built.shipped(variant)
    steps = built.steps_of(variant)
    known = {step.action.id for step in steps}
    return (*steps, *(step for step in built.steps_of(shipped) if step.action.id not in known))


def _build_s(steps: Iterable[Step], built: Built) -> float | None:
    """How long building took; None if a part of the program existed already."""
    for step in steps:
        result = built.results.find(step.action.id)
        if step.reused or (isinstance(result, Compiled) and result.fresh_target_units and not _is_for_call(step)):
            return None
    return sum(step.duration_s for step in steps)


def _is_for_call(step: Step) -> bool:
    """Whether a step built tests or benches, which reuse what was built for the programs themselves."""
    return isinstance(step.action, Compile) and step.action.recipe.call is not None


def _describe_step(step: Step) -> StepRecord:
    return StepRecord(
        action=step.action.id,
        kind=step.action.kind,
        argv=step.argv,
        duration_s=step.duration_s,
        reused=step.reused,
        log=None if step.log is None else str(step.log),
        peak_rss_bytes=step.peak_rss_bytes,
        started_s=step.started_s,
    )


def describe_workloads(
    overlaps: Iterable[Overlap], workload_of: Mapping[str, str] | None = None
) -> tuple[WorkloadRecord, ...]:
    """The measured workloads, and whether they were trained on.

    Args:
        overlaps: What each workload shares with training.
        workload_of: The workload that each measured name belongs to; None if nothing was measured.
    """
    records = []
    for item in overlaps:
        cells = [name for name, workload in (workload_of or {}).items() if workload == item.workload]
        for name in cells or [item.workload]:
            part_of = item.workload if name != item.workload else None
            records.append(
                WorkloadRecord(name=name, in_sample=item.in_sample, shared_with=item.shared_with, part_of=part_of)
            )
    return tuple(records)


def describe_inputs(workloads: Iterable[Invocation], hashes: InputHashes, root: Path) -> tuple[InputRecord, ...]:
    """The inputs of this run, as first found; nothing is read for this.

    Args:
        workloads: Of the run.
        hashes: The hashes of inputs.
        root: The project's directory.
    """
    return tuple(
        InputRecord(
            workload=workload.name,
            path=str(path.relative_to(root) if path.is_relative_to(root) else path),
            sha256=digest,
            is_directory=is_directory,
        )
        for workload in workloads
        for path, digest, is_directory in hashes.seen(workload)
    )


def describe_checks(built: Built, measured_s: float | None) -> tuple[StepRecord, ...]:
    """The actions that make no variant.

    Args:
        built: The outcome of the run.
        measured_s: How long measuring took; None if nothing was measured.
    """
    plan = built.plan
    builds = [build for build in plan.builds if build not in plan.controls]
    attempts = [attempt.binaries for build in builds for attempt in build.attempts]
    made_by = [*(build.compile for build in builds if build.compile is not None), *attempts]
    making = {action for compilation in made_by for action in plan.needed_by(compilation)}
    checks = [_describe_step(step) for step in built.steps.values() if step.action.id not in making]
    if plan.measure is not None and measured_s is not None:
        checks.append(
            StepRecord(action=plan.measure.id, kind="measure", argv=(), duration_s=measured_s, reused=False, log=None)
        )
    return tuple(checks)


def describe_outputs(built: Built) -> tuple[OutputRecord, ...]:
    """How the variants' outputs compare, in the plan's order."""
    plan, results = built.plan, built.results
    records: dict[ActionId, list[OutputRecord]] = {}
    for probe in plan.of_kind(ProbeOutputs):
        if (probed := results.find(probe.id)) is not None:
            records[probe.id] = [_describe_output(probe.workload, plan.baseline.name, probed, probed)]
    for check in plan.of_kind(CompareOutputs):
        if (compared := results.find(check.id)) is not None:
            names = [build.name for build in plan.builds if check.binaries in build.made]
            probed = results[check.probe]
            records[check.id] = [_describe_output(check.workload, name, compared, probed) for name in names]
    return tuple(record for action in plan.actions for record in records.get(action.id, ()))


def _describe_output(workload: Invocation, variant: str, result: Probed | Compared, probed: Probed) -> OutputRecord:
    return OutputRecord(
        workload=workload.name,
        variant=variant,
        equal=result.equal,
        sha256=result.sha256 if probed.parts else None,
        left_out=probed.varying,
        filtered=bool(workload.compare_filter),
        tolerance=workload.compare_tolerance,
    )


def add_contest(record: RunRecord, contest: Contest) -> RunRecord:
    """Add all measurements to a record."""
    return replace(
        record,
        variants=with_layouts(record.variants, contest.layouts),
        benchmarks=contest.series,
        resources=tuple(item for item in contest.resources if item.variant != A_PRIME),
        instructions=contest.counts,
        allocations=contest.allocations,
        comparisons=contest.analysis.comparisons,
        measure=_describe_measuring(contest),
        noise=NoiseRecord(
            aa=contest.analysis.aa,
            tainted_rounds=len(contest.tainted),
            noisy=contest.noisy,
            steal_ratio=contest.steal_ratio,
            checks=contest.checks,
        ),
    )


def _describe_measuring(contest: Contest) -> MeasureRecord:
    settings = contest.settings
    return MeasureRecord(
        seed=settings.seed,
        rounds=contest.analysis.rounds,
        duration_s=contest.duration_s,
        confidence=settings.confidence,
        min_effect=settings.min_effect,
        max_time_s=settings.max_time_s,
        half_width=contest.analysis.half_width,
        advice=describe_budget(contest),
    )
