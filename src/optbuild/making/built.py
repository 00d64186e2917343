"""The outcome of carrying out a plan: results, steps, failures, evidence, and each variant's attempt.

Only `order/progress` creates and extends one; all other modules read it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from optbuild.errors import OptbuildError
from optbuild.making.proof.evidence import PgoEvidence
from optbuild.plan.action import Action, ActionId
from optbuild.plan.counts import PgoProfile
from optbuild.plan.model import Plan, PlannedVariant
from optbuild.plan.results import Results
from optbuild.plan.ways import Attempt


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One action that was carried out, for the record.

    Attributes:
        peak_rss_bytes: The memory of its largest process, if that was measured.
        started_s: When it began, in seconds since the run began to carry out its plan.
    """

    action: Action[object]
    argv: tuple[str, ...]
    duration_s: float
    reused: bool
    log: Path | None
    peak_rss_bytes: int | None = None
    started_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """A rejected attempt, and why."""

    attempt: Attempt
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """The outcome of a plan, complete even if the run ended early: nothing finished is lost.

    Attributes:
        evidence: By the compilation that used the profile.
        skipped: Why variants, parts or folds are not built, by name.
        taken: The attempts of variants whose first one was rejected.
        rejected: What those variants tried before.
        set_aside: By training, raw profiles that could not be merged: where each is kept, and why. They may have caused
            it to fail.
        kept_layouts: Names of variants whose optional layout by BOLT is kept; until that is decided, and otherwise,
            they are shipped without it.
        ended_by: What ended the run before everything was done.
        wall_s: How long it took, if it finished.
        are_sources_unchanged: No source has changed since it was compiled.
    """

    plan: Plan
    results: Results
    steps: Mapping[ActionId, Step]
    failures: Mapping[ActionId, OptbuildError]
    evidence: Mapping[ActionId, PgoEvidence]
    skipped: Mapping[str, str]
    taken: Mapping[str, Attempt]
    rejected: Mapping[str, tuple[Rejection, ...]]
    set_aside: Mapping[ActionId, Mapping[Path, str]]
    kept_layouts: frozenset[str] = frozenset()
    ended_by: OptbuildError | None = None
    wall_s: float | None = None
    are_sources_unchanged: bool = False

    @property
    def steps_in_order(self) -> Iterator[Step]:
        """The steps in the plan's order, not in the order in which they ended."""
        return (step for action in self.plan.actions if (step := self.steps.get(action.id)) is not None)

    @property
    def proved(self) -> tuple[PlannedVariant, ...]:
        """The variants that are built and checked to the end, from sources that have not changed since."""
        if not self.are_sources_unchanged:
            return ()
        found = self.results.ids()
        shipped = {each.name: self.shipped(each) for each in self.plan.variants}
        return tuple(
            each
            for each in self.plan.variants
            if self.is_built(shipped[each.name]) and self.serving(shipped[each.name]) <= found
        )

    def shipped(self, variant: PlannedVariant) -> PlannedVariant:
        """What is published of a variant: itself, or the same without BOLT."""
        bolt = variant.bolt
        if bolt is None or bolt.replacement is None or variant.name in self.kept_layouts:
            return variant
        return self.plan.named(bolt.replacement)

    def attempt_of(self, variant: PlannedVariant) -> Attempt | None:
        """The attempt that currently makes a PGO variant."""
        return self.taken.get(variant.name) or next(iter(variant.attempts), None)

    def evidence_of(self, variant: PlannedVariant) -> PgoEvidence | None:
        """What proves that a variant's profile was used."""
        attempt = self.attempt_of(variant)
        return None if attempt is None else self.evidence.get(attempt.compile)

    def profile_of(self, variant: PlannedVariant) -> PgoProfile | None:
        """The checked profile that a variant was compiled with."""
        attempt = self.attempt_of(variant)
        checked = None if attempt is None else self.results.find(attempt.merge)
        return None if checked is None else checked.profile

    def serving(self, variant: PlannedVariant) -> frozenset[ActionId]:
        """Everything that a variant depends on in its current attempt, and the checks of its outputs."""
        if variant.parts:
            return self.plan.serving_whole(variant).union(*(self.serving(part) for part in variant.parts.values()))
        return self.plan.serving(variant, self.attempt_of(variant))

    def served_by(self, entry_id: ActionId) -> list[PlannedVariant]:
        """What is built through an action, as currently known."""
        return [build for build in self.plan.builds if entry_id in self.serving(build)]

    def is_built(self, variant: PlannedVariant) -> bool:
        """Whether a variant's binaries exist and may be used."""
        return variant.compile in self.results and variant.name not in self.skipped

    def steps_of(self, variant: PlannedVariant) -> tuple[Step, ...]:
        """The steps that made a variant so far, in their order; including those of rejected attempts."""
        if variant.compile is None:
            return ()
        attempt = self.attempt_of(variant)
        made_by = [variant.compile if attempt is None else attempt.binaries]
        made_by += [rejection.attempt.binaries for rejection in self.rejected.get(variant.name, ())]
        needed = {entry_id for each in made_by for entry_id in self.plan.needed_by(each)}
        return tuple(step for step in self.steps_in_order if step.action.id in needed)
