"""What a failure means for the variants, and which attempt each continues with.

Not for when actions run: `scheduler` decides that.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from optbuild.errors import AttemptFault, InterruptedRunError, OptbuildError, ProfileDataError, StorageError
from optbuild.events import Emit, Level, Notice
from optbuild.making.built import Rejection
from optbuild.making.kinds.table import kind_of
from optbuild.making.order.progress import Progress
from optbuild.making.tools import Tools, never
from optbuild.plan.action import Action, ActionId
from optbuild.plan.model import PlannedVariant
from optbuild.plan.results import Binaries, gather
from optbuild.plan.ways import Attempt, Choice, Gathering
from optbuild.text import name_some, sanitize_line

TOO_LATE = "there was no time left to build it"
"""Why a variant was not begun."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decisions:
    """Decides for one run.

    Attributes:
        keep_going: Continue with other variants when one fails.
        is_late: Whether there is no time left to begin building another variant.
    """

    progress: Progress
    tools: Tools
    emit: Emit
    keep_going: bool = False
    is_late: Callable[[], bool] = never

    @property
    def has_deadline(self) -> bool:
        """Whether time may end before all variants are built, so their order matters."""
        return self.is_late is not never

    def skip_late(self, running: Collection[ActionId]) -> None:
        """If there is no time left, skip the candidates that nothing is being done for.

        Args:
            running: The actions that were begun and have not ended.
        """
        if not self.is_late():
            return
        so_far = self.progress.so_far
        late = [
            variant
            for variant in self.progress.plan.variants
            if variant is not self.progress.plan.baseline
            and variant.name not in so_far.skipped
            and not so_far.is_built(variant)
            and so_far.serving(variant).isdisjoint(running)
        ]
        for variant in late:
            self._give_up(variant, TOO_LATE)
        if late:
            names = name_some([sanitize_line(variant.name) for variant in late])
            message = f"there was no time left to build {names}"
            self.emit(Notice(level=Level.WARNING, code="variant-skipped", message=message))

    def skip_impossible(self) -> None:
        """Skip the variants that cannot be built according to the plan."""
        for variant in self.progress.plan.variants:
            if variant.skipped is not None:
                self._skip(variant, variant.skipped)

    def find_binaries(self, wanted: Choice | Gathering) -> Binaries | None:
        """The chosen or gathered binaries; None if they are not known yet."""
        so_far = self.progress.so_far
        if isinstance(wanted, Gathering):
            return gather(so_far.results[built] for built in wanted.programs.values())
        # All variants of one choice have the same attempts.
        attempt = so_far.attempt_of(next(build for build in so_far.served_by(wanted.id) if build.attempts))
        evidence = None if attempt is None else so_far.evidence.get(attempt.compile)
        if attempt is None or evidence is None or evidence.failed:
            return None
        return so_far.results.find(wanted.of(attempt).binaries)

    def fail(self, action: Action[object], error: OptbuildError) -> None:
        """Decide what a failed action means for the variants that need it, and that are not given up or left out.

        Variants with another attempt that may succeed take it; others are neither measured nor published.

        Raises:
            OptbuildError: The failure ends the run.
        """
        so_far, kind = self.progress.so_far, kind_of(action)
        served = [build for build in so_far.served_by(action.id) if build.name not in so_far.skipped]
        fault = kind.fault(action, error)
        found = [build for build in served if not self._try_next(build, fault, error)]
        if served and not found:
            kind.remember_failure(action, error, so_far.results, self.tools)
        affected = [build for build in found if action.id in so_far.serving(build)]
        if not affected:
            return
        is_needed = self.progress.plan.baseline in affected
        if not is_needed and all(_may_fall_back(each, error, lays_out=kind.lays_out) for each in affected):
            for variant in affected:
                self._skip(variant, error.message)
            return
        self.progress.fail(action.id, error)
        for variant in affected:
            self._give_up(variant, error.message)
        if not self.keep_going or is_needed:
            raise error
        self.emit(Notice(level=Level.ERROR, code=error.code, message=error.message, help=error.help))

    def _try_next(self, variant: PlannedVariant, fault: AttemptFault | None, error: OptbuildError) -> bool:
        """Take a variant's next attempt that may succeed; return whether there is one."""
        so_far = self.progress.so_far
        attempt = so_far.attempt_of(variant)
        if attempt is None or fault is None or variant.name in so_far.skipped:
            return False
        failed = so_far.failures.keys()
        for other in variant.attempts[variant.attempts.index(attempt) + 1 :]:
            if fault in other.mends and failed.isdisjoint(self.progress.plan.needed_by(other.binaries)):
                self._take(variant, other, Rejection(attempt=attempt, reason=error.message))
                self._spare_followers(variant, attempt, fault)
                message = f"variant {variant.name}: {attempt.name} training was rejected; retrying as {other.name}: "
                self.emit(Notice(level=Level.INFO, code="next-attempt", message=message + error.message))
                return True
        return False

    def _spare_followers(self, leader: PlannedVariant, rejected: Attempt, fault: AttemptFault) -> None:
        """Let variants that would take the same counts, and otherwise those of the leader, take the leader's at once.

        They are for the same CPU or have its control flow: what did not fit the leader would not fit them either, and
        each would be built to show it.
        """
        if rejected.shared_with is None:
            return
        so_far = self.progress.so_far
        for follower in self.progress.plan.variants:
            current = so_far.attempt_of(follower)
            if current is None or current.compile in so_far.results:
                continue
            if (current.name, current.shared_with) != (rejected.name, rejected.shared_with):
                continue
            later = follower.attempts[follower.attempts.index(current) + 1 :]
            own = next((each for each in later if each.shared_with == leader.name and fault in each.mends), None)
            if own is not None:
                reason = f"the counts of {rejected.shared_with} did not fit {leader.name}"
                self._take(follower, own, Rejection(attempt=current, reason=reason))

    def _take(self, variant: PlannedVariant, attempt: Attempt, rejected: Rejection) -> None:
        """Continue with another attempt; a variant's folds are trained in the same way."""
        self.progress.take(variant, attempt, rejected)
        place = variant.attempts.index(attempt)
        for fold in self._folds_of(variant):
            self.progress.take(fold, fold.attempts[place])

    def _skip(self, build: PlannedVariant, reason: str) -> None:
        if build.name in self.progress.so_far.skipped:
            return  # a part or a fold of a variant that is skipped
        self._give_up(build, reason)
        if build.bolt is not None and build.bolt.replacement is not None:
            message = f"variant {sanitize_line(build.name)} is shipped without BOLT: {reason}"
            self.emit(Notice(level=Level.WARNING, code="bolt-failed", message=message))
            return
        kind = "variant" if build in self.progress.plan.variants else "fold"
        message = f"{kind} {sanitize_line(build.name)} is skipped: {reason}"
        self.emit(Notice(level=Level.WARNING, code=f"{kind}-skipped", message=message))

    def _give_up(self, build: PlannedVariant, reason: str) -> None:
        """Stop building a variant, and with it its parts and folds."""
        self.progress.give_up((build, *build.parts.values(), *self._folds_of(build)), reason)

    def _folds_of(self, variant: PlannedVariant) -> list[PlannedVariant]:
        return [fold.build for fold in self.progress.plan.folds if fold.variant == variant.name]


def _may_fall_back(build: PlannedVariant, error: OptbuildError, *, lays_out: bool) -> bool:
    """Whether a build may be skipped after an error, or shipped without BOLT."""
    if lays_out and build.bolt is not None and build.bolt.replacement is not None:
        return not isinstance(error, (InterruptedRunError, StorageError))
    return build.fallback_allowed and isinstance(error, ProfileDataError)
