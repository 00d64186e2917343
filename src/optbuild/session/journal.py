"""What every session notes from its first event on, whether it is a run, a comparison of versions or a bench."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock
from typing import Any

from optbuild import __version__
from optbuild.errors import InterruptedRunError, OptbuildError
from optbuild.events import Event, Level, Notice, current_action
from optbuild.record.host import describe_host
from optbuild.record.model import ErrorRecord, RunRecord, RunStatus, WarningRecord
from optbuild.record.store import make_run_id
from optbuild.session.request import Machine


@dataclass(slots=True, kw_only=True)
class Journal:
    """When a session began, its name, and its warnings: what its record begins with.

    Attributes:
        warned_of: The action that each warning came from; empty outside of actions.
    """

    machine: Machine
    warnings: list[WarningRecord] = field(default_factory=list)
    warned_of: list[str] = field(default_factory=list)
    started: datetime = field(init=False)
    run_id: str = field(init=False)
    _emitting: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Note the time, and choose a name."""
        self.started = self.machine.now()
        self.run_id = make_run_id(self.started)

    def emit(self, event: Event) -> None:
        """Pass an event on, and keep warnings for the record; one thread at a time."""
        with self._emitting:
            if isinstance(event, Notice) and event.level is not Level.INFO:
                self.warnings.append(WarningRecord(code=event.code, message=event.message, help=event.help))
                self.warned_of.append(current_action())
            self.machine.emit(event)

    @contextmanager
    def sorting_warnings(self, key: Callable[[str, WarningRecord], Any]) -> Iterator[None]:
        """Sort the warnings of a block, which may come from actions that run side by side.

        Args:
            key: What an action's warning is sorted by.
        """
        before = len(self.warnings)
        try:
            yield
        finally:
            came = zip(self.warned_of[before:], self.warnings[before:], strict=True)
            self.warnings[before:] = [warning for _, warning in sorted(came, key=lambda each: key(*each))]

    def begin_record(
        self, command_line: tuple[str, ...], error: OptbuildError | None = None, *, stopped: bool = True
    ) -> RunRecord:
        """The record of a session that ends now, with what all sessions have.

        Args:
            command_line: What was asked for.
            error: What went wrong.
            stopped: The error ended the session; otherwise it went on without a part.
        """
        return RunRecord(
            optbuild_version=__version__,
            run_id=self.run_id,
            status=_status_of(error, stopped=stopped),
            exit_code=0 if error is None else error.status,
            started_at=self.started.isoformat(timespec="seconds"),
            finished_at=self.machine.now().isoformat(timespec="seconds"),
            command_line=command_line,
            host=describe_host(),
            warnings=tuple(self.warnings),
            error=None if error is None else ErrorRecord.of(error),
        )


def _status_of(error: OptbuildError | None, *, stopped: bool) -> RunStatus:
    if error is None:
        return RunStatus.COMPLETE
    if not stopped:
        return RunStatus.INCOMPLETE
    return RunStatus.INTERRUPTED if isinstance(error, InterruptedRunError) else RunStatus.FAILED
