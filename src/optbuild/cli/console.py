"""Show a run in progress on standard error: a live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import math
import shlex
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import Self

from rich.console import Console as RichConsole
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from optbuild.cli.context import CliContext
from optbuild.errors import OptbuildError, SettingsError
from optbuild.events import (
    ActionFailed,
    ActionFinished,
    ActionProgressed,
    ActionStarted,
    Event,
    ForeignText,
    Level,
    Notice,
    RunExpected,
)
from optbuild.text import sanitize, sanitize_line
from optbuild.units import format_duration

_STYLES = {Level.INFO: "dim", Level.WARNING: "yellow", Level.ERROR: "bold red"}
_QUIET, _VERBOSE = -1, 1
_PLAIN_EVERY_S = 10.0
_SHOWN_FROM_S = 1.0


@dataclass(slots=True)
class _Reported:
    """An action as plain lines report it, and the time of the last such line."""

    started: ActionStarted
    began_s: float
    at_s: float


class _TimeLeftColumn(ProgressColumn):
    """The estimated rest of an action or of the whole run: what `left` says after some seconds."""

    def render(self, task: Task) -> Text:
        left: Callable[[float], str] = task.fields["left"]
        return Text(left(task.elapsed or 0.0))


@dataclass(slots=True)
class _Ahead:
    """The time left of a run, estimated from earlier durations of its actions.

    Attributes:
        each_s: What each action that has not ended adds to the time of the run; None if unknown.
        ends_s: When each running action began, and when it is expected to end.
    """

    clock: Callable[[], float]
    each_s: dict[str, float | None]
    ends_s: dict[str, tuple[float, float]] = field(default_factory=dict)

    def begin(self, started: ActionStarted) -> None:
        """Note that an action has begun; it may report that twice."""
        expected_s = started.expected_s or self.each_s.get(started.action) or 0.0
        self.ends_s.setdefault(started.action, (self.clock(), self.clock() + expected_s))

    def end(self, action: str) -> None:
        """Note that an action has ended, in whatever way."""
        self.each_s.pop(action, None)
        self.ends_s.pop(action, None)

    def describe(self) -> str:
        """How long the rest takes; empty if unknown."""
        shares_s = list(self.each_s.items())  # at once: a separate thread draws the terminal
        left_s = sum(share_s * self._share_left(action) for action, share_s in shares_s if share_s)
        if left_s < _SHOWN_FROM_S:
            return ""
        how = "at least" if any(share_s is None for _, share_s in shares_s) else "about"
        return f"{how} {format_duration(math.ceil(left_s))} left of the whole run"

    def _share_left(self, action: str) -> float:
        times_s = self.ends_s.get(action)
        if times_s is None:
            return 1.0
        began_s, ends_s = times_s
        return max(0.0, ends_s - self.clock()) / max(ends_s - began_s, _SHOWN_FROM_S)


class Console:
    """Shows events and errors on standard error."""

    def __init__(self, context: CliContext, clock: Callable[[], float] = time.monotonic) -> None:
        is_terminal = sys.stderr.isatty()
        colour = context.wants_colour(is_terminal=is_terminal)
        self._verbosity = context.verbosity
        self._debug = context.debug
        self._keep_colour = colour
        self._rich = RichConsole(
            stderr=True,
            no_color=not colour,
            force_terminal=is_terminal if not colour else None,
            color_system="auto" if colour and is_terminal else "standard" if colour else None,
            highlight=False,
            markup=False,
            emoji=False,
            soft_wrap=True,
        )
        mode = context.progress
        if mode == "auto":
            mode = "bar" if is_terminal and context.environ.get("TERM") != "dumb" else "plain"
        if self._verbosity <= _QUIET:
            mode = "none"
        self._mode = mode
        self._progress: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._clock = clock
        self._reported: dict[str, _Reported] = {}
        self._ahead = _Ahead(clock, {})
        unicode = (sys.stderr.encoding or "").lower().startswith("utf")
        self._done, self._failed = ("✓", "✗") if unicode else ("ok", "FAILED")

    def __enter__(self) -> Self:
        if self._mode == "bar":
            self._progress = Progress(
                SpinnerColumn(),
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=24),
                MofNCompleteColumn(),
                TextColumn("{task.fields[unit]} {task.fields[detail]}", markup=False),
                TimeElapsedColumn(),
                _TimeLeftColumn(),
                console=self._rich,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def show(self, event: Event) -> None:
        """Show one event."""
        match event:
            case RunExpected():
                self._expect(event)
            case ActionStarted():
                self._start(event)
            case ActionProgressed():
                self._advance(event)
            case ActionFinished():
                self._finish(event)
            case ActionFailed():
                self._ahead.end(event.action)
                self._forget(event.action)
                self._line(f"{self._failed} {sanitize_line(event.label)}", "red")
            case ForeignText():
                self._foreign(event.text)
            case Notice():
                self._notice(event)

    def _expect(self, event: RunExpected) -> None:
        self._ahead = _Ahead(self._clock, dict(event.each_s))
        if self._progress is not None and self._ahead.describe():
            ahead = self._ahead
            self._progress.add_task("", total=None, unit="", detail="", left=lambda _: ahead.describe())

    def _start(self, event: ActionStarted) -> None:
        label = sanitize_line(event.label)
        self._ahead.begin(event)
        if self._progress is not None:
            self._forget(event.action)
            self._tasks[event.action] = self._progress.add_task(
                label,
                total=event.total,
                unit=event.unit,
                detail="",
                left=partial(describe_time_left, event.expected_s),
            )
        elif self._mode == "plain":
            if event.action not in self._reported:
                self._line(f"  {label} …" if self._done == "✓" else f"  {label} ...")
            self._reported[event.action] = _Reported(event, self._clock(), self._clock())
        if self._verbosity >= _VERBOSE:
            if event.argv:
                self._line(f"    runs {sanitize_line(shlex.join(event.argv))}", "dim")
            if event.log is not None:
                self._line(f"    log {sanitize_line(str(event.log))}", "dim")

    def _advance(self, event: ActionProgressed) -> None:
        if self._progress is not None and event.action in self._tasks:
            detail = sanitize_line(event.detail)
            task = self._tasks[event.action]
            self._progress.update(task, completed=event.done, total=event.total, detail=detail)
            if event.unit:
                self._progress.update(task, unit=event.unit)
        reported = self._reported.get(event.action)
        if reported is not None and self._clock() - reported.at_s >= _PLAIN_EVERY_S:
            reported.at_s = self._clock()
            of_all = reported.started.total if event.total is None else event.total
            total = "" if of_all is None else f" of {of_all}"
            unit = event.unit or reported.started.unit
            if (event.done if of_all is None else of_all) == 1:
                unit = unit.removesuffix("s")
            steps = f"{event.done}{total} {unit}".rstrip()
            detail = f", {sanitize_line(event.detail)}" if event.detail else ""
            left = describe_time_left(reported.started.expected_s, self._clock() - reported.began_s)
            whole = self._ahead.describe()
            facts = ", ".join(filter(None, (f"{steps}{detail}", left, whole)))
            self._line(f"  {sanitize_line(reported.started.label)}: {facts}")

    def _finish(self, event: ActionFinished) -> None:
        self._ahead.end(event.action)
        self._forget(event.action)
        if self._mode == "none":
            return
        how = "reused" if event.reused else format_duration(event.duration_s)
        text = Text.assemble((self._done, "green"), f" {sanitize_line(event.label)}  ", (how, "bold"))
        if event.outcome:
            text.append(f"  {sanitize_line(event.outcome)}", "dim")
        self._rich.print(text)

    def _forget(self, action: str) -> None:
        self._reported.pop(action, None)
        task = self._tasks.pop(action, None)
        if task is not None and self._progress is not None:
            self._progress.remove_task(task)

    def _foreign(self, text: str) -> None:
        safe = sanitize(text, keep_colour=self._keep_colour)
        self._rich.print(Text.from_ansi(safe) if self._keep_colour else Text(safe.rstrip("\n")))

    def _notice(self, notice: Notice) -> None:
        if notice.level is Level.INFO and self._verbosity <= _QUIET:
            return
        prefix = "note" if notice.level is Level.INFO else str(notice.level)
        first, _, rest = sanitize(notice.message).partition("\n")
        self._line(f"{prefix}: {first}", _STYLES[notice.level])
        self._detail(rest)
        if notice.help:
            self._line(f"  help: {sanitize_line(notice.help)}")

    def _line(self, text: str, style: str = "") -> None:
        self._rich.print(Text(text, style=style))

    def show_error(self, error: OptbuildError) -> None:
        """Show an error: what happened, where, and what fixes it; all problems of a file of settings at once."""
        if self._debug:
            self._line(sanitize("".join(traceback.format_exception(error)).rstrip()), "dim")
        if isinstance(error, SettingsError):
            for problem in error.problems:
                what = sanitize_line(f"{problem.location}: {problem.message}")
                self._rich.print(Text.assemble(("error: ", "bold red"), what))
                if problem.excerpt:
                    self._detail(problem.excerpt)
                self._line(f"  help: {sanitize_line(problem.help)}")
            return
        self._rich.print(Text.assemble(("error: ", "bold red"), sanitize_line(error.message)))
        if error.detail:
            self._detail(error.detail)
        if error.location:
            self._line(f"  where: {sanitize_line(error.location)}")
        self._line(f"  help: {sanitize_line(error.help)}")

    def _detail(self, text: str) -> None:
        for line in sanitize(text).splitlines():
            self._line(f"  | {line}")


def describe_time_left(expected_s: float | None, elapsed_s: float) -> str:
    """How long something still takes if it takes as long as the last time; empty if unknown.

    Only fresh work may end much sooner, and that is over before anyone has read this.
    """
    if expected_s is None:
        return ""
    if elapsed_s >= expected_s:
        return "longer than last time"
    return f"about {format_duration(math.ceil(expected_s - elapsed_s))} left"
