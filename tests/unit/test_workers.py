from __future__ import annotations

import select
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from optbuild.errors import InterruptedRunError, WorkloadError
from optbuild.execution.jobserver import Jobserver, is_supported
from optbuild.execution.stopping import StopRequest
from optbuild.making.order.workers import Workers
from optbuild.testing import ScriptedExecutor

needs_tokens = pytest.mark.skipif(not is_supported(), reason="there is no /proc here")


class Place(ScriptedExecutor):
    """An executor whose programs run until they are asked to stop."""

    def __init__(self) -> None:
        super().__init__()
        self._own = threading.local()

    @contextmanager
    def stoppable(self, stop: StopRequest) -> Iterator[None]:
        self._own.stop = stop
        yield

    def run_for_ever(self) -> int:
        """A program that has no end of its own."""
        stop: StopRequest = self._own.stop
        select.select([stop], [], [])
        raise stop.error()


@contextmanager
def crew(place: Place, jobserver: Jobserver | None = None) -> Iterator[Workers[int]]:
    """Workers that are sent home in the end."""
    workers: Workers[int] = Workers(place, jobserver)
    try:
        yield workers
    finally:
        workers.stop()


def wait_for_all(workers: Workers[int], count: int) -> dict[str, int | BaseException]:
    """What came of so many."""
    done: dict[str, int | BaseException] = {}
    while len(done) < count:
        done |= workers.wait()
    return done


def test_work_is_done_at_the_same_time() -> None:
    """Each waits for the other: one after the other they would never end."""
    meet = threading.Barrier(2, timeout=60)
    with crew(Place()) as workers:
        workers.start("one", meet.wait)
        workers.start("two", meet.wait)
        assert set(wait_for_all(workers, 2)) == {"one", "two"}


def test_an_error_is_handed_back() -> None:
    """So is a defect of optbuild: whoever waits raises it in the thread where it is told."""

    def fail(error: Exception) -> Callable[[], int]:
        def work() -> int:
            raise error

        return work

    errors = [WorkloadError("no", help="h"), ZeroDivisionError()]
    with crew(Place()) as workers:
        for error in errors:
            workers.start(type(error).__name__, fail(error))
        done = wait_for_all(workers, 2)
        assert [done[type(error).__name__] for error in errors] == errors
        workers.start("none", lambda: 3)
        assert wait_for_all(workers, 1) == {"none": 3}


def test_all_are_stopped_by_one_request() -> None:
    """Their programs end first; the signal that is to blame is told to each."""
    place = Place()
    workers: Workers[int] = Workers(place)
    told: list[int] = []

    def work() -> int:
        try:
            return place.run_for_ever()
        except InterruptedRunError as error:
            told.append(error.signal_number)
            raise

    for name in ("one", "two", "three"):
        workers.start(name, work)
    workers.stop(signal.SIGHUP)
    assert told == [signal.SIGHUP] * 3
    assert all(thread.name not in {"one", "two", "three"} for thread in threading.enumerate())


def test_a_signal_while_they_end_is_told_when_they_have(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is left running, whatever comes in between."""
    place = Place()
    workers: Workers[int] = Workers(place)
    is_joined = threading.Event()

    def work() -> int:
        try:
            return place.run_for_ever()
        finally:
            is_joined.wait()

    workers.start("one", work)
    real_join, calls = threading.Thread.join, []

    def join(thread: threading.Thread, timeout: float | None = None) -> None:
        calls.append(thread.name)
        if len(calls) == 1:
            is_joined.set()
            raise InterruptedRunError(signal.SIGINT)
        real_join(thread, timeout)

    monkeypatch.setattr(threading.Thread, "join", join)
    with pytest.raises(InterruptedRunError, match="SIGINT"):
        workers.stop()
    assert all(thread.name != "one" for thread in threading.enumerate())


@needs_tokens
def test_each_holds_a_token_while_it_works() -> None:
    """Cargo need not ask for its first job; when all have ended, all tokens are back."""
    jobserver = Jobserver(2)
    at_once, most, lock = [0], [0], threading.Lock()

    def work() -> int:
        with lock:
            at_once[0] += 1
            most[0] = max(most[0], at_once[0])
        threading.Event().wait(0.01)
        with lock:
            at_once[0] -= 1
        return 0

    with crew(Place(), jobserver) as workers:
        for name in "abcdef":
            workers.start(name, work)
        wait_for_all(workers, 6)
    assert most[0] <= 2
    with jobserver.token(), jobserver.token():
        assert not select.select([jobserver.descriptors[0]], [], [], 0)[0]
    assert select.select([jobserver.descriptors[0]], [], [], 0)[0]
    jobserver.close()


@needs_tokens
def test_who_waits_for_a_token_can_be_stopped() -> None:
    """All tokens may be with programs that have long to go."""
    jobserver = Jobserver(1)
    begun: list[str] = []
    workers: Workers[int] = Workers(Place(), jobserver)
    with jobserver.token():
        workers.start("one", lambda: len(begun))
        workers.stop()
    jobserver.close()
    assert begun == []


@needs_tokens
def test_the_descriptors_are_told_and_no_more_tokens_than_a_pipe_holds() -> None:
    """As make writes them; a machine with more cores than that waits for none of them."""
    jobserver = Jobserver(1 << 20)
    assert jobserver.auth == ",".join(map(str, jobserver.descriptors))
    assert jobserver.jobs == 4096
    jobserver.close()
