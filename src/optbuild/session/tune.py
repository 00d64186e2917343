"""`optbuild tune`: build the candidates, let them race, confirm the winner. Read `tune` first: it shows the search."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace

from optbuild.errors import OptbuildError, WorkloadTimeoutError
from optbuild.events import Event, Level, Notice
from optbuild.files import claim_directory, remove_below
from optbuild.measure.arms import Arms
from optbuild.measure.contest import Contest
from optbuild.measure.memory import Memory, open_memory
from optbuild.measure.model import AaVerdict, Comparison, Verdict
from optbuild.measure.race import make_rule
from optbuild.measure.warnings import WarningKind
from optbuild.plan.fingerprint import make_action_id
from optbuild.plan.kinds.check_outputs import ProbeOutputs
from optbuild.plan.measure import Measure
from optbuild.profile.candidates import risk_of
from optbuild.profile.search_choices import Objective
from optbuild.record.describe_search import (
    RaceFindings,
    describe_candidates,
    describe_factors,
    describe_screening,
    find_sizes,
    pareto_of,
)
from optbuild.record.host import describe_host
from optbuild.record.lock import hold_lock
from optbuild.record.model import RunRecord
from optbuild.record.search import SearchRecord
from optbuild.record.store import RecordStore
from optbuild.session.earlier import measurement_key
from optbuild.session.ledger import Ledger
from optbuild.session.measuring import measure, sampling_settings
from optbuild.session.prepare import load_history
from optbuild.session.race import Race
from optbuild.session.request import Machine
from optbuild.session.run import RunFailedError, build, find_arms, is_reusable, warn_of_unpassed
from optbuild.session.search import BUILD_SHARE, Search, TuneRequest, foretell, prepare_search
from optbuild.units import format_duration, format_percent

_CONFIRM_SHARE = 0.25
"""Of the budget at most: what is kept for confirming the winner."""
_DOUBTS = frozenset(
    map(
        str,
        (WarningKind.TREND, WarningKind.AUTOCORRELATION, WarningKind.FRAGILE, WarningKind.HARNESS_DIFFERS),
    )
)
"""Warnings about numbers and verdicts that a race does not give."""


@dataclass(slots=True, kw_only=True)
class _Course:
    """A search on its way; whatever happens, its record says how far it got.

    Attributes:
        barred: Why candidates that were built take no part in the race.
        equals: For those whose binaries equal another's, that one.
        race: None until it begins.
    """

    search: Search
    ledger: Ledger
    clock: Callable[[], float] = time.monotonic
    barred: dict[str, str] = field(default_factory=dict)
    equals: dict[str, str] = field(default_factory=dict)
    race: Race | None = None
    resumed_rounds: int = 0
    race_s: float = 0.0
    winner: str | None = None
    confirmation: Comparison | None = None
    began_s: float = field(init=False)

    def __post_init__(self) -> None:
        self.began_s = self.clock()
        self.ledger.is_late = lambda: self.elapsed_s() > BUILD_SHARE * self.search.budget_s

    def elapsed_s(self) -> float:
        """The time spent."""
        return self.clock() - self.began_s

    def left_s(self) -> float:
        """The time left."""
        return max(0.0, self.search.budget_s - self.elapsed_s())

    @property
    def confirming_s(self) -> float:
        """The time that is kept for the confirmation."""
        return min(self.ledger.prepared.build_profile.measure.max_time_s, _CONFIRM_SHARE * self.search.budget_s)

    def describe(self) -> SearchRecord:
        """What was found so far."""
        search, built, history = self.search, self.ledger.built, self.ledger.history
        race = self._findings()
        return SearchRecord(
            objective=str(search.objective),
            budget_s=search.budget_s,
            candidates=describe_candidates(search.candidates, built, history, race, self.barred),
            left_out=search.left_out,
            winner=self.winner,
            confirmation=self.confirmation,
            pareto=pareto_of(built, history, race),
            factors=describe_factors(search.factors, self.points(), race),
            screening=None if race is None else describe_screening(race),
        )

    def points(self) -> tuple[tuple[Mapping[str, object], str], ...]:
        """The levels of every combination, and the arm that was measured for it."""
        return tuple((levels, self.equals.get(name, name)) for levels, name in self.search.points)

    def _findings(self) -> RaceFindings | None:
        race = self.race
        if race is None or not race.rounds:
            return None
        return RaceFindings(
            rule=race.rule,
            series=race.series,
            rounds=race.rounds,
            differences=race.differences(),
            first_rounds=race.first_rounds(min(race.rounds, race.rule.looks[0])),
            leavers=race.leavers,
            resumed_rounds=self.resumed_rounds,
            duration_s=self.race_s,
        )


def tune(request: TuneRequest, machine: Machine) -> RunRecord:
    """Search for the best variant, and keep the record.

    Raises:
        OptbuildError: The search could not begin.
        RunFailedError: It began and failed; what was found is kept and in the record.
    """
    search = prepare_search(request, machine, trusted=True)
    layout = search.prepared.layout
    claim_directory(layout.root)
    if layout.artifacts.parent != layout.root:
        claim_directory(layout.artifacts)
    with hold_lock(layout.lock, wait=request.run.wait, emit=machine.emit):
        ledger = Ledger(
            prepared=search.prepared,
            request=replace(request.run, keep_going=True),
            machine=machine,
            history=load_history(layout),
        )
        course = _Course(search=search, ledger=ledger)
        try:
            return _run(course)
        except OptbuildError as error:
            ledger.search = course.describe()
            raise RunFailedError(error, ledger.close(error)) from error


def _run(course: _Course) -> RunRecord:
    ledger, search, layout = course.ledger, course.search, course.ledger.prepared.layout
    for note in search.plan.notes:
        ledger.emit(Notice(level=Level.INFO, code="plan", message=note))
    warn_of_unpassed(ledger)
    for line in foretell(search, ledger.history):
        ledger.emit(Notice(level=Level.INFO, code="search", message=line))
    build(ledger)
    _require_candidates(course)
    earlier = _find_earlier(course)
    if earlier is not None:
        return earlier
    _screen(course)
    _confirm(course)
    ledger.search = course.describe()
    record = ledger.close()
    remove_below(layout.root, layout.search)
    return record


def _require_candidates(course: _Course) -> None:
    """Refuse to race without anything that could win.

    Raises:
        OptbuildError: Every candidate failed, or there was no time for one.
    """
    built, search = course.ledger.built, course.search
    if any(each.name in find_sizes(built) for each in search.candidates):
        return
    if built.failures:
        raise next(iter(built.failures.values()))
    raise WorkloadTimeoutError(
        f"the budget of {format_duration(search.budget_s)} ended before a candidate was built",
        help="give it more: optbuild tune --budget 2h; what is built is kept, and the next search begins with it",
    )


def _find_earlier(course: _Course) -> RunRecord | None:
    """The record of the same search, if nothing has changed since."""
    ledger, search = course.ledger, course.search
    asked = (search.objective, search.max_size_growth, [(each.name, each.settings) for each in search.candidates])
    ledger.result_key = make_action_id("search", asked, _contest_key(course))
    if ledger.request.fresh:
        return None
    earlier = RecordStore(directory=ledger.prepared.layout.runs).find_complete(ledger.result_key)
    if earlier is not None:
        message = f"nothing has changed since search {earlier.run_id}: showing its result (--fresh searches again)"
        ledger.emit(Notice(level=Level.INFO, code="reused-run", message=message))
    return earlier


def _contest_key(course: _Course) -> str:
    """Everything that decides what rounds of this search belong to: binaries, inputs, settings and the machine."""
    ledger, action = course.ledger, _action(course)
    found = ((name, ledger.built.results.find(binaries)) for name, binaries in action.measured())
    arms = [(name, each) for name, each in found if each is not None]
    return measurement_key(action, arms, ledger.prepared.hashes, describe_host())


def _action(course: _Course) -> Measure:
    action = course.search.plan.measure
    assert action is not None  # noqa: S101 - `prepare_search` refuses a search that cannot measure
    return action


def _screen(course: _Course) -> None:
    """Let the candidates race, and choose the winner.

    Raises:
        OptbuildError: A run failed, or an input changed meanwhile; the rounds before it are kept.
    """
    ledger, search = course.ledger, course.search
    arms = find_arms(ledger, _action(course))
    course.equals = _find_equals(course)
    equal = {name: f"its binaries are those of {other}, byte for byte" for name, other in course.equals.items()}
    course.barred = _find_too_large(course) | equal
    candidates = {each.name for each in search.candidates}
    arms = _without(arms, [name for name in arms.candidates if name in course.barred or name not in candidates])
    asked = ledger.prepared.build_profile.measure
    race = Race(
        rule=make_rule(len(arms.names), min_effect=asked.min_effect, confidence=asked.confidence),
        baseline=arms.baseline,
        preference=_preference(search, arms),
    )
    course.race = race
    memory = _open_memory(course, "race", arms)
    course.resumed_rounds = len(memory.rounds)
    began_s, is_sound = course.clock(), True
    try:
        if len(arms.candidates) > 1:
            settings = replace(
                sampling_settings(ledger.prepared),
                max_time_s=max(0.0, course.left_s() - course.confirming_s),
                rounds=race.rule.looks[-1],
                counting_share=0.0,
                allocations_share=0.0,
            )
            found = _measure(course, arms, settings=settings, leaving=race, memory=memory)
            is_sound = not found.silent and found.analysis.aa.verdict is not AaVerdict.INVALID
    finally:
        course.race_s = course.clock() - began_s
    course.winner = _choose(course, race, arms, is_sound=is_sound)
    _announce_winner(course, race)


def _choose(course: _Course, race: Race, arms: Arms, *, is_sound: bool) -> str:
    """The winner of a race by what is asked for; the baseline if the times say nothing."""
    search = course.search
    if search.objective is Objective.TIME and len(arms.candidates) == 1:
        return arms.candidates[0]  # the confirmation decides
    if search.objective is Objective.TIME and (not is_sound or not race.rounds):
        return search.baseline.name
    if search.objective is Objective.TIME:
        return race.winner()
    sizes = find_sizes(course.ledger.built)
    return min((arm for arm in race.preference if arm in sizes), key=lambda arm: (sizes[arm], race.preference[arm]))


def _announce_winner(course: _Course, race: Race) -> None:
    winner, baseline = course.winner, course.search.baseline.name
    if not race.rounds and winner != baseline:
        return
    remaining = len([arm for arm in race.remaining() if arm != baseline])
    message = f"after {race.rounds} rounds, with {remaining} candidates left, the choice is {winner}"
    if not race.rounds:
        message = f"there was no time for a single round: the choice is {winner}"
    course.ledger.emit(Notice(level=Level.INFO, code="search", message=message))


def _confirm(course: _Course) -> None:
    """Measure the winner against the baseline in fresh rounds: its own in the race flatter it.

    Raises:
        OptbuildError: A run failed, or an input changed meanwhile.
    """
    ledger, winner = course.ledger, course.winner
    arms = find_arms(ledger, _action(course))
    if winner is None or winner == arms.baseline:
        return
    arms = _without(arms, [name for name in arms.candidates if name != winner])
    asked = ledger.prepared.build_profile.measure
    most_s = min(course.left_s(), max(asked.max_time_s, course.confirming_s))
    settings = replace(sampling_settings(ledger.prepared), max_time_s=most_s)
    ledger.measured = found = _measure(course, arms, settings=settings, memory=_open_memory(course, "confirm", arms))
    course.confirmation = next((each for each in found.analysis.comparisons if each.workload is None), None)
    if course.confirmation is not None and course.confirmation.verdict in {Verdict.SLOWER, Verdict.INVALID}:
        _take_back(course)
    if not is_reusable(found.analysis, _action(course).workloads, ledger.prepared.hashes):
        ledger.result_key = None


def _take_back(course: _Course) -> None:
    """The winner is slower than the baseline, or nothing can be said: unless size was asked for, the baseline stays."""
    if course.search.objective is Objective.TIME:
        message = f"{course.winner} did not confirm what it showed in the race: {course.search.baseline.name} stays"
        course.ledger.emit(Notice(level=Level.WARNING, code="not-confirmed", message=message))
        course.winner = course.search.baseline.name


def _measure(course: _Course, arms: Arms, **how: object) -> Contest:
    """Measure some of the arms. The doubts about single numbers of a race are nobody's concern: they prove nothing."""
    ledger, doubts = course.ledger, _DOUBTS if "leaving" in how else frozenset()

    def emit(event: Event) -> None:
        if not (isinstance(event, Notice) and event.code in doubts):
            ledger.emit(event)

    run_s = {probe.workload.name: ledger.built.results[probe.id].run_s for probe in ledger.plan.of_kind(ProbeOutputs)}
    machine = replace(ledger.machine, emit=emit)
    action = replace(_action(course), label="race" if "leaving" in how else "confirm the winner")
    return measure(arms, action, ledger.prepared, machine, run_s=run_s, **how)  # type: ignore[arg-type]


