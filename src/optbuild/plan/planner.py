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
from optbuild.plan.model import Plan, PlannedFold, PlannedVariant
from optbuild.plan.parts import check_parts, has_parts
from optbuild.plan.programs import draft_programs
from optbuild.plan.results import Binaries
from optbuild.plan.steps import STEPS
from optbuild.plan.steps.codegen import draft_as
from optbuild.plan.ways import Attempt, Follow, make_choice, make_following, make_gathering, with_following
from optbuild.profile.faults import find_nearest
from optbuild.profile.model import BuildProfile, Use
from optbuild.profile.placeholders import PlaceholderKind
from optbuild.profile.presets import PREFIX
from optbuild.profile.variants import Lto, PgoMode, Variant
from optbuild.project.model import ConfiguredRunner
from optbuild.toolchain.cpu import CpuNeeds
from optbuild.workloads.folds import Fold
from optbuild.workloads.invocation import Invocation
from optbuild.workloads.words import named_in

# https://doc.rust-lang.org/rustc/codegen-options/index.html#prefer-dynamic
_PREFER_DYNAMIC = frozenset(f"prefer-dynamic{value}" for value in ("", "=y", "=yes", "=on", "=true"))


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


def make_plan(inputs: PlanInputs, variants: tuple[str, ...], *, measure: bool, folds: tuple[Fold, ...] = ()) -> Plan:
    """Plan a run.

    Args:
        inputs: What to build, and with what.
        variants: Names of the variants to build; the baseline must be among them.
        measure: Also compare outputs and benchmark.
        folds: What to leave out of training in turn, for a cross-validation.

    Raises:
        UsageError: A variant cannot be built as the build profile requires.
    """
    if folds:  # a cross-validation trains
        inputs = replace(inputs, has_profile_data=False)
    build_profile = inputs.build_profile
    baseline = baseline_name(build_profile)
    order = sorted(variants, key=lambda name: name != baseline)  # stable: the baseline first, the rest in written order
    can_measure = measure and inputs.not_runnable is None
    benchmarks = tuple(workload for workload in inputs.workloads if Use.BENCH in workload.use) if can_measure else ()
    entries: dict[ActionId, Entry[object]] = {}
    planned: list[PlannedVariant] = []
    follows: dict[str, tuple[Follow, ...]] = {}
    probes: tuple[ProbeOutputs, ...] = ()
    notes = _notes(inputs)
    for name in order:
        variant = build_profile.variants[name]
        drafts = _draft_variant(variant, inputs, benchmarks)
        skipped = next((draft.skipped for draft in drafts if draft.skipped is not None), None)
        if skipped is not None:
            if name == baseline:
                raise UsageError(
                    f"the baseline {name} cannot be built: {skipped}",
                    help="name another variant as `baseline` in [measure]",
                    location=build_profile.where("variants", name, "pgo"),
                )
            planned.append(PlannedVariant(name=name, compile=None, skipped=skipped))
            continue
        built, made = _plan_variant(variant, drafts, inputs)
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
            name, built.attempts or drafts[0].recipe, follows[name], benchmarks, entries=entries, inputs=inputs
        )
        _add(entries, programs.entries)
        if name == baseline:
            probes = tuple(make_probe(workload, programs.of(workload, binaries)) for workload in benchmarks)
            _add(entries, probes)
        else:
            _add(entries, [make_output_check(p, programs.of(p.workload, binaries), name, entries) for p in probes])
        planned.append(replace(built, programs=programs.built))
    planned = [_with_plain(variant, entries) for variant in planned]
    candidates = [(variant, follows.get(variant.name, ())) for variant in planned[1:]]
    fold_drafts = tuple(draft_folds(candidates, folds, entries=entries, probes=probes, inputs=inputs))
    for fold in fold_drafts:
        _add(entries, fold.entries)
    planned_folds = tuple(fold.fold for fold in fold_drafts)
    return Plan(
        entries=tuple(entries.values()),
        variants=tuple(planned),
        measure=_measure(planned, planned_folds, benchmarks, inputs) if benchmarks else None,
        directories=(inputs.layout.root, *({inputs.layout.artifacts} - {inputs.layout.root / "artifacts"})),
        notes=notes,
        folds=planned_folds,
    )


