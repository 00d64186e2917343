"""Progress as data: what the layers below `cli` report about a run in progress."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from optbuild.errors import OptbuildError


class Level(StrEnum):
    """How much a notice or finding matters."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunExpected:
    """What a run will do, estimated from the durations of its actions in earlier runs.

    Attributes:
        each_s: What each action adds to the time of the run; None if unknown.
    """

    each_s: Mapping[str, float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionStarted:
    """An action began.

    Attributes:
        unit: What its steps are called.
        total: How many of them are expected, if known.
        argv: What it runs, if that is one command.
        log: Where the command's output is kept.
        expected_s: How long it took the last time, if known.
    """

    action: str
    label: str
    unit: str = ""
    total: int | None = None
    argv: tuple[str, ...] = ()
    log: Path | None = None
    expected_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionProgressed:
    """An action has made progress: `done` of its steps; `detail` names the latest.

    Attributes:
        total: How many steps there are, if that has become known only now.
        unit: What they are called, likewise.
    """

    action: str
    done: int
    detail: str = ""
    total: int | None = None
    unit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionFinished:
    """An action succeeded; `outcome` says in a few words what it produced."""

    action: str
    label: str
    duration_s: float
    reused: bool = False
    outcome: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionFailed:
    """An action failed; the error itself follows as an exception or in the record."""

    action: str
    label: str
    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignText:
    """A program's own text that users should see now, such as rustc's diagnostics. Not yet sanitised."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something worth reporting. Warnings are kept in the record under `code`."""

    level: Level
    code: str
    message: str
    help: str = ""


Event = RunExpected | ActionStarted | ActionProgressed | ActionFinished | ActionFailed | ForeignText | Notice
Emit = Callable[[Event], None]


def labelled(emit: Emit, name: str) -> Emit:
    """Pass events on that say what they are about, where several such things emit the same ones."""

    def pass_on(event: Event) -> None:
        if isinstance(event, Notice):
            event = replace(event, message=f"{name}: {event.message}")
        elif isinstance(event, ActionStarted | ActionFinished | ActionFailed):
            event = replace(event, action=f"{name} {event.action}", label=f"{name}: {event.label}")
        elif isinstance(event, ActionProgressed):
            event = replace(event, action=f"{name} {event.action}")
        emit(event)

    return pass_on


_current_action: ContextVar[str] = ContextVar("current_action", default="")


@contextmanager
def about_action(action: str) -> Iterator[None]:
    """Attribute to this action the events of this thread that name none, while in the context."""
    token = _current_action.set(action)
    try:
        yield
    finally:
        _current_action.reset(token)


def current_action() -> str:
    """The action that this thread's events are about now; empty if there is none."""
    return _current_action.get()


@dataclass(slots=True)
class Ending:
    """What is reported of an action that succeeds; fields as in `ActionFinished`."""

    reused: bool = False
    outcome: str = ""


@contextmanager
def reported(emit: Emit, action: str, label: str) -> Iterator[Ending]:
    """Tell that an action begins, and how it ends; what it produced is put into what this gives."""
    began_s, ending = time.monotonic(), Ending()
    emit(ActionStarted(action=action, label=label))
    try:
        yield ending
    except OptbuildError:
        emit(ActionFailed(action=action, label=label, duration_s=time.monotonic() - began_s))
        raise
    duration_s = time.monotonic() - began_s
    emit(
        ActionFinished(action=action, label=label, duration_s=duration_s, reused=ending.reused, outcome=ending.outcome)
    )
