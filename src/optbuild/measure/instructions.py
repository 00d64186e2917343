"""Count instructions, exact even on a noisy machine: with `perf stat`, otherwise callgrind, otherwise not at all.

A count is one number for one binary on one input; two counts are compared by their difference, without a test.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from optbuild.execution.command import Command, Executor, ProgramNotFoundError
from optbuild.tools import callgrind, perf

_CALLGRIND_SLOWDOWN = 60.0
"""Roughly how many times longer a program takes under callgrind; used only to check whether there is time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstructionCounter:
    """A way to count instructions on this machine.

    Attributes:
        name: `perf` or `callgrind`.
        slowdown: How many times longer a counted program takes.
    """

    name: str
    path: str
    slowdown: float
    make_argv: Callable[[str, Path, tuple[str, ...]], tuple[str, ...]]
    parse: Callable[[str], int]

    def counted(self, command: Command, output: Path) -> Command:
        """The command that runs another and counts.

        Args:
            command: What to run; its program must be an absolute path or in its PATH.
            output: A file for the counter's own output; with several processes, the beginning of its name.
        """
        for path in output.parent.glob(f"{output.name}*"):
            path.unlink()
        return replace(command, argv=self.make_argv(self.path, output, command.argv))

    def read(self, output: Path, binaries: Mapping[str, Path] | None = None) -> int:  # noqa: ARG002 - see `Counter`
        """The count of a finished command, over all its processes, whichever programs they ran.

        Raises:
            ValueError: Nothing was counted; the message says why.
        """
        texts = [path.read_text(errors="replace") for path in sorted(output.parent.glob(f"{output.name}*"))]
        return sum(map(self.parse, texts or [""]))


def find_counter(
    executor: Executor,
    environ: Mapping[str, str],
    scratch: Path,
    is_worth_trying: Callable[[InstructionCounter], bool] = lambda _: True,
) -> InstructionCounter | str:
    """The best counter that works on this machine, or why there is none.

    Args:
        executor: Runs a trial.
        environ: The caller's environment, in whose PATH the tools are looked for.
        scratch: A directory for the trial's output.
        is_worth_trying: Asked of a slow counter; if it is not, the counter is returned untried.
    """
    reasons = []
    for name, program, slowdown, tool in (
        ("perf", "perf", 1.0, perf),
        ("callgrind", "valgrind", _CALLGRIND_SLOWDOWN, callgrind),
    ):
        path = shutil.which(program, path=environ.get("PATH"))
        if path is None:
            reasons.append(f"{program} is not installed")
            continue
        counter = InstructionCounter(
            name=name, path=path, slowdown=slowdown, make_argv=tool.make_count_argv, parse=tool.parse_count
        )
        is_tried = counter.slowdown <= 1 or is_worth_trying(counter)  # a trial of perf takes milliseconds
        reason = _find_fault(counter, executor, environ, scratch) if is_tried else None
        if reason is None:
            return counter
        reasons.append(reason)
    return "; ".join(reasons)


def _find_fault(
    counter: InstructionCounter, executor: Executor, environ: Mapping[str, str], scratch: Path
) -> str | None:
    """Why a counter fails to count a program that does nothing; None if it succeeds."""
    output = scratch / "trial"
    trial = Command(argv=("true",), cwd=scratch, env=environ, timeout_s=10.0)
    try:
        completed = executor.run(counter.counted(trial, output))
        counter.read(output)
    except ProgramNotFoundError as error:
        return f"{counter.name} cannot be run: {error.reason}"
    except ValueError as error:
        return str(error)
    # A counter that is cut short still writes a number.
    if completed.timed_out or completed.exit_code != 0:
        return f"{counter.name} ended with {completed.exit_code}"
    return None
