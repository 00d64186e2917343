"""Make a plan from a build profile, a project and a toolchain. Pure: it reads nothing and starts nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from optbuild.errors import UsageError
from optbuild.plan.action import ActionId, Entry
from optbuild.plan.draft import Draft, PlanInputs
from optbuild.plan.fingerprint import make_action_id
from optbuild.plan.folds import draft_folds
from optbuild.plan.kinds.check_outputs import ProbeOutputs, make_output_check, make_probe
from optbuild.plan.measure import Arm, HeldOutArm, Measure
from optbuild.plan.model import Plan, PlannedBolt, PlannedFold, PlannedVariant
from optbuild.plan.notes import describe_counts, describe_inputs
from optbuild.plan.programs import draft_programs
from optbuild.plan.steps.bolt import with_relocations_only
from optbuild.plan.variants import draft_parts, draft_variant, plan_variant
from optbuild.plan.ways import Follow
from optbuild.profile.faults import find_nearest
from optbuild.profile.model import BuildProfile
from optbuild.profile.presets import PREFIX
from optbuild.profile.variants import BoltMode, PgoMode, Variant
from optbuild.profile.workloads import Use
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
        with_controls: Also build what only shows whether BOLT pays; a search has arms without it.

    Raises:
        UsageError: A variant cannot be built as the build profile requires.
    """
    if folds:  # a cross-validation trains
        inputs = replace(inputs, has_profile_data=False)
    can_compare = measure and inputs.not_runnable is None
    benchmarks = tuple(workload for workload in inputs.workloads if Use.BENCH in workload.use) if can_compare else ()
    can_measure = bool(benchmarks) and inputs.not_measurable is None
    baseline = baseline_name(inputs.build_profile)
    order = sorted(variants, key=lambda name: name != baseline)  # stable: the baseline first, the rest in written order
    notes = [*describe_inputs(inputs), *describe_counts(order, inputs)]
    growing = _Growing(inputs=inputs, benchmarks=benchmarks, can_measure=can_measure, notes=notes)
    for name in order:
        growing.add(inputs.build_profile.variants[name])
    if can_measure and with_controls:
        growing.add_controls()
    growing.forget_absent_plain()
    planned_folds = growing.add_folds(folds)
    return Plan(
        entries=tuple(growing.entries.values()),
        variants=tuple(growing.planned),
        measure=_measure(growing, planned_folds) if can_measure else None,
        directories=(inputs.layout.root, *({inputs.layout.artifacts} - {inputs.layout.root / "artifacts"})),
        notes=tuple(growing.notes),
        folds=planned_folds,
        controls=tuple(growing.controls),
    )