def _open_memory(course: _Course, stage: str, arms: Arms) -> Memory:
    """The rounds of a stage that an interrupted search has taken, if it was the same search."""
    layout, ledger = course.ledger.prepared.layout, course.ledger
    key = make_action_id(stage, arms.names, _contest_key(course))
    path = layout.search / f"{stage}.rounds"
    if ledger.request.fresh:
        remove_below(layout.root, path)
    memory = open_memory(path, key)
    if memory.rounds:
        message = f"{stage}: going on after {len(memory.rounds)} rounds of a search that was interrupted"
        ledger.emit(Notice(level=Level.INFO, code="resumed", message=message))
    return memory


def _find_too_large(course: _Course) -> dict[str, str]:
    """The candidates whose binaries are larger than allowed, each with how much."""
    most, sizes = course.search.max_size_growth, find_sizes(course.ledger.built)
    before = sizes[course.search.baseline.name]
    growth = {name: size / before - 1 for name, size in sizes.items()}
    return {
        name: f"it is {format_percent(more)} larger, and max-size-growth is {format_percent(most)}"
        for name, more in growth.items()
        if most is not None and more > most
    }


def _find_equals(course: _Course) -> dict[str, str]:
    """The candidates whose binaries equal those of the baseline or of an earlier candidate, each with that one.

    Tests and benches that cargo runs may still differ: where such a workload is measured, none is left out.
    """
    built, first, equals = course.ledger.built, dict[object, str](), dict[str, str]()
    if any(workload.call is not None for workload in _action(course).workloads):
        return equals
    for variant in course.search.plan.variants:
        if variant.compile is None or not built.is_built(variant):
            continue
        artifacts = built.results[variant.compile].artifacts
        content = frozenset((name, artifact.sha256) for name, artifact in artifacts.items())
        if (other := first.setdefault(content, variant.name)) != variant.name:
            equals[variant.name] = other
    return equals


def _preference(search: Search, arms: Arms) -> Mapping[str, int]:
    """The order in which arms are preferred where times do not decide: the baseline, then cheaper and safer first."""
    risks = {each.name: (risk_of(each.variant, search.baseline), place) for place, each in enumerate(search.candidates)}
    ranked = sorted(arms.candidates, key=lambda name: risks[name])
    return {name: place for place, name in enumerate((arms.baseline, *ranked))}


def _without(arms: Arms, gone: Collection[str]) -> Arms:
    return Arms(
        variants={arm: binaries for arm, binaries in arms.variants.items() if arm.name not in gone},
        programs={
            workload: {arm: own for arm, own in programs.items() if arm.name not in gone}
            for workload, programs in arms.programs.items()
        },
    )
