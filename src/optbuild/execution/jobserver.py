"""A budget of jobs that several calls of cargo share with all they start: rustc, make, other build tools.

Not for what runs when: the caller that starts a participating program holds the one token that the program need not
request.

Sources: GNU make manual, "POSIX Jobserver Interaction",
https://www.gnu.org/software/make/manual/html_node/POSIX-Jobserver.html. An unnamed pipe: make understands named ones
only since 4.4 and cargo since 1.70, and crates that call an older make would fail.
"""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from optbuild.execution.stopping import StopRequest

MAKEFLAGS = "CARGO_MAKEFLAGS"
"""Where cargo and rustc look first. MAKEFLAGS belongs to the caller and stays unchanged."""

MOST_TOKENS = 4096
"""The capacity of a pipe."""

_INHERITED = (MAKEFLAGS, "MAKEFLAGS", "MFLAGS")
_AUTH = ("--jobserver-auth=", "--jobserver-fds=")


def is_inherited(environ: Mapping[str, str]) -> bool:
    """Whether the caller already passes a budget on, as make does."""
    return any(auth in environ.get(name, "") for name in _INHERITED for auth in _AUTH)


def is_supported(platform: str = sys.platform) -> bool:
    """Whether a thread can wait for a token and for a request to stop at once."""
    return platform == "linux"


class Jobserver:
    """A pipe with one byte for each further job that may start."""

    def __init__(self, jobs: int) -> None:
        self.jobs = min(jobs, MOST_TOKENS)
        self.descriptors = os.pipe()
        # A separate non-blocking opening: others read from the same pipe.
        self._reader = os.open(f"/proc/self/fd/{self.descriptors[0]}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        os.write(self.descriptors[1], b"+" * self.jobs)

    @property
    def auth(self) -> str:
        """The descriptors, as the variable passes them to programs."""
        return ",".join(map(str, self.descriptors))

    @contextmanager
    def token(self, stop: StopRequest | None = None) -> Iterator[None]:
        """Hold the token of one job.

        Raises:
            InterruptedRunError: A request to stop came first.
        """
        token = self._acquire(stop)
        try:
            yield
        finally:
            os.write(self.descriptors[1], token)

    def close(self) -> None:
        """Close the descriptors."""
        for descriptor in (self._reader, *self.descriptors):
            os.close(descriptor)

    def _acquire(self, stop: StopRequest | None) -> bytes:
        watched = [self._reader] if stop is None else [self._reader, stop.fileno()]
        while True:
            ready = select.select(watched, [], [])[0]
            if stop is not None and stop.fileno() in ready:
                raise stop.error()
            if token := self._take():
                return token

    def _take(self) -> bytes | None:
        try:
            return os.read(self._reader, 1)
        except BlockingIOError:
            return None
