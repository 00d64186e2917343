"""Make a plan from a build profile, a project and a toolchain. Pure: it reads nothing and starts nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from optbuild.errors import UsageError
from optbuild.plan.action import ActionId, Entry, Id
from optbuild.plan.draft import Draft, PlanInputs, make_compile
from optbuild.plan.fingerprint import make_action_id
from optbuild.plan.folds import draft_folds
from optbuild.plan.kinds.check_outputs import ProbeOutputs, make_output_check, make_probe
from optbuild.plan.kinds.compile import Recipe, Role
from optbuild.plan.measure import Arm, HeldOutArm, Measure
from optbuild.plan.model import Plan, PlannedBolt, PlannedFold, PlannedVariant
from optbuild.plan.notes import describe_counts, describe_inputs
from optbuild.plan.parts import check_parts, has_parts
from optbuild.plan.programs import draft_programs
from optbuild.plan.results import Binaries
from optbuild.plan.steps import STEPS
from optbuild.plan.steps.bolt import with_relocations_only
from optbuild.plan.steps.codegen import draft_as
from optbuild.plan.ways import Attempt, Follow, actions_of, make_choice, make_following, make_gathering, with_following
from optbuild.profile.faults import find_nearest
from optbuild.profile.model import BuildProfile
from optbuild.profile.presets import PREFIX
from optbuild.profile.variants import BoltMode, CodeLayout, PgoMode, Variant
from optbuild.profile.workloads import Use
from optbuild.toolchain.cpu import CpuNeeds
from optbuild.workloads.folds import Fold
from optbuild.workloads.invocation import Invocation

WITHOUT_BOLT, RELOCATIONS_ONLY = "without-bolt", "relocations-only"
NOT_MEASURED = 'bolt = "auto" keeps only what is measured as faster, and this run does not measure it'


def select_pgo_variants(build_profile: BuildProfile) -> tuple[str, ...]:
    """The variants for `optbuild pgo`: the baseline, PGO variants and their ancestors, in the profile's order.

    Raises:
        UsageError: No variant has PGO.
    """
    wanted = {baseline_name(build_profile)}
    with_pgo = [variant for variant in build_profile.variants.values() if variant.pgo is not PgoMode.OFF]
    if not with_pgo:
        raise UsageError(
            "the build profile has no variant with PGO",
            help="add `pgo = true` to a variant, or run `optbuild run` to measure the variants as they are",
        )
    for variant in with_pgo:
        wanted |= {variant.name, *variant.ancestors}
    return tuple(name for name in build_profile.variants if name in wanted)


def select_variants(build_profile: BuildProfile, names: tuple[str, ...]) -> tuple[str, ...]:
    """The variants that `optbuild run` builds: the named ones and the baseline, or all if none is named.

    Raises:
        UsageError: The build profile has no such variant.
    """
    check_variants(build_profile, names)
    wanted = {baseline_name(build_profile), *(names or build_profile.variants)}
    return tuple(name for name in build_profile.variants if name in wanted)


def check_variants(build_profile: BuildProfile, names: Iterable[str]) -> None:
    """Refuse a variant that the build profile does not have.

    Raises:
        UsageError: The build profile has no such variant.
    """
    for name in names:
        if name not in build_profile.variants:
            nearest = find_nearest(name, list(build_profile.variants))
            suggestion = f"did you mean {nearest}? " if nearest else ""
            if name == "." or "/" in name:
                suggestion = "for another project, go to its directory first; "
            raise UsageError(
                f"unknown variant {name!r}",
                help=f"{suggestion}the build profile has: {', '.join(build_profile.variants)}",
            )


def baseline_name(build_profile: BuildProfile) -> str:
    """The variant that others are compared with."""
    return build_profile.measure.baseline or next(iter(build_profile.variants))


def is_of_preset(build_profile: BuildProfile, name: str) -> bool:
    """Whether a variant comes with optbuild instead of this project's build profile."""
    origin = build_profile.where("variants", name)
    return origin is not None and origin.startswith(PREFIX)


