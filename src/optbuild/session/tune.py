"""`optbuild tune`: build the candidates, let them race, confirm the winner. Read `tune` first: it shows the search."""

from __future__ import annotations

import math
from dataclasses import replace

from optbuild.errors import OptbuildError, WorkloadTimeoutError
from optbuild.events import Event, Level, Notice
from optbuild.files import remove_below
from optbuild.measure.arms import Arms
from optbuild.measure.contest import Contest
from optbuild.measure.memory import Memory, open_memory
from optbuild.measure.model import AaVerdict, Verdict
from optbuild.measure.promise import Effect, Promise, find_promising
from optbuild.measure.race import make_rule
from optbuild.measure.sampling import stay_to_the_end
from optbuild.measure.settings import SamplingSettings
from optbuild.measure.warnings import WarningKind
from optbuild.plan.fingerprint import make_action_id
from optbuild.plan.kinds.check_outputs import ProbeOutputs
from optbuild.profile.search_choices import Objective
from optbuild.profile.stages import Stages
from optbuild.record.describe_search import find_sizes
from optbuild.record.host import describe_host
from optbuild.record.model import RunRecord
from optbuild.record.store import RecordStore
from optbuild.session.course import Course, Heat, without
from optbuild.session.earlier import WAITING, is_unproven, measurement_key, tells_more
from optbuild.session.measuring import measure, sampling_settings
from optbuild.session.race import Race
from optbuild.session.request import Machine
from optbuild.session.run import begun, build, find_arms, is_reusable
from optbuild.session.search import TuneRequest, foretell, prepare_search
from optbuild.units import format_duration, format_minutes, format_percent

_DOUBTS = frozenset(
    map(
        str,
        (WarningKind.TREND, WarningKind.AUTOCORRELATION, WarningKind.FRAGILE, WarningKind.HARNESS_DIFFERS),
    )
)
"""Warnings about numbers and verdicts that a race does not give."""


def tune(request: TuneRequest, machine: Machine) -> RunRecord:
    """Search for the best variant, and keep the record.

    Raises:
        OptbuildError: The search could not begin.
        RunFailedError: It began and failed; what was found is kept and in the record.
    """
    search = prepare_search(request, machine, trusted=True)
    with begun(search.prepared, replace(request.run, keep_going=True), machine) as ledger:
        course = Course(search=search, ledger=ledger)
        try:
            return _run(course)
        except OptbuildError:
            ledger.search = course.describe()
            raise


def _run(course: Course) -> RunRecord:
    ledger, search = course.ledger, course.search
    for line in foretell(search, ledger.history):
        _say(course, line)
    _build_first(course)
    _require_candidates(course)
    ledger.result_key = _search_key(course)
    earlier = _find_earlier(course, ledger.result_key)
    if earlier is not None:
        return earlier
    if search.objective is Objective.SIZE:
        _build_combinations(course, _find_smaller(course))
        _race(course)
    else:
        screening = _race(course)
        if _build_combinations(course, _promise_of(course, screening)):
            _race(course, after=screening)
    _choose(course)
    _confirm(course)
    ledger.search = course.describe()
    record = ledger.close()
    _forget_rounds(course)
    return record


def _build_first(course: Course) -> None:
    """Build everything that does not wait for what others show."""
    course.making.leave_out(dict.fromkeys(course.search.stages.combined, WAITING))
    build(course.ledger, course.making)


def _require_candidates(course: Course) -> None:
    """Refuse to race without anything that could win."""
    built, search = course.ledger.built, course.search
    if any(each.name in find_sizes(built) for each in search.candidates):
        return
    if built.failures:
        raise next(iter(built.failures.values()))
    raise WorkloadTimeoutError(
        f"the budget of {format_duration(search.budget_s)} ended before a candidate was built",
        help="give it more: optbuild tune --budget 2h; what is built is kept, and the next search begins with it",
    )


def _search_key(course: Course) -> str:
    """What a later search finds this one by."""
    search = course.search
    candidates = [(each.name, each.settings, each.name in search.stages.combined) for each in search.candidates]
    asked = (search.objective, search.max_size_growth, candidates)
    return make_action_id("search", asked, _contest_key(course))


def _find_earlier(course: Course, key: str) -> RunRecord | None:
    """The record of the same search, if nothing has changed since, and more time would change nothing."""
    ledger = course.ledger
    if ledger.request.fresh:
        return None
    earlier = RecordStore(directory=ledger.prepared.layout.runs).find_complete(key)
    if (
        earlier is None
        or earlier.search is None
        or tells_more(earlier.search, budget_s=course.search.budget_s, max_time_s=course.max_time_s)
    ):
        return None
    message = f"nothing has changed since search {earlier.run_id}: showing its result (--fresh searches again)"
    ledger.emit(Notice(level=Level.INFO, code="reused-run", message=message))
    return earlier


