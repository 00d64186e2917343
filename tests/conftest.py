"""Rules for all tests: those of the pure parts start no process."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import NoReturn

import hypothesis
import pytest

# How long an example takes says how busy the machine is, and nothing about the code.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

_PURE = tuple(Path(__file__).parent / name for name in ("unit", "properties"))


class ProcessStartedError(Exception):
    """A test that may not start a process has done so."""


def _refuse(*arguments: object, **_options: object) -> NoReturn:
    raise ProcessStartedError(f"tests below unit/ and properties/ start no process: {arguments!r:.200}")


@pytest.fixture(autouse=True)
def no_process(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make starting a process fail where tests are about pure code."""
    if not any(request.path.is_relative_to(directory) for directory in _PURE):
        return
    monkeypatch.setattr(subprocess.Popen, "__init__", lambda _self, argv, *_, **__: _refuse(argv))
    monkeypatch.setattr(subprocess.Popen, "__del__", lambda _: None)  # it would miss what __init__ sets
    for name in ("fork", "forkpty", "posix_spawn", "posix_spawnp", "system"):
        monkeypatch.setattr(os, name, _refuse)


@pytest.fixture(autouse=True)
def _hear_signals() -> None:
    """A test run started by nohup or in the background ignores signals, and what tests start would inherit that."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
