"""Profile-guided optimisation, from top to bottom: instrument, train, merge, optimise, prove. Read this first.

`_plan_attempt` shows the whole process on one screen. It plans; each of its steps names the module that performs it.
`training_ways` lists the ways to build the instrumented binary; each gives an attempt, and the run takes the first
whose evidence holds.

Both compilations have the identical Cargo profile. Cargo hashes it into `-C metadata` and so into every mangled name;
with a different profile in the second phase, no function would find its counts, and rustc would not report it.

Sources: The rustc book, "Profile-guided Optimization",
https://doc.rust-lang.org/rustc/profile-guided-optimization.html
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from optbuild.errors import AttemptFault, UsageError
from optbuild.plan.action import Action, Argument, Id, Output
from optbuild.plan.counts import CheckedProfile, Counts
from optbuild.plan.draft import (
    Draft,
    PlanInputs,
    for_call,
    link_script_flags,
    make_compile,
    work_directory,
)
from optbuild.plan.fingerprint import make_action_id
from optbuild.plan.kinds.compile import Compile, Role
from optbuild.plan.kinds.make_object import MakeObject
from optbuild.plan.kinds.merge import MergeProfiles, make_merge_id, scale_in_id
from optbuild.plan.kinds.profile_data import MatchProfileData
from optbuild.plan.kinds.train import Train
from optbuild.plan.lent_names import identify_build
from optbuild.plan.parts import for_program
from optbuild.plan.results import PROFDATA, Compiled
from optbuild.plan.steps.codegen import draft_as
from optbuild.plan.steps.obstacles import find_obstacle, find_training_obstacle, trains_draft
from optbuild.plan.steps.startup import counting_flags, linking_flags
from optbuild.plan.steps.training_ways import Way, first_own_way, training_ways
from optbuild.plan.ways import Attempt
from optbuild.profile.profile_data import UseProfileData
from optbuild.profile.variants import PgoMode, Variant
from optbuild.profile.workloads import Use
from optbuild.toolchain.model import Tool
from optbuild.tools import flush_object, start_marks
from optbuild.tools.linked_object import link_flag
from optbuild.tools.rustc import (
    HOT_COUNT,
    PROFILE_GENERATE,
    PROFILE_USE,
    WARN,
    WARN_MISSING_FUNCTIONS,
    WRITES_IR_SINCE,
    write_ir_flags,
)

MIN_MATCHED = 0.99
"""The share of another variant's counts that must find a function of the same path and control flow."""
_MENDS_PROFILE_DATA = frozenset({AttemptFault.NOT_BUILT, AttemptFault.UNFIT})


def add_feedback(draft: Draft, variant: Variant, inputs: PlanInputs) -> Draft:
    """Put instrumented compilation, training and merging before the variant's own compilation."""
    if variant.pgo is PgoMode.OFF:
        _require_no_counts(variant, inputs)
        return draft
    tool = inputs.toolchain.llvm_profdata
    takes, untrainable = _takes_profile_data(draft, inputs), find_training_obstacle(draft, inputs)
    obstacle = find_obstacle(draft, inputs) or (None if takes else untrainable)
    if obstacle is not None or tool is None:
        reason, remedy = obstacle or ("no llvm-profdata fits rustc", "run `optbuild doctor --fix`")
        if variant.pgo is PgoMode.AUTO:
            return replace(draft, skipped=reason)
        raise UsageError(
            f"variant {variant.name} wants PGO, but {reason}",
            help=f'{remedy}, or say pgo = "auto" to skip it',
            location=inputs.build_profile.where("variants", variant.name, "pgo"),
        )
    ways = training_ways(draft, variant, inputs)
    if takes:
        draft = _plan_lent_names(draft, inputs, tool)
        draft = _plan_profile_data(draft, ways[0], inputs, tool)
        is_last = inputs.build_profile.profile_data.use is UseProfileData.ALWAYS or untrainable is not None
        ways = () if is_last else (replace(ways[0], mends=_MENDS_PROFILE_DATA), *ways[1:])
    for way in ways:
        draft = _plan_attempt(draft, way, inputs, tool)
    return draft