def _contest_key(course: Course) -> str:
    """Everything that decides what rounds of this search belong to: binaries, inputs, settings and the machine."""
    ledger = course.ledger
    return measurement_key(course.action, ledger.built.results, ledger.prepared.hashes, describe_host())


def _race(course: Course, after: Heat | None = None) -> Heat:
    """Let the candidates race.

    Args:
        course: The search.
        after: The screening, if combinations were built since: those that left in it take no part. None begins one.
    """
    ledger, search = course.ledger, course.search
    arms = find_arms(ledger, course.action)
    candidates = {each.name for each in search.candidates} - course.find_barred().keys()
    left = {} if after is None else after.race.leavers
    arms = without(arms, [name for name in arms.candidates if name not in candidates or name in left])
    asked = ledger.prepared.build_profile.measure
    error = 1 - asked.confidence if after is None else after.race.rule.error_left(after.race.looked)
    is_screening = after is None and search.objective is Objective.TIME
    race = Race(
        rule=make_rule(len(arms.names), min_effect=asked.min_effect, error=error),
        baseline=arms.baseline,
        preference=course.preference(arms),
        stages=search.stages.renamed(course.find_equals()) if is_screening else Stages(),
        leavers={name: leaver for name, leaver in left.items() if name == arms.baseline},
    )
    memory = _open_memory(course, "screening" if after is None else "race", arms)
    heat = Heat(race=race, resumed_rounds=len(memory.rounds))
    most_s, _ = course.racing_s()
    course.heats.append(heat)
    began_s = course.clock()
    try:
        if len(race.candidates) > 1:
            settings = replace(
                sampling_settings(ledger.prepared),
                max_time_s=most_s,
                looks=race.rule.looks,
                counting_share=0.0,
                allocations_share=0.0,
            )
            found = _measure(course, arms, settings, memory, race)
            heat.is_sound = not found.silent and found.analysis.aa.verdict is not AaVerdict.INVALID
    finally:
        heat.duration_s = course.clock() - began_s
    return heat


def _promise_of(course: Course, screening: Heat) -> Promise:
    """The combinations that a screening makes worth building."""
    race, combined = screening.race, course.search.stages.combined
    if course.search.stages.reference not in find_sizes(course.ledger.built):
        return Promise(kept=tuple(combined))  # nothing was learnt
    if not screening.is_sound:
        return Promise(refused=dict.fromkeys(combined, "not built: the times of the screening prove nothing"))
    if race.promise is None and (race.rounds >= race.rule.looks[0] or len(race.candidates) <= 1):
        race.decide(race.rounds)
    return race.promise or Promise(refused=dict.fromkeys(combined, WAITING))


def _find_smaller(course: Course) -> Promise:
    """The combinations that promise to be smaller; sizes are exact."""
    stages, sizes = course.search.stages, find_sizes(course.ledger.built)
    if stages.reference not in sizes:
        return Promise(kept=tuple(stages.combined))
    logs = {name: math.log(size / sizes[stages.reference]) for name, size in sizes.items()}
    alone = {change: logs[arm] for change, arm in stages.alone.items() if arm in logs}
    effects = {change: Effect(estimate=log, low=log, high=log) for change, log in alone.items()}
    return find_promising(stages, effects, logs, margin=0.0)


def _build_combinations(course: Course, promise: Promise) -> bool:
    """Build the combinations that promise to pay; return whether there are any."""
    if not course.search.stages.combined:
        return False
    course.refused = promise.refused
    course.making.leave_out(promise.refused)
    kept, refused = len(promise.kept), len(promise.refused)
    if kept:
        _say(
            course,
            f"built as well, by what their settings bring alone: {', '.join(promise.kept)}; {refused} others are not",
        )
        build(course.ledger, course.making)
    else:
        _say(course, f"no combination promises more than what was measured: {refused} are not built")
    return kept > 0


def _choose(course: Course) -> None:
    """Choose the winner by what is asked for; the baseline if the times say nothing."""
    final, search = course.final, course.search
    last = course.heats[-1]
    if search.objective is Objective.SIZE:
        sizes, preference = find_sizes(course.ledger.built), last.race.preference
        course.winner = min((arm for arm in preference if arm in sizes), key=lambda arm: (sizes[arm], preference[arm]))
    elif len(last.race.candidates) == 1:  # the confirmation decides
        (course.winner,) = last.race.candidates
    elif final is None or not all(heat.is_sound for heat in course.heats):
        course.winner = search.baseline.name
    else:
        course.winner = final.race.winner()
    _announce_winner(course, final)


