"""`optbuild worker`: offer this machine to a cluster, as a builder or as a benchmark worker."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from distributed import Worker

from optbuild.errors import InterruptedRunError, ToolchainError
from optbuild.events import Emit, Level, Notice
from optbuild.execution.signals import ENDING_SIGNALS
from optbuild.fleet.cluster import resource_of
from optbuild.fleet.station import Station

_CONNECT_S = 10.0
_AGAIN_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRequest:
    """What to offer, and to whom.

    Attributes:
        address: The scheduler's.
        role: `build` or `bench`.
        name: What people see; None leaves it to Dask.
        directory: Where it writes.
        patience_s: How long to wait for a scheduler that is not there, or not there any more.
    """

    address: str
    role: str
    name: str | None
    directory: Path
    patience_s: float


def serve(request: WorkerRequest, set_up: Callable[[Worker, Emit], Station], emit: Emit) -> None:
    """Work until a signal arrives, or the scheduler is gone for too long.

    Raises:
        InterruptedRunError: A signal arrived; what was running is ended, and another worker does it.
        ToolchainError: No scheduler answers.
    """
    asyncio.run(_serve(request, set_up, emit))


async def _serve(request: WorkerRequest, set_up: Callable[[Worker, Emit], Station], emit: Emit) -> None:
    loop, told = asyncio.get_running_loop(), asyncio.Event()
    received: list[int] = []

    def on_signal(number: int) -> None:
        received.append(number)
        told.set()

    for number in ENDING_SIGNALS:
        loop.add_signal_handler(number, on_signal, int(number))
    gone_since_s: float | None = None
    while not received:
        if await _work_once(request, set_up, emit, told):
            gone_since_s = None
        now_s = loop.time()
        gone_since_s = now_s if gone_since_s is None else gone_since_s
        if not received and now_s - gone_since_s >= request.patience_s:
            raise ToolchainError(
                f"no scheduler answers at {request.address}",
                help="start one: dask scheduler; and name its address: optbuild worker tcp://HOST:8786",
                location=request.address,
            )
        if not received:
            await asyncio.wait([asyncio.ensure_future(told.wait())], timeout=_AGAIN_S)
    raise InterruptedRunError(received[0])


async def _work_once(
    request: WorkerRequest, set_up: Callable[[Worker, Emit], Station], emit: Emit, told: asyncio.Event
) -> bool:
    """Work for a scheduler until it is gone, or a signal arrives; whether it was there at all."""
    worker = Worker(
        request.address,
        nthreads=1,
        name=request.name,
        resources={resource_of(request.role): 1},
        local_directory=str(request.directory),
        death_timeout=_CONNECT_S,
        dashboard=False,
    )
    try:
        await worker
    except (OSError, TimeoutError):
        return False
    station = set_up(worker, emit)
    what = "measures" if request.role == "bench" else "builds"
    message = f"{worker.name} at {worker.address} {what} for {request.address}"
    emit(Notice(level=Level.INFO, code="worker", message=message))
    tasks = [asyncio.ensure_future(worker.finished()), asyncio.ensure_future(told.wait())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        station.stop.make(signal.SIGTERM)
        await worker.close(timeout=_CONNECT_S)
        for task in tasks:
            task.cancel()
    return True
