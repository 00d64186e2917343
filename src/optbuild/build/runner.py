"""Carry a plan out: each action once, in order, its result at hand for those that need it.

What an action does is written where it belongs (`cargo_driver`, `training`, `merging`, `outputs`); here is only the
order, what a failure means for the rest, and the evidence that closes each variant with PGO.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from optbuild.build.cargo_driver import CargoDriver
from optbuild.build.evidence import PgoEvidence, prove_applied
from optbuild.build.merging import ProfileMerger
from optbuild.build.model import Artifact, Compiled, Merged, PgoProfile, Probed, Result, SetAside, Trained
from optbuild.build.outputs import OutputChecker
from optbuild.build.training import Trainer
from optbuild.errors import InterruptedRunError, OptbuildError, ProfileDataError, ToolchainError
from optbuild.events import ActionFailed, ActionFinished, ActionStarted, Emit, Level, Notice
from optbuild.plan.model import (
    Action,
    ActionId,
    CompareOutputs,
    Compile,
    Measure,
    MergeProfiles,
    Output,
    Plan,
    PlannedVariant,
    ProbeOutputs,
    Train,
    resolve_word,
)
from optbuild.units import format_bytes, format_duration

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One action as it was carried out, for the record."""

    action: Action
    argv: tuple[str, ...]
    duration_s: float
    reused: bool
    log: Path | None


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What a run has come to so far; it grows while the plan is carried out, so that nothing finished is lost.

    Attributes:
        set_aside: Raw profiles that could not be merged, by training; it may have failed for them.
    """

    results: dict[ActionId, Result] = field(default_factory=dict)
    steps: dict[ActionId, Step] = field(default_factory=dict)
    failures: dict[ActionId, OptbuildError] = field(default_factory=dict)
    evidence: dict[str, PgoEvidence] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    set_aside: dict[ActionId, tuple[SetAside, ...]] = field(default_factory=dict)

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

    def is_built(self, variant: PlannedVariant) -> bool:
        """Whether a variant's binaries exist and may be used."""
        return variant.compile in self.results and variant.name not in self.skipped


