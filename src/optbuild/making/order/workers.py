"""Threads that carry out actions at the same time, each with a token of the budget, and that all end on request."""

from __future__ import annotations

import signal
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import nullcontext
from typing import Generic, TypeVar

from optbuild.errors import InterruptedRunError
from optbuild.execution.command import ConcurrentExecutor
from optbuild.execution.jobserver import Jobserver
from optbuild.execution.stopping import StopRequest

T = TypeVar("T")
_MOST = 4096  # the maximum of tokens; a thread is made only when all others are busy


class Workers(Generic[T]):
    """Runs functions in threads, under names.

    `stop` ends the programs that they start through the executor. Always call it at the end: it leaves nothing running.
    """

    def __init__(self, executor: ConcurrentExecutor, jobserver: Jobserver | None = None) -> None:
        self._executor = executor
        self._jobserver = jobserver
        self._stop = StopRequest()
        self._threads = ThreadPoolExecutor(max_workers=_MOST)
        self._running: dict[str, Future[T]] = {}

    def start(self, name: str, work: Callable[[], T]) -> None:
        """Begin to do something in a thread."""
        self._running[name] = self._threads.submit(self._work, work)

    def wait(self) -> dict[str, T | BaseException]:
        """Wait until at least one is done; return results or errors by name, in the order of their start."""
        wait(self._running.values(), return_when=FIRST_COMPLETED)
        done = {name: future for name, future in self._running.items() if future.done()}
        for name in done:
            del self._running[name]
        return {name: future.exception() or future.result() for name, future in done.items()}

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Ask all to end, and wait for them.

        Args:
            number: The signal that caused it.

        Raises:
            InterruptedRunError: A signal came meanwhile.
        """
        interruption = None
        self._stop.make(number)
        while True:
            try:
                self._threads.shutdown()
                break
            except InterruptedRunError as error:  # they are ending already
                interruption = error
        self._running.clear()
        self._stop.close()
        if interruption is not None:
            raise interruption

    def _work(self, work: Callable[[], T]) -> T:
        budget = nullcontext() if self._jobserver is None else self._jobserver.token(self._stop)
        with self._executor.stoppable(self._stop), budget:
            return work()
