"""A command's access to the outside world."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from optbuild.cli.context import CliContext, find_working_directory

if TYPE_CHECKING:
    from optbuild.session.request import Machine


@contextmanager
def running_machine(context: CliContext) -> Iterator[Machine]:
    """A command's access to the outside world; when the command ends, ends everything that still runs."""
    from datetime import UTC, datetime

    from optbuild.cli.console import Console
    from optbuild.execution.local import LocalExecutor
    from optbuild.execution.signals import SignalGate
    from optbuild.session.request import Machine

    gate = SignalGate()
    gate.install()
    with Console(context) as console, LocalExecutor(console.show, gate) as executor:
        yield Machine(
            executor=executor,
            emit=console.show,
            environ=context.environ,
            working_directory=find_working_directory(),
            now=lambda: datetime.now(UTC),
            platform=sys.platform,
            has_input=has_input,
        )


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
