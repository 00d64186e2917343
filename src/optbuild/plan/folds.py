"""What a cross-validation adds to a plan: each PGO variant again, with a profile that leaves workloads out.

It adds no training, as each workload is trained on separately: leaving one out takes another merge of the same counts,
and another compilation of the same recipe with the result.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from optbuild.plan.action import ActionId, Entry, Id
from optbuild.plan.draft import PlanInputs, entry_of, make_compile, with_profile
from optbuild.plan.kinds.check_outputs import ProbeOutputs, make_output_check
from optbuild.plan.kinds.compile import Compile, Role
from optbuild.plan.kinds.merge import MergeProfiles, make_merge_id
from optbuild.plan.kinds.train import Train
from optbuild.plan.model import PlannedFold, PlannedVariant
from optbuild.plan.programs import draft_programs
from optbuild.plan.results import Binaries
from optbuild.plan.ways import Attempt, Follow, actions_of, make_choice, make_following, with_following
from optbuild.workloads.folds import Fold


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldDraft:
    """A planned fold, with the actions that make it."""

    fold: PlannedFold
    entries: tuple[Entry[object], ...]


def draft_folds(
    variants: Iterable[tuple[PlannedVariant, tuple[Follow, ...]]],
    folds: Collection[Fold],
    *,
    entries: Mapping[ActionId, Entry[object]],
    probes: Collection[ProbeOutputs],
    inputs: PlanInputs,
) -> Iterator[FoldDraft]:
    """Plan every fold of every variant that was trained.

    Args:
        variants: The candidates, each with what follows its compilations.
        folds: What to leave out.
        entries: The plan so far.
        probes: The baseline's outputs on the benchmark workloads.
        inputs: The inputs of the plan.
    """
    for variant, follows in variants:
        if variant.attempts:
            for fold in folds:
                yield _draft_fold(variant, follows, fold, entries=entries, probes=probes, inputs=inputs)


def _draft_fold(
    variant: PlannedVariant,
    follows: tuple[Follow, ...],
    fold: Fold,
    *,
    entries: Mapping[ActionId, Entry[object]],
    probes: Collection[ProbeOutputs],
    inputs: PlanInputs,
) -> FoldDraft:
    name = f"{variant.name} without {', '.join(fold.left_out)}"
    added: list[Entry[object]] = []
    attempts = []
    for attempt in variant.attempts:
        merge, compilation = _leave_out(fold, attempt, entries, name, inputs)
        following = make_following(compilation.id, follows, name, left_out=fold.left_out)
        added += [merge, compilation, *actions_of(following)]
        # The variant's way of training is settled by then, and the fold uses the same: it tries none itself.
        own = replace(attempt, merge=merge.id, compile=compilation.id, mends=frozenset())
        attempts.append(with_following(own, following))
    binaries: Id[Binaries] = attempts[0].binaries
    if len(attempts) > 1:
        choice = make_choice(name, tuple(attempts))
        binaries = choice.id
        added.append(choice)
    checked = [probe for probe in probes if probe.workload.name in fold.workloads]
    known = {**entries, **{entry.id: entry for entry in added}}
    programs = draft_programs(
        name, tuple(attempts), follows, [probe.workload for probe in checked], entries=known, inputs=inputs
    )
    added += programs.entries
    added += [make_output_check(probe, programs.of(probe.workload, binaries), name, known) for probe in checked]
    build = PlannedVariant(
        name=name,
        compile=binaries,
        attempts=tuple(attempts),
        plain=variant.plain,
        programs=programs.built,
        fallback_allowed=True,  # a profile without a workload may prove nothing: that is an answer, not a failure
        cpu_features=variant.cpu_features,
    )
    planned = PlannedFold(variant=variant.name, left_out=fold.left_out, workloads=fold.workloads, build=build)
    return FoldDraft(fold=planned, entries=tuple(added))


def _leave_out(
    fold: Fold, attempt: Attempt, entries: Mapping[ActionId, Entry[object]], name: str, inputs: PlanInputs
) -> tuple[MergeProfiles, Compile]:
    """The last two actions of an attempt, without the counts of some workloads."""
    merge, compilation = entry_of(MergeProfiles, attempt.merge, entries), entry_of(Compile, attempt.compile, entries)
    weights = {
        training: weight
        for training, weight in merge.weights.items()
        if entry_of(Train, training, entries).workload.name not in fold.left_out
    }
    rest = replace(
        merge,
        id=make_merge_id(weights, program=merge.program, min_matched=merge.min_matched, count_scale=merge.count_scale),
        needs=(*weights, *(need for need in (merge.program, merge.counted) if need is not None)),
        label=f"{name}: merge profiles",
        weights=weights,
    )
    recipe = with_profile(compilation.recipe, old=merge.id, new=rest.id)
    return rest, make_compile(recipe, inputs, role=Role.OPTIMISE, label=f"{name}: build", needs=(rest.id,))