def make_plan(
    inputs: PlanInputs,
    variants: tuple[str, ...],
    *,
    measure: bool,
    folds: tuple[Fold, ...] = (),
    with_controls: bool = True,
) -> Plan:
    """Plan a run.

    Args:
        inputs: What to build, and with what.
        variants: Names of the variants to build; the baseline must be among them.
        measure: Also compare outputs and benchmark.
        folds: What to leave out of training in turn, for a cross-validation.
        with_controls: Also build what only tells whether BOLT pays; a search has arms without it.

    Raises:
        UsageError: A variant cannot be built as the build profile requires.
    """
    if folds:  # a cross-validation trains
        inputs = replace(inputs, has_profile_data=False)
    build_profile = inputs.build_profile
    baseline = baseline_name(build_profile)
    order = sorted(variants, key=lambda name: name != baseline)  # stable: the baseline first, the rest in written order
    can_compare = measure and inputs.not_runnable is None
    benchmarks = tuple(workload for workload in inputs.workloads if Use.BENCH in workload.use) if can_compare else ()
    can_measure = bool(benchmarks) and inputs.not_measurable is None
    entries: dict[ActionId, Entry[object]] = {}
    planned: list[PlannedVariant] = []
    follows: dict[str, tuple[Follow, ...]] = {}
    probes: tuple[ProbeOutputs, ...] = ()
    notes = (*describe_inputs(inputs), *describe_counts(order, inputs))
    for name in order:
        variant = build_profile.variants[name]
        undecided = variant.bolt is BoltMode.AUTO and (name == baseline or not can_measure)
        variant = replace(variant, bolt=BoltMode.OFF if undecided else variant.bolt)
        drafts = _draft_variant(variant, inputs, benchmarks)
        if (skipped := _find_skipped(name, drafts, build_profile)) is not None:
            planned.append(PlannedVariant(name=name, compile=None, skipped=skipped))
            continue
        built, made = _plan_variant(variant, drafts, inputs)
        if undecided:
            built = replace(built, bolt=PlannedBolt(is_optional=True, obstacle=NOT_MEASURED))
            notes = (*notes, f"variant {name} is built without BOLT: {NOT_MEASURED}")
        if (same := next((other.name for other in planned if other.compile == built.compile), None)) is not None:
            reason = f"it has the same settings as {same}"
            if is_of_preset(build_profile, name):
                planned.append(PlannedVariant(name=name, compile=None, skipped=reason))
                continue
            notes = (*notes, f"variant {name} is measured although it has an equal: {reason}")
        _add(entries, made)
        binaries, follows[name] = built.compile, drafts[0].follows
        assert binaries is not None  # noqa: S101 - it is not skipped
        programs = draft_programs(
            name, built.attempts or drafts[0].last_recipe, follows[name], benchmarks, entries=entries, inputs=inputs
        )
        _add(entries, programs.entries)
        if name == baseline:
            probes = tuple(make_probe(workload, programs.of(workload, binaries)) for workload in benchmarks)
            _add(entries, probes)
        else:
            _add(entries, [make_output_check(p, programs.of(p.workload, binaries), name, entries) for p in probes])
        planned.append(replace(built, programs=programs.built))
    controls: list[PlannedVariant] = []
    if can_measure and with_controls:
        planned, controls = _plan_controls(planned, probes, entries, inputs)
    planned = [_with_plain(variant, entries) for variant in planned]
    candidates = [(variant, follows.get(variant.name, ())) for variant in planned[1:]]
    fold_drafts = tuple(draft_folds(candidates, folds, entries=entries, probes=probes, inputs=inputs))
    for fold in fold_drafts:
        _add(entries, fold.entries)
    planned_folds = tuple(fold.fold for fold in fold_drafts)
    return Plan(
        entries=tuple(entries.values()),
        variants=tuple(planned),
        measure=_measure(planned, planned_folds, controls, benchmarks, inputs) if can_measure else None,
        directories=(inputs.layout.root, *({inputs.layout.artifacts} - {inputs.layout.root / "artifacts"})),
        notes=notes,
        folds=planned_folds,
        controls=tuple(controls),
    )


def _find_skipped(name: str, drafts: tuple[Draft, ...], build_profile: BuildProfile) -> str | None:
    """Why a variant cannot be built; the baseline has to be."""
    skipped = next((draft.skipped for draft in drafts if draft.skipped is not None), None)
    if skipped is not None and name == baseline_name(build_profile):
        raise UsageError(
            f"the baseline {name} cannot be built: {skipped}",
            help="name another variant as `baseline` in [measure]",
            location=build_profile.where("variants", name, "pgo"),
        )
    return skipped


