"""Count instructions, which a noisy machine can still do exactly: by `perf stat`, else by callgrind, else not at all.

A count is one number for one binary on one input; two counts are compared by their difference, without a test.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from optbuild.execution.command import Command, Executor, ProgramNotFoundError
from optbuild.tools import callgrind, perf
from optbuild.units import format_duration

_CALLGRIND_SLOWDOWN = 60.0
"""How many times longer a program takes under callgrind, roughly; used only to see whether there is time for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstructionCounter:
    """A way to count instructions on this machine.

    Attributes:
        name: `perf` or `callgrind`.
        slowdown: How many times longer a program takes while it is counted.
    """

    name: str
    path: str
    slowdown: float
    make_argv: Callable[[str, Path, tuple[str, ...]], tuple[str, ...]]
    parse: Callable[[str], int]

    def count(self, command: Command, executor: Executor, output: Path) -> int:
        """Run a command once and count.

        Args:
            command: What to run; its program must be an absolute path or in its PATH.
            executor: Runs it.
            output: A file for the counter's own output.

        Raises:
            ValueError: It could not be counted; the message says why.
        """
        output.unlink(missing_ok=True)
        timeout_s = None if command.timeout_s is None else command.timeout_s * self.slowdown
        counted = replace(command, argv=self.make_argv(self.path, output, command.argv), timeout_s=timeout_s)
        try:
            completed = executor.run(counted)
        except ProgramNotFoundError as error:
            raise ValueError(f"{self.name} cannot be run: {error.reason}") from error
        count = self.parse(output.read_text(errors="replace") if output.is_file() else "")
        # A counter that is cut short still writes a number.
        if completed.timed_out:
            raise ValueError(f"took longer than {format_duration(timeout_s or 0.0)} by {self.name}")
        if completed.exit_code != 0:
            raise ValueError(f"ended with {completed.exit_code} by {self.name}")
        return count


def find_counter(executor: Executor, environ: Mapping[str, str], scratch: Path) -> InstructionCounter | str:
    """The best counter that works on this machine, or the reason why there is none.

    Args:
        executor: Runs a trial.
        environ: The caller's environment, in whose PATH the tools are looked for.
        scratch: A directory for the trial's output.
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
        trial = Command(argv=("true",), cwd=scratch, env=environ, timeout_s=10.0)
        try:
            counter.count(trial, executor, scratch / "trial")
        except ValueError as error:
            reasons.append(str(error))
        else:
            return counter
    return "; ".join(reasons)
