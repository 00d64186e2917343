"""Say what a run would do and why, without running anything: what is kept, what has changed, and what only cargo knows.

Nothing here decides what is reused: the same keys do, when the run comes to them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from optbuild.making.cargo.driver import find_kept
from optbuild.making.cargo.kept_runs import find_cargo_build
from optbuild.making.keys import merge_key, output_key, training_key
from optbuild.making.model import Artifact, CargoTraining, Compared, Merged, PgoProfile, Probed, Trained
from optbuild.making.result_store import ResultStore
from optbuild.making.training.merging import is_intact
from optbuild.plan.actions import (
    Action,
    ActionId,
    Choose,
    CompareOutputs,
    Compile,
    Gather,
    MakeObject,
    Measure,
    MergeProfiles,
    ProbeOutputs,
    Train,
)
from optbuild.plan.forecast import Estimate, Expectation, Forecast
from optbuild.plan.model import Plan
from optbuild.record.history import History
from optbuild.record.model import HostRecord
from optbuild.record.store import RecordStore
from optbuild.session.earlier import find_earlier, measurement_key
from optbuild.session.prepare import Prepared
from optbuild.workloads.cargo_build import CargoBuild


def forecast(prepared: Prepared, host: HostRecord, history: History) -> dict[ActionId, Forecast]:
    """What is expected of each action of a plan, choices apart: those are made when their attempts have run.

    Raises:
        NotComparableError: An input has changed since it was looked at.
    """
    forecaster = _Forecaster(prepared=prepared, host=host, history=history)
    forecasts: dict[ActionId, Forecast] = {}
    for action in prepared.plan.actions:
        if isinstance(action, Choose):
            forecaster.choose(action)
        elif isinstance(action, Gather):
            forecaster.gather(action)
        else:
            forecasts[action.id] = forecaster.look_at(action)
    return forecasts


def estimate_runs(plan: Plan, forecasts: Mapping[ActionId, Forecast], history: History) -> Estimate:
    """What is expected to run takes; what cargo decides may take as long as the last time, or next to nothing."""
    runs = (action for action, each in forecasts.items() if each.expectation is Expectation.RUNS)
    return _estimate(plan, runs, history)


def estimate_all(plan: Plan, history: History) -> Estimate:
    """What all of a plan takes if nothing of it is there already, and variants come about as the last time."""
    awaited = set(plan.awaited())
    for build in plan.builds:
        taken = (each for each in build.attempts if each.name == history.attempts.get(build.name))
        awaited |= {action for attempt in taken for action in plan.serving(build, attempt)}
    awaited |= set() if plan.measure is None else {plan.measure}
    actions = (action for action in plan.actions if not isinstance(action, (Choose, Gather)))
    return _estimate(plan, (action.id for action in actions if action.id in awaited), history)


def _estimate(plan: Plan, actions: Iterable[ActionId], history: History) -> Estimate:
    each_s = {action: history.duration_s(action) for action in actions}
    peaks_bytes = [history.peaks_bytes[action] for action in each_s if action in history.peaks_bytes]
    return Estimate(
        each_s=each_s,
        overlap=history.overlap,
        measure=plan.measure,
        memory_bytes=max(peaks_bytes, default=None),
        disk_bytes=history.disk_bytes,
    )


@dataclass(slots=True, kw_only=True)
class _Forecaster:
    """Goes through a plan in its order, with what earlier runs have left.

    Attributes:
        runs: The labels of actions that are expected to run, so that what needs them runs as well.
        binaries: What each compile action built the last time.
        profiles: The counts that are kept, of trainings and of merges.
        chosen: What choices took the last time.
    """

    prepared: Prepared
    host: HostRecord
    history: History
    runs: dict[ActionId, str] = field(default_factory=dict)
    binaries: dict[ActionId, Mapping[str, Artifact]] = field(default_factory=dict)
    profiles: dict[ActionId, PgoProfile] = field(default_factory=dict)
    probed: dict[ActionId, Probed] = field(default_factory=dict)
    chosen: dict[ActionId, ActionId] = field(default_factory=dict)
    results: ResultStore = field(init=False)
    records: RecordStore = field(init=False)
    awaited: frozenset[ActionId] = field(init=False)

    def __post_init__(self) -> None:
        layout = self.prepared.layout
        self.results = ResultStore(directory=layout.results, emit=lambda _: None)
        self.records = RecordStore(directory=layout.runs)
        self.awaited = self.prepared.plan.awaited()

    def look_at(self, action: Action) -> Forecast:
        expectation, why = self._expect(action)
        if expectation in {Expectation.RUNS, Expectation.ONLY_IF}:
            self.runs[action.id] = action.label
        last_s = self.history.duration_s(action.id)
        return Forecast(action=action.id, expectation=expectation, why=why, last_s=last_s)

    def choose(self, action: Choose) -> None:
        """Take the binaries of the attempt that was taken the last time, or of the first one."""
        taken = next((each for each in action.attempts if each.name == self._last_attempt(action)), action.attempts[0])
        self.chosen[action.id] = taken.compile
        if taken.compile in self.runs:
            self.runs[action.id] = self.runs[taken.compile]
        else:
            self.binaries[action.id] = self.binaries[taken.compile]

    def gather(self, action: Gather) -> None:
        """Take the binaries that were built one by one."""
        waits_for = next((self.runs[built] for built in action.programs.values() if built in self.runs), None)
        if waits_for is not None:
            self.runs[action.id] = waits_for
            return
        each = [self.binaries[built] for built in action.programs.values()]
        self.binaries[action.id] = {name: artifact for binaries in each for name, artifact in binaries.items()}

    def _last_attempt(self, action: Choose) -> str | None:
        plan = self.prepared.plan
        names = {build.name for build in plan.builds if action.id in build.made}
        names |= {fold.variant for fold in plan.folds if action.id in fold.build.made}
        return next((name for each in names if (name := self.history.attempts.get(each)) is not None), None)

    def _expect(self, action: Action) -> tuple[Expectation, str]:
        waits_for = next((self.runs[need] for need in action.needs if need in self.runs), None)
        if isinstance(action, Compile):
            return self._expect_build(action, waits_for)
        if waits_for is not None:
            return self._unless_alternative(action, f"after {waits_for!r}")
        if self._is_kept(action):
            return Expectation.REUSED, "its result is kept, and holds if cargo finds its binaries fresh"
        has_run = self.history.duration_s(action.id) is not None
        why = "its binary or what it reads is not what it was" if has_run else "it was not done before"
        return self._unless_alternative(action, why)

    def _expect_build(self, action: Compile, waits_for: str | None) -> tuple[Expectation, str]:
        kept = find_kept(action)
        if kept is not None and waits_for is None:
            self.binaries[action.id] = kept
            return Expectation.CARGO_DECIDES, "it was built before"
        return self._unless_alternative(action, "it was not built before" if kept is None else f"after {waits_for!r}")

    def _unless_alternative(self, action: Action, why: str) -> tuple[Expectation, str]:
        serves = isinstance(action, Measure) or action.id in self.awaited
        return Expectation.RUNS if serves else Expectation.ONLY_IF, why

    def _is_kept(self, action: Action) -> bool:
        """Whether an action's result is there, with what it depends on as far as that is known."""
        if isinstance(action, Measure):
            return self._is_measured(action)
        if isinstance(action, MakeObject):
            return action.object.is_file()
        tool = self.prepared.inputs.toolchain.llvm_profdata
        version = "" if tool is None else tool.version
        hashes = self.prepared.hashes
        if isinstance(action, Train):
            key = training_key(action, self.binaries[action.binaries], self._cargo_training(action), hashes, version)
            return self._know(action, self.results.load(key, Trained))
        if isinstance(action, MergeProfiles):
            program = {} if action.program is None else self.binaries[action.program]
            key = merge_key(action, {need: self.profiles[need] for need in action.weights}, program, version)
            return self._know(action, self.results.load(key, Merged))
        if isinstance(action, ProbeOutputs):
            cargo = self._cargo_build(action.binaries)
            probed = self.results.load(output_key(action, self.binaries[action.binaries], hashes, cargo), Probed)
            self.probed |= {} if probed is None else {action.id: probed}
            return probed is not None
        assert isinstance(action, CompareOutputs)  # noqa: S101 - for mypy: all others are dealt with
        cargo, probed = self._cargo_build(action.binaries), self.probed[action.probe]
        key = output_key(action, self.binaries[action.binaries], hashes, cargo, baseline=probed)
        return self.results.load(key, Compared) is not None

    def _cargo_training(self, action: Train) -> CargoTraining | None:
        build = self._cargo_build(action.binaries)
        if build is None or action.program is None:
            return None
        return CargoTraining(build=build, program=self.binaries[action.program])

    def _cargo_build(self, binaries: ActionId) -> CargoBuild | None:
        """How cargo would have run what was built the last time."""
        compiled = self.prepared.plan.action(self.chosen.get(binaries, binaries))
        return find_cargo_build(compiled) if isinstance(compiled, Compile) else None

    def _know(self, action: Action, stored: Trained | Merged | None) -> bool:
        if stored is None or not is_intact(stored.profile):
            return False
        self.profiles[action.id] = stored.profile
        return True

    def _is_measured(self, action: Measure) -> bool:
        arms = [(name, self.binaries[built], self._cargo_build(built)) for name, built in action.measured()]
        key = measurement_key(action, arms, self.prepared.hashes, self.host)
        return find_earlier(key, action, self.records) is not None
