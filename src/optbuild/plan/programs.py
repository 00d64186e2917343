"""The tests or benches that a variant is measured on, built in the same way as the variant itself.

A profile has the functions of the shipped program, under their names there. In a bench they have other names
(`making/training/translation` explains why): compiled with that profile, a bench would have no counts, and rustc would
not report it. The bench's own instrumented build, which is not run for this, shows its functions; the variant's counts
are merged again, under those names.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from optbuild.plan.action import ActionId, Entry, Id
from optbuild.plan.draft import PlanInputs, entry_of, for_call, make_compile, with_profile
from optbuild.plan.kinds.compile import Compile, Recipe, Role
from optbuild.plan.kinds.merge import MergeProfiles, make_merge_id
from optbuild.plan.results import Binaries
from optbuild.plan.ways import Attempt, Follow, actions_of, make_choice, make_following, with_following
from optbuild.profile.cargo_words import CargoCall
from optbuild.workloads.invocation import Invocation


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramsDraft:
    """What a variant needs to be measured on workloads that cargo would run.

    Attributes:
        entries: Each after what it needs.
        built: For each such workload, the binaries to run.
    """

    entries: tuple[Entry[object], ...] = ()
    built: Mapping[str, Id[Binaries]] = field(default_factory=dict)

    def of(self, workload: Invocation, binaries: Id[Binaries]) -> Id[Binaries]:
        """The programs of such a workload; other workloads run a variant's binaries."""
        return self.built.get(workload.name, binaries)


def draft_programs(
    name: str,
    made_by: tuple[Attempt, ...] | Recipe,
    follows: tuple[Follow, ...],
    benchmarks: Collection[Invocation],
    *,
    entries: Mapping[ActionId, Entry[object]],
    inputs: PlanInputs,
) -> ProgramsDraft:
    """Plan the programs of a variant, or of a fold.

    Args:
        name: The variant's name for users.
        made_by: Its attempts if it has PGO; otherwise the compilation.
        follows: What follows each compilation.
        benchmarks: The workloads that it is measured on; other kinds need nothing.
        entries: The plan so far, including the attempts.
        inputs: The inputs of the plan.
    """
    added: list[Entry[object]] = []
    built: dict[str, Id[Binaries]] = {}
    for workload in benchmarks:
        if workload.call is None:
            continue
        label = f"{name}: build for {workload.name}"
        if isinstance(made_by, Recipe):
            compilation = make_compile(for_call(made_by, workload.call), inputs, role=Role.BUILD, label=label)
            following = make_following(compilation.id, follows, label)
            added += (compilation, *actions_of(following))
            built[workload.name] = following[-1].binaries if following else compilation.id
            continue
        tried = []
        for attempt in made_by:
            program, merge, optimised = _with_counts(attempt, workload.call, label, entries, inputs)
            following = make_following(optimised.id, follows, label)
            added += [program, merge, optimised, *actions_of(following)]
            tried.append(with_following(replace(attempt, merge=merge.id, compile=optimised.id), following))
        built[workload.name] = tried[0].binaries
        if len(tried) > 1:
            choice = make_choice(f"{name}: for {workload.name}", tuple(tried))
            added.append(choice)
            built[workload.name] = choice.id
    return ProgramsDraft(entries=tuple(added), built=built)


def _with_counts(
    attempt: Attempt, call: CargoCall, label: str, entries: Mapping[ActionId, Entry[object]], inputs: PlanInputs
) -> tuple[Compile, MergeProfiles, Compile]:
    """Build the program that shows the functions' names, give the counts those names, and build with them."""
    assert attempt.instrument is not None  # noqa: S101 - only committed counts need none, and these programs take none
    instrument, optimise = (entry_of(Compile, each, entries) for each in (attempt.instrument, attempt.compile))
    merge = entry_of(MergeProfiles, attempt.merge, entries)
    program = make_compile(
        for_call(instrument.recipe, call),
        inputs,
        role=Role.INSTRUMENT,
        label=f"{label}, instrumented",
        needs=instrument.needs,
    )
    own = replace(
        merge,
        id=make_merge_id(merge.weights, program=program.id, count_scale=merge.count_scale),
        needs=(*merge.weights, program.id),
        label=f"{label}: counts by its names",
        program=program.id,
        min_matched=None,
        counted=None,
    )
    recipe = with_profile(for_call(optimise.recipe, call), old=merge.id, new=own.id)
    return program, own, make_compile(recipe, inputs, role=Role.OPTIMISE, label=label, needs=(own.id,))
