"""Find a way to sample that works on this machine, and say why better ones do not.

Whether perf may sample is decided by the kernel, a container and the CPU together, so each way is tried for a moment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from optbuild.errors import ToolchainError
from optbuild.execution.command import Command, Executor, ProgramNotFoundError
from optbuild.observe.sampling import CallgrindObserver, PerfObserver
from optbuild.text import last_lines
from optbuild.toolchain.lookup import find_program
from optbuild.tools.perf_record import CallGraph, make_record_argv

_EVENTS = ("cycles", "cycles:u", "cpu-clock", "cpu-clock:u")
_TRIAL_S = 30.0
_TRIAL_HZ = 99
_REMEDY = (
    "install perf (Debian: apt-get install linux-perf, Ubuntu: linux-tools-generic, Fedora: perf) or valgrind; let "
    "perf sample your own programs: sysctl -w kernel.perf_event_paranoid=2; in a container add: --cap-add PERFMON "
    "--security-opt seccomp=unconfined"
)

SamplingObserver = PerfObserver | CallgrindObserver


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovered:
    """A way to sample.

    Attributes:
        observer: The best one that works.
        passed_over: Why better ones do not work here, in one line; empty for the best.
    """

    observer: SamplingObserver
    passed_over: str = ""


def discover_sampler(
    executor: Executor,
    environ: Mapping[str, str],
    scratch: Path,
    *,
    call_graph: CallGraph = CallGraph.FRAME_POINTERS,
) -> Discovered:
    """The best way to sample that works on this machine.

    Args:
        executor: Runs a trial of each.
        environ: The caller's environment, in whose PATH the tools are looked for.
        scratch: An existing directory for the trial's output.
        call_graph: How perf finds stacks.

    Raises:
        ToolchainError: None works.
    """
    perf = find_program("perf", environ)
    reasons = []
    for event in _EVENTS if perf is not None else ():
        assert perf is not None  # noqa: S101 - for mypy: nothing is tried otherwise
        reason = _find_fault(perf, event, executor, environ, scratch)
        if reason is None:
            observer = PerfObserver(
                executor=executor,
                environ=environ,
                path=perf,
                event=event,
                call_graph=call_graph,
            )
            return Discovered(observer=observer)
        reasons.append(reason)
    why = f"perf cannot sample here: {reasons[-1]}" if reasons else "perf is not installed"
    valgrind = find_program("valgrind", environ)
    if valgrind is None:
        raise ToolchainError(f"{why}; valgrind is not installed", help=_REMEDY, location="perf, valgrind")
    return Discovered(observer=CallgrindObserver(path=valgrind), passed_over=why)


def _find_fault(perf: Path, event: str, executor: Executor, environ: Mapping[str, str], scratch: Path) -> str | None:
    """Why perf fails to sample a program that does nothing; None if it succeeds."""
    output = scratch / "trial"
    argv = make_record_argv(
        str(perf), output, ("true",), event=event, frequency_hz=_TRIAL_HZ, call_graph=CallGraph.FRAME_POINTERS
    )
    command = Command(argv=argv, cwd=scratch, env={**environ, "LC_ALL": "C"}, timeout_s=_TRIAL_S)
    try:
        completed = executor.run(command)
    except ProgramNotFoundError as error:
        return error.reason
    finally:
        output.unlink(missing_ok=True)
    if completed.timed_out or completed.exit_code != 0:
        lines = last_lines(completed.stderr, 40).splitlines()
        return next(
            (line.strip().rstrip(":") for line in lines if line.strip() and line.strip() != "Error:"), "it failed"
        )
    return None
