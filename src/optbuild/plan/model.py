"""The plan: a directed acyclic graph of actions that is known, named and printable before anything starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from optbuild.plan.actions import (
    Action,
    ActionId,
    Attempt,
    Choose,
    CompareOutputs,
    MakeObject,
    ProbeOutputs,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedVariant:
    """How a variant comes about.

    Attributes:
        compile: The action whose binaries are the variant's; None when it is skipped.
        attempts: For a variant with PGO, how it may come about, in the order in which that is tried.
        plain: A compile action of the plan that differs from the variant's only by PGO, if there is one.
        programs: For benchmark workloads that are what cargo would run, the action whose binaries that is; by name.
        parts: By program, how each comes about where each has a profile of its own; the variant gathers them.
        skipped: Why the variant is not built.
        cpu_features: What its binaries need of a CPU, beyond what every CPU of the target has.
    """

    name: str
    compile: ActionId | None
    attempts: tuple[Attempt, ...] = ()
    plain: ActionId | None = None
    programs: Mapping[str, ActionId] = field(default_factory=dict)
    parts: Mapping[str, PlannedVariant] = field(default_factory=dict)
    fallback_allowed: bool = False
    skipped: str | None = None
    cpu_features: tuple[str, ...] = ()

    @property
    def made(self) -> tuple[ActionId, ...]:
        """The actions whose binaries are its own, those that are run for benchmarks last."""
        return (*(() if self.compile is None else (self.compile,)), *self.programs.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedFold:
    """A variant that is built once more for a cross-validation, with a profile that leaves workloads out.

    Attributes:
        variant: The variant's name.
        left_out: Names of the training workloads that the profile does not know.
        workloads: Names of the benchmark workloads that it is measured on.
        build: How it comes about: as a variant that is neither published nor part of the suite, and whose attempts are
            those of the variant, one for one.
    """

    variant: str
    left_out: tuple[str, ...]
    workloads: tuple[str, ...]
    build: PlannedVariant


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A whole run.

    Attributes:
        actions: Each after everything it needs.
        variants: The baseline first.
        folds: Of a cross-validation.
        directories: Where the run writes.
        notes: What the user should know before it starts, such as the origin of rustflags.
    """

    actions: tuple[Action, ...]
    variants: tuple[PlannedVariant, ...]
    measure: ActionId | None
    directories: tuple[Path, ...]
    notes: tuple[str, ...] = ()
    folds: tuple[PlannedFold, ...] = ()
    _by_id: dict[ActionId, Action] = field(init=False, repr=False, compare=False)
    _checks: dict[ActionId, list[ActionId]] = field(init=False, repr=False, compare=False)
    _serving: dict[tuple[ActionId, ActionId], frozenset[ActionId]] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        # Thousands of actions are looked up for each of dozens of variants.
        object.__setattr__(self, "_by_id", {action.id: action for action in self.actions})
        checks: dict[ActionId, list[ActionId]] = {}
        for action in self.actions:
            if isinstance(action, (ProbeOutputs, CompareOutputs)):
                checks.setdefault(action.binaries, []).append(action.id)
        object.__setattr__(self, "_checks", checks)

    @property
    def baseline(self) -> PlannedVariant:
        """The variant that all others are compared with."""
        return self.variants[0]

    @property
    def builds(self) -> tuple[PlannedVariant, ...]:
        """Everything that is built: the variants with their parts, and after them those that leave workloads out."""
        parts = (part for variant in self.variants for part in variant.parts.values())
        return (*self.variants, *parts, *(fold.build for fold in self.folds))

    def action(self, action_id: ActionId) -> Action:
        """The action with this id."""
        return self._by_id[action_id]

    def needed_by(self, action_id: ActionId) -> tuple[ActionId, ...]:
        """An action and everything that it needs, directly or not."""
        needed = {action_id: None}
        waiting = [action_id]
        for found in waiting:
            more = [need for need in self.action(found).needs if need not in needed]
            needed |= dict.fromkeys(more)
            waiting += more
        return tuple(needed)

    def has_flush_object(self, action_id: ActionId) -> bool:
        """Whether an instrumented build links an object that saves counts from signals."""
        needs = map(self.action, self.action(action_id).needs)
        return any(isinstance(need, MakeObject) and need.saves_counts for need in needs)

    def awaited(self) -> frozenset[ActionId]:
        """What all builds depend on by their first attempts, with the checks of their outputs."""
        return frozenset(chain.from_iterable(self.serving(build) for build in self.builds))

    def serving(self, variant: PlannedVariant, attempt: Attempt | None = None) -> frozenset[ActionId]:
        """Every action that a variant depends on, and the checks of its outputs.

        Args:
            variant: A variant of this plan.
            attempt: Which of its attempts is taken, by default the first; the actions of others do not serve it.
        """
        if variant.compile is None:
            return frozenset()
        if variant.parts:
            served = (self.serving(part) for part in variant.parts.values())
            return self.serving_whole(variant).union(*served)
        attempt = attempt or next(iter(variant.attempts), None)
        made_by = variant.compile if attempt is None else attempt.compile
        key = (variant.compile, made_by)
        if key not in self._serving:
            found = {variant.compile, *self.needed_by(made_by)}
            for programs in variant.programs.values():
                found |= {programs, *self.needed_by(self.chosen(programs, attempt))}
            checked = (self._checks.get(binaries, ()) for binaries in variant.made)
            self._serving[key] = frozenset((*found, *chain(*checked)))
        return self._serving[key]

    def serving_whole(self, variant: PlannedVariant) -> frozenset[ActionId]:
        """What a variant depends on beside its parts."""
        return frozenset((*variant.made, *self._checks.get(variant.compile or ActionId(""), ())))

    def chosen(self, binaries: ActionId, attempt: Attempt | None) -> ActionId:
        """The action that builds binaries if an attempt is taken."""
        action = self.action(binaries)
        if not isinstance(action, Choose) or attempt is None:
            return binaries
        return action.of(attempt).compile
