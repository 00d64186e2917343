"""The outcome of a run so far, and its only writer. It is called in one thread."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from optbuild.errors import OptbuildError
from optbuild.making.built import Built, Rejection, Step
from optbuild.making.proof.evidence import PgoEvidence
from optbuild.plan.action import ActionId
from optbuild.plan.model import Plan, PlannedVariant
from optbuild.plan.results import Results
from optbuild.plan.ways import Attempt


@dataclass(slots=True)
class Progress:
    """The only writer of a run's outcome.

    Attributes:
        so_far: The growing outcome that all others read.
    """

    plan: Plan
    so_far: Built = field(init=False)
    _results: dict[ActionId, object] = field(default_factory=dict)
    _steps: dict[ActionId, Step] = field(default_factory=dict)
    _failures: dict[ActionId, OptbuildError] = field(default_factory=dict)
    _evidence: dict[ActionId, PgoEvidence] = field(default_factory=dict)
    _skipped: dict[str, str] = field(default_factory=dict)
    _taken: dict[str, Attempt] = field(default_factory=dict)
    _rejected: dict[str, tuple[Rejection, ...]] = field(default_factory=dict)
    _set_aside: dict[ActionId, Mapping[Path, str]] = field(default_factory=dict)
    _left_out: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.so_far = Built(
            plan=self.plan,
            results=Results(self._results),
            steps=self._steps,
            failures=self._failures,
            evidence=self._evidence,
            skipped=self._skipped,
            taken=self._taken,
            rejected=self._rejected,
            set_aside=self._set_aside,
        )

    def finish(
        self, *, ended_by: OptbuildError | None, wall_s: float | None = None, are_sources_unchanged: bool
    ) -> Built:
        """The final outcome of the run."""
        return replace(self.so_far, ended_by=ended_by, wall_s=wall_s, are_sources_unchanged=are_sources_unchanged)

    def keep(self, entry_id: ActionId, result: object, step: Step | None = None) -> None:
        """Keep a result; for an action, also the step that made it."""
        self._results[entry_id] = result
        if step is not None:
            self._steps[entry_id] = step

    def drop(self, action_id: ActionId) -> None:
        """Forget a result that does not hold."""
        self._results.pop(action_id, None)
        self._steps.pop(action_id, None)

    def keep_evidence(self, compilation: ActionId, evidence: PgoEvidence) -> None:
        """Keep a compilation's evidence, even if it proves nothing."""
        self._evidence[compilation] = evidence

    def keep_aside(self, training: ActionId, files: Mapping[Path, str]) -> None:
        """Keep the places of raw profiles that could not be merged."""
        if files:
            self._set_aside[training] = files

    def fail(self, action_id: ActionId, error: OptbuildError) -> None:
        """Note that an action failed without a substitute."""
        self._failures[action_id] = error

    def give_up(self, builds: Iterable[PlannedVariant], reason: str) -> None:
        """Stop building these."""
        for build in builds:
            self._skipped.setdefault(build.name, reason)

    def leave_out(self, reasons: Mapping[str, str]) -> None:
        """Do not build some variants for now; those that were left out before are wanted again.

        Args:
            reasons: By variant.
        """
        for name in self._left_out:
            del self._skipped[name]
        builds = [(build.name, reasons[name]) for name in reasons for build in _with_parts(self.plan.named(name))]
        self._left_out = tuple(name for name, _ in builds if name not in self._skipped)
        for name, reason in builds:
            self._skipped.setdefault(name, reason)

    def take(self, build: PlannedVariant, attempt: Attempt, rejected: Rejection | None = None) -> None:
        """Continue with another attempt."""
        self._taken[build.name] = attempt
        if rejected is not None:
            self._rejected[build.name] = (*self._rejected.get(build.name, ()), rejected)


def _with_parts(variant: PlannedVariant) -> Iterable[PlannedVariant]:
    return (variant, *variant.parts.values())
