"""Send units to a cluster and collect their results, whatever dies meanwhile. Read `dispatch` first.

Only a few units are with the cluster at a time, so neither its scheduler nor this program grows with the fleet.
"""

from __future__ import annotations

import hashlib
import queue
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from distributed import Client, Future

from optbuild.errors import OptbuildError, ToolchainError
from optbuild.events import ActionFinished, ActionProgressed, ActionStarted, Emit, Level, Notice
from optbuild.fleet.actions import Action, parse_outcome, render_action
from optbuild.fleet.cluster import Crew, find_crew, resource_of
from optbuild.fleet.ending import end_unit
from optbuild.fleet.parcels import Contents
from optbuild.fleet.results import UnitResult
from optbuild.fleet.units import Unit
from optbuild.text import sanitize_line

_OF_THE_MACHINE = frozenset({ToolchainError.exit_code, 17})
"""Exit codes of what another machine may not lack: a tool, or space on its disk."""
_MOST_ATTEMPTS = 3
_LOOK_S = 5.0
_ACTION = "fleet"
_ROLES = ("build", "bench")


class SchedulerLostError(Exception):
    """The connection to the scheduler is gone, and with it all that it knew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What is called on workers.

    Attributes:
        build: Takes an action as JSON, and contents.
        measure: Takes the action, and what `build` gave.
    """

    build: Callable[[str, Contents], Any]
    measure: Callable[[str, Any], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A cluster and how it is used.

    Attributes:
        address: The scheduler's.
        connect: Connects to it.
        work: What is called on its workers.
        patience_s: How long to wait for a scheduler or for workers that are gone.
    """

    address: str
    connect: Callable[[str], AbstractContextManager[Client]]
    work: Work
    emit: Emit
    patience_s: float = 600.0
    clock: Callable[[], float] = time.monotonic


@dataclass(slots=True, kw_only=True)
class _Flight:
    """A unit that is with the cluster.

    Attributes:
        avoid: Workers that lacked something.
        sent: How often it was submitted.
        bound_to: For each task the workers that may do it; empty stands for all of its role.
    """

    unit: Unit
    attempt: int = 1
    avoid: frozenset[str] = frozenset()
    sent: int = 0
    bound_to: Mapping[str, frozenset[str]] = field(default_factory=dict)
    futures: tuple[Future[Any], ...] = ()

    def is_stranded(self, crew: Crew) -> bool:
        """Whether a task waits for workers of which none is left: Dask would wait for them for ever."""
        return any(bound and bound.isdisjoint(crew.of_role(role)) for role, bound in self.bound_to.items())


def dispatch(
    units: tuple[Unit, ...], prepare: Callable[[Unit], tuple[Action, Contents]], site: Site
) -> Iterator[UnitResult]:
    """Do units on a cluster; each result comes as soon as it is there, and each unit once.

    Args:
        units: What to do.
        prepare: What to send for a unit; called shortly before it is sent.
        site: Where.

    Raises:
        ToolchainError: Nobody answers, or the cluster lacks a kind of worker, now or for too long.
        InterruptedRunError: A signal arrived; what runs on workers goes on to its end, and counts for nothing.
    """
    waiting = deque(_Flight(unit=unit) for unit in units)
    progress = _Progress(site=site, total=len(units))
    progress.begin()
    lost_s: float | None = None
    while waiting:
        try:
            with site.connect(site.address) as client:
                if lost_s is None:
                    find_crew(client).require(site.address)
                    site.emit(_note("dashboard", f"Dask's dashboard of this cluster: {client.dashboard_link}"))
                trip = _Trip(client=client, site=site, waiting=waiting, prepare=prepare)
                for result in trip.run():
                    lost_s = None
                    progress.advance(result.unit)
                    yield result
        except (SchedulerLostError, ToolchainError) as error:
            if isinstance(error, ToolchainError) and lost_s is None:
                raise
            lost_s = site.clock() if lost_s is None else lost_s
            if site.clock() - lost_s > site.patience_s:
                raise _gave_up(site) from error
            site.emit(_note("scheduler-lost", f"the scheduler at {site.address} is gone; waiting for it to come back"))
            time.sleep(min(_LOOK_S, site.patience_s))
    progress.end()


@dataclass(slots=True, kw_only=True)
class _Trip:
    """One connection to the cluster, and the units that are with it."""

    client: Client
    site: Site
    waiting: deque[_Flight]
    prepare: Callable[[Unit], tuple[Action, Contents]]
    flights: dict[str, _Flight] = field(default_factory=dict)
    ended: queue.SimpleQueue[str] = field(default_factory=queue.SimpleQueue)
    known_strangers: set[str] = field(default_factory=set)
    lacking_since_s: float | None = None
    looked_at_s: float = -_LOOK_S

    def run(self) -> Iterator[UnitResult]:
        """Keep the cluster busy until nothing is waiting; where it is lost, everything that is with it waits again."""
        crew = self._look()
        try:
            while self.waiting or self.flights:
                while self.waiting and len(self.flights) < _room(crew):
                    if (failed := self._send(self.waiting.popleft(), crew)) is not None:
                        yield failed
                try:
                    key = self.ended.get(timeout=1.0)
                except queue.Empty:
                    crew = self._look_again(crew)
                    continue
                if (flight := self.flights.pop(key, None)) is not None:
                    yield from self._collect(flight, crew)
        finally:
            self.waiting.extendleft(replace(flight, futures=()) for flight in reversed(self.flights.values()))
            self.flights.clear()

    def _send(self, flight: _Flight, crew: Crew) -> UnitResult | None:
        """Submit a unit; its result, if it cannot even be sent."""
        started = _now()
        try:
            action, contents = self.prepare(flight.unit)
        except OptbuildError as error:
            if error.exit_code == OptbuildError.exit_code:  # a signal, or a bug: not the unit's
                raise
            return end_unit(flight.unit, (started, _now()), identity=None, error=error)
        text = render_action(action)
        key = f"{flight.unit.id}-{hashlib.sha256(text.encode()).hexdigest()[:12]}-{flight.sent}"
        bound_to = {
            role: frozenset(crew.of_role(role)) - flight.avoid if flight.avoid else frozenset[str]() for role in _ROLES
        }
        build = self._submit("build", key, (text, contents), bound_to["build"])
        measure = self._submit("bench", key, (text, build), bound_to["bench"])
        sent = replace(flight, futures=(build, measure), sent=flight.sent + 1, bound_to=bound_to)
        self.flights[str(measure.key)] = sent
        measure.add_done_callback(lambda future: self.ended.put(str(future.key)))
        return None

    def _submit(self, role: str, key: str, arguments: tuple[Any, ...], bound_to: frozenset[str]) -> Future[Any]:
        """Submit one of the two tasks of a unit.

        Not with `allow_other_workers`: once those that are named are gone, it would allow workers of the other role.
        """
        work: Callable[..., Any] = self.site.work.build if role == "build" else self.site.work.measure
        return self.client.submit(
            work,
            *arguments,
            key=f"optbuild-{role}-{key}",
            resources={resource_of(role): 1},
            workers=sorted(bound_to) or None,
            pure=False,
        )

    def _recall_stranded(self, crew: Crew) -> None:
        """Let units wait again that are bound to workers which are gone."""
        for key in [key for key, flight in self.flights.items() if flight.is_stranded(crew)]:
            flight = self.flights.pop(key)
            self.client.cancel(list(flight.futures), force=True)
            self.waiting.appendleft(replace(flight, futures=()))

    def _collect(self, flight: _Flight, crew: Crew) -> Iterator[UnitResult]:
        """The result of a unit that has ended; nothing where it is tried on another worker."""
        measure = flight.futures[-1]
        if measure.status not in {"finished", "error"}:
            self.flights[str(measure.key)] = flight  # it waits again
            raise SchedulerLostError
        try:
            gave_up = measure.exception()
            text = "" if gave_up is not None else measure.result()
        except OSError as error:  # the scheduler is gone before it has handed over what it announced
            self.flights[str(measure.key)] = flight
            raise SchedulerLostError from error
        if gave_up is not None:
            yield _failed(flight.unit, gave_up)
            return
        outcome = parse_outcome(text)
        avoid = flight.avoid | {outcome.worker}
        crew = self._look() if outcome.result.exit_code in _OF_THE_MACHINE else crew
        of_this_role = crew.benches if outcome.worker in crew.benches else crew.builders
        others = bool(set(of_this_role) - avoid)
        if outcome.result.exit_code in _OF_THE_MACHINE and flight.attempt < _MOST_ATTEMPTS and others:
            message = f"{flight.unit.label}: {outcome.worker} cannot do it, and another worker tries"
            self.site.emit(_note("another-worker", message))
            again = _Flight(unit=flight.unit, attempt=flight.attempt + 1, avoid=avoid, sent=flight.sent)
            self.waiting.appendleft(again)
            return
        yield outcome.result

    def _look_again(self, crew: Crew) -> Crew:
        if self.site.clock() - self.looked_at_s < _LOOK_S:
            return crew
        return self._look()

    def _look(self) -> Crew:
        """Find out which workers there are now; not for ever none."""
        if self.client.status != "running":
            raise SchedulerLostError
        self.looked_at_s = self.site.clock()
        try:
            crew = find_crew(self.client)
        except OSError as error:
            raise SchedulerLostError from error
        for stranger in crew.strangers:
            if stranger not in self.known_strangers:
                self.known_strangers.add(stranger)
                advice = "install the same version on all machines"
                message = f"the worker {stranger} gets nothing to do: it has another version"
                self.site.emit(Notice(level=Level.WARNING, code="another-version", message=message, help=advice))
        self._recall_stranded(crew)
        if crew.builders and crew.benches:
            self.lacking_since_s = None
        elif self.lacking_since_s is None:
            self.lacking_since_s = self.looked_at_s
        elif self.looked_at_s - self.lacking_since_s > self.site.patience_s:
            crew.require(self.site.address)
        return crew


@dataclass(slots=True, kw_only=True)
class _Progress:
    """How far a fleet is, as one action."""

    site: Site
    total: int
    done: int = 0
    began_s: float = 0.0

    def begin(self) -> None:
        self.began_s = self.site.clock()
        self.site.emit(ActionStarted(action=_ACTION, label="fleet", unit="units", total=self.total))

    def advance(self, unit: Unit) -> None:
        self.done += 1
        self.site.emit(ActionProgressed(action=_ACTION, done=self.done, detail=unit.label, total=self.total))

    def end(self) -> None:
        duration_s = self.site.clock() - self.began_s
        outcome = f"{self.done} units"
        self.site.emit(ActionFinished(action=_ACTION, label="fleet", duration_s=duration_s, outcome=outcome))


def _room(crew: Crew) -> int:
    """How many units may be with the cluster: enough that no worker waits for one."""
    return 2 * (len(crew.builders) + len(crew.benches)) or 1


def _failed(unit: Unit, error: BaseException) -> UnitResult:
    """The result of a unit that ended by an error of the cluster, not of ours."""
    kind = type(error).__name__
    message = f"the cluster gave it up: {kind}: {sanitize_line(str(error).partition(chr(10))[0])}"
    advice = "see the log of the workers; a worker that runs out of memory is killed: give it more, or run a shard"
    now = _now()
    return end_unit(unit, (now, now), identity=None, error=ToolchainError(message, help=advice))


def _gave_up(site: Site) -> ToolchainError:
    return ToolchainError(
        f"the scheduler at {site.address} did not come back within {site.patience_s:.0f} s; finished units are kept",
        help="start it again, and run the same command: it goes on",
        location=site.address,
    )


def _note(code: str, message: str) -> Notice:
    return Notice(level=Level.INFO, code=code, message=message)


def _now() -> datetime:
    return datetime.now(UTC)
