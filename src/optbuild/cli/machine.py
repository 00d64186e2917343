"""A command's access to the outside world."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from optbuild.cli.context import CliContext, find_working_directory

if TYPE_CHECKING:
    from optbuild.session.request import Machine


_DIRECTORIES = ("CARGO_HOME", "CARGO_TARGET_DIR", "CARGO_BUILD_TARGET_DIR", "CARGO_BUILD_BUILD_DIR")


@contextmanager
def running_machine(context: CliContext) -> Iterator[Machine]:
    """A command's access to the outside world; when the command ends, ends everything that still runs."""
    from datetime import UTC, datetime

    from optbuild.cli.console import Console
    from optbuild.execution.local import LocalExecutor
    from optbuild.execution.signals import SignalGate
    from optbuild.session.request import Machine

    working_directory = find_working_directory()
    gate = SignalGate()
    gate.install()
    with Console(context) as console, LocalExecutor(console.show, gate) as executor:
        yield Machine(
            executor=executor,
            emit=console.show,
            environ=with_absolute_directories(context.environ, working_directory),
            working_directory=working_directory,
            now=lambda: datetime.now(UTC),
            platform=sys.platform,
            has_input=has_input,
        )


def with_absolute_directories(environ: Mapping[str, str], working_directory: Path) -> dict[str, str]:
    """The environment with cargo's directories as the user sees them: cargo itself is called in the project."""
    named = ((name, environ.get(name, "")) for name in _DIRECTORIES)
    # A value that begins with a placeholder of cargo's is not relative.
    given = {name: str(working_directory / value) for name, value in named if value and not value.startswith("{")}
    return {**environ, **given}


def has_input(descriptor: int = 0) -> bool:
    """Whether standard input is a file or pipe with data in it; a terminal and an empty pipe are not."""
    import fcntl
    import stat
    import termios

    try:
        found = os.fstat(descriptor)
        if stat.S_ISREG(found.st_mode):
            return found.st_size > os.lseek(descriptor, 0, os.SEEK_CUR)
        if not stat.S_ISFIFO(found.st_mode) and not stat.S_ISSOCK(found.st_mode):
            return False
        return any(fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4)))
    except OSError:  # it is closed, or cannot be inspected
        return False