@dataclass(slots=True, kw_only=True)
class _Growing:
    """A plan that grows variant by variant, the baseline first.

    Attributes:
        benchmarks: On what outputs are compared.
        can_measure: They are measured as well.
        entries: All that makes the variants; what several need is there once.
        follows: What follows the compilations of each variant.
        probes: The baseline's outputs on the benchmarks.
        controls: Builds that are only measured to be compared with one variant.
    """

    inputs: PlanInputs
    benchmarks: tuple[Invocation, ...]
    can_measure: bool
    notes: list[str]
    entries: dict[ActionId, Entry[object]] = field(default_factory=dict)
    planned: list[PlannedVariant] = field(default_factory=list)
    follows: dict[str, tuple[Follow, ...]] = field(default_factory=dict)
    probes: tuple[ProbeOutputs, ...] = ()
    controls: list[PlannedVariant] = field(default_factory=list)

    @property
    def baseline(self) -> str:
        """The name of the baseline."""
        return baseline_name(self.inputs.build_profile)

    def add(self, variant: Variant) -> None:
        """Plan a variant: what makes it, and that it does what the baseline does.

        Raises:
            UsageError: It cannot be built as the build profile requires.
        """
        name, inputs = variant.name, self.inputs
        undecided = variant.bolt is BoltMode.AUTO and (name == self.baseline or not self.can_measure)
        variant = replace(variant, bolt=BoltMode.OFF if undecided else variant.bolt)
        drafts = draft_variant(variant, inputs, self.benchmarks)
        skipped = _find_skipped(name, drafts, inputs.build_profile)
        if skipped is not None:
            self.planned.append(PlannedVariant(name=name, compile=None, skipped=skipped))
            return
        built, made = plan_variant(variant, drafts, inputs)
        if undecided:
            built = replace(built, bolt=PlannedBolt(is_optional=True, obstacle=NOT_MEASURED))
            self.notes.append(f"variant {name} is built without BOLT: {NOT_MEASURED}")
        if (same := next((other.name for other in self.planned if other.compile == built.compile), None)) is not None:
            reason = f"it has the same settings as {same}"
            if is_of_preset(inputs.build_profile, name):
                self.planned.append(PlannedVariant(name=name, compile=None, skipped=reason))
                return
            self.notes.append(f"variant {name} is measured although it has an equal: {reason}")
        self.share(made)
        self.follows[name] = drafts[0].follows
        self.planned.append(self._with_programs(built, drafts))

    def _with_programs(self, built: PlannedVariant, drafts: tuple[Draft, ...]) -> PlannedVariant:
        """The same with the programs that cargo makes for workloads, and with outputs that are compared."""
        name, binaries = built.name, built.compile
        assert binaries is not None  # noqa: S101 - it is not skipped
        programs = draft_programs(
            name,
            built.attempts or drafts[0].last_recipe,
            self.follows[name],
            self.benchmarks,
            entries=self.entries,
            inputs=self.inputs,
        )
        self.share(programs.entries)
        if name == self.baseline:
            self.probes = tuple(make_probe(each, programs.of(each, binaries)) for each in self.benchmarks)
            self.share(self.probes)
        else:
            checks = [make_output_check(p, programs.of(p.workload, binaries), name, self.entries) for p in self.probes]
            self.share(checks)
        return replace(built, programs=programs.built)

    def add_controls(self) -> None:
        """Plan what each variant with BOLT is compared with; the baseline is what all others are compared with."""
        self.planned[1:] = [
            variant if variant.bolt is None or variant.bolt.obstacle is not None else self._with_controls(variant)
            for variant in self.planned[1:]
        ]

    def _with_controls(self, variant: PlannedVariant) -> PlannedVariant:
        """The same, with its controls: those that are no variants themselves are planned."""
        assert variant.bolt is not None  # noqa: S101 - for mypy
        inputs = self.inputs
        settings = inputs.build_profile.variants[variant.name]
        plain = replace(settings, bolt=BoltMode.OFF)
        equal = next((other.name for other in self.planned if _is_alike(plain, other, inputs)), None)
        drafts = tuple(with_relocations_only(draft, settings, inputs) for draft in draft_parts(settings, inputs))
        made = {RELOCATIONS_ONLY: plan_variant(settings, drafts, inputs)}
        if equal is None:
            made = {WITHOUT_BOLT: plan_variant(plain, draft_parts(plain, inputs), inputs), **made}
        for what, (build, needed) in made.items():
            name = f"{variant.name}:{what}"
            parts = {program: replace(part, name=f"{name}: {program}") for program, part in build.parts.items()}
            self.controls.append(replace(build, name=name, bolt=None, parts=parts))
            binaries = build.compile
            assert binaries is not None  # noqa: S101 - the variant is not skipped
            self.share(needed)
            self.share([make_output_check(probe, binaries, name, self.entries) for probe in self.probes])
        without, relocations_only = equal or f"{variant.name}:{WITHOUT_BOLT}", f"{variant.name}:{RELOCATIONS_ONLY}"
        return replace(variant, bolt=replace(variant.bolt, without=without, relocations_only=relocations_only))

    def forget_absent_plain(self) -> None:
        """Compare variants with those without their profile only if these are planned anyway."""
        self.planned[:] = [_with_plain(variant, self.entries) for variant in self.planned]

    def add_folds(self, folds: tuple[Fold, ...]) -> tuple[PlannedFold, ...]:
        """Plan each variant with PGO again for each fold."""
        candidates = [(variant, self.follows.get(variant.name, ())) for variant in self.planned[1:]]
        drafts = tuple(draft_folds(candidates, folds, entries=self.entries, probes=self.probes, inputs=self.inputs))
        for draft in drafts:
            self.share(draft.entries)
        return tuple(draft.fold for draft in drafts)

    def share(self, more: Iterable[Entry[object]]) -> None:
        """Add entries; existing ones are shared."""
        for entry in more:
            self.entries.setdefault(entry.id, entry)


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


def _is_alike(plain: Variant, other: PlannedVariant, inputs: PlanInputs) -> bool:
    """Whether another planned variant has the same settings."""
    if other.compile is None or other.bolt is not None:
        return False
    settings = inputs.build_profile.variants[other.name]
    return replace(settings, name="", ancestors=()) == replace(plain, name="", ancestors=())


def _with_plain(build: PlannedVariant, entries: Mapping[ActionId, Entry[object]]) -> PlannedVariant:
    """A build that is compared with one without its profile only if the plan contains that."""
    parts = {name: _with_plain(part, entries) for name, part in build.parts.items()}
    return replace(build, parts=parts, plain=build.plain if build.plain in entries else None)


def _measure(growing: _Growing, folds: tuple[PlannedFold, ...]) -> Measure:
    arms = tuple(
        Arm(variant=item.name, binaries=item.compile, programs=item.programs)
        for item in growing.planned
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
    beside = tuple(
        Arm(variant=item.name, binaries=item.compile) for item in growing.controls if item.compile is not None
    )
    settings = growing.inputs.build_profile.measure
    unlimited = replace(settings, max_time_s=0.0)  # more time gives the same result, only more precisely
    return Measure(
        # Measured binaries are identified by content: how they were made does not affect the result.
        id=make_action_id(
            "measure",
            [arm.variant for arm in arms],
            [(w.name, w.recipe(), w.metric) for w in growing.benchmarks],
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
        workloads=growing.benchmarks,
        max_time_s=settings.max_time_s,
        directory=growing.inputs.layout.arms,
        held_out=held_out,
        controls=beside,
    )
