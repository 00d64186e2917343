"""The plan: a directed acyclic graph of actions that is known, named and printable before anything starts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

from optbuild.plan.action import Action, ActionId, Entry, Id
from optbuild.plan.kinds.make_object import MakeObject
from optbuild.plan.measure import Measure
from optbuild.plan.results import Binaries, Compiled
from optbuild.plan.ways import Attempt, Choice

R = TypeVar("R")
A = TypeVar("A", bound=Action[Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedBolt:
    """How a variant's programs are laid out, and what that is compared with.

    Attributes:
        is_optional: It is kept only if it is measured as faster.
        without: The name of what is built in the same way without BOLT: another variant, or a control; None if nothing
            is measured.
        relocations_only: The name of the control with relocations only; likewise.
        obstacle: Why the variant is built without BOLT in any case.
    """

    is_optional: bool
    without: str | None = None
    relocations_only: str | None = None
    obstacle: str | None = None

    @property
    def replacement(self) -> str | None:
        """The name of what may be shipped instead, without BOLT; None if nothing may."""
        return self.without if self.is_optional else None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedVariant:
    """How a variant is built.

    Attributes:
        compile: The variant's binaries; None when it is skipped.
        attempts: For a PGO variant, the ways to build it, in the order in which they are tried.
        plain: A compile action of the plan that differs from the variant's only by PGO, if there is one.
        programs: For benchmark workloads that cargo would run, the entry that makes their binaries; by name.
        parts: By program, how each is built if each has a separate profile; the variant gathers them.
        bolt: How BOLT lays out its programs; None if that was not asked for.
        puts_in_order: Its functions are linked in the order in which training first runs them.
        skipped: Why the variant is not built.
        cpu_features: The CPU features that its binaries need, beyond those of every CPU of the target.
    """

    name: str
    compile: Id[Binaries] | None
    attempts: tuple[Attempt, ...] = ()
    plain: Id[Compiled] | None = None
    programs: Mapping[str, Id[Binaries]] = field(default_factory=dict)
    parts: Mapping[str, PlannedVariant] = field(default_factory=dict)
    bolt: PlannedBolt | None = None
    puts_in_order: bool = False
    fallback_allowed: bool = False
    skipped: str | None = None
    cpu_features: tuple[str, ...] = ()

    @property
    def made(self) -> tuple[Id[Binaries], ...]:
        """The actions that make its binaries; those for benchmarks come last."""
        return (*(() if self.compile is None else (self.compile,)), *self.programs.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedFold:
    """A variant that is built again for a cross-validation, with a profile that leaves workloads out.

    Attributes:
        variant: The variant's name.
        left_out: Names of the training workloads that are not in the profile.
        workloads: Names of the benchmark workloads that it is measured on.
        build: How it is built: like a variant that is neither published nor part of the suite. Its attempts correspond
            one to one to those of the variant.
    """

    variant: str
    left_out: tuple[str, ...]
    workloads: tuple[str, ...]
    build: PlannedVariant


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A whole run.

    Attributes:
        entries: Actions, and binaries that are made of others; each after everything it needs.
        variants: The baseline first.
        measure: The measuring at the end.
        folds: The folds of a cross-validation.
        controls: What is built only to be measured alongside variants: never published, and in no table.
        directories: Where the run writes.
        notes: What the user should know before it starts, such as the origin of rustflags.
    """

    entries: tuple[Entry[object], ...]
    variants: tuple[PlannedVariant, ...]
    measure: Measure | None
    directories: tuple[Path, ...]
    notes: tuple[str, ...] = ()
    folds: tuple[PlannedFold, ...] = ()
    controls: tuple[PlannedVariant, ...] = ()
    actions: tuple[Action[object], ...] = field(init=False, repr=False, compare=False)
    _by_id: dict[ActionId, Entry[object]] = field(init=False, repr=False, compare=False)
    _checks: dict[ActionId, list[ActionId]] = field(init=False, repr=False, compare=False)
    _serving: dict[tuple[ActionId, ActionId], frozenset[ActionId]] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        # Thousands of actions are looked up for each of dozens of variants.
        object.__setattr__(self, "_by_id", {entry.id: entry for entry in self.entries})
        object.__setattr__(self, "actions", tuple(entry for entry in self.entries if isinstance(entry, Action)))
        checks: dict[ActionId, list[ActionId]] = {}
        for action in self.actions:
            if action.judges is not None:
                checks.setdefault(action.judges, []).append(action.id)
        object.__setattr__(self, "_checks", checks)

    @property
    def baseline(self) -> PlannedVariant:
        """The variant that all others are compared with."""
        return self.variants[0]

    @property
    def builds(self) -> tuple[PlannedVariant, ...]:
        """Everything that is built: the variants with their parts, controls, and those that leave workloads out."""
        whole = (*self.variants, *self.controls)
        parts = (part for variant in whole for part in variant.parts.values())
        return (*self.variants, *parts, *self.controls, *(fold.build for fold in self.folds))

    def named(self, name: str) -> PlannedVariant:
        """The variant or the control of a name.

        Raises:
            KeyError: There is none.
        """
        for build in (*self.variants, *self.controls):
            if build.name == name:
                return build
        raise KeyError(name)

    @property
    def listing(self) -> tuple[Entry[object], ...]:
        """Everything that a plan shows, the measurement last."""
        return (*self.entries, *(() if self.measure is None else (self.measure,)))

    def entry(self, entry_id: ActionId) -> Entry[object]:
        """The entry with this id."""
        return self._by_id[entry_id]

    def action(self, action_id: Id[R]) -> Action[R]:
        """The action with this id.

        Raises:
            KeyError: No action has this id.
        """
        entry = self._by_id[action_id]
        if not isinstance(entry, Action):
            raise KeyError(action_id)
        return entry

    def of_kind(self, kind: type[A]) -> Iterator[A]:
        """All actions of one kind."""
        return (action for action in self.actions if isinstance(action, kind))

    def find(self, kind: type[A], entry_ids: Iterable[ActionId]) -> Iterator[A]:
        """Those entries that are of one kind."""
        return (entry for each in entry_ids if isinstance(entry := self._by_id.get(each), kind))

    def needed_by(self, entry_id: ActionId) -> tuple[ActionId, ...]:
        """An entry and everything that it needs, directly or indirectly."""
        needed = {entry_id: None}
        waiting = [entry_id]
        for found in waiting:
            more = [need for need in self.entry(found).needs if need not in needed]
            needed |= dict.fromkeys(more)
            waiting += more
        return tuple(needed)

    def has_flush_object(self, action_id: ActionId | None) -> bool:
        """Whether an instrumented build links an object that saves counts from signals; without one nothing does."""
        needs = () if action_id is None else self.entry(action_id).needs
        return any(need.saves_counts for need in self.find(MakeObject, needs))

    def awaited(self) -> frozenset[ActionId]:
        """Everything that all builds depend on in their first attempts, and the checks of their outputs."""
        return frozenset(chain.from_iterable(self.serving(build) for build in self.builds))

    def serving(self, variant: PlannedVariant, attempt: Attempt | None = None) -> frozenset[ActionId]:
        """Every action that a variant depends on, and the checks of its outputs.

        Args:
            variant: A variant of this plan.
            attempt: The attempt that is taken, by default the first; the actions of other attempts do not serve it.
        """
        if variant.compile is None:
            return frozenset()
        if variant.parts:
            served = (self.serving(part) for part in variant.parts.values())
            return self.serving_whole(variant).union(*served)
        attempt = attempt or next(iter(variant.attempts), None)
        made_by = variant.compile if attempt is None else attempt.binaries
        key = (variant.compile, made_by)
        if key not in self._serving:
            found = {variant.compile, *self.needed_by(made_by)}
            for programs in variant.programs.values():
                found |= {programs, *self.needed_by(self.made_by(programs, attempt))}
            checked = (self._checks.get(binaries, ()) for binaries in variant.made)
            self._serving[key] = frozenset((*found, *chain(*checked)))
        return self._serving[key]

    def serving_whole(self, variant: PlannedVariant) -> frozenset[ActionId]:
        """What a variant depends on apart from its parts."""
        return frozenset((*variant.made, *self._checks.get(variant.compile or ActionId(""), ())))

    def chosen(self, binaries: Id[Binaries], attempt: Attempt | None) -> Attempt | None:
        """The entry that makes chosen binaries if an attempt is taken."""
        choice = self.entry(binaries)
        return choice.of(attempt) if isinstance(choice, Choice) and attempt is not None else None

    def made_by(self, binaries: Id[Binaries], attempt: Attempt | None) -> Id[Binaries]:
        """The entry that makes binaries if an attempt is taken."""
        own = self.chosen(binaries, attempt)
        return binaries if own is None else own.binaries
