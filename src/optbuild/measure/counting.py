"""Count the instructions or allocations of every arm on every workload, if the tools and the time allow it.

A count needs no second run and no interval. It accompanies the times, and is exact even on a noisy machine.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from optbuild.errors import WorkloadError, WorkloadTimeoutError
from optbuild.events import ActionFinished, ActionStarted, Emit
from optbuild.execution.command import Command, Completed, ConcurrentExecutor, OnLine, RunningProgram
from optbuild.execution.stopping import StopRequest
from optbuild.files import remove_below, writing
from optbuild.measure.allocations import find_allocation_counter
from optbuild.measure.instructions import find_counter
from optbuild.measure.model import AllocationCount, Count
from optbuild.project.layout import Layout
from optbuild.tools.dhat import AllocationTotal
from optbuild.units import format_duration
from optbuild.workloads.invocation import Invocation, Kind
from optbuild.workloads.placing import even_name, place_together
from optbuild.workloads.programs import Place
from optbuild.workloads.running import run_workload, set_up

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
T_contra = TypeVar("T_contra", contravariant=True)
C = TypeVar("C")
C_co = TypeVar("C_co", covariant=True)


class Counter(Protocol[T_co]):
    """A tool that counts what a program does."""

    @property
    def name(self) -> str:
        """The tool, for people."""
        ...

    @property
    def slowdown(self) -> float:
        """How many times longer a counted program takes."""
        ...

    def counted(self, command: Command, output: Path) -> Command:
        """The command that runs another and counts; `output` is the beginning of the names of the tool's files."""
        ...

    def read(self, output: Path, binaries: Mapping[str, Path]) -> T_co:
        """The count of a finished command.

        Args:
            output: As for `counted`.
            binaries: The programs that are compared.

        Raises:
            ValueError: Nothing was counted; the message says why.
        """
        ...


class Find(Protocol[T_co]):
    """Finds a counter that works on this machine, or says why there is none."""

    def __call__(
        self,
        executor: ConcurrentExecutor,
        environ: Mapping[str, str],
        scratch: Path,
        is_worth_trying: Callable[[Counter[object]], bool],
        /,
    ) -> Counter[T_co] | str:
        """Find it; one that is not worth trying is returned untried."""
        ...


class Describe(Protocol[T_contra, C_co]):
    """Makes of a count, or of the reason for its absence, what is stored."""

    def __call__(
        self, *, workload: str, variant: str, count: T_contra | None, tool: str | None, reason: str | None
    ) -> C_co:
        """Make it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Countable(Generic[T, C]):
    """Something that can be counted.

    Attributes:
        name: As in `optbuild bench --metric`.
        find: Finds what counts it.
        describe: Makes what is stored.
    """

    name: str
    find: Find[T]
    describe: Describe[T, C]

    @property
    def action(self) -> str:
        """Its id in events."""
        return f"count-{self.name}"

    @property
    def label(self) -> str:
        """Its name for users."""
        return f"count {self.name}"


def _describe_allocations(
    *, workload: str, variant: str, count: AllocationTotal | None, tool: str | None, reason: str | None
) -> AllocationCount:
    blocks, size = (None, None) if count is None else (count.blocks, count.bytes)
    return AllocationCount(workload=workload, variant=variant, blocks=blocks, bytes=size, tool=tool, reason=reason)


INSTRUCTIONS: Countable[int, Count] = Countable(name="instructions", find=find_counter, describe=Count)
ALLOCATIONS: Countable[AllocationTotal, AllocationCount] = Countable(
    name="allocations", find=find_allocation_counter, describe=_describe_allocations
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _CountingExecutor:
    """Wraps an executor and counts the program that is identified by its output file."""

    executor: ConcurrentExecutor
    counter: Counter[object]
    stdout: Path
    output: Path
    timeout_s: float

    def run(self, command: Command, *, on_stdout: OnLine | None = None, on_stderr: OnLine | None = None) -> Completed:
        """Run a command and wait for its end; see `Executor.run`."""
        if command.stdout == self.stdout:
            command = replace(self.counter.counted(command, self.output), timeout_s=self.timeout_s)
        return self.executor.run(command, on_stdout=on_stdout, on_stderr=on_stderr)

    def start(self, command: Command) -> AbstractContextManager[RunningProgram]:
        """Start a program alongside; see `ConcurrentExecutor.start`."""
        return self.executor.start(command)

    def stoppable(self, stop: StopRequest) -> AbstractContextManager[None]:
        """Make this thread's programs stoppable by a request; see `ConcurrentExecutor.stoppable`."""
        return self.executor.stoppable(stop)

    def until(self, stop: StopRequest) -> AbstractContextManager[None]:
        """Make the programs of all threads stoppable by a request; see `ConcurrentExecutor.until`."""
        return self.executor.until(stop)


