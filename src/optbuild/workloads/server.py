"""A workload of a server and a load: start, wait, load, and stop in a way that lets the server write its profile.

Each run has its own server, and no two run at once: variants never compete. The load's wall time is what counts,
so it should be a fixed number of requests; of a load that runs for a fixed time and whose report is known, the time per
request. CPU time and memory are the server's, from its start to its end.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from optbuild.errors import WorkloadError, WorkloadTimeoutError
from optbuild.execution.command import Command, Completed, ConcurrentExecutor, ProgramNotFoundError, RunningProgram
from optbuild.execution.signals import describe_ending
from optbuild.files import tail_of, writing
from optbuild.profile.workloads import MetricName
from optbuild.text import last_lines, sanitize_line
from optbuild.units import format_duration
from optbuild.workloads.invocation import Invocation, Server
from optbuild.workloads.load_reports import TIME_PER_REQUEST, find_load
from optbuild.workloads.programs import Place, WorkloadRun, check_ending, run_program
from optbuild.workloads.readiness import is_ready
from optbuild.workloads.words import Values

_ASK_EVERY_S = 0.01
_DYING_S = 1.0


def run_server(executor: ConcurrentExecutor, invocation: Invocation, place: Place, values: Values) -> WorkloadRun:
    """Start the server, wait until it is ready, run the load, and stop the server.

    Raises:
        WorkloadError: The server or the load cannot be started, did not end as expected, or left processes behind.
        WorkloadTimeoutError: The server was not ready in time, or the load took longer than its timeout.
        StorageError: A file for output cannot be opened.
    """
    server = invocation.server
    assert server is not None  # noqa: S101 - for mypy: that is what its kind says
    watch = _ServerWatch(invocation, server, place)
    load = invocation.make_command(values, extra_env=place.extra_env, stdout=place.stdout, stderr=place.stderr)
    try:
        with executor.start(watch.make_command(values)) as running:
            watch.await_ready(running, values)
            loaded = run_program(executor, load, invocation, "load")
            # A failed load may be the first sign that its server is dying.
            patience_s = 0.0 if loaded.exit_code == invocation.expect_exit else _DYING_S
            watch.require_running(running, "while it was under load", patience_s)
            stopped = running.stop()
    except ProgramNotFoundError as error:
        raise WorkloadError(
            f"workload {watch.name}: cannot start the server {sanitize_line(str(error))}",
            help="check `server` and `cwd` in the build profile",
            location=str(invocation.cwd),
        ) from error
    check_ending(loaded, invocation, stdout=place.stdout, stderr=place.stderr, arm=place.arm)
    watch.check_stopped(stopped)
    said, benchmarks = _read_load_report(load.argv, place.stdout, watch.name, metric=invocation.metric)
    return WorkloadRun(
        usage=replace(stopped.usage, wall_s=loaded.usage.wall_s),
        beside_cpu_s=loaded.usage.user_s + loaded.usage.system_s,
        load=said,
        benchmarks=benchmarks,
    )


def _read_load_report(
    argv: Sequence[str], stdout: Path, name: str, *, metric: MetricName
) -> tuple[Mapping[str, float], Mapping[str, float]]:
    """What the load generator says of its requests, and what is measured instead of its wall time where that is fixed.

    Of its output only what can be compared is left.
    """
    load = find_load(argv)
    report = None if load is None else load.parse(stdout.read_text("utf-8", "replace"))
    if load is None or report is None:
        return {}, {}
    if report.errors:
        raise WorkloadError(
            f"workload {name}: {sum(report.errors.values())} requests of the load had no answer: "
            + ", ".join(f"{sanitize_line(reason)} ({count})" for reason, count in sorted(report.errors.items())),
            help="reduce the load (fewer connections, `-c`), or see what the server prints",
            location=str(stdout),
        )
    with writing(stdout):
        stdout.write_bytes(report.comparable(is_timed=load.is_timed))
    if not load.is_timed or load.is_limited or metric is not MetricName.WALL:
        return report.values, {}
    if report.time_per_request_s is None:
        raise WorkloadError(
            f"workload {name}: no request of the load was answered in its time",
            help="give it more time, or see what the server says",
            location=str(stdout),
        )
    return report.values, {TIME_PER_REQUEST: report.time_per_request_s}


class _ServerWatch:
    """The state of one server, and its errors."""

    def __init__(self, invocation: Invocation, server: Server, place: Place) -> None:
        self.name = repr(sanitize_line(invocation.name)) + ("" if place.arm is None else f", measuring {place.arm},")
        self._invocation = invocation
        self._server = server
        self._place = place
        self._stdout, self._stderr = place.server_output

    def make_command(self, values: Values) -> Command:
        """The command that starts it; it runs until it is stopped."""
        invocation = self._invocation
        with writing(self._stdout):  # the output of an earlier server would make this one seem ready
            for path in (self._stdout, self._stderr):
                path.unlink(missing_ok=True)
        return Command(
            argv=values.fill_all(self._server.argv),
            cwd=invocation.cwd,
            env={**invocation.env_with(values), **self._place.extra_env},
            stdout=self._stdout,
            stderr=self._stderr,
            stop_signal=invocation.stop_signal,
            grace_s=invocation.grace_s,
        )

    def await_ready(self, running: RunningProgram, values: Values) -> None:
        """Check until it is ready."""
        ready = self._server.ready
        value = values.fill(ready.value)
        deadline = time.monotonic() + ready.within_s
        while not is_ready(ready.kind, value, stdout=self._stdout, stderr=self._stderr):
            self.require_running(running, "before it was ready")
            if time.monotonic() >= deadline:
                raise WorkloadTimeoutError(
                    f"the server of workload {self.name} was not ready within {format_duration(ready.within_s)}: "
                    f"{ready.kind} {sanitize_line(value)}",
                    help='give it more time (`ready = { …, within = "2m" }`), or correct its `ready`',
                    location=str(self._stderr),
                    detail=self._tail(),
                )
            time.sleep(_ASK_EVERY_S)

    def require_running(self, running: RunningProgram, when: str, patience_s: float = 0.0) -> None:
        """Refuse a server that has ended by itself, or does so within a moment."""
        ended = running.poll(patience_s)
        if ended is None:
            return
        raise WorkloadError(
            f"the server of workload {self.name} ended with {describe_ending(ended.exit_code)} {when}",
            help="run its command by hand to see why; it must run in the foreground until it is stopped",
            location=str(self._stderr),
            detail=self._tail(),
        )

    def check_stopped(self, completed: Completed) -> None:
        """Accept a server that reacted to its stop signal: ended by it, or in its own orderly way."""
        number = self._invocation.stop_signal
        shell_style = 128 + number
        if completed.exit_code == -signal.SIGKILL:
            raise WorkloadError(
                f"the server of workload {self.name} did not end within {format_duration(self._invocation.grace_s)} "
                f"of {signal.Signals(number).name}, and was killed; a killed program writes no counts",
                help='name the signal that stops it (`stop-signal = "INT"`), or give it more time (`grace = "1m"`)',
                location=str(self._stderr),
                detail=self._tail(),
            )
        if completed.exit_code not in {0, self._invocation.expect_exit, -number, shell_style}:
            raise WorkloadError(
                f"the server of workload {self.name} ended with {describe_ending(completed.exit_code)} "
                f"when it was stopped by {signal.Signals(number).name}",
                help="see its output; set `expect-exit` if that is its normal exit code",
                location=str(self._stderr),
                detail=self._tail(),
            )
        if completed.survivors:
            raise WorkloadError(
                f"the server of workload {self.name} left processes running; they were ended: "
                + ", ".join(map(sanitize_line, completed.survivors)),
                help="let it end its children before itself: they could not write their counts",
                location=str(self._stderr),
            )

    def _tail(self) -> str:
        return last_lines(tail_of(self._stderr)) or last_lines(tail_of(self._stdout))