def _plan_controls(
    planned: list[PlannedVariant],
    probes: tuple[ProbeOutputs, ...],
    entries: dict[ActionId, Entry[object]],
    inputs: PlanInputs,
) -> tuple[list[PlannedVariant], list[PlannedVariant]]:
    """The variants, each with BOLT with its controls, and the controls that are no variants themselves."""
    found = planned[:1]  # the baseline is what others are compared with
    controls: list[PlannedVariant] = []
    for variant in planned[1:]:
        if variant.bolt is None or variant.bolt.obstacle is not None:
            found.append(variant)
            continue
        settings = inputs.build_profile.variants[variant.name]
        plain = replace(settings, bolt=BoltMode.OFF)
        equal = next((other.name for other in planned if _is_alike(plain, other, inputs)), None)
        drafts = tuple(with_relocations_only(draft, settings, inputs) for draft in _drafts(settings, inputs))
        made = {RELOCATIONS_ONLY: _plan_variant(settings, drafts, inputs)}
        if equal is None:
            made = {WITHOUT_BOLT: _plan_variant(plain, _drafts(plain, inputs), inputs), **made}
        for what, (build, needed) in made.items():
            name = f"{variant.name}:{what}"
            parts = {program: replace(part, name=f"{name}: {program}") for program, part in build.parts.items()}
            controls.append(replace(build, name=name, bolt=None, parts=parts))
            assert build.compile is not None  # noqa: S101 - the variant is not skipped
            _add(entries, needed)
            _add(entries, [make_output_check(probe, build.compile, name, entries) for probe in probes])
        without, relocations_only = equal or f"{variant.name}:{WITHOUT_BOLT}", f"{variant.name}:{RELOCATIONS_ONLY}"
        bolt = replace(variant.bolt, without=without, relocations_only=relocations_only)
        found.append(replace(variant, bolt=bolt))
    return found, controls


def _is_alike(plain: Variant, other: PlannedVariant, inputs: PlanInputs) -> bool:
    """Whether another planned variant has the same settings."""
    if other.compile is None or other.bolt is not None:
        return False
    settings = inputs.build_profile.variants[other.name]
    return replace(settings, name="", ancestors=()) == replace(plain, name="", ancestors=())


def _draft_variant(variant: Variant, inputs: PlanInputs, benchmarks: tuple[Invocation, ...]) -> tuple[Draft, ...]:
    """A draft of the whole variant, or one for each program if each has a separate profile."""
    if has_parts(variant, inputs.targets):
        where = inputs.build_profile.where("variants", variant.name, "profiles")
        check_parts(variant, inputs.targets, benchmarks, where)
    return _drafts(variant, inputs)


def _drafts(variant: Variant, inputs: PlanInputs) -> tuple[Draft, ...]:
    if not has_parts(variant, inputs.targets):
        return (_draft(variant, inputs, None),)
    return tuple(_draft(variant, inputs, target.name) for target in inputs.targets.bins)


def _plan_variant(
    variant: Variant, drafts: tuple[Draft, ...], inputs: PlanInputs
) -> tuple[PlannedVariant, tuple[Entry[object], ...]]:
    """A variant, with the entries that make it."""
    each = []
    made: list[Entry[object]] = []
    for draft in drafts:
        binaries, attempts, entries = _make_entries(draft, inputs)
        made += entries
        each.append(
            PlannedVariant(
                name=draft.label,
                compile=binaries,
                attempts=attempts,
                plain=make_compile(draft.last_recipe, inputs, role=Role.BUILD, label="").id if attempts else None,
                bolt=_bolt_of(variant, draft),
                puts_in_order=variant.layout is CodeLayout.STARTUP,
                fallback_allowed=variant.pgo is PgoMode.AUTO,
                cpu_features=inputs.cpu_needs.get(variant.name, CpuNeeds()).features,
            )
        )
    parts = {draft.program: part for draft, part in zip(drafts, each, strict=True) if draft.program is not None}
    if not parts:
        return each[0], tuple(made)
    built = {name: part.compile for name, part in parts.items() if part.compile is not None}
    gathering = make_gathering(variant.name, built)
    whole = replace(each[0], name=variant.name, compile=gathering.id, attempts=(), plain=None, parts=parts)
    return whole, (*made, gathering)


def _bolt_of(variant: Variant, draft: Draft) -> PlannedBolt | None:
    if variant.bolt is BoltMode.OFF:
        return None
    return PlannedBolt(is_optional=variant.bolt is BoltMode.AUTO, obstacle=draft.without_bolt)


