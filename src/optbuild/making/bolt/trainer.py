"""Count branches: run programs that BOLT has instrumented on a workload, and merge what they wrote.

A process writes its counts when it ends by itself, to its own file, whose place is part of the program. So the
files of a training are distinguished by when it ran: no other one writes to the same directory meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from optbuild.errors import ProfileDataError
from optbuild.execution.command import Command, WatchedExecutor
from optbuild.execution.tool import run_tool
from optbuild.files import remove_below, sha256_of, writing
from optbuild.making.keys import branch_merge_key, branch_training_key
from optbuild.making.result_store import ResultStore
from optbuild.making.training.raw_profiles import DiskBudget
from optbuild.making.workload_runs import WorkloadRunner
from optbuild.plan.action import Id
from optbuild.plan.counts import BranchCounts, BranchFile
from optbuild.plan.kinds.bolt import BoltMerge, BoltTrain, counts_of
from optbuild.plan.results import Artifact
from optbuild.profile.model import RawProfileSettings
from optbuild.text import last_lines, sanitize_line
from optbuild.tools.fdata import merge_argv, scaled, sum_up, unreadable
from optbuild.tools.llvm_bolt import COUNTS_SUFFIX
from optbuild.workloads.inputs import InputHashes
from optbuild.workloads.invocation import Invocation

_AT_ONCE = 500
"""How many files one call merges: their names have to fit into its arguments."""
_WEIGHTED_TOTAL = 2.0**40
"""The sum of merged counts: so large that rounding loses nothing, and far below 2**64."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BoltTrainer:
    """Counts branches for one run.

    Attributes:
        root: The directory with optbuild's marker.
        settings: How much a training may write.
    """

    workloads: WorkloadRunner
    results: ResultStore
    hashes: InputHashes
    environ: Mapping[str, str]
    root: Path
    settings: RawProfileSettings

    def train(self, action: BoltTrain, binaries: Mapping[str, Artifact], preload: Path | None) -> BranchCounts:
        """Run a workload with programs that count their branches.

        Args:
            action: What to run.
            binaries: All of them; they are placed in one directory.
            preload: The library that makes a program end by itself when a signal ends it, if that is needed.

        Raises:
            WorkloadError: The workload failed.
            ProfileDataError: No program wrote counts, or they cannot be merged.
            NotComparableError: What the workload reads has changed meanwhile.
        """
        key = branch_training_key(action, binaries, self.hashes)
        stored = self.results.load(key, BranchCounts)
        if stored is not None and are_intact(stored):
            return stored
        duration_s = self._run(action, {name: artifact.path for name, artifact in binaries.items()}, preload)
        self.hashes.check_after(action.workload)
        programs = {name: merged for name in action.programs if (merged := self._merge_files(action, name)) is not None}
        if not programs:
            raise _nothing_written(action)
        counts = BranchCounts(programs=programs, duration_s=duration_s, reused=False)
        if self.hashes.is_steady(action.workload):
            self.results.save(key, replace(counts, reused=True))
        remove_below(self.root, action.counts)
        return counts

    def merge(self, action: BoltMerge, counted: Mapping[Id[BranchCounts], BranchCounts]) -> BranchCounts:
        """Merge the workloads' counts, each with its share, whatever its length.

        Raises:
            ProfileDataError: They cannot be merged.
        """
        key = branch_merge_key(action, counted)
        stored = self.results.load(key, BranchCounts)
        if stored is not None and are_intact(stored):
            return stored
        whole = sum(action.weights.values())
        programs: dict[str, BranchFile] = {}
        for name in dict.fromkeys(name for counts in counted.values() for name in counts.programs):
            parts = []
            for number, (training, counts) in enumerate(counted.items()):
                if name in counts.programs:
                    factor = action.weights[training] / whole * _WEIGHTED_TOTAL / max(1, counts.total_count)
                    parts.append(_scale(counts.programs[name].path, action.directory / f"{name}.{number}", factor))
            files = sum(counts.programs[name].files for counts in counted.values() if name in counts.programs)
            merged = self._add_up(action, parts, action.directory / f"{name}{COUNTS_SUFFIX}")
            programs[name] = _describe(merged, files=files)
            for part in parts:
                part.unlink()
        counts = BranchCounts(programs=programs, duration_s=0.0, reused=False)
        self.results.save(key, replace(counts, reused=True))
        return counts

    def try_out(self, workload: Invocation, binaries: Mapping[str, Path], log_name: str) -> None:
        """Run a workload once with finished programs.

        Raises:
            WorkloadError: They do not run.
        """
        self.workloads.run(workload, binaries, log_name=log_name, extra_env={})
        self.workloads.output(log_name).unlink(missing_ok=True)

    def _run(self, action: BoltTrain, binaries: Mapping[str, Path], preload: Path | None) -> float:
        workload = action.workload
        budget = DiskBudget(
            directory=action.counts,
            most_bytes=self.settings.disk_budget_bytes,
            workload=workload.name,
            pooled=False,
        )
        watched = WatchedExecutor(executor=self.workloads.executor, watch=budget.watch)
        extra_env = {} if preload is None else {"LD_PRELOAD": str(preload)}
        duration_s = 0.0
        with replace(self.workloads, executor=watched).set_up(
            workload, binaries, log_name=action.id, extra_env=extra_env
        ) as run_once:
            self._clear(action)  # its `setup` may have run the program as well
            for _ in range(workload.repeat):
                duration_s += run_once(watched=partial(self.hashes.watch, workload)).usage.wall_s
        self.workloads.output(action.id).unlink(missing_ok=True)
        return duration_s

    def _clear(self, action: BoltTrain) -> None:
        remove_below(self.root, action.counts)
        for name in action.programs:
            directory = counts_of(action.counts, name).parent
            with writing(directory):
                directory.mkdir(parents=True)

    def _merge_files(self, action: BoltTrain, program: str) -> BranchFile | None:
        """Add up what all processes of a program wrote; None if there were none."""
        files = sorted(counts_of(action.counts, program).parent.glob(f"*{COUNTS_SUFFIX}"))
        if not files:
            return None
        return _describe(self._add_up(action, files, action.directory / f"{program}{COUNTS_SUFFIX}"), files=len(files))

    def _add_up(self, action: BoltTrain | BoltMerge, files: Sequence[Path], output: Path) -> Path:
        with writing(output):
            output.parent.mkdir(parents=True, exist_ok=True)
        added: Path | None = None
        for start in range(0, len(files), _AT_ONCE):
            latest = output.with_name(f"{output.name}.{start}")
            inputs = (*(() if added is None else (added,)), *files[start : start + _AT_ONCE])
            argv = merge_argv(action.tools.merge_fdata, inputs, output=latest)
            command = Command(argv=argv, cwd=output.parent, env={**self.environ, "LC_ALL": "C"})
            completed = run_tool(self.workloads.executor, "merge-fdata", command)
            if completed.exit_code != 0:
                raise ProfileDataError(
                    f"{action.label}: merge-fdata failed (exit code {completed.exit_code})",
                    help="let each process end by itself: one that is killed while it writes leaves half a file",
                    location=str(output.parent),
                    detail=last_lines(completed.stderr),
                )
            if added is not None:
                added.unlink()
            added = latest
        assert added is not None  # noqa: S101 - there is at least one file
        with writing(output):
            added.replace(output)
        return output


