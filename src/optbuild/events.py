"""Progress as data: what the layers below `cli` tell about a run while it goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Level(StrEnum):
    """How much a notice or finding matters."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunExpected:
    """What a run that begins will do, by what its actions took in earlier runs.

    Attributes:
        each_s: What each action adds to the time of the run; None where that is not known.
    """

    each_s: Mapping[str, float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionStarted:
    """An action began.

    Attributes:
        unit: What its steps are called.
        total: How many of them are expected, where that is known.
        argv: What it runs, where that is one command.
        log: Where what the command says is kept.
        expected_s: How long it took the last time, where that is known.
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
    """An action got further: `done` of its steps; `detail` names the latest.

    Attributes:
        total: How many steps there are, where that has become known only now.
        unit: What they are called, likewise.
    """

    action: str
    done: int
    detail: str = ""
    total: int | None = None
    unit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionFinished:
    """An action ended well; `outcome` says in a few words what came of it."""

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
    """A program's own text that people should see now, such as rustc's diagnostics. Not yet sanitised."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something worth telling. Warnings are kept in the record under `code`."""

    level: Level
    code: str
    message: str
    help: str = ""


Event = RunExpected | ActionStarted | ActionProgressed | ActionFinished | ActionFailed | ForeignText | Notice
Emit = Callable[[Event], None]

_told_of: ContextVar[str] = ContextVar("told_of", default="")


@contextmanager
def telling_of(action: str) -> Iterator[None]:
    """Within it, events that do not say so themselves are of this action, as far as this thread tells them."""
    token = _told_of.set(action)
    try:
        yield
    finally:
        _told_of.reset(token)


def told_of() -> str:
    """The action that is told of now; empty where it is none."""
    return _told_of.get()