@dataclass(slots=True, kw_only=True)
class Counting(Generic[T, C]):
    """Counts arms on workloads.

    Attributes:
        what: What is counted.
        environ: The caller's environment, in whose PATH the tools are looked for.
        layout: Where the binary that is counted lies, and what the tool writes.
        arms: The binaries of each variant by name.
        run_s: About how long one run of each workload takes, by its name.
        most_s: The time that it may take; None if only counts were requested. Anything longer is not started.
        runner: Starts programs that cannot run here by themselves; its own instructions would be counted.
    """

    what: Countable[T, C]
    executor: ConcurrentExecutor
    emit: Emit
    environ: Mapping[str, str]
    layout: Layout
    arms: Mapping[str, Mapping[str, Path]]
    workloads: tuple[Invocation, ...]
    run_s: Mapping[str, float]
    most_s: float | None
    runner: str | None = None
    clock: Callable[[], float] = time.monotonic
    _started_s: float = field(init=False, default=0.0)
    _counted: int = field(init=False, default=0)

    def count(self) -> tuple[tuple[C, ...], float]:
        """Count what can be counted; return the counts, and the seconds that it took."""
        self._started_s = self.clock()
        remove_below(self.layout.root, self.layout.counting)
        with writing(self.layout.counting):
            self.layout.counting.mkdir(parents=True)
        counter = self.what.find(self.executor, self.environ, self.layout.counting, self._is_worth_trying)
        action, label = self.what.action, self.what.label
        self.emit(ActionStarted(action=action, label=label))
        counts = tuple(count for workload in self.workloads for count in self._count(workload, counter))
        duration_s = self.clock() - self._started_s
        outcome = f"{self._counted} of {len(counts)}"
        self.emit(ActionFinished(action=action, label=label, duration_s=duration_s, outcome=outcome))
        return counts, duration_s

    def _is_worth_trying(self, counter: Counter[object]) -> bool:
        """Whether there is anything to count: even a trial takes a second."""
        return any(self._obstacle(workload, counter) is None for workload in self.workloads)

    def _count(self, workload: Invocation, counter: Counter[T] | str) -> Iterable[C]:
        obstacle = counter if isinstance(counter, str) else self._obstacle(workload, counter)
        if isinstance(counter, str) or obstacle is not None:
            return [self._uncounted(workload, arm, obstacle) for arm in self.arms]
        try:
            with set_up(self.executor, workload, self._stage(next(iter(self.arms)))):
                return [self._count_arm(workload, arm, counter) for arm in self.arms]
        except WorkloadError as error:  # of its setup or cleanup
            return [self._uncounted(workload, arm, error.message) for arm in self.arms]

    def _obstacle(self, workload: Invocation, counter: Counter[object]) -> str | None:
        if workload.kind is not Kind.COMMAND:
            return f"not counted for a {workload.kind} workload"
        if self.runner is not None and workload.argv[0] == (self.runner,):
            return f"run by {self.runner}, whose {self.what.name} would be counted"
        needed_s = self.run_s[workload.name] * counter.slowdown * len(self.arms)
        if self.most_s is not None and needed_s > self._left_s(self.most_s):
            how = f"`optbuild bench --metric {self.what.name}`"
            return f"would take {format_duration(needed_s)} with {counter.name}: {how}"
        return None

    def _left_s(self, most_s: float) -> float:
        return max(0.0, most_s - (self.clock() - self._started_s))

    def _count_arm(self, workload: Invocation, arm: str, counter: Counter[T]) -> C:
        place, output = self._stage(arm), self.layout.counting / "count"
        whole_s = workload.timeout_s * counter.slowdown
        timeout_s = whole_s if self.most_s is None else min(whole_s, self._left_s(self.most_s))
        executor = _CountingExecutor(
            executor=self.executor, counter=counter, stdout=place.stdout, output=output, timeout_s=timeout_s
        )
        count: T | None = None
        reason = None
        try:
            run_workload(executor, workload, place)
            count = counter.read(output, place.binaries)
            self._counted += 1
        except WorkloadTimeoutError:
            reason = f"took longer than {format_duration(timeout_s)} with {counter.name}"
        except WorkloadError as error:
            reason = f"{error.message}, with {counter.name}"
        except ValueError as error:
            reason = str(error)
        place.remove_output()
        return self.what.describe(workload=workload.name, variant=arm, count=count, tool=counter.name, reason=reason)

    def _stage(self, arm: str) -> Place:
        """Put an arm's binaries at the common path: even the length of argv[0] matters."""
        name = even_name("bin", self.arms[arm], self.arms.values())
        return Place(
            root=self.layout.root,
            binaries=place_together(self.arms[arm], self.layout.counting / name, root=self.layout.root),
            stdout=self.layout.counting / "stdout",
            stderr=self.layout.counting / "stderr",
            extra_env={},
        )

    def _uncounted(self, workload: Invocation, arm: str, reason: str | None) -> C:
        return self.what.describe(workload=workload.name, variant=arm, count=None, tool=None, reason=reason)
