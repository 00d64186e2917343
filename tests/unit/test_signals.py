from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from optbuild.errors import InterruptedRunError
from optbuild.execution.signals import ENDING_SIGNALS, SignalGate


@pytest.fixture(autouse=True)
def restored_signals() -> Iterator[None]:
    """Give every signal back to whom it belonged."""
    before = {number: signal.getsignal(number) for number in ENDING_SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", ENDING_SIGNALS)
def test_the_first_signal_is_an_error_where_the_program_stands(number: int) -> None:
    """It unwinds whatever runs, and is remembered."""
    gate = SignalGate()
    gate.install()

    with pytest.raises(InterruptedRunError) as caught:
        os.kill(os.getpid(), number)

    assert caught.value.signal_number == number
    assert gate.received == number
    assert not gate.forced


def test_a_second_signal_raises_nothing_and_asks_for_haste() -> None:
    """What ends in good order is not torn apart: it looks whether it should hurry."""
    gate = SignalGate()
    gate.install()
    with pytest.raises(InterruptedRunError):
        os.kill(os.getpid(), signal.SIGINT)

    os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGINT)

    assert gate.forced
    assert gate.received == signal.SIGINT


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_a_signal_that_the_caller_has_ignored_stays_ignored(number: int) -> None:
    """`nohup optbuild` outlives its terminal."""
    signal.signal(number, signal.SIG_IGN)
    gate = SignalGate()

    gate.install()
    os.kill(os.getpid(), number)

    assert gate.received is None


def test_ctrl_c_works_in_the_background_too() -> None:
    """A shell without job control starts background programs with SIGINT ignored; an explicit one still counts."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gate = SignalGate()

    gate.install()

    with pytest.raises(InterruptedRunError):
        os.kill(os.getpid(), signal.SIGINT)
