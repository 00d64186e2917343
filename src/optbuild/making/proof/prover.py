"""Give each compilation with a profile the evidence that it took effect, or state what is missing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial

from optbuild.errors import ProfileDataError, ToolchainError
from optbuild.events import Emit, Level, Notice
from optbuild.making.built import Built
from optbuild.making.cargo.build_scripts import REMEDY, describe_other_code
from optbuild.making.proof.checks import check_evidence, check_use, find_refusal
from optbuild.making.proof.evidence import PgoEvidence, gather_evidence
from optbuild.making.proof.lost_functions import check_nothing_lost, check_nothing_more
from optbuild.making.proof.startup import check_order
from optbuild.making.proof.warning_probe import WarningProbe
from optbuild.making.training.profdata import Profdata
from optbuild.plan.action import ActionId, Id
from optbuild.plan.counts import CheckedProfile
from optbuild.plan.kinds.compile import Compile, Role
from optbuild.plan.kinds.train import Train
from optbuild.plan.model import PlannedVariant
from optbuild.plan.results import Compiled
from optbuild.plan.ways import Attempt
from optbuild.profile.cargo_words import CargoVerb
from optbuild.profile.model import EvidenceSettings
from optbuild.text import sanitize_line
from optbuild.tools.elf_symbols import read_functions


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """A compilation's evidence, and why it is insufficient, if so."""

    evidence: PgoEvidence
    refusal: ProfileDataError | None

    def require(self) -> None:
        """Accept it only if every check has passed.

        Raises:
            ProfileDataError: A check failed.
        """
        if self.refusal is not None:
            raise self.refusal


def compared_with(action: Compile, built: Built) -> frozenset[ActionId]:
    """The compilations that the evidence of one is compared with; failed ones are listed separately."""
    if (found := _find_attempt(action, built)) is None:
        return frozenset()
    variant, attempt = found
    others = {variant.plain, _find_twin(attempt, built)}
    return frozenset(other for other in others if other is not None and other not in built.failures)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prover:
    """Gathers and judges the evidence of one run.

    Attributes:
        profdata: Reads profiles; None if no `llvm-profdata` fits rustc and nothing needs proof.
        probe: Shows whether rustc would warn.
        demanded: The evidence that PGO requires.
        emit: Receives warnings about counts that may belong to other code.
    """

    profdata: Profdata | None
    probe: WarningProbe
    demanded: EvidenceSettings
    emit: Emit

    def prove(self, action: Compile, compiled: Compiled, built: Built) -> Proof | None:
        """Look for the evidence of a successful compilation; one without a profile needs none.

        Raises:
            ProfileDataError: Counts were lost, which makes any evidence irrelevant.
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
        if attempt.shared_with is not None:
            twin = _find_twin(attempt, built)
            other = None if twin is None else built.results.find(twin)
            check_nothing_more(variant.name, compiled, other, are_renamed=attempt.is_translated)
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
        checks = check_evidence(evidence, compiled, self.demanded, does_rustc_warn=warns)
        if variant.puts_in_order:
            traces = self.profdata.read_traces(checked.profile.path)
            checks += tuple(check for program in _functions_of(compiled) for check in check_order(traces, program))
        evidence = replace(evidence, checks=checks)
        counted = None if attempt.instrument is None else built.results[attempt.instrument]
        is_unlike = counted is not None and self._report_unlike(variant.name, counted, compiled)
        refusal = find_refusal(variant.name, evidence, compiled, remedy=REMEDY if is_unlike else None)
        return Proof(evidence=evidence, refusal=refusal)

    def _report_unlike(self, variant: str, counted: Compiled, optimised: Compiled) -> bool:
        """Warn if build scripts generated different code from what was counted; rustc compares only control flow."""
        unlike = describe_other_code(counted.scripts, optimised.scripts)
        if unlike:
            message = f"variant {variant}: its counts may belong to different code: {'; '.join(unlike)}"
            self.emit(
                Notice(level=Level.WARNING, code="other-code-counted", message=sanitize_line(message), help=REMEDY)
            )
        return bool(unlike)


def _find_attempt(action: Compile, built: Built) -> tuple[PlannedVariant, Attempt] | None:
    """What a compilation with a profile makes; all that share the compilation share its evidence."""
    for variant in built.served_by(action.id):
        attempt = built.attempt_of(variant)
        if attempt is not None and attempt.compile == action.id and variant.name not in built.skipped:
            return variant, attempt
    return None


def _functions_of(compiled: Compiled) -> Iterator[Mapping[str, tuple[int, int]]]:
    """The functions of each program."""
    for artifact in compiled.artifacts.values():
        try:
            yield read_functions(artifact.path)
        except ValueError:
            yield {}  # of another format


def _find_twin(attempt: Attempt, built: Built) -> Id[Compiled] | None:
    """The compilation that shared counts were taken for; None if no variant is built by one."""
    if attempt.shared_with is None:
        return None
    wanted = (build for build in built.plan.builds if build.name not in built.skipped)
    others = (built.attempt_of(build) for build in wanted)
    trained = (own for own in others if own is not None and own.shared_with is None)
    counts = _trainings(attempt, built)
    return next((own.compile for own in trained if _trainings(own, built) == counts), None)


def _trainings(attempt: Attempt, built: Built) -> frozenset[ActionId]:
    return frozenset(each.id for each in built.plan.find(Train, built.plan.entry(attempt.merge).needs))


def _prove_programs(action: Compile, compiled: Compiled, built: Built) -> Proof:
    """A profile has only the functions that tests and benches share with the program; any share is accepted."""
    (need,) = action.needs
    checked = built.results[need]
    assert isinstance(checked, CheckedProfile)  # noqa: S101 - what an optimising compilation needs
    evidence = gather_evidence(checked, compiled, {}, names_in_profile=tuple, trained_bins=())
    # The compilation of the variant itself has shown whether rustc warns about missing functions.
    evidence = replace(evidence, checks=tuple(check_use(evidence, compiled, does_rustc_warn=True)))
    return Proof(evidence=evidence, refusal=find_refusal(action.label, evidence, compiled))


def _trained_bins(merge: Id[CheckedProfile], built: Built) -> set[str]:
    """The binaries that went into a profile."""
    trainings = built.plan.find(Train, built.plan.entry(merge).needs)
    return {name for training in trainings for name in _ran_in(training, built)}


def _ran_in(training: Train, built: Built) -> Iterable[str]:
    """The binaries that a training is known to run; a test may start one, but need not."""
    call = training.workload.call
    build = built.results[training.binaries].cargo_build
    if call is None or call.verb is not CargoVerb.RUN or build is None:
        return training.workload.bins
    return (program.name for program in build.programs)
