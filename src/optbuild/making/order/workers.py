"""Threads that carry out actions at the same time, each under a token of the budget, and that all end on request."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Generic, TypeVar, cast

from optbuild.errors import InterruptedRunError
from optbuild.execution.command import ConcurrentExecutor
from optbuild.execution.jobserver import Jobserver
from optbuild.execution.stopping import StopRequest

T = TypeVar("T")


@dataclass(slots=True)
class _Worker(Generic[T]):
    """One thread, and what came of it."""

    thread: threading.Thread
    result: T | None = None
    error: BaseException | None = None
    is_done: bool = False

    def came_to(self) -> T | BaseException:
        """The result, or the error."""
        if self.error is not None:
            return self.error
        assert self.is_done  # noqa: S101 - nobody asks before
        return cast("T", self.result)


class Workers(Generic[T]):
    """Runs functions in threads of their own, under names.

    Programs that they start through the executor are ended by `stop`. Leave nothing running: call it in the end.
    """

    def __init__(self, executor: ConcurrentExecutor, jobserver: Jobserver | None = None) -> None:
        self._executor = executor
        self._jobserver = jobserver
        self._stop = StopRequest()
        self._workers: dict[str, _Worker[T]] = {}
        self._bell: SimpleQueue[None] = SimpleQueue()

    def start(self, name: str, work: Callable[[], T]) -> None:
        """Begin to do something in a thread of that name."""
        worker: _Worker[T]
        worker = _Worker(threading.Thread(target=lambda: self._carry_out(worker, work), name=name))
        self._workers[name] = worker  # known before it runs, so that `stop` waits for it whatever comes between
        worker.thread.start()

    def wait(self) -> dict[str, T | BaseException]:
        """Wait until something is done; results or errors by name, in the order in which they were begun."""
        self._bell.get()
        done = {name: worker for name, worker in self._workers.items() if worker.is_done}
        for name, worker in done.items():
            worker.thread.join()
            del self._workers[name]
        return {name: worker.came_to() for name, worker in done.items()}

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Ask all to end, and wait until they have.

        Args:
            number: The signal that is to blame.

        Raises:
            InterruptedRunError: A signal came meanwhile.
        """
        interruption = None
        self._stop.make(number)
        for worker in self._workers.values():
            while worker.thread.is_alive():
                try:
                    worker.thread.join()
                except InterruptedRunError as error:  # they are ending already
                    interruption = error
        self._workers.clear()
        self._stop.close()
        if interruption is not None:
            raise interruption

    def _carry_out(self, worker: _Worker[T], work: Callable[[], T]) -> None:
        budget = nullcontext() if self._jobserver is None else self._jobserver.token(self._stop)
        try:
            with self._executor.stoppable(self._stop), budget:
                worker.result = work()
        except BaseException as error:  # noqa: BLE001 - raised again by whoever waits
            worker.error = error
        worker.is_done = True
        self._bell.put(None)
