"""Close each compilation that used a profile with the evidence that it did, or with what is missing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache, partial

from optbuild.events import Emit, Level, Notice
from optbuild.making.cargo.build_scripts import REMEDY, describe_other_code
from optbuild.making.model import Compiled, Merged
from optbuild.making.order.outcome import Outcome
from optbuild.making.order.performing import required
from optbuild.making.proof.checks import check_evidence, check_use, require_proof
from optbuild.making.proof.evidence import gather_evidence
from optbuild.making.proof.lost_functions import check_nothing_lost, check_nothing_more
from optbuild.making.proof.warning_probe import Canary
from optbuild.making.training.merging import ProfileMerger
from optbuild.plan.actions import ActionId, Attempt, Compile, Role, Train
from optbuild.plan.model import Plan, PlannedVariant
from optbuild.profile.cargo_words import CargoVerb
from optbuild.profile.model import EvidenceSettings
from optbuild.text import sanitize_line


@dataclass(slots=True, kw_only=True)
class Prover:
    """Gathers and judges the evidence of one run.

    Attributes:
        canary: Tells whether rustc would tell.
        demanded: What PGO has to show.
        emit: Told where counts may be those of other code.
    """

    plan: Plan
    outcome: Outcome
    merger: ProfileMerger | None
    canary: Canary
    demanded: EvidenceSettings
    emit: Emit

    def prove(self, action: Compile) -> None:
        """Look for the evidence of a compilation that has just succeeded; one without a profile needs none.

        Raises:
            ProfileDataError: The profile had no effect, or less than is demanded.
        """
        if action.recipe.call is not None and action.role is Role.OPTIMISE:
            self._prove_programs(action)
            return
        if (found := self._find_attempt(action)) is not None:
            self._prove_attempt(*found)

    def held_against(self, action: Compile) -> frozenset[ActionId]:
        """The compilations that the evidence of this one is held against, those apart that have failed."""
        if (found := self._find_attempt(action)) is None:
            return frozenset()
        variant, attempt = found
        others = {variant.plain, self._find_twin(attempt) if attempt.is_shared else None}
        return frozenset(other for other in others if other is not None and other not in self.outcome.failures)

    def _find_attempt(self, action: Compile) -> tuple[PlannedVariant, Attempt] | None:
        """What comes about by a compilation with a profile; others that share the compilation share its evidence."""
        for variant in self.outcome.served_by(self.plan, action.id):
            attempt = self.outcome.attempt_of(variant)
            if attempt is not None and attempt.compile == action.id and variant.name not in self.outcome.skipped:
                return variant, attempt
        return None

    def _prove_attempt(self, variant: PlannedVariant, attempt: Attempt) -> None:
        merged, compiled = self.outcome.results[attempt.merge], self.outcome.compiled(attempt.compile)
        assert isinstance(merged, Merged)  # noqa: S101 - ids say what they are
        look_into = cache(partial(required(self.merger).profdata.look_into, merged.profile.path))
        if attempt.lossless:
            check_nothing_lost(variant.name, attempt.name, compiled, look_into=look_into)
        if attempt.is_shared:
            twin = self._find_twin(attempt)
            known = None if twin is None or twin not in self.outcome.results else self.outcome.compiled(twin)
            check_nothing_more(variant.name, compiled, known)
        plain = self.outcome.artifacts(variant.plain) if variant.plain in self.outcome.results else {}
        evidence = gather_evidence(
            merged,
            compiled,
            {name: artifact for name, artifact in plain.items() if name in compiled.artifacts},
            names_in_profile=lambda: look_into().names,
            trained_bins=self._trained_bins(attempt.merge),
        )
        is_heard = self.canary.is_heard(merged.profile)
        checks = check_evidence(evidence, compiled, self.demanded, is_canary_heard=is_heard)
        evidence = replace(evidence, checks=checks)
        self.outcome.evidence[attempt.compile] = evidence  # also where it proves nothing: the record shows why
        is_unlike = self._tell_unlike(variant.name, self.outcome.compiled(attempt.instrument), compiled)
        require_proof(variant.name, evidence, compiled, remedy=REMEDY if is_unlike else None)

    def _tell_unlike(self, variant: str, counted: Compiled, optimised: Compiled) -> bool:
        """Tell where build scripts generated other code than was counted; rustc sees that by the control flow alone."""
        told = describe_other_code(counted.scripts, optimised.scripts)
        if told:
            message = f"variant {variant}: its counts may be those of other code than it has: {'; '.join(told)}"
            self.emit(
                Notice(level=Level.WARNING, code="other-code-counted", message=sanitize_line(message), help=REMEDY)
            )
        return bool(told)

    def _find_twin(self, attempt: Attempt) -> ActionId | None:
        """The compilation with the same counts for any CPU; None where no variant is to come about by one."""
        wanted = (build for build in self.plan.builds if build.name not in self.outcome.skipped)
        others = (self.outcome.attempt_of(build) for build in wanted)
        same = (own for own in others if own is not None and own.merge == attempt.merge and not own.is_shared)
        return next((own.compile for own in same), None)

    def _prove_programs(self, action: Compile) -> None:
        """Of tests and benches a profile knows what they share with the program; how much is no fault of theirs."""
        (merge,) = action.needs
        merged, compiled = self.outcome.results[merge], self.outcome.compiled(action.id)
        assert isinstance(merged, Merged)  # noqa: S101 - ids say what they are
        evidence = gather_evidence(merged, compiled, {}, names_in_profile=tuple, trained_bins=())
        # Whether rustc tells what a profile lacks was seen when the variant itself was compiled.
        evidence = replace(evidence, checks=tuple(check_use(evidence, compiled, is_canary_heard=True)))
        self.outcome.evidence[action.id] = evidence
        require_proof(action.label, evidence, compiled)

    def _trained_bins(self, merge: ActionId) -> set[str]:
        """The binaries that went into a profile."""
        trainings = [self.plan.action(need) for need in self.plan.action(merge).needs]
        return {name for action in trainings if isinstance(action, Train) for name in self._ran_in(action)}

    def _ran_in(self, training: Train) -> Iterable[str]:
        """The binaries that a training is known to run; a test may start one, and need not."""
        call = training.workload.call
        build = self.outcome.compiled(training.binaries).cargo_build
        if call is None or call.verb is not CargoVerb.RUN or build is None:
            return training.workload.bins
        return (program.name for program in build.programs)
