"""What a cross-validation adds to a plan: each variant with PGO once more, with a profile that leaves workloads out.

No training is added, for each workload was trained on by itself: leaving one out is another merge of the same counts,
and another compilation of the same recipe with what comes of it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from optbuild.plan.actions import Action, ActionId, Attempt, Compile, MergeProfiles, ProbeOutputs, Role, Train
from optbuild.plan.checks import make_choice, make_output_check
from optbuild.plan.draft import PlanInputs, make_compile, with_profile
from optbuild.plan.fingerprint import make_action_id
from optbuild.plan.model import PlannedFold, PlannedVariant
from optbuild.plan.programs import draft_programs
from optbuild.workloads.folds import Fold


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldDraft:
    """A planned fold, with the actions that make it."""

    fold: PlannedFold
    actions: tuple[Action, ...]


def draft_folds(
    variants: Iterable[PlannedVariant],
    folds: Collection[Fold],
    *,
    actions: Mapping[ActionId, Action],
    probes: Collection[ProbeOutputs],
    inputs: PlanInputs,
) -> Iterator[FoldDraft]:
    """Plan every fold of every variant that was trained.

    Args:
        variants: The candidates.
        folds: What to leave out.
        actions: The plan so far.
        probes: What the baseline prints on the benchmark workloads.
        inputs: What the plan is made of.
    """
    for variant in variants:
        if variant.attempts:
            for fold in folds:
                yield _draft_fold(variant, fold, actions, probes, inputs)


def _draft_fold(
    variant: PlannedVariant,
    fold: Fold,
    actions: Mapping[ActionId, Action],
    probes: Collection[ProbeOutputs],
    inputs: PlanInputs,
) -> FoldDraft:
    name = f"{variant.name} without {', '.join(fold.left_out)}"
    added: list[Action] = []
    attempts = []
    for attempt in variant.attempts:
        merge, compilation = _leave_out(fold, attempt, actions, name, inputs)
        added += [merge, compilation]
        # What the variant was trained by is settled by then, and the fold follows it: none of its own is to be tried.
        attempts.append(replace(attempt, merge=merge.id, compile=compilation.id, mends=frozenset()))
    if len(attempts) > 1:
        added.append(make_choice(name, tuple(attempts)))
    binaries = added[-1].id
    checked = [probe for probe in probes if probe.workload.name in fold.workloads]
    known = {**actions, **{action.id: action for action in added}}
    programs = draft_programs(name, tuple(attempts), [probe.workload for probe in checked], known, inputs)
    added += programs.actions
    added += [make_output_check(probe, programs.of(probe.workload, binaries), name) for probe in checked]
    build = PlannedVariant(
        name=name,
        compile=binaries,
        attempts=tuple(attempts),
        plain=variant.plain,
        programs=programs.built,
        fallback_allowed=True,  # a profile without a workload may prove nothing: that is an answer, and no failure
        cpu_features=variant.cpu_features,
    )
    planned = PlannedFold(variant=variant.name, left_out=fold.left_out, workloads=fold.workloads, build=build)
    return FoldDraft(fold=planned, actions=tuple(added))


def _leave_out(
    fold: Fold, attempt: Attempt, actions: Mapping[ActionId, Action], name: str, inputs: PlanInputs
) -> tuple[MergeProfiles, Compile]:
    """The last two actions of an attempt, without the counts of some workloads."""
    merge, compilation = actions[attempt.merge], actions[attempt.compile]
    assert isinstance(merge, MergeProfiles)  # noqa: S101 - ids say what they are
    assert isinstance(compilation, Compile)  # noqa: S101 - the same
    weights = {key: weight for key, weight in merge.weights.items() if _workload_of(actions[key]) not in fold.left_out}
    rest = replace(
        merge,
        id=make_action_id("merge", weights),
        needs=tuple(weights),
        label=f"{name}: merge profiles",
        weights=weights,
    )
    recipe = with_profile(compilation.recipe, old=merge.id, new=rest.id)
    return rest, make_compile(recipe, inputs, role=Role.OPTIMISE, label=f"{name}: build", needs=(rest.id,))


def _workload_of(action: Action) -> str:
    assert isinstance(action, Train)  # noqa: S101 - what a merge has weights for
    return action.workload.name
