"""Close each compilation that used a profile with the evidence that it did, or with what is missing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache, partial

from optbuild.errors import ProfileDataError, ToolchainError
from optbuild.events import Emit, Level, Notice
from optbuild.making.built import Built
from optbuild.making.cargo.build_scripts import REMEDY, describe_other_code
from optbuild.making.proof.checks import check_evidence, check_use, find_refusal
from optbuild.making.proof.evidence import PgoEvidence, gather_evidence
from optbuild.making.proof.lost_functions import check_nothing_lost, check_nothing_more
from optbuild.making.proof.warning_probe import WarningProbe
from optbuild.making.training.profdata import Profdata
from optbuild.plan.action import ActionId, Id
from optbuild.plan.kinds.compile import Compile, Role
from optbuild.plan.kinds.train import Train
from optbuild.plan.model import PlannedVariant
from optbuild.plan.results import CheckedProfile, Compiled
from optbuild.plan.ways import Attempt
from optbuild.profile.cargo_words import CargoVerb
from optbuild.profile.model import EvidenceSettings
from optbuild.text import sanitize_line


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What a compilation shows of its profile, and why that is not enough, if so."""

    evidence: PgoEvidence
    refusal: ProfileDataError | None

    def require(self) -> None:
        """Accept it only if every check has passed.

        Raises:
            ProfileDataError: One has not.
        """
        if self.refusal is not None:
            raise self.refusal


def compared_with(action: Compile, built: Built) -> frozenset[ActionId]:
    """The compilations that the evidence of one is compared with, those apart that have failed."""
    if (found := _find_attempt(action, built)) is None:
        return frozenset()
    variant, attempt = found
    others = {variant.plain, _find_twin(attempt, built) if attempt.is_shared else None}
    return frozenset(other for other in others if other is not None and other not in built.failures)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prover:
    """Gathers and judges the evidence of one run.

    Attributes:
        profdata: What reads profiles; None where no `llvm-profdata` fits rustc, and nothing is to be proved.
        probe: Shows whether rustc would warn.
        demanded: What PGO has to show.
        emit: Told where counts may be those of other code.
    """

    profdata: Profdata | None
    probe: WarningProbe
    demanded: EvidenceSettings
    emit: Emit

    def prove(self, action: Compile, compiled: Compiled, built: Built) -> Proof | None:
        """Look for the evidence of a compilation that has just succeeded; one without a profile needs none.

        Raises:
            ProfileDataError: Counts were lost, so that the evidence need not be looked at.
        """
        if action.recipe.call is not None and action.role is Role.OPTIMISE:
            return _prove_programs(action, compiled, built)
        if (found := _find_attempt(action, built)) is None:
            return None
        return self._prove_attempt(*found, compiled, built)

    def _prove_attempt(self, variant: PlannedVariant, attempt: Attempt, compiled: Compiled, built: Built) -> Proof:
        if self.profdata is None:
            raise ToolchainError("no llvm-profdata fits rustc", help="optbuild doctor --fix")
        checked = built.results[attempt.merge]
        look_into = cache(partial(self.profdata.look_into, checked.profile.path))
        if attempt.lossless:
            check_nothing_lost(variant.name, attempt.name, compiled, look_into=look_into)
        if attempt.is_shared:
            twin = _find_twin(attempt, built)
            check_nothing_more(variant.name, compiled, None if twin is None else built.results.find(twin))
        plain = None if variant.plain is None else built.results.find(variant.plain)
        unprofiled = {} if plain is None else plain.artifacts
        evidence = gather_evidence(
            checked,
            compiled,
            {name: artifact for name, artifact in unprofiled.items() if name in compiled.artifacts},
            names_in_profile=lambda: look_into().names,
            trained_bins=_trained_bins(attempt.merge, built),
        )
        warns = self.probe.does_rustc_warn(checked.profile)
        evidence = replace(evidence, checks=check_evidence(evidence, compiled, self.demanded, does_rustc_warn=warns))
        is_unlike = self._report_unlike(variant.name, built.results[attempt.instrument], compiled)
        refusal = find_refusal(variant.name, evidence, compiled, remedy=REMEDY if is_unlike else None)
        return Proof(evidence=evidence, refusal=refusal)

    def _report_unlike(self, variant: str, counted: Compiled, optimised: Compiled) -> bool:
        """Warn where build scripts generated other code than was counted; rustc sees that by the control flow alone."""
        unlike = describe_other_code(counted.scripts, optimised.scripts)
        if unlike:
            message = f"variant {variant}: its counts may be those of other code than it has: {'; '.join(unlike)}"
            self.emit(
                Notice(level=Level.WARNING, code="other-code-counted", message=sanitize_line(message), help=REMEDY)
            )
        return bool(unlike)


def _find_attempt(action: Compile, built: Built) -> tuple[PlannedVariant, Attempt] | None:
    """What comes about by a compilation with a profile; others that share the compilation share its evidence."""
    for variant in built.served_by(action.id):
        attempt = built.attempt_of(variant)
        if attempt is not None and attempt.compile == action.id and variant.name not in built.skipped:
            return variant, attempt
    return None


def _find_twin(attempt: Attempt, built: Built) -> Id[Compiled] | None:
    """The compilation that the same counts were taken for; None if no variant is built by one."""
    wanted = (build for build in built.plan.builds if build.name not in built.skipped)
    others = (built.attempt_of(build) for build in wanted)
    same = (own for own in others if own is not None and own.merge == attempt.merge and not own.is_shared)
    return next((own.compile for own in same), None)


def _prove_programs(action: Compile, compiled: Compiled, built: Built) -> Proof:
    """Of tests and benches a profile knows what they share with the program; how much is no fault of theirs."""
    (need,) = action.needs
    checked = built.results[need]
    assert isinstance(checked, CheckedProfile)  # noqa: S101 - what an optimising compilation needs
    evidence = gather_evidence(checked, compiled, {}, names_in_profile=tuple, trained_bins=())
    # Whether rustc warns of what a profile lacks was seen when the variant itself was compiled.
    evidence = replace(evidence, checks=tuple(check_use(evidence, compiled, does_rustc_warn=True)))
    return Proof(evidence=evidence, refusal=find_refusal(action.label, evidence, compiled))


def _trained_bins(merge: Id[CheckedProfile], built: Built) -> set[str]:
    """The binaries that went into a profile."""
    trainings = built.plan.find(Train, built.plan.entry(merge).needs)
    return {name for training in trainings for name in _ran_in(training, built)}


def _ran_in(training: Train, built: Built) -> Iterable[str]:
    """The binaries that a training is known to run; a test may start one, and need not."""
    call = training.workload.call
    build = built.results[training.binaries].cargo_build
    if call is None or call.verb is not CargoVerb.RUN or build is None:
        return training.workload.bins
    return (program.name for program in build.programs)
