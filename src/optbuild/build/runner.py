"""Carry a plan out: each action once, in order, its result at hand for those that need it.

What an action does is written where it belongs (`cargo_driver`, `training`, `merging`, `outputs`); here is only the
order, what a failure means for the rest, and the evidence that closes each variant with PGO.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import TypeVar

from optbuild.build.canary import Canary
from optbuild.build.cargo_driver import CargoDriver
from optbuild.build.checks import check_evidence, require_proof
from optbuild.build.evidence import gather_evidence
from optbuild.build.flush_object import make_flush_object
from optbuild.build.lost_functions import check_nothing_lost
from optbuild.build.merging import ProfileMerger
from optbuild.build.model import Artifact, CargoTraining, Compiled, FlushObject, Merged, Probed, Result, Trained
from optbuild.build.outcome import Outcome, Rejection, Step
from optbuild.build.outputs import OutputChecker
from optbuild.build.training import Trainer
from optbuild.errors import (
    AttemptFault,
    BuildError,
    InterruptedRunError,
    OptbuildError,
    ProfileDataError,
    ToolchainError,
)
from optbuild.events import ActionFailed, ActionFinished, ActionStarted, Emit, Level, Notice
from optbuild.plan.model import (
    Action,
    ActionId,
    Attempt,
    Choose,
    CompareOutputs,
    Compile,
    Gather,
    MakeFlushObject,
    Measure,
    MergeProfiles,
    Output,
    Plan,
    PlannedVariant,
    ProbeOutputs,
    Role,
    Train,
    resolve_word,
)
from optbuild.profile.cargo_words import CargoVerb
from optbuild.profile.model import EvidenceSettings
from optbuild.text import sanitize_line
from optbuild.units import format_bytes, format_duration

T = TypeVar("T")


@dataclass(slots=True, kw_only=True)
class Runner:
    """Carries out everything of a plan but its measuring.

    Attributes:
        trainer: None where no `llvm-profdata` fits; such a plan has no training.
        canary: Tells whether rustc would tell.
        demanded: What PGO has to show.
        keep_going: Go on with other variants when one fails.
    """

    plan: Plan
    cargo: CargoDriver
    trainer: Trainer | None
    merger: ProfileMerger | None
    canary: Canary
    demanded: EvidenceSettings
    outputs: OutputChecker
    logs: Path
    emit: Emit
    keep_going: bool = False
    outcome: Outcome = field(default_factory=Outcome)

    def carry_out(self, *, after_compiling: Callable[[Compile], None]) -> None:
        """Do every action; `outcome` holds what came of them, also when this raises.

        Args:
            after_compiling: Called after each compile action that succeeded.

        Raises:
            OptbuildError: The first failure; with `keep_going` only the baseline's.
        """
        for variant in self.plan.variants:
            if variant.skipped is not None:
                self._skip(variant, variant.skipped)
        for action in self.plan.actions:
            if isinstance(action, Measure) or self._is_moot(action):
                continue
            if isinstance(action, Choose):
                self._choose(action)
                continue
            if isinstance(action, Gather):
                self._gather(action)
                continue
            try:
                self._do(action)
                if isinstance(action, Compile):
                    after_compiling(action)
            except InterruptedRunError:
                raise
            except OptbuildError as error:
                self._fail(action, error)

    def compile_again(self, action: Compile) -> Compiled:
        """Call cargo once more for an action that was carried out; it does nothing if no source has changed since.

        Raises:
            BuildError: Cargo failed.
            ToolchainError: Cargo cannot be started.
        """
        again = self._result_of(action, self.logs / f"{action.id}.again.log")
        assert isinstance(again, Compiled)  # noqa: S101 - for mypy
        first = self.outcome.compiled(action.id)
        self.outcome.results[action.id] = replace(first, artifacts=again.artifacts)
        return again

    def _is_moot(self, action: Action) -> bool:
        """Whether an action lacks something that failed, or serves only variants or attempts that are not taken."""
        if not isinstance(action, Choose) and not all(need in self.outcome.results for need in action.needs):
            return True
        return all(variant.name in self.outcome.skipped for variant in self._served_by(action))

    def _served_by(self, action: Action) -> list[PlannedVariant]:
        return [build for build in self.plan.builds if action.id in self.outcome.serving(self.plan, build)]

    def _choose(self, action: Choose) -> None:
        """Give a variant the binaries of the attempt that was accepted; all variants of one choice have the same."""
        build = next(build for build in self._served_by(action) if build.attempts)
        attempt = self.outcome.attempt_of(build)
        evidence = None if attempt is None else self.outcome.evidence.get(attempt.compile)
        if attempt is not None and evidence is not None and not evidence.failed:
            built = action.of(attempt).compile
            if built in self.outcome.results:
                self.outcome.results[action.id] = self.outcome.compiled(built)

    def _gather(self, action: Gather) -> None:
        """Give a variant the programs that were built for it one by one."""
        each = [self.outcome.compiled(built) for built in action.programs.values()]
        artifacts = {name: artifact for compiled in each for name, artifact in compiled.artifacts.items()}
        self.outcome.results[action.id] = replace(each[0], artifacts=artifacts, profile_use=None)

    def _do(self, action: Action) -> None:
        total = self.cargo.units_taught if isinstance(action, Compile) else None
        unit = "crates" if isinstance(action, Compile) else ""
        argv, log = self._command_of(action)
        self.emit(ActionStarted(action=action.id, label=action.label, unit=unit, total=total, argv=argv, log=log))
        started = time.monotonic()
        try:
            result = self._result_of(action, log)
            self.outcome.results[action.id] = result
            reused = result.fresh if isinstance(result, Compiled) else result.reused
            duration_s = time.monotonic() - started
            self.outcome.steps[action.id] = Step(
                action=action, argv=argv, duration_s=duration_s, reused=reused, log=log
            )
            if isinstance(action, Compile):
                self._prove(action)
        except OptbuildError:
            self.emit(ActionFailed(action=action.id, label=action.label, duration_s=time.monotonic() - started))
            raise
        self.emit(
            ActionFinished(
                action=action.id,
                label=action.label,
                duration_s=duration_s,
                reused=reused,
                outcome=_describe(result),
            )
        )

    def _command_of(self, action: Action) -> tuple[tuple[str, ...], Path | None]:
        """What an action runs, as people know it, and where its words are kept."""
        assert not isinstance(action, (Choose, Gather, Measure))  # noqa: S101 - `carry_out` starts neither
        if isinstance(action, Compile):
            return action.argv, self.logs / f"{action.id}.log"
        if isinstance(action, MergeProfiles):
            return (str(action.tool), "merge"), None
        if isinstance(action, MakeFlushObject):
            return (str(action.rustc), "--emit=obj"), None
        return action.workload.shown_argv(), self.logs / f"{action.id}.stderr" if isinstance(action, Train) else None

    def _result_of(self, action: Action, log: Path | None) -> Result:
        results = self.outcome.results
        if isinstance(action, Compile):
            assert log is not None  # noqa: S101 - for mypy
            env = {name: resolve_word(word, self._value_of) for name, word in action.env.items()}
            return self.cargo.compile(action, env, log)
        if isinstance(action, MakeFlushObject):
            return make_flush_object(action, self.cargo.executor, self.cargo.environ)
        if isinstance(action, MergeProfiles):
            trained = {need: result for need in action.needs if isinstance(result := results[need], Trained)}
            program = {} if action.program is None else self.outcome.artifacts(action.program)
            return _required(self.merger).merge_weighted(action, trained, program)
        assert not isinstance(action, (Choose, Gather, Measure))  # noqa: S101 - `carry_out` starts neither
        used = self._used_binaries(action)
        if isinstance(action, Train):
            trainer = _required(self.trainer)
            try:
                return trainer.train(action, used, self._cargo_training(action))
            finally:
                self.outcome.set_aside |= trainer.set_aside
        build = self.outcome.compiled(action.binaries).cargo_build
        if isinstance(action, ProbeOutputs):
            return self.outputs.probe(action, used, build)
        return self.outputs.compare(action, used, self.outcome.probed(action.probe), build)

    def _cargo_training(self, action: Train) -> CargoTraining | None:
        build = self.outcome.compiled(action.binaries).cargo_build
        if build is None or action.program is None:
            return None
        return CargoTraining(build=build, program=self.outcome.artifacts(action.program))

    def _used_binaries(self, action: Train | ProbeOutputs | CompareOutputs) -> dict[str, Artifact]:
        artifacts = self.outcome.artifacts(action.binaries)
        return (
            artifacts if action.workload.call is not None else {name: artifacts[name] for name in action.workload.bins}
        )

    def _value_of(self, output: Output) -> str:
        result = self.outcome.results[output.action]
        assert isinstance(result, Merged)  # noqa: S101 - the only output that an environment can name
        return str(result.profile.path)

    def _prove(self, action: Compile) -> None:
        """Close a compilation that used a profile with the evidence that it did, or with what is missing."""
        for variant in self._served_by(action):
            attempt = self.outcome.attempt_of(variant)
            if attempt is not None and attempt.compile == action.id and variant.name not in self.outcome.skipped:
                self._prove_attempt(variant, attempt)
                return  # others that share the compilation share its evidence

    def _prove_attempt(self, variant: PlannedVariant, attempt: Attempt) -> None:
        merged, compiled = self.outcome.results[attempt.merge], self.outcome.compiled(attempt.compile)
        assert isinstance(merged, Merged)  # noqa: S101 - ids say what they are
        look_into = cache(partial(_required(self.merger).profdata.look_into, merged.profile.path))
        if attempt.lossless:
            check_nothing_lost(variant.name, compiled, look_into=look_into)
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
        require_proof(variant.name, evidence, compiled)

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

    def _fail(self, action: Action, error: OptbuildError) -> None:
        """Decide what a failed action means for the variants that need it.

        Those with another attempt that may mend the fault take that one; others are neither measured nor published.
        """
        found = [build for build in self._served_by(action) if not self._try_next(build, action, error)]
        affected = [build for build in found if action.id in self.outcome.serving(self.plan, build)]
        if not affected:
            return
        is_needed = self.plan.baseline in affected
        if isinstance(error, ProfileDataError) and not is_needed and all(v.fallback_allowed for v in affected):
            for variant in affected:
                self._skip(variant, error.message)
            return
        self.outcome.failures[action.id] = error
        for variant in affected:
            self._give_up(variant, error.message)
        if not self.keep_going or is_needed:
            raise error
        self.emit(Notice(level=Level.ERROR, code=error.code, message=error.message, help=error.help))

    def _try_next(self, variant: PlannedVariant, action: Action, error: OptbuildError) -> bool:
        """Take a variant's next attempt that may mend what is wrong; whether there is one."""
        attempt = self.outcome.attempt_of(variant)
        fault = _fault_of(error, action)
        if attempt is None or fault is None or variant.name in self.outcome.skipped:
            return False
        later = variant.attempts[variant.attempts.index(attempt) + 1 :]
        for other in later:
            if fault in other.mends and self.outcome.failures.keys().isdisjoint(self.plan.needed_by(other.compile)):
                rejection = Rejection(attempt=attempt, reason=error.message)
                self.outcome.rejected[variant.name] = (*self.outcome.rejected.get(variant.name, ()), rejection)
                self._take(variant, other)
                message = f"variant {variant.name}: training goes on as {other.name}, for {attempt.name} will not do: "
                self.emit(Notice(level=Level.INFO, code="next-attempt", message=message + error.message))
                return True
        return False

    def _take(self, variant: PlannedVariant, attempt: Attempt) -> None:
        """Go on with another attempt; the folds of a variant are trained as it is."""
        self.outcome.taken[variant.name] = attempt
        place = variant.attempts.index(attempt)
        for fold in self._folds_of(variant):
            self.outcome.taken[fold.name] = fold.attempts[place]

    def _skip(self, build: PlannedVariant, reason: str) -> None:
        if build.name in self.outcome.skipped:
            return  # a part or a fold of a variant that is skipped
        self._give_up(build, reason)
        kind = "variant" if build in self.plan.variants else "fold"
        message = f"{kind} {sanitize_line(build.name)} is skipped: {reason}"
        self.emit(Notice(level=Level.WARNING, code=f"{kind}-skipped", message=message))

    def _give_up(self, build: PlannedVariant, reason: str) -> None:
        """Build no more of a variant; without it nobody asks for its parts and folds."""
        for given_up in (build, *build.parts.values(), *self._folds_of(build)):
            self.outcome.skipped.setdefault(given_up.name, reason)

    def _folds_of(self, variant: PlannedVariant) -> list[PlannedVariant]:
        return [fold.build for fold in self.plan.folds if fold.variant == variant.name]