def _require_no_counts(variant: Variant, inputs: PlanInputs) -> None:
    """Refuse what only counts give an effect."""
    for key, value, unset in (
        ("hot-count", variant.hot_count, '"default"'),
        ("count-scale", _count_scale(variant), "1"),
    ):
        if value not in {None, "default"}:
            raise UsageError(
                f"variant {variant.name} has {key} = {json.dumps(value)}, but no PGO: without a profile "
                "there are no counts",
                help=f"remove `{key}`, write {key} = {unset}, or add `pgo = true`",
                location=inputs.build_profile.where("variants", variant.name, key),
            )


def _plan_attempt(draft: Draft, way: Way, inputs: PlanInputs, tool: Tool) -> Draft:
    """One way through PGO. Each step's output is the input of the next, by its id."""
    if way.is_translated:
        return _plan_translation(draft, way, inputs, tool)
    # 1. Instrument: a build that counts what it executes. Performed by making/kinds/compile.
    objects = _make_objects(inputs)
    instrumented = _instrument(draft, way, inputs, objects, writes_ir=inputs.notes_outlines)
    # 2. Train: run it on each training workload, which yields that workload's counts. making/training/trainer
    runs = _train(instrumented, draft, inputs)
    # 3. Merge: combine the counts of all workloads by weight into a checked profile. making/training/merging
    merge = _merge(tuple(run for run in runs if isinstance(run, Train)), draft, inputs, tool)
    # 4. Optimise: the same recipe again, now with the profile. Performed by making/kinds/compile.
    optimised = _optimise(merge, draft, inputs)
    # 5. Prove: the conditions for accepting the optimised build; otherwise the next attempt is taken, if it may
    #    mend it. Judged by making/proof/prover as soon as the build is done.
    attempt = Attempt(
        name=way.name,
        instrument=instrumented.id,
        merge=merge.id,
        compile=optimised.id,
        lossless=way.lossless,
        shared_with=None if way.counts_of is None else way.counts_of.name,
        mends=way.mends,
    )
    return replace(
        draft,
        actions=(*draft.actions, *objects, instrumented, *runs, merge, optimised),
        attempts=(*draft.attempts, attempt),
    )


def _plan_translation(draft: Draft, way: Way, inputs: PlanInputs, tool: Tool) -> Draft:
    """PGO with the counts of another variant, under the names of a build of this one that is not run."""
    assert way.counts_of is not None  # noqa: S101 - for mypy: counts that are translated are another variant's
    other = draft_as(draft, way.counts_of, inputs)
    objects = _make_objects(inputs)
    counted = _instrument(other, first_own_way(other, way.counts_of, inputs), inputs, objects)
    runs = _train(counted, other, inputs)
    names = _instrument(draft, way, inputs, objects)  # with the same objects: the next attempt trains it
    own = _merge(tuple(run for run in runs if isinstance(run, Train)), draft, inputs, tool)
    merge = replace(
        own,
        id=make_merge_id(own.weights, program=names.id, min_matched=MIN_MATCHED, count_scale=own.count_scale),
        needs=(*own.weights, names.id, counted.id),
        label=f"{draft.label}: translate the counts of {other.label}",
        program=names.id,
        min_matched=MIN_MATCHED,
        counted=counted.id,
    )
    optimised = _optimise(merge, draft, inputs)
    attempt = Attempt(
        name=way.name,
        instrument=names.id,
        merge=merge.id,
        compile=optimised.id,
        lossless=way.lossless,
        shared_with=way.counts_of.name,
        is_translated=True,
        mends=way.mends,
    )
    return replace(
        draft,
        actions=(*draft.actions, *objects, counted, *runs, names, merge, optimised),
        attempts=(*draft.attempts, attempt),
    )


def _plan_profile_data(draft: Draft, way: Way, inputs: PlanInputs, tool: Tool) -> Draft:
    """PGO without training: committed counts, by the names of an instrumented build that is never run."""
    instrumented = _instrument(draft, replace(way, rustflags=None), inputs, (), writes_ir=True)
    matched = _match(draft, inputs, tool, program=instrumented.id)
    optimised = _optimise(matched, draft, inputs)
    attempt = Attempt(
        name="profile-data",
        instrument=instrumented.id,
        merge=matched.id,
        compile=optimised.id,
        mends=_MENDS_PROFILE_DATA if draft.attempts else frozenset(),
    )
    return replace(
        draft,
        actions=(*draft.actions, instrumented, matched, optimised),
        attempts=(*draft.attempts, attempt),
    )


