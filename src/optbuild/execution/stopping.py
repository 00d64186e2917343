"""How one thread ends what others run: each waits for a request to stop beside whatever else it waits for."""

from __future__ import annotations

import os
import signal

from optbuild.errors import InterruptedRunError


class StopRequest:
    """A request that is made once, and that any number of threads can wait for by its descriptor."""

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        self._number = int(signal.SIGTERM)

    def fileno(self) -> int:
        """The descriptor that can be read from as soon as the request is made."""
        return self._reader

    def make(self, number: int = signal.SIGTERM) -> None:
        """Ask all to stop.

        Args:
            number: The signal that is to blame.
        """
        self._number = number
        os.write(self._writer, b"!")

    def error(self) -> InterruptedRunError:
        """What those raise who have been asked."""
        return InterruptedRunError(self._number)

    def close(self) -> None:
        """Give the descriptors back, when nobody waits any more."""
        os.close(self._reader)
        os.close(self._writer)
