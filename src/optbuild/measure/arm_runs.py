"""Run arms on workloads, one run or one superblock at a time, and record the cost of each run."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from optbuild.events import Emit, Level, Notice
from optbuild.execution.command import ConcurrentExecutor
from optbuild.files import remove_below
from optbuild.measure.arms import ArmBinaries
from optbuild.measure.blocks import Block
from optbuild.measure.cells import Cell, cells_of, check_benchmarks, check_names, check_peak, summarise_resources
from optbuild.measure.guard import NoiseGuard
from optbuild.measure.model import Resources, Superblock
from optbuild.measure.schedule import SuperblockOrder
from optbuild.profile.workloads import MetricName
from optbuild.text import sanitize_line
from optbuild.workloads.invocation import Invocation
from optbuild.workloads.programs import Place, WorkloadRun
from optbuild.workloads.running import run_workload, set_up

_PADDING_NAME = "OPTBUILD_PADDING"
_MOST_PADDING = 4096  # one page: the stack then starts anywhere within it


@dataclass(slots=True, kw_only=True)
class ArmRuns:
    """Runs arms on workloads.

    Attributes:
        root: The directory with optbuild's marker.
        directory: The directory with the copies of the binaries.
        workloads: By name.
        copies: The files of each arm, by workload.
        baseline: The arm that sets workloads up.
        guard: Watches for disturbances from outside.
        counted: All runs inside superblocks, by workload and arm.
    """

    executor: ConcurrentExecutor
    emit: Emit
    root: Path
    directory: Path
    workloads: Mapping[str, Invocation]
    copies: Mapping[str, Mapping[str, ArmBinaries]]
    baseline: str
    guard: NoiseGuard
    counted: dict[tuple[str, str], list[WorkloadRun]] = field(init=False, default_factory=dict)
    _cells: dict[str, tuple[Cell, ...]] = field(init=False, default_factory=dict)
    _beside_cpu_s: float = field(init=False, default=0.0)

    @contextmanager
    def set_up(self) -> Iterator[None]:
        """Set up all workloads, and clean them up at the end.

        Raises:
            WorkloadError: A command of a workload failed.
        """
        with ExitStack() as stack:
            stack.callback(remove_below, self.root, self.directory / "stdout")  # it may be large
            for workload in self.workloads.values():
                stack.enter_context(set_up(self.executor, workload, self._place(workload, self.baseline, {})))
            yield

    def remove_output(self) -> None:
        """Remove what the last run has written."""
        for workload in self.workloads.values():
            self._place(workload, self.baseline, {}).remove_output()

    def run(self, name: str, arm: str, *, padded: bool = True) -> WorkloadRun:
        """One timed run.

        Args:
            name: The workload's.
            arm: Whose binaries.
            padded: Let the stack start elsewhere in each run, so that no arm is favoured by where it lies.

        Raises:
            WorkloadError: It failed.
            WorkloadTimeoutError: It took longer than its timeout.
        """
        workload = self.workloads[name]
        padding = "x" * random.randrange(_MOST_PADDING)  # noqa: S311 - layout noise, no secret and no result
        env = {_PADDING_NAME: padding} if padded else {}
        run = run_workload(self.executor, workload, self._place(workload, arm, env))
        self._beside_cpu_s += run.beside_cpu_s
        if workload.metric is MetricName.RSS:
            check_peak(workload, arm, run)
        if name not in self._cells:
            self._cells[name] = self._find_cells(workload, run)
        check_benchmarks(workload, arm, self._cells[name], run)
        return run

    def take(self, order: SuperblockOrder, *, batch: int) -> Block:
        """Run one superblock, after its primer if it has one, which is not counted. Raises as `run`.

        Args:
            order: The runs.
            batch: How many runs in a row are one value.
        """
        self.guard.begin()
        beside_before_s = self._beside_cpu_s
        cpu_s = 0.0
        if order.primer is not None:
            primer = self.run(order.workload, order.primer).usage
            cpu_s = primer.user_s + primer.system_s
        taken: dict[str, list[list[WorkloadRun]]] = {}
        for arm in order.order:
            runs = [self.run(order.workload, arm) for _ in range(batch)]
            self.counted.setdefault((order.workload, arm), []).extend(runs)
            cpu_s += sum(run.usage.user_s + run.usage.system_s for run in runs)
            taken.setdefault(arm, []).append(runs)
        cpu_s += self._beside_cpu_s - beside_before_s
        disturbance = self.guard.end(programs_cpu_s=cpu_s)
        superblocks = {
            (cell.name, metric): Superblock(
                order=order.order,
                values={arm: tuple(cell.read(runs, metric) for runs in turns) for arm, turns in taken.items()},
            )
            for cell in self._cells[order.workload]
            for metric in cell.metrics
        }
        return Block(order=order, superblocks=superblocks, disturbance=disturbance)

    def cells(self, without: str | None = None) -> tuple[Cell, ...]:
        """The cells known so far."""
        known = (
            self._cells.get(name) or cells_of(workload) for name, workload in self.workloads.items() if name != without
        )
        return tuple(cell for cells in known for cell in cells)

    def resources(self) -> tuple[Resources, ...]:
        """The resources that each arm needed."""
        return tuple(
            summarise_resources(cell, arm, runs)
            for (workload, arm), runs in self.counted.items()
            for cell in self._cells[workload]
        )

    def _find_cells(self, workload: Invocation, run: WorkloadRun) -> tuple[Cell, ...]:
        """Determine from the first run of a workload what it is compared on."""
        cells = cells_of(workload, run)
        check_names((*self.cells(without=workload.name), *cells))
        if any(cell.judged != workload.metric for cell in cells):
            message = (
                f"workload {workload.name!r}: its benchmarks measure wall time only, which replaces {workload.metric}"
            )
            self.emit(Notice(level=Level.WARNING, code="measures-itself", message=sanitize_line(message)))
        return cells

    def _place(self, workload: Invocation, arm: str, extra_env: Mapping[str, str]) -> Place:
        """Where an arm runs. Output goes to a file: some programs do less work when they write to the null device."""
        own = self.copies[workload.name][arm]
        return Place(
            root=self.root,
            binaries=own.binaries,
            stdout=self.directory / "stdout",
            stderr=self.directory / "stderr",
            extra_env=extra_env,
            arm=arm,
            cargo_build=own.cargo_build,
        )
