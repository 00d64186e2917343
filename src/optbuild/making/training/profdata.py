"""Call `llvm-profdata`: each call has a timeout and a log, and the error for one that dies or hangs quotes its output.

Not for handling the files that it complains about, nor for what a profile proves: `merging` and `evidence` do that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from optbuild.errors import ProfileDataError
from optbuild.execution.command import Command, Completed, Executor, OnLine
from optbuild.execution.signals import describe_ending
from optbuild.execution.tool import run_tool
from optbuild.files import atomic_write, tail_of, writing
from optbuild.plan.counts import CrateCounts, ProfileContents
from optbuild.text import last_lines
from optbuild.toolchain.model import Tool
from optbuild.tools.llvm_profdata import (
    ProfileSummary,
    failed_inputs,
    functions_argv,
    make_input_list,
    merge_argv,
    parse_function_line,
    parse_show,
    show_argv,
    text_argv,
)
from optbuild.tools.mangling import crate_of
from optbuild.tools.temporal_traces import parse_traces, traces_argv
from optbuild.units import format_duration


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeEnding:
    """How a merge ended.

    Attributes:
        output: The merged profile; None if there is none.
        complaints: Its messages about inputs, by path; a successful merge may have complained as well.
    """

    exit_code: int
    output: Path | None
    complaints: Mapping[str, str]
    log: Path


@dataclass(slots=True, kw_only=True)
class Profdata:
    """The `llvm-profdata` that fits rustc.

    Attributes:
        environ: The caller's environment.
        work: Where list files and unfinished profiles are written.
        logs: Where its output is kept.
        timeout_s: How long one call may take.
    """

    executor: Executor
    tool: Tool
    environ: Mapping[str, str]
    work: Path
    logs: Path
    timeout_s: float

    def merge(self, inputs: Iterable[tuple[int, Path]], *, label: str) -> MergeEnding:
        """Merge profiles, each with its weight; a broken one fails the merge, and each broken one is named.

        Raises:
            ProfileDataError: It did not finish.
            ToolchainError: It cannot be started.
            StorageError: Its list file or its log cannot be written.
        """
        list_file, output, log = self.work / f"{label}.inputs", self.work / f"{label}.profdata", self._log(label)
        with writing(output):
            output.unlink(missing_ok=True)  # the output of an interrupted run must not count as this run's
        atomic_write(list_file, make_input_list(inputs))
        completed = self._run(merge_argv(self.tool.path, inputs_file=list_file, output=output), log)
        # At worst one line per function and file: never held in memory.
        with log.open(encoding="utf-8", errors="replace") as lines:
            complaints = dict(failed_inputs(lines))
        succeeded = completed.exit_code == 0 and output.is_file()
        if succeeded:
            list_file.unlink()
            if not complaints:
                _discard(log)
        return MergeEnding(
            exit_code=completed.exit_code, output=output if succeeded else None, complaints=complaints, log=log
        )

    def write_text(self, profile: Path) -> Path:
        """Write a profile as text, next to it.

        Raises:
            ProfileDataError: It cannot be read.
        """
        output, log = profile.with_suffix(".proftext"), self._log(profile.stem)
        completed = self._run(text_argv(self.tool.path, profile, output), log)
        if completed.exit_code != 0:
            raise self.failed(completed.exit_code, log)
        _discard(log)
        return output

    def summarise(self, profile: Path) -> ProfileSummary:
        """Count what a profile contains.

        Raises:
            ProfileDataError: It cannot be read.
        """
        log = self._log(profile.stem)
        completed = self._run(show_argv(self.tool.path, profile), log)
        try:
            summary = parse_show(completed.stdout.decode("utf-8", "replace"))
        except ValueError as error:
            raise ProfileDataError(
                f"llvm-profdata cannot read the profile that it merged: {error}",
                help="optbuild doctor",
                location=str(profile),
                detail=last_lines(tail_of(log)),
            ) from error
        _discard(log)
        return summary

    def look_into(self, profile: Path) -> ProfileContents:
        """The functions of a profile, and the counts of each crate.

        Raises:
            ProfileDataError: It cannot be read.
        """
        census = _Census()
        log = self._log(profile.stem)
        completed = self._run(functions_argv(self.tool.path, profile), log, on_stdout=census.add_line)
        if completed.exit_code != 0:
            raise self.failed(completed.exit_code, log)
        _discard(log)
        return census.contents()

    def read_traces(self, profile: Path) -> tuple[tuple[str, ...], ...]:
        """The order in which functions first ran, for each run that a profile has it of.

        Raises:
            ProfileDataError: It cannot be read.
        """
        log = self._log(profile.stem)
        completed = self._run(traces_argv(self.tool.path, profile), log)
        if completed.exit_code != 0:
            raise self.failed(completed.exit_code, log)
        _discard(log)
        return parse_traces(completed.stdout.decode("utf-8", "replace").splitlines())

    def failed(self, exit_code: int, log: Path) -> ProfileDataError:
        """The error for a failed call that names no broken input."""
        return ProfileDataError(
            f"llvm-profdata failed ({describe_ending(exit_code)})",
            help="read its log; `optbuild doctor` checks whether it fits rustc; a signal may mean too little memory",
            location=str(log),
            detail=last_lines(tail_of(log)),
        )

    def _log(self, label: str) -> Path:
        return self.logs / f"{label}.llvm-profdata.log"

    def _run(self, argv: tuple[str, ...], log: Path, *, on_stdout: OnLine | None = None) -> Completed:
        with writing(log):
            log.parent.mkdir(parents=True, exist_ok=True)
        command = Command(argv=argv, cwd=self.work, env=self.environ, stderr=log, timeout_s=self.timeout_s)
        completed = run_tool(self.executor, "llvm-profdata", command, on_stdout=on_stdout)
        if completed.timed_out:
            raise ProfileDataError(
                f"llvm-profdata did not finish within {format_duration(self.timeout_s)} and was stopped",
                help='give it more time (`merge-timeout = "2h"` under [raw-profiles]), or train on less',
                location=str(log),
                detail=last_lines(tail_of(log)),
            )
        return completed


class _Census:
    """Counts functions by crate while they are listed."""

    def __init__(self) -> None:
        self._names: set[str] = set()
        self._ran: set[str] = set()
        self._last = ""
        self._crates: dict[str | None, list[int]] = {}

    def add_line(self, line: bytes) -> None:
        found = parse_function_line(line.decode("utf-8", "replace").rstrip("\n"))
        if isinstance(found, str):
            self._names.add(found)
            self._last = found
        elif found is not None:
            numbers = self._crates.setdefault(crate_of(self._last), [0, 0, 0])
            numbers[0] += 1
            numbers[1] += any(found)
            self._ran |= {self._last} if any(found) else set()
            numbers[2] += sum(found)

    def contents(self) -> ProfileContents:
        crates = (
            CrateCounts(name=name, functions=functions, functions_with_counts=ran, total_count=total)
            for name, (functions, ran, total) in self._crates.items()
        )
        largest_first = sorted(crates, key=lambda crate: (-crate.total_count, crate.name or ""))
        return ProfileContents(
            names=frozenset(self._names), names_with_counts=frozenset(self._ran), crates=tuple(largest_first)
        )


def _discard(log: Path) -> None:
    """Remove the log of a call that succeeded; two merges that gave one content share it and may end together."""
    log.unlink(missing_ok=True)
