"""Who may work on this machine: any number of builders, or one that measures and nobody else.

The locks are the kernel's, on files that all processes of the machine find: whoever dies gives its lock back. Who waits
to measure lets no new build begin, so that it does not wait for ever.

Sources:
    flock(2): https://man7.org/linux/man-pages/man2/flock.2.html
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from optbuild.errors import LockHeldError
from optbuild.files import writing


def _place() -> Path:
    return Path(tempfile.gettempdir())


@dataclass(frozen=True, slots=True, kw_only=True)
class HostTurns:
    """The locks of one machine.

    Attributes:
        directory: One that all processes of the machine share.
    """

    directory: Path = field(default_factory=_place)

    @contextmanager
    def building(self) -> Iterator[None]:
        """Wait until nobody measures or waits to measure; then build alongside others."""
        with self._open("turn") as turn, self._open("work") as work:
            fcntl.flock(turn, fcntl.LOCK_EX)
            fcntl.flock(work, fcntl.LOCK_SH)
            fcntl.flock(turn, fcntl.LOCK_UN)
            yield

    @contextmanager
    def measuring(self) -> Iterator[None]:
        """Wait until all builds have ended; then be alone."""
        with self._open("turn") as turn, self._open("work") as work:
            fcntl.flock(turn, fcntl.LOCK_EX)
            fcntl.flock(work, fcntl.LOCK_EX)
            yield

    @contextmanager
    def only_benchmark_worker(self) -> Iterator[None]:
        """Be the one benchmark worker of this machine.

        Raises:
            LockHeldError: There is one already.
        """
        with self._open("bench") as descriptor:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise LockHeldError(
                    "this machine has a benchmark worker already, and two would disturb each other",
                    help="start builders alongside it: optbuild worker ADDRESS; or stop the other one",
                    location=str(self._path("bench")),
                ) from error
            yield

    def _path(self, name: str) -> Path:
        return self.directory / f"optbuild-host-{name}.lock"

    @contextmanager
    def _open(self, name: str) -> Iterator[int]:
        path = self._path(name)
        with writing(path):
            try:
                descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
                with suppress(PermissionError):
                    os.fchmod(descriptor, 0o666)  # another user's worker locks it as well
        try:
            yield descriptor
        finally:
            os.close(descriptor)