def _draft_variant(variant: Variant, inputs: PlanInputs, benchmarks: tuple[Invocation, ...]) -> tuple[Draft, ...]:
    """A draft of the whole variant, or one for each program if each has a separate profile."""
    if not has_parts(variant, inputs.targets):
        return (_draft(variant, inputs, None),)
    check_parts(variant, inputs.targets, benchmarks, inputs.build_profile.where("variants", variant.name, "profiles"))
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
                plain=make_compile(draft.recipe, inputs, role=Role.BUILD, label="").id if attempts else None,
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
        compilation = make_compile(draft.recipe, inputs, role=Role.BUILD, label=f"{draft.label}: build")
        made = (compilation, *make_following(compilation.id, draft.follows, draft.label))
        return made[-1].id, (), (*draft.actions, *made)
    entries: list[Entry[object]] = list(draft.actions)
    attempts = []
    for attempt in draft.attempts:
        following = make_following(attempt.compile, draft.follows, draft.label)
        entries += following
        attempts.append(with_following(attempt, following))
    if len(attempts) == 1:
        return attempts[0].binaries, tuple(attempts), tuple(entries)
    choice = make_choice(draft.label, tuple(attempts))
    return choice.id, tuple(attempts), (*entries, choice)


def _measure(
    variants: list[PlannedVariant],
    folds: tuple[PlannedFold, ...],
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
        ),
        needs=tuple(
            dict.fromkeys(need for arm in (*arms, *held_out) for need in (arm.binaries, *arm.programs.values()))
        ),
        label="measure",
        arms=arms,
        workloads=workloads,
        max_time_s=settings.max_time_s,
        directory=inputs.layout.arms,
        held_out=held_out,
    )


def _add(entries: dict[ActionId, Entry[object]], more: Iterable[Entry[object]]) -> None:
    """Add entries to a plan; existing ones are shared."""
    for entry in more:
        entries.setdefault(entry.id, entry)


def _notes_on_runner(runner: ConfiguredRunner, workloads: tuple[Invocation, ...]) -> list[str]:
    """What it runs, and what starts a program in another way."""
    words = tuple((word,) for word in runner.argv)
    commands = [(each, command) for each in workloads for command in each.commands.values()]
    without = [
        repr(each.name)
        for each, command in commands
        if named_in(command, PlaceholderKind.BIN) and command[: len(words)] != words
    ]
    notes = []
    named = f"{' '.join(runner.argv)} (from {runner.origin})"
    if any(each.runner for each in workloads) or any(command[: len(words)] == words for _, command in commands):
        notes.append(f"programs are run by {named}: times include it, for every variant alike")
    if without:
        which = ", ".join(dict.fromkeys(without))
        notes.append(f"the runner {named} is used only if a command begins with {{bin}}; not used for workload {which}")
    return notes


def _notes_on_shared_libraries(inputs: PlanInputs) -> list[str]:
    """What can be known of them before cargo has built any; those of build scripts cannot."""
    notes = [
        f"{package.name} loads {', '.join(package.dylibs)}, which only `cargo run` would find: kept with its programs"
        for package in inputs.targets.packages
        if package.dylibs
    ]
    if any(flag.removeprefix("-C") in _PREFER_DYNAMIC for flag in inputs.project.rustflags.flags):
        notes.append("programs load std as a shared library (prefer-dynamic): it is kept with each of them")
    return notes


def _notes(inputs: PlanInputs) -> tuple[str, ...]:
    project = inputs.project
    notes = []
    if inputs.toolchain.target_origin is not None:
        notes.append(f"built for {inputs.toolchain.target} (from {inputs.toolchain.target_origin})")
    if project.rustflags.origin is not None:
        flags = " ".join(project.rustflags.flags)
        notes.append(f"rustflags kept in every build: {flags} (from {project.rustflags.origin})")
    notes += [f"compiler wrapper kept: {wrapper.value} (from {wrapper.origin})" for wrapper in project.rustc_wrappers]
    if project.runner is not None:
        notes += _notes_on_runner(project.runner, inputs.workloads)
    if project.lockfile is None:
        notes.append("Cargo.lock is missing: cargo will resolve the dependencies and write one")
    if len(inputs.targets.packages) > 1:
        names = " ".join(f"-p {package.name}" for package in inputs.targets.packages)
        notes.append(f"several packages are built in one call, which unifies their features: cargo build {names}")
    notes += _notes_on_shared_libraries(inputs)
    mixed = [lib.file_name for lib in inputs.targets.libs if lib.has_rlib]
    if mixed and any(variant.lto in {Lto.THIN, Lto.FAT} for variant in inputs.build_profile.variants.values()):
        which = f"link-time optimisation leaves out {', '.join(mixed)}"
        notes.append(f"{which}: cargo does not support it for a library that is also built for Rust (rlib)")
    by_features: dict[tuple[str, ...], list[str]] = {}
    for name, needs in inputs.cpu_needs.items():
        if needs.features:
            by_features.setdefault(needs.features, []).append(name)
    notes += [
        f"{', '.join(names)} will not run on a CPU without {', '.join(features)}"
        for features, names in by_features.items()
    ]
    return tuple(notes)
