"""How one thread ends what others run: besides its own event, each waits for a request to stop."""

from __future__ import annotations

import os
import signal

from optbuild.errors import InterruptedRunError


class StopRequest:
    """A request that is made once; any number of threads can wait for it by its descriptor."""

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        self._number = int(signal.SIGTERM)

    def fileno(self) -> int:
        """The descriptor that becomes readable when the request is made."""
        return self._reader

    def make(self, number: int = signal.SIGTERM) -> None:
        """Ask all to stop.

        Args:
            number: The signal that caused it.
        """
        self._number = number
        os.write(self._writer, b"!")

    def error(self) -> InterruptedRunError:
        """The error that the asked threads raise."""
        return InterruptedRunError(self._number)

    def close(self) -> None:
        """Close the descriptors, once no thread waits any more."""
        os.close(self._reader)
        os.close(self._writer)
