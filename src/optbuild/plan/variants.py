"""Plan one variant: its settings become drafts, by all steps, and the drafts become entries. Pure."""

from __future__ import annotations

from dataclasses import replace

from optbuild.plan.action import Entry, Id
from optbuild.plan.draft import Draft, PlanInputs, make_compile
from optbuild.plan.kinds.compile import Recipe, Role
from optbuild.plan.model import PlannedBolt, PlannedVariant
from optbuild.plan.parts import check_parts, has_parts
from optbuild.plan.results import Binaries
from optbuild.plan.steps import STEPS
from optbuild.plan.steps.codegen import draft_as
from optbuild.plan.ways import Attempt, actions_of, make_choice, make_following, make_gathering, with_following
from optbuild.profile.variants import BoltMode, CodeLayout, PgoMode, Variant
from optbuild.toolchain.cpu import CpuNeeds
from optbuild.workloads.invocation import Invocation


def draft_variant(variant: Variant, inputs: PlanInputs, benchmarks: tuple[Invocation, ...]) -> tuple[Draft, ...]:
    """A draft of the whole variant, or one for each program if each has a separate profile."""
    if has_parts(variant, inputs.targets):
        where = inputs.build_profile.where("variants", variant.name, "profiles")
        check_parts(variant, inputs.targets, benchmarks, where)
    return draft_parts(variant, inputs)


def draft_parts(variant: Variant, inputs: PlanInputs) -> tuple[Draft, ...]:
    """The drafts of a variant: one, or one for each program."""
    if not has_parts(variant, inputs.targets):
        return (_draft(variant, inputs, None),)
    return tuple(_draft(variant, inputs, target.name) for target in inputs.targets.bins)


def plan_variant(
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