def are_intact(counts: BranchCounts) -> bool:
    """Whether the files of kept counts are as they were written."""
    return all(each.path.is_file() and sha256_of(each.path) == each.sha256 for each in counts.programs.values())


@contextmanager
def _reading(path: Path) -> Iterator[Iterator[str]]:
    try:
        with path.open(encoding="utf-8", errors="surrogateescape") as lines:
            yield lines
    except ValueError as error:
        raise unreadable(path) from error


def _scale(path: Path, output: Path, factor: float) -> Path:
    with writing(output):
        output.parent.mkdir(parents=True, exist_ok=True)
        with output.open("w", encoding="utf-8", errors="surrogateescape") as stream, _reading(path) as lines:
            stream.writelines(scaled(lines, factor))
    return output


def _describe(path: Path, *, files: int) -> BranchFile:
    with _reading(path) as lines:
        totals = sum_up(lines)
    return BranchFile(
        path=path,
        sha256=sha256_of(path),
        functions=totals.functions,
        total_count=totals.total_count,
        files=files,
    )


def _nothing_written(action: BoltTrain) -> ProfileDataError:
    name, bins = sanitize_line(action.workload.name), ", ".join(action.programs)
    return ProfileDataError(
        f"training on {name!r} wrote no counts of branches ({bins}): each process was ended by a signal, _exit or "
        "abort, or replaced itself with another program",
        help="let each return from `main` or call `exit`; if a signal ends it, set `flush-object = true` in its "
        "[[workloads]] table; or build the variant without BOLT",
        location=str(action.counts),
    )
