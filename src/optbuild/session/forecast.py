"""Predict what a run would do and why, without running anything: what is kept, what has changed, what cargo decides.

Nothing here decides what is reused: a run uses the same keys to decide.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from optbuild.making.keys import Kept
from optbuild.making.kinds.kind import Outlook
from optbuild.making.kinds.table import kind_of
from optbuild.making.result_store import ResultStore
from optbuild.plan.action import Action, ActionId, Entry, Id
from optbuild.plan.forecast import Estimate, Expectation, Forecast
from optbuild.plan.measure import Measure
from optbuild.plan.model import Plan
from optbuild.plan.results import (
    Binaries,
    Results,
    gather,
)
from optbuild.plan.ways import Choice, Gathering
from optbuild.record.history import History
from optbuild.record.model import HostRecord
from optbuild.record.store import RecordStore
from optbuild.session.earlier import find_earlier, measurement_key
from optbuild.session.prepare import Prepared


def forecast(prepared: Prepared, host: HostRecord, history: History) -> dict[ActionId, Forecast]:
    """The expectation for each action of a plan, except choices, which are made after their attempts.

    Raises:
        NotComparableError: An input has changed since it was hashed.
    """
    layout, tool, plan = prepared.layout, prepared.inputs.toolchain.llvm_profdata, prepared.plan
    kept = Kept(
        results=ResultStore(directory=layout.results, emit=lambda _: None),
        hashes=prepared.hashes,
        profdata_version="" if tool is None else tool.version,
    )
    forecaster = _Forecaster(plan=plan, history=history, kept=kept)
    forecasts: dict[ActionId, Forecast] = {}
    for entry in plan.entries:
        if isinstance(entry, Action):
            forecasts[entry.id] = forecaster.look_at(entry)
        elif isinstance(entry, Choice):
            forecaster.choose(entry)
        elif isinstance(entry, Gathering):
            forecaster.gather(entry)
    if plan.measure is not None:
        records = RecordStore(directory=layout.runs)
        forecasts[plan.measure.id] = forecaster.look_at_measure(plan.measure, records, host)
    return forecasts


def estimate_runs(plan: Plan, forecasts: Mapping[ActionId, Forecast], history: History) -> Estimate:
    """Estimate the actions that are expected to run; those that cargo decides take as before, or almost none."""
    runs = (action for action, each in forecasts.items() if each.expectation is Expectation.RUNS)
    return _estimate(plan, runs, history)


def estimate_all(plan: Plan, history: History) -> Estimate:
    """Estimate a whole plan without any kept result, if variants take the same attempts as last time."""
    awaited = set(plan.awaited())
    for build in plan.builds:
        taken = (each for each in build.attempts if each.name == history.attempts.get(build.name))
        awaited |= {action for attempt in taken for action in plan.serving(build, attempt)}
    timed = [action.id for action in plan.actions if action.id in awaited]
    return _estimate(plan, [*timed, *(() if plan.measure is None else (plan.measure.id,))], history)


def _estimate(plan: Plan, actions: Iterable[ActionId], history: History) -> Estimate:
    each_s = {action: history.duration_s(action) for action in actions}
    peaks_bytes = [history.peaks_bytes[action] for action in each_s if action in history.peaks_bytes]
    return Estimate(
        each_s=each_s,
        overlap=history.overlap,
        measure=None if plan.measure is None else plan.measure.id,
        memory_bytes=max(peaks_bytes, default=None),
        disk_bytes=history.disk_bytes,
    )


@dataclass(slots=True, kw_only=True)
class _Forecaster:
    """Goes through a plan in its order, with the results of earlier runs.

    Attributes:
        kept: The kept results.
        runs: The labels of actions that are expected to run; actions that need them run as well.
        found: What was found, by the ids of this plan.
    """

    plan: Plan
    history: History
    kept: Kept
    runs: dict[ActionId, str] = field(default_factory=dict)
    found: dict[ActionId, object] = field(default_factory=dict)
    results: Results = field(init=False)
    awaited: frozenset[ActionId] = field(init=False)

    def __post_init__(self) -> None:
        self.results = Results(self.found)
        self.awaited = self.plan.awaited()

    def look_at(self, action: Action[object]) -> Forecast:
        """The expectation for an action."""
        kind, waits_for = kind_of(action), self._waits_for(action.needs)
        is_known = waits_for is None or not kind.depends_on_needs
        kept = kind.find_kept(action, self.results, self.kept) if is_known else None
        if kept is not None and waits_for is None:
            self.found[action.id] = kept
            return self._forecast(action, kind.outlook.expectation, kind.outlook.kept)
        why = f"after {waits_for!r}"
        if kept is None and is_known:
            was_done = self.history.duration_s(action.id) is not None and kind.depends_on_needs
            why = kind.outlook.changed if was_done else kind.outlook.never_done
        return self.expect_run(action, why, is_awaited=action.id in self.awaited)

    def expect_run(self, entry: Entry[object], why: str, *, is_awaited: bool = True) -> Forecast:
        """The expectation for an action without a kept result."""
        self.runs[entry.id] = entry.label
        return self._forecast(entry, Expectation.RUNS if is_awaited else Expectation.ONLY_IF, why)

    def look_at_measure(self, measure: Measure, records: RecordStore, host: HostRecord) -> Forecast:
        """The expectation for the measurement."""
        if (waits_for := self._waits_for(measure.needs)) is not None:
            return self.expect_run(measure, f"after {waits_for!r}")
        key = measurement_key(measure, self.results, self.kept.hashes, host)
        outlook = Outlook()
        if find_earlier(key, measure, records) is not None:
            return self._forecast(measure, outlook.expectation, outlook.kept)
        was_done = self.history.duration_s(measure.id) is not None
        return self.expect_run(measure, outlook.changed if was_done else outlook.never_done)

    def choose(self, choice: Choice) -> None:
        """Take the binaries of the attempt that was taken last time, or of the first one."""
        last = self._last_attempt(choice)
        self._pass_on(
            choice, [next((each for each in choice.attempts if each.name == last), choice.attempts[0]).binaries]
        )

    def gather(self, gathering: Gathering) -> None:
        """Take the binaries that were built one by one."""
        self._pass_on(gathering, list(gathering.programs.values()))

    def _pass_on(self, entry: Entry[object], sources: list[Id[Binaries]]) -> None:
        if (waits_for := self._waits_for(sources)) is not None:
            self.runs[entry.id] = waits_for
        else:
            each = [self.results[source] for source in sources]
            self.found[entry.id] = each[0] if len(each) == 1 else gather(each)

    def _waits_for(self, needs: Iterable[ActionId]) -> str | None:
        return next((self.runs[need] for need in needs if need in self.runs), None)

    def _forecast(self, entry: Entry[object], expectation: Expectation, why: str) -> Forecast:
        last_s = self.history.duration_s(entry.id)
        return Forecast(action=entry.id, expectation=expectation, why=why, last_s=last_s)

    def _last_attempt(self, choice: Choice) -> str | None:
        names = {build.name for build in self.plan.builds if choice.id in build.made}
        names |= {fold.variant for fold in self.plan.folds if choice.id in fold.build.made}
        return next((name for each in names if (name := self.history.attempts.get(each)) is not None), None)
