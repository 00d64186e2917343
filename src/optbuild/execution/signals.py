"""What a signal does to a run: the first one ends it in order, a second one at once."""

from __future__ import annotations

import signal
from types import FrameType

from optbuild.errors import InterruptedRunError

ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def describe_ending(exit_code: int) -> str:
    """How a program ended, in words: `exit code 3`, or `signal 11 (SIGSEGV)` for −11."""
    if exit_code >= 0:
        return f"exit code {exit_code}"
    known = {int(item): item.name for item in signal.Signals}
    name = known.get(-exit_code)  # most real-time signals have no name
    return f"signal {-exit_code}" + (f" ({name})" if name else "")


class SignalGate:
    """Turns the first ending signal into `InterruptedRunError`, and remembers a second one.

    Code that waits for a child catches the error, ends the child, and checks `forced` meanwhile.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self.forced = False

    def install(self) -> None:
        """Listen for SIGINT, SIGTERM and SIGHUP in this process (main thread only)."""
        for number in ENDING_SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN or number == signal.SIGINT:
                signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self.received is not None:
            self.forced = True
            return
        self.received = number
        raise InterruptedRunError(number)
