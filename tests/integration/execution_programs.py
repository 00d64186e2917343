"""Small programs to run and ways to wait for them: what the tests of `optbuild.execution` share."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from optbuild.execution import launcher
from optbuild.execution.command import Command
from optbuild.execution.local import LocalExecutor

PATH = os.defpath
LOOP = "while :; do sleep 0.01; done"
SAVES = "trap 'echo saved > saved; exit 0' TERM"
DEADLINE_S = 600.0  # for what takes milliseconds: reached only where something hangs

# A launcher on a system without pidfd: the same file, run after the call has been taken away.
WITHOUT_PIDFD = """
import os
del os.pidfd_open
with open({path!r}) as stream:
    exec(compile(stream.read(), {path!r}, "exec"))
"""


def shell(script: str, cwd: Path, **changes: Any) -> Command:  # noqa: ANN401 - fields of Command
    """A command that runs a shell script."""
    return replace(Command(argv=("/bin/sh", "-c", script), cwd=cwd, env={"PATH": PATH}), **changes)


def python(script: str, cwd: Path) -> Command:
    """A command that runs a Python script."""
    return Command(argv=(sys.executable, "-I", "-S", "-c", script), cwd=cwd, env={"PATH": PATH})


def write_launcher_without_pidfd(directory: Path) -> Path:
    """A launcher that has to wait by SIGCHLD."""
    path = directory / "launcher_without_pidfd.py"
    path.write_text(WITHOUT_PIDFD.format(path=launcher.__file__))
    return path


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Wait until something is so, and fail when it does not become so."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.002)


def read_pid(path: Path) -> int:
    """The pid that a program writes into a file, once it has."""
    wait_until(lambda: path.is_file() and path.read_text().endswith("\n"), f"{path.name} is written")
    return int(path.read_text())


def runs(pid: int) -> bool:
    """Whether a process is there and has not ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(b")")[2].split()[0] not in {b"Z", b"X"}


@contextmanager
def ended_afterwards(pid: int) -> Iterator[None]:
    """End a process that a test leaves running on purpose."""
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, 9)


def launcher_pid(executor: LocalExecutor) -> int:
    """The pid of an executor's launcher, which must have been started."""
    assert executor._own.launcher is not None
    return executor._own.launcher.process.pid