def _fault_of(error: OptbuildError, action: Action) -> AttemptFault | None:
    """What is wrong with the attempt that an action belongs to, if another attempt may mend it."""
    if isinstance(error, ProfileDataError):
        return error.fault
    is_instrumented = isinstance(action, Compile) and action.role is Role.INSTRUMENT
    return AttemptFault.NOT_BUILT if is_instrumented and isinstance(error, BuildError) else None


def _required(part: T | None) -> T:
    if part is None:
        raise ToolchainError("no llvm-profdata fits rustc", help="optbuild doctor --fix")
    return part


def _describe(result: Result) -> str:
    if isinstance(result, Compiled):
        size = format_bytes(sum(artifact.size_bytes for artifact in result.artifacts.values()))
        return f"{result.units} crate{'s' * (result.units != 1)}, {size}"
    if isinstance(result, (Trained, Merged)):
        profile = result.profile
        ran = f"{profile.functions_with_counts} of {profile.functions} functions ran"
        return f"{ran}, {profile.raw_profiles} raw profile{'s' * (profile.raw_profiles != 1)}"
    if isinstance(result, FlushObject):
        return result.path.name
    if isinstance(result, Probed):
        return f"{format_duration(result.run_s)} a run" + ("" if result.deterministic else ", output varies")
    return {True: "equal", None: "not compared", False: "different"}[result.equal]
