"""What a run has come to so far: results, steps, failures, and which attempt each variant comes about by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from optbuild.errors import OptbuildError
from optbuild.making.model import Artifact, Compiled, Merged, PgoProfile, Probed, Result, SetAside
from optbuild.making.proof.evidence import PgoEvidence
from optbuild.plan.actions import Action, ActionId, Attempt
from optbuild.plan.model import Plan, PlannedVariant


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One action as it was carried out, for the record.

    Attributes:
        peak_rss_bytes: The memory of its largest process, where that was looked at.
    """

    action: Action
    argv: tuple[str, ...]
    duration_s: float
    reused: bool
    log: Path | None
    peak_rss_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """An attempt that was given up for another one, and why."""

    attempt: Attempt
    reason: str


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What a run has come to so far; it grows while the plan is carried out, so that nothing finished is lost.

    Attributes:
        evidence: By the compilation that used the profile.
        taken: The attempts of variants whose first one was rejected.
        rejected: What those variants tried before.
        set_aside: Raw profiles that could not be merged, by training; it may have failed for them.
    """

    results: dict[ActionId, Result] = field(default_factory=dict)
    steps: dict[ActionId, Step] = field(default_factory=dict)
    failures: dict[ActionId, OptbuildError] = field(default_factory=dict)
    evidence: dict[ActionId, PgoEvidence] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    taken: dict[str, Attempt] = field(default_factory=dict)
    rejected: dict[str, tuple[Rejection, ...]] = field(default_factory=dict)
    set_aside: dict[ActionId, tuple[SetAside, ...]] = field(default_factory=dict)

    def steps_in_order(self, plan: Plan) -> Iterator[Step]:
        """The steps in the plan's order, whatever ended first."""
        return (step for action in plan.actions if (step := self.steps.get(action.id)) is not None)

    def compiled(self, action_id: ActionId) -> Compiled:
        """The result of a compile action."""
        result = self.results[action_id]
        assert isinstance(result, Compiled)  # noqa: S101 - ids say what they are
        return result

    def artifacts(self, action_id: ActionId) -> dict[str, Artifact]:
        """The binaries of a compile action, by name."""
        return dict(self.compiled(action_id).artifacts)

    def probed(self, action_id: ActionId) -> Probed:
        """The result of a probe action."""
        result = self.results[action_id]
        assert isinstance(result, Probed)  # noqa: S101 - ids say what they are
        return result

    def attempt_of(self, variant: PlannedVariant) -> Attempt | None:
        """The attempt that a variant with PGO comes about by, as far as is known now."""
        return self.taken.get(variant.name) or next(iter(variant.attempts), None)

    def evidence_of(self, variant: PlannedVariant) -> PgoEvidence | None:
        """What proves that a variant's profile was used."""
        attempt = self.attempt_of(variant)
        return None if attempt is None else self.evidence.get(attempt.compile)

    def serving(self, plan: Plan, variant: PlannedVariant) -> frozenset[ActionId]:
        """Every action that a variant depends on by its present attempt, and the checks of its outputs."""
        if variant.parts:
            return plan.serving_whole(variant).union(*(self.serving(plan, part) for part in variant.parts.values()))
        return plan.serving(variant, self.attempt_of(variant))

    def served_by(self, plan: Plan, action_id: ActionId) -> list[PlannedVariant]:
        """What is built by means of an action, as far as is known now."""
        return [build for build in plan.builds if action_id in self.serving(plan, build)]

    def is_built(self, variant: PlannedVariant) -> bool:
        """Whether a variant's binaries exist and may be used."""
        return variant.compile in self.results and variant.name not in self.skipped


def profile_of(outcome: Outcome, variant: PlannedVariant) -> PgoProfile | None:
    """The merged profile that a variant was compiled with."""
    attempt = outcome.attempt_of(variant)
    merged = None if attempt is None else outcome.results.get(attempt.merge)
    return merged.profile if isinstance(merged, Merged) else None


def steps_of(outcome: Outcome, variant: PlannedVariant, plan: Plan) -> tuple[Step, ...]:
    """The steps that made a variant so far, in their order; those of attempts that were given up are among them."""
    if variant.compile is None:
        return ()
    attempt = outcome.attempt_of(variant)
    made_by = [variant.compile if attempt is None else attempt.compile]
    made_by += [rejection.attempt.compile for rejection in outcome.rejected.get(variant.name, ())]
    needed = {action_id for each in made_by for action_id in plan.needed_by(each)}
    return tuple(step for step in outcome.steps_in_order(plan) if step.action.id in needed)