def _announce_winner(course: Course, final: Heat | None) -> None:
    """Say what was chosen, and what it could not be distinguished from."""
    winner, is_size = course.winner, course.search.objective is Objective.SIZE
    if final is None:
        if winner == course.search.baseline.name:
            _say(course, f"there was no time for a single round: the choice is {winner}")
        return
    message = f"after {final.race.rounds} rounds the choice is {winner}"
    undecided, detectable = final.undecided()
    if undecided and not is_size:
        unseen = "any difference" if detectable is None else f"{format_percent(detectable).lstrip('+')}"
        message += f"; {unseen} between it and {', '.join(undecided)} might have gone unseen"
        if final.would_go_on():
            message += f"; another search goes on from here: {_describe_more_time(course)}"
    _say(course, message)


def _describe_more_time(course: Course) -> str:
    """The option that gives races twice the time."""
    _, is_budget = course.racing_s()
    if is_budget:
        return f"--budget {format_minutes(2 * course.search.budget_s)}"
    return f"--max-time {format_minutes(2 * course.max_time_s)}"


def _confirm(course: Course) -> None:
    """Measure the winner against the baseline in fresh rounds: its own in the race flatter it."""
    ledger, winner = course.ledger, course.winner
    arms = find_arms(ledger, course.action)
    if winner is None or winner == arms.baseline:
        return
    arms = without(arms, [name for name in arms.candidates if name != winner])
    settings = replace(sampling_settings(ledger.prepared), max_time_s=min(course.left_s(), course.max_time_s))
    ledger.measured = found = _measure(course, arms, settings, _open_memory(course, "confirm", arms))
    course.confirmation = next((each for each in found.analysis.comparisons if each.workload is None), None)
    if course.confirmation is not None and course.confirmation.verdict in {Verdict.SLOWER, Verdict.INVALID}:
        _take_back(course, f"{winner} did not confirm what it showed in the race")
    elif course.confirmation is None and course.final is None:
        _take_back(course, f"there was no time for a single round of {winner}")
    if not is_reusable(found.analysis, course.action.workloads, ledger.prepared.hashes):
        ledger.result_key = None


def _take_back(course: Course, reason: str) -> None:
    """The winner is slower than the baseline, or nothing can be said: unless size was asked for, the baseline stays."""
    if course.search.objective is Objective.TIME:
        message = f"{reason}: {course.search.baseline.name} stays"
        course.ledger.emit(Notice(level=Level.WARNING, code="not-confirmed", message=message))
        course.winner = course.search.baseline.name


def _measure(
    course: Course, arms: Arms, settings: SamplingSettings, memory: Memory, race: Race | None = None
) -> Contest:
    """Measure some of the arms, in a race or to the end.

    The doubts about single numbers of a race are nobody's concern: they prove nothing.
    """
    ledger, doubts = course.ledger, frozenset[str]() if race is None else _DOUBTS

    def emit(event: Event) -> None:
        if not (isinstance(event, Notice) and event.code in doubts):
            ledger.emit(event)

    run_s = {probe.workload.name: ledger.built.results[probe.id].run_s for probe in ledger.plan.of_kind(ProbeOutputs)}
    machine = replace(ledger.machine, emit=emit)
    action = replace(course.action, label="confirm the winner" if race is None else "race")
    return measure(
        arms,
        action,
        ledger.prepared,
        machine,
        run_s=run_s,
        settings=settings,
        leaving=stay_to_the_end if race is None else race,
        memory=memory,
    )


def _open_memory(course: Course, stage: str, arms: Arms) -> Memory:
    """The rounds of a stage that an earlier search has taken, if it was the same search and was not decided."""
    layout, ledger = course.ledger.prepared.layout, course.ledger
    key = make_action_id(stage, arms.names, _contest_key(course))
    path = layout.search / f"{stage}.rounds"
    if ledger.request.fresh:
        remove_below(layout.root, path)
    memory = open_memory(path, key)
    if memory.rounds:
        message = f"{stage}: going on after {len(memory.rounds)} rounds of an earlier search"
        ledger.emit(Notice(level=Level.INFO, code="resumed", message=message))
    return memory


def _forget_rounds(course: Course) -> None:
    """Remove the rounds of a search that came to its end; where more time could decide more, only what confirmed it."""
    layout, final, objective = course.ledger.prepared.layout, course.final, course.search.objective
    would_go_on = objective is Objective.TIME and final is not None and final.would_go_on()
    is_open = would_go_on or is_unproven(objective, course.confirmation)
    remove_below(layout.root, layout.search / "confirm.rounds" if is_open else layout.search)


def _say(course: Course, message: str) -> None:
    course.ledger.emit(Notice(level=Level.INFO, code="search", message=message))