@dataclass(slots=True, kw_only=True)
class Runner:
    """Carries out everything of a plan but its measuring.

    Attributes:
        trainer: None where no `llvm-profdata` fits; such a plan has no training.
        keep_going: Go on with other variants when one fails.
    """

    plan: Plan
    cargo: CargoDriver
    trainer: Trainer | None
    merger: ProfileMerger | None
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
        """Whether an action lacks something that failed, or serves only variants that are given up."""
        if not all(need in self.outcome.results for need in action.needs):
            return True
        return all(variant.name in self.outcome.skipped for variant in self._served_by(action))

    def _served_by(self, action: Action) -> list[PlannedVariant]:
        return [variant for variant in self.plan.variants if action.id in self.plan.serving(variant)]

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
        assert not isinstance(action, Measure)  # noqa: S101 - `carry_out` leaves measuring out
        if isinstance(action, Compile):
            return action.argv, self.logs / f"{action.id}.log"
        if isinstance(action, MergeProfiles):
            return (str(action.tool), "merge"), None
        return action.workload.shown_argv(), self.logs / f"{action.id}.stderr" if isinstance(action, Train) else None

    def _result_of(self, action: Action, log: Path | None) -> Result:
        results = self.outcome.results
        if isinstance(action, Compile):
            assert log is not None  # noqa: S101 - for mypy
            env = {name: resolve_word(word, self._value_of) for name, word in action.env.items()}
            return self.cargo.compile(action, env, log)
        if isinstance(action, MergeProfiles):
            trained = {need: result for need in action.needs if isinstance(result := results[need], Trained)}
            return _required(self.merger).merge_weighted(action, trained)
        assert not isinstance(action, Measure)  # noqa: S101 - `carry_out` leaves measuring out
        used = self._used_binaries(action)
        if isinstance(action, Train):
            trainer = _required(self.trainer)
            try:
                return trainer.train(action, used)
            finally:
                self.outcome.set_aside |= trainer.set_aside
        if isinstance(action, ProbeOutputs):
            return self.outputs.probe(action, used)
        return self.outputs.compare(action, used, self.outcome.probed(action.probe))

    def _used_binaries(self, action: Train | ProbeOutputs | CompareOutputs) -> dict[str, Artifact]:
        artifacts = self.outcome.artifacts(action.binaries)
        return {name: artifacts[name] for name in action.workload.bins}

    def _value_of(self, output: Output) -> str:
        result = self.outcome.results[output.action]
        assert isinstance(result, Merged)  # noqa: S101 - the only output that an environment can name
        return str(result.profile.path)

    def _prove(self, action: Compile) -> None:
        """Close every variant that this compilation finishes with the evidence that its profile was used."""
        for variant in self.plan.variants:
            if variant.compile != action.id or variant.merge is None:
                continue
            merged = self.outcome.results[variant.merge]
            assert isinstance(merged, Merged)  # noqa: S101 - ids say what they are
            plain = self.outcome.artifacts(variant.plain) if variant.plain in self.outcome.results else {}
            self.outcome.evidence[variant.name] = prove_applied(
                variant.name,
                merged.profile,
                self.outcome.compiled(action.id),
                plain,
                names_in_profile=partial(self._names_in, merged.profile),
                trained_bins=self._trained_bins(variant.merge),
            )

    def _names_in(self, profile: PgoProfile) -> frozenset[str]:
        return _required(self.merger).profdata.look_into(profile.path).names

    def _trained_bins(self, merge: ActionId) -> set[str]:
        """The binaries that went into a profile."""
        trainings = (self.plan.action(need) for need in self.plan.action(merge).needs)
        return {name for action in trainings if isinstance(action, Train) for name in action.workload.bins}

    def _fail(self, action: Action, error: OptbuildError) -> None:
        """Decide what a failed action means for the variants that need it: they are neither measured nor published."""
        affected = self._served_by(action)
        is_needed = self.plan.baseline in affected
        if isinstance(error, ProfileDataError) and not is_needed and all(v.fallback_allowed for v in affected):
            for variant in affected:
                self._skip(variant, error.message)
            return
        self.outcome.failures[action.id] = error
        for variant in affected:
            self.outcome.skipped.setdefault(variant.name, error.message)
        if not self.keep_going or is_needed:
            raise error
        self.emit(Notice(level=Level.ERROR, code=error.code, message=error.message, help=error.help))

    def _skip(self, variant: PlannedVariant, reason: str) -> None:
        self.outcome.skipped[variant.name] = reason
        self.emit(
            Notice(level=Level.WARNING, code="variant-skipped", message=f"variant {variant.name} is skipped: {reason}")
        )


def _required(part: T | None) -> T:
    if part is None:
        raise ToolchainError("no llvm-profdata fits rustc", help="optbuild doctor --fix")
    return part


def profile_of(outcome: Outcome, variant: PlannedVariant) -> PgoProfile | None:
    """The merged profile that a variant was compiled with."""
    merged = None if variant.merge is None else outcome.results.get(variant.merge)
    return merged.profile if isinstance(merged, Merged) else None


def _describe(result: Result) -> str:
    if isinstance(result, Compiled):
        size = format_bytes(sum(artifact.size_bytes for artifact in result.artifacts.values()))
        return f"{result.units} crate{'s' * (result.units != 1)}, {size}"
    if isinstance(result, (Trained, Merged)):
        profile = result.profile
        ran = f"{profile.functions_with_counts} of {profile.functions} functions ran"
        return f"{ran}, {profile.raw_profiles} raw profile{'s' * (profile.raw_profiles != 1)}"
    if isinstance(result, Probed):
        return f"{format_duration(result.run_s)} a run" + ("" if result.deterministic else ", output varies")
    return {True: "equal", None: "not compared", False: "different"}[result.equal]


def steps_of(outcome: Outcome, variant: PlannedVariant, plan: Plan) -> tuple[Step, ...]:
    """The steps that made a variant so far, in their order."""
    if variant.compile is None:
        return ()
    needed = plan.needed_by(variant.compile)
    return tuple(step for action_id, step in outcome.steps.items() if action_id in needed)