def _plan_lent_names(draft: Draft, inputs: PlanInputs, tool: Tool) -> Draft:
    """PGO without any other build: committed counts, by committed names, where this is the build that was trained."""
    lent = inputs.lent_names
    if lent is None or draft.program is not None or inputs.lockfile_sha256 is None:
        return draft
    if identify_build(draft.recipe, inputs.project, inputs.toolchain, inputs.lockfile_sha256) != lent.build:
        return draft
    matched = _match(draft, inputs, tool, names=lent.file)
    optimised = _optimise(matched, draft, inputs)
    attempt = Attempt(
        name="profile-data by names", instrument=None, merge=matched.id, compile=optimised.id, lossless=True
    )
    return replace(draft, actions=(*draft.actions, matched, optimised), attempts=(*draft.attempts, attempt))


def _match(
    draft: Draft, inputs: PlanInputs, tool: Tool, *, program: Id[Compiled] | None = None, names: Path | None = None
) -> MatchProfileData:
    """Give committed counts the names of functions: those of an instrumented build, or committed ones."""
    file, settings = inputs.build_profile.profile_data_file, inputs.build_profile.profile_data
    assert file is not None  # noqa: S101 - for mypy: it is taken
    scale = _count_scale(inputs.build_profile.variants[draft.variant])
    return MatchProfileData(
        id=make_action_id("profile-data", file, settings.min_matched, program or names, *scale_in_id(scale)),
        needs=() if program is None else (program,),
        label=f"{draft.label}: match profile data",
        file=file,
        program=program,
        names=names,
        min_matched=settings.min_matched,
        tool=tool.path,
        directory=inputs.layout.profile_data,
        control_flow=inputs.layout.control_flow,
        count_scale=scale,
    )


def _takes_profile_data(draft: Draft, inputs: PlanInputs) -> bool:
    """Whether a variant may take committed counts; tests and benches that are measured get none of them."""
    if not inputs.has_profile_data:
        return False
    if not inputs.build_profile.variants[draft.variant].takes_foreign_counts:
        if inputs.build_profile.profile_data.use is UseProfileData.ALWAYS:
            raise UsageError(
                f'variant {draft.variant} has layout = "startup", but committed counts do not say in which order '
                "functions first run",
                help='train it: write use = "auto" under [profile-data]; or remove `layout`',
                location=inputs.build_profile.where("variants", draft.variant, "layout"),
            )
        return False
    measures_programs = any(Use.BENCH in workload.use and workload.call is not None for workload in inputs.workloads)
    if measures_programs and inputs.build_profile.profile_data.use is UseProfileData.ALWAYS:
        raise UsageError(
            f"variant {draft.variant} always takes committed counts, of which tests and benches that are measured get "
            "none",
            help='measure it with `command`, or write use = "auto" under [profile-data]',
            location=inputs.build_profile.where("profile-data", "use"),
        )
    return not measures_programs


def _instrument(
    draft: Draft, way: Way, inputs: PlanInputs, objects: tuple[MakeObject, ...], *, writes_ir: bool = False
) -> Compile:
    generate: Argument = (f"{PROFILE_GENERATE}{inputs.layout.stray_profiles}",)
    links: list[Argument] = [(link_flag(action.file),) for action in objects]
    own = draft.recipe.rustflags if way.rustflags is None else way.rustflags
    counting = (generate, *counting_flags(draft, inputs), *way.flags, *(_write_ir(inputs) if writes_ir else ()))
    recipe = replace(draft.recipe, rustflags=(*own, *links, *link_script_flags(inputs), *counting))
    return make_compile(
        recipe,
        inputs,
        role=Role.INSTRUMENT,
        label=f"{draft.variant}: build instrumented{way.label}",
        needs=tuple(action.id for action in objects),
    )


def _write_ir(inputs: PlanInputs) -> tuple[Argument, ...]:
    """The flags that note what blocks do, if this LLVM knows them."""
    if (inputs.toolchain.rustc.llvm_major or 0) < WRITES_IR_SINCE:
        return ()
    return tuple((flag,) for flag in write_ir_flags(inputs.layout.control_flow))