def _with_plain(build: PlannedVariant, entries: Mapping[ActionId, Entry[object]]) -> PlannedVariant:
    """A build that is compared with one without its profile only if the plan contains that."""
    parts = {name: _with_plain(part, entries) for name, part in build.parts.items()}
    return replace(build, parts=parts, plain=build.plain if build.plain in entries else None)


def _draft(variant: Variant, inputs: PlanInputs, program: str | None) -> Draft:
    draft = _unchanged(variant, inputs, program)
    for step in STEPS:
        draft = step(draft, variant, inputs)
    return draft


def draft_recipe(variant: Variant, inputs: PlanInputs) -> Recipe:
    """What a variant is compiled by, apart from PGO and what follows it."""
    return draft_as(_unchanged(variant, inputs, None), variant, inputs).recipe


def _unchanged(variant: Variant, inputs: PlanInputs, program: str | None) -> Draft:
    """The project as it is, before any step of a variant."""
    settings, targets = inputs.build_profile.project, inputs.targets
    recipe = Recipe(
        packages=tuple(package.name for package in targets.packages),
        bins=tuple(target.name for target in targets.bins if not target.is_example),
        examples=tuple(target.name for target in targets.bins if target.is_example),
        libs=tuple(lib.file_name for lib in targets.libs),
        target=inputs.toolchain.target,
        cargo_profile=settings.cargo_profile,
        features=settings.features,
        no_default_features=settings.no_default_features,
        all_features=settings.all_features,
        inherited_rustflags=inputs.project.rustflags.flags,
        cargo_args=settings.cargo_args,
    )
    return Draft(variant=variant.name, recipe=recipe, program=program)


def _make_entries(
    draft: Draft, inputs: PlanInputs
) -> tuple[Id[Binaries], tuple[Attempt, ...], tuple[Entry[object], ...]]:
    """The binaries of a draft, the attempts that may make them, and the required actions."""
    if not draft.attempts:
        compilation = make_compile(draft.last_recipe, inputs, role=Role.BUILD, label=f"{draft.label}: build")
        following = make_following(compilation.id, draft.follows, draft.label)
        made = (*draft.actions, compilation, *actions_of(following))
        return following[-1].binaries if following else compilation.id, (), made
    entries: list[Entry[object]] = list(draft.actions)
    attempts = []
    for attempt in draft.attempts:
        following = make_following(attempt.compile, draft.follows, draft.label)
        entries += actions_of(following)
        attempts.append(with_following(attempt, following))
    if len(attempts) == 1:
        return attempts[0].binaries, tuple(attempts), tuple(entries)
    choice = make_choice(draft.label, tuple(attempts))
    return choice.id, tuple(attempts), (*entries, choice)


def _measure(
    variants: list[PlannedVariant],
    folds: tuple[PlannedFold, ...],
    controls: list[PlannedVariant],
    workloads: tuple[Invocation, ...],
    inputs: PlanInputs,
) -> Measure:
    arms = tuple(
        Arm(variant=item.name, binaries=item.compile, programs=item.programs)
        for item in variants
        if item.compile is not None
    )
    held_out = tuple(
        HeldOutArm(
            variant=fold.variant,
            binaries=fold.build.compile,
            workloads=fold.workloads,
            programs=fold.build.programs,
        )
        for fold in folds
        if fold.build.compile is not None
    )
    beside = tuple(Arm(variant=item.name, binaries=item.compile) for item in controls if item.compile is not None)
    settings = inputs.build_profile.measure
    unlimited = replace(settings, max_time_s=0.0)  # more time gives the same result, only more precisely
    return Measure(
        # Measured binaries are identified by content: how they were made does not affect the result.
        id=make_action_id(
            "measure",
            [arm.variant for arm in arms],
            [(w.name, w.recipe(), w.metric) for w in workloads],
            unlimited,
            *((arm.variant, arm.workloads) for arm in held_out),
            *(("control", arm.variant) for arm in beside),
        ),
        needs=tuple(
            dict.fromkeys(
                need for arm in (*arms, *beside, *held_out) for need in (arm.binaries, *arm.programs.values())
            )
        ),
        label="measure",
        arms=arms,
        workloads=workloads,
        max_time_s=settings.max_time_s,
        directory=inputs.layout.arms,
        held_out=held_out,
        controls=beside,
    )


def _add(entries: dict[ActionId, Entry[object]], more: Iterable[Entry[object]]) -> None:
    """Add entries to a plan; existing ones are shared."""
    for entry in more:
        entries.setdefault(entry.id, entry)
