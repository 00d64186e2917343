"""What is built to measure a variant on what cargo would run: its tests or benches, as the variant itself is built.

A profile knows the functions of the program that is shipped, by the names that they have there. In a bench they have
others (`making/training/translation` says why): compiled with that profile, a bench would have no counts, and rustc
would not say so. Its own instrumented build, which is not run for this, tells which functions it has; the variant's
counts are merged once more, under those names.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace

from optbuild.plan.actions import Action, ActionId, Attempt, Compile, MergeProfiles, Recipe, Role
from optbuild.plan.checks import make_choice
from optbuild.plan.draft import PlanInputs, for_call, make_compile, with_profile
from optbuild.plan.fingerprint import make_action_id
from optbuild.profile.cargo_words import CargoCall
from optbuild.workloads.invocation import Invocation


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramsDraft:
    """What a variant needs to be measured on what cargo would run.

    Attributes:
        actions: Each after what it needs.
        built: For each such workload the action whose binaries are run.
    """

    actions: tuple[Action, ...] = ()
    built: Mapping[str, ActionId] = field(default_factory=dict)

    def of(self, workload: Invocation, binaries: ActionId) -> ActionId:
        """What a workload runs, where others run a variant's binaries."""
        return self.built.get(workload.name, binaries)


def draft_programs(
    name: str,
    attempts: tuple[Attempt, ...],
    benchmarks: Collection[Invocation],
    actions: Mapping[ActionId, Action],
    inputs: PlanInputs,
    recipe: Recipe | None = None,
) -> ProgramsDraft:
    """Plan the programs of a variant, or of a fold.

    Args:
        name: Of the variant, for people.
        attempts: How it comes about, where it has PGO.
        benchmarks: What it is measured on; workloads of other kinds need nothing.
        actions: The plan so far, with those of the attempts.
        inputs: What the plan is made of.
        recipe: What is compiled, where there are no attempts.
    """
    added: list[Action] = []
    built = {}
    for workload in benchmarks:
        if workload.call is None:
            continue
        label = f"{name}: build for {workload.name}"
        if recipe is not None and not attempts:
            added.append(make_compile(for_call(recipe, workload.call), inputs, role=Role.BUILD, label=label))
        tried = []
        for attempt in attempts:
            made = tuple(_with_counts(attempt, workload.call, label, actions, inputs))
            added += made
            tried.append(replace(attempt, merge=made[1].id, compile=made[-1].id))
        if len(tried) > 1:
            added.append(make_choice(f"{name}: for {workload.name}", tuple(tried)))
        built[workload.name] = added[-1].id
    return ProgramsDraft(actions=tuple(added), built=built)


def _with_counts(
    attempt: Attempt, call: CargoCall, label: str, actions: Mapping[ActionId, Action], inputs: PlanInputs
) -> Iterator[Compile | MergeProfiles]:
    """Build what tells the functions' names, give the counts those names, and build with them."""
    instrument, merge, optimise = (actions[each] for each in (attempt.instrument, attempt.merge, attempt.compile))
    assert isinstance(instrument, Compile) and isinstance(optimise, Compile)  # noqa: S101, PT018 - ids say what they are
    assert isinstance(merge, MergeProfiles)  # noqa: S101 - the same
    program = make_compile(
        for_call(instrument.recipe, call),
        inputs,
        role=Role.INSTRUMENT,
        label=f"{label}, instrumented",
        needs=instrument.needs,
    )
    yield program
    own = replace(
        merge,
        id=make_action_id("merge", merge.weights, program.id),
        needs=(*merge.weights, program.id),
        label=f"{label}: counts by its names",
        program=program.id,
    )
    yield own
    recipe = with_profile(for_call(optimise.recipe, call), old=merge.id, new=own.id)
    yield make_compile(recipe, inputs, role=Role.OPTIMISE, label=label, needs=(own.id,))
