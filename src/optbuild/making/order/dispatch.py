"""Do one action, whatever its kind, and report that it began and how it ended.

Not for the order of actions, nor for what a failure means: `scheduler` decides both.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from optbuild.errors import OptbuildError
from optbuild.events import ActionFailed, ActionFinished, ActionStarted, Emit
from optbuild.making.built import Step
from optbuild.making.kinds.kind import Result
from optbuild.making.kinds.table import kind_of
from optbuild.making.tools import Tools
from optbuild.plan.action import Action
from optbuild.plan.results import Results


@dataclass(frozen=True, slots=True, kw_only=True)
class Performed:
    """A finished action, and how it ended."""

    result: Result
    step: Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatcher:
    """Performs actions, several at the same time if required, with the results that they need.

    Attributes:
        last_s: How long actions took in earlier runs, if known.
        began_s: When the run began to carry out its plan, on the monotonic clock.
    """

    tools: Tools
    results: Results
    emit: Emit
    began_s: float
    last_s: Mapping[str, float] = field(default_factory=dict)

    def perform(self, action: Action[object]) -> Performed:
        """Do an action, and report its start; success is reported once it is proved.

        Raises:
            OptbuildError: It failed.
        """
        kind = kind_of(action)
        shown = kind.show(action, self.tools)
        self.emit(
            ActionStarted(
                action=action.id,
                label=action.label,
                unit=shown.unit,
                total=shown.total,
                argv=shown.argv,
                log=shown.log,
                expected_s=self.last_s.get(action.id),
            )
        )
        started = time.monotonic()
        try:
            result = kind.perform(action, self.results, self.tools)
        except OptbuildError:
            self.report_failed(action, time.monotonic() - started)
            raise
        step = Step(
            action=action,
            argv=shown.argv,
            duration_s=time.monotonic() - started,
            reused=result.reused,
            log=shown.log,
            peak_rss_bytes=kind.peak_rss_bytes(result),
            started_s=started - self.began_s,
        )
        return Performed(result=result, step=step)

    def report_failed(self, action: Action[object], duration_s: float) -> None:
        """Report that an action failed."""
        self.emit(ActionFailed(action=action.id, label=action.label, duration_s=duration_s))

    def report_finished(self, done: Performed) -> None:
        """Report that an action succeeded."""
        action, step = done.step.action, done.step
        self.emit(
            ActionFinished(
                action=action.id,
                label=action.label,
                duration_s=step.duration_s,
                reused=step.reused,
                outcome=kind_of(action).describe(done.result),
            )
        )
