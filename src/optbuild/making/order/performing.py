"""Do one action: what each kind takes, whom it is given to, and what is told of it meanwhile.

Not for the order of actions, nor for what a failure means: `runner` decides both.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from optbuild.errors import ImplausibleCountsError, OptbuildError, ToolchainError
from optbuild.events import ActionFailed, ActionFinished, ActionStarted, Emit
from optbuild.making.cargo.driver import CargoDriver
from optbuild.making.cargo.linked_object import make_object
from optbuild.making.cargo.rebuilding import Rebuild, Rebuilder
from optbuild.making.model import CargoTraining, Compiled, MadeObject, Merged, Probed, Result, Trained
from optbuild.making.order.outcome import Outcome, Step
from optbuild.making.outputs.checker import OutputChecker
from optbuild.making.training.merging import ProfileMerger
from optbuild.making.training.trainer import Trainer
from optbuild.plan.actions import (
    JOBSERVER,
    Action,
    Choose,
    CompareOutputs,
    Compile,
    Gather,
    MakeObject,
    Measure,
    MergeProfiles,
    Output,
    ProbeOutputs,
    Train,
    resolve_word,
)
from optbuild.units import format_bytes, format_duration

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Performed:
    """An action that was done, and how."""

    result: Result
    step: Step


@dataclass(slots=True, kw_only=True)
class Performer:
    """Does actions, several at the same time if need be, with the results of those that they need.

    Attributes:
        trainer: None where no `llvm-profdata` fits; such a plan has no training.
        stage: Where programs stand while they run.
        last_s: How long actions took in earlier runs, as far as that is known.
    """

    cargo: CargoDriver
    trainer: Trainer | None
    merger: ProfileMerger | None
    outputs: OutputChecker
    rebuilder: Rebuilder
    stage: Path
    logs: Path
    emit: Emit
    outcome: Outcome
    last_s: Mapping[str, float] = field(default_factory=dict)

    def perform(self, action: Action) -> Performed:
        """Do an action, and tell that it began; that it ended well is told when it is also proved to have.

        Raises:
            OptbuildError: It failed.
        """
        total = self.cargo.units_of(action) if isinstance(action, Compile) else None
        unit = "crates" if isinstance(action, Compile) else ""
        argv, log = self._command_of(action)
        self.emit(
            ActionStarted(
                action=action.id,
                label=action.label,
                unit=unit,
                total=total,
                argv=argv,
                log=log,
                expected_s=self.last_s.get(action.id),
            )
        )
        started = time.monotonic()
        try:
            result = self._result_of(action, log)
        except OptbuildError:
            self.tell_failed(action, time.monotonic() - started)
            raise
        reused = result.fresh if isinstance(result, Compiled) else result.reused
        duration_s = time.monotonic() - started
        peak_bytes = result.peak_rss_bytes if isinstance(result, Compiled) else None
        step = Step(action=action, argv=argv, duration_s=duration_s, reused=reused, log=log, peak_rss_bytes=peak_bytes)
        return Performed(result=result, step=step)

    def compile_again(self, action: Compile) -> Compiled:
        """Call cargo once more; what it says and does is kept apart from the first time.

        Raises:
            BuildError: Cargo failed.
            ToolchainError: Cargo cannot be started.
        """
        with self.cargo.turn():
            again = self._result_of(action, self.logs / f"{action.id}.again.log")
        assert isinstance(again, Compiled)  # noqa: S101 - for mypy
        return again

    def remember_refusal(self, action: Action, error: OptbuildError) -> None:
        """Spare later runs a training whose counts were refused, and in whose place another one goes on."""
        if isinstance(action, Train) and isinstance(error, ImplausibleCountsError):
            used, cargo = self.outcome.artifacts(action.binaries), self._cargo_training(action)
            required(self.trainer).remember_refusal(action, used, cargo, error)

    def tell_failed(self, action: Action, duration_s: float) -> None:
        """Tell that an action failed."""
        self.emit(ActionFailed(action=action.id, label=action.label, duration_s=duration_s))

    def tell_finished(self, done: Performed) -> None:
        """Tell that an action ended well."""
        action, step = done.step.action, done.step
        self.emit(
            ActionFinished(
                action=action.id,
                label=action.label,
                duration_s=step.duration_s,
                reused=step.reused,
                outcome=_describe(done.result),
            )
        )

    def _command_of(self, action: Action) -> tuple[tuple[str, ...], Path | None]:
        """What an action runs, as people know it, and where its words are kept."""
        assert not isinstance(action, (Choose, Gather, Measure))  # noqa: S101 - the runner starts neither
        if isinstance(action, Compile):
            return action.argv, self.logs / f"{action.id}.log"
        if isinstance(action, MergeProfiles):
            return (str(action.tool), "merge"), None
        if isinstance(action, MakeObject):
            return (str(action.rustc), "--emit=obj"), None
        return action.workload.shown_argv(), self.logs / f"{action.id}.stderr" if isinstance(action, Train) else None

    def _result_of(self, action: Action, log: Path | None) -> Result:
        results = self.outcome.results
        if isinstance(action, Compile):
            assert log is not None  # noqa: S101 - for mypy
            return self.cargo.compile(action, self._env_of(action), log)
        if isinstance(action, MakeObject):
            return make_object(action, self.cargo.executor, self.cargo.environ)
        if isinstance(action, MergeProfiles):
            trained = {need: result for need in action.needs if isinstance(result := results[need], Trained)}
            program = {} if action.program is None else self.outcome.artifacts(action.program)
            return required(self.merger).merge_weighted(action, trained, program)
        assert not isinstance(action, (Choose, Gather, Measure))  # noqa: S101 - the runner starts neither
        used = self.outcome.artifacts(action.binaries)
        if isinstance(action, Train):
            trainer = required(self.trainer)
            try:
                return trainer.train(action, used, self._cargo_training(action))
            finally:
                self.outcome.set_aside |= trainer.set_aside
        build = self.outcome.compiled(action.binaries).cargo_build
        if isinstance(action, ProbeOutputs):
            return self.outputs.probe(action, used, build)
        probed = self.outcome.probed(action.probe)
        return self.outputs.compare(action, used, probed, build, rebuild=self._rebuild_of(action))

    def _rebuild_of(self, action: CompareOutputs) -> Rebuild | None:
        """What builds the baseline once more; None where it is not built by one plain call of cargo."""
        probe = self.outcome.steps[action.probe].action
        assert isinstance(probe, ProbeOutputs)  # noqa: S101 - ids say what they are
        step = self.outcome.steps.get(probe.binaries)
        if step is None or not isinstance(step.action, Compile) or step.action.recipe.call is not None:
            return None
        first = self.outcome.compiled(probe.binaries)
        return partial(self.rebuilder.rebuild, step.action, self._env_of(step.action), first)

    def _env_of(self, action: Compile) -> dict[str, str]:
        return {name: resolve_word(word, self._value_of) for name, word in action.env.items()}

    def _cargo_training(self, action: Train) -> CargoTraining | None:
        build = self.outcome.compiled(action.binaries).cargo_build
        if build is None or action.program is None:
            return None
        return CargoTraining(build=build, program=self.outcome.artifacts(action.program))

    def _value_of(self, output: Output) -> str:
        if output == JOBSERVER:
            return self.cargo.jobserver_auth
        result = self.outcome.results[output.action]
        assert isinstance(result, Merged)  # noqa: S101 - the only action's output that an environment can name
        return str(result.profile.path)


def required(part: T | None) -> T:
    """What training and merging need.

    Raises:
        ToolchainError: There is no `llvm-profdata` to do it with.
    """
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
    if isinstance(result, MadeObject):
        return result.path.name
    if isinstance(result, Probed):
        return f"{format_duration(result.run_s)} a run" + (", output varies" if result.varying else "")
    return {True: "equal", None: "not compared", False: "different"}[result.equal]