def _make_objects(inputs: PlanInputs) -> tuple[MakeObject, ...]:
    """The objects for the instrumented build: one marks each start, and one saves counts if needed."""
    label, crate, source = "object that marks each start of a program", start_marks.CRATE, start_marks.SOURCE
    marks = _make_object(inputs, label=label, crate=crate, source=source, saves_counts=False)
    if not any(workload.needs_flush_object for workload in inputs.workloads if Use.TRAIN in workload.use):
        return (marks,)
    label, crate, source = "object that saves counts from signals", flush_object.CRATE, flush_object.SOURCE
    return (marks, _make_object(inputs, label=label, crate=crate, source=source, saves_counts=True))


def _make_object(inputs: PlanInputs, *, label: str, crate: str, source: str, saves_counts: bool) -> MakeObject:
    toolchain = inputs.toolchain
    action_id = make_action_id("object", source, toolchain.rustc, toolchain.target)
    return MakeObject(
        id=action_id,
        needs=(),
        label=label,
        rustc=toolchain.rustc.path,
        crate=crate,
        source=source,
        target=toolchain.target,
        cwd=inputs.project.directory,
        file=inputs.layout.linked_objects / f"{action_id}.o",
        saves_counts=saves_counts,
    )


def _train(instrument: Compile, draft: Draft, inputs: PlanInputs) -> tuple[Compile | Train, ...]:
    """The training actions, each after what it alone needs."""
    actions: list[Compile | Train] = []
    for workload in inputs.workloads:
        if not trains_draft(workload, draft, inputs):
            continue
        needs = [instrument.id]
        if workload.call is not None:
            label = f"{draft.variant}: build for {workload.name}, instrumented"
            recipe = for_call(instrument.recipe, workload.call)
            program = make_compile(recipe, inputs, role=Role.INSTRUMENT, label=label, needs=instrument.needs)
            actions.append(program)
            needs.append(program.id)
        action_id: Id[Counts] = make_action_id("train", inputs.workload_keys[workload.name], *needs)
        actions.append(
            Train(
                id=action_id,
                needs=tuple(needs),
                label=f"{draft.variant}: train on {workload.name}",
                workload=workload,
                binaries=needs[-1],
                directory=work_directory(inputs.layout, action_id),
                program=instrument.id if workload.call is not None else None,
            )
        )
    return tuple(actions)


def _merge(trainings: tuple[Train, ...], draft: Draft, inputs: PlanInputs, tool: Tool) -> MergeProfiles:
    weights = {training.id: training.workload.weight for training in trainings}
    scale = _count_scale(inputs.build_profile.variants[draft.variant])
    return MergeProfiles(
        id=make_merge_id(weights, count_scale=scale),
        needs=tuple(weights),
        label=f"{draft.label}: merge profiles",
        weights=weights,
        tool=tool.path,
        directory=inputs.layout.profile_data,
        count_scale=scale,
    )


def _optimise(profile: Action[CheckedProfile], draft: Draft, inputs: PlanInputs) -> Compile:
    """The recipe with a checked profile, whichever action makes that."""
    use: Argument = (PROFILE_USE, Output(action=profile.id, name=PROFDATA))
    order = linking_flags(draft, profile.id, inputs)
    hot = _hot_count(profile, inputs.build_profile.variants[draft.variant])
    recipe = draft.last_recipe if draft.program is None else for_program(draft.last_recipe, draft.program)
    recipe = replace(recipe, rustflags=(*recipe.rustflags, use, *hot, *order, (WARN_MISSING_FUNCTIONS,), (WARN,)))
    return make_compile(recipe, inputs, role=Role.OPTIMISE, label=f"{draft.label}: build", needs=(profile.id,))


def _hot_count(profile: Action[CheckedProfile], variant: Variant) -> tuple[Argument, ...]:
    """The flag that says from which count on code is hot; only the optimised build has it, so training is shared."""
    match variant.hot_count:
        case None | "default":
            return ()
        case int(count):
            return ((f"{HOT_COUNT}{count}",),)
        case share:
            return ((HOT_COUNT, Output(action=profile.id, name=share)),)


def _count_scale(variant: Variant) -> float | None:
    """What counts are multiplied by once they are merged, so that training is shared; None leaves them as they are."""
    return None if variant.count_scale == 1 else variant.count_scale
