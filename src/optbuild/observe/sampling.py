"""Sample where a program spends its time: by perf, otherwise by callgrind, which simulates a CPU."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from signal import SIGTERM

from optbuild.errors import WorkloadError
from optbuild.execution.command import Command, Executor
from optbuild.observe.inlining import InlineResolver
from optbuild.observe.observer import ORDERLY
from optbuild.observe.raw import RawFrame, RawSamples, RawStack, addresses_of, name_samples
from optbuild.observe.samples import Samples, Unit
from optbuild.text import last_lines
from optbuild.tools import callgrind_stacks, perf_record
from optbuild.tools.elf_segments import Segment, find_address, read_segments
from optbuild.tools.perf_record import CallGraph, Lost, PerfFrame

PERF_SLOWDOWN = 2.0
CALLGRIND_SLOWDOWN = 100.0
"""With chains of calls kept apart; used only for timeouts and to say that it takes long."""

_CLOCK = "cpu-clock"
_UNKNOWN_MODULE = "[unknown]"
_NANOSECOND = 1e-9
_SCRIPT_S = 1800.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PerfObserver:
    """Samples stacks by perf.

    Attributes:
        path: Where perf is.
        event: What triggers a sample: `cycles`, or `cpu-clock` on machines without counters; `:u` leaves out the
            kernel.
        frequency_hz: How many samples of each busy CPU are taken in a second.
        call_graph: How stacks are found.
    """

    executor: Executor
    environ: Mapping[str, str]
    path: Path
    event: str
    frequency_hz: int = 999
    call_graph: CallGraph = CallGraph.FRAME_POINTERS

    @property
    def name(self) -> str:
        """See `Observer`."""
        return "perf"

    @property
    def slowdown(self) -> float:
        """See `Observer`."""
        return PERF_SLOWDOWN

    @property
    def stop_signals(self) -> frozenset[int]:
        """See `Observer`. Told to stop by any signal, perf ends its program by SIGTERM.

        Sources: `__cmd_record` in Linux's tools/perf/builtin-record.c
        """
        return frozenset({SIGTERM})

    def wrap(self, command: Command, output: Path) -> Command:
        """See `Observer`."""
        argv = perf_record.make_record_argv(
            str(self.path),
            output,
            command.argv,
            event=self.event,
            frequency_hz=self.frequency_hz,
            call_graph=self.call_graph,
        )
        return replace(command, argv=argv)

    def read(self, output: Path) -> RawSamples:
        """See `Observer`."""
        text = output.with_name(f"{output.name}.txt")
        command = Command(
            argv=perf_record.make_script_argv(str(self.path), output),
            cwd=output.parent,
            env={**self.environ, "LC_ALL": "C"},
            stdout=text,
            timeout_s=_SCRIPT_S,
        )
        completed = self.executor.run(command)
        if completed.exit_code != 0:
            raise WorkloadError(
                "perf cannot read its own recording",
                help="see whether perf works here: perf record -e cpu-clock true && perf script",
                detail=last_lines(completed.stderr),
            )
        with text.open(encoding="utf-8", errors="replace") as lines:
            return read_perf_samples(perf_record.read_script(lines))


@dataclass(frozen=True, slots=True, kw_only=True)
class CallgrindObserver:
    """Counts the instructions of every stack on callgrind's simulated CPU, which knows neither threads nor the kernel.

    Attributes:
        path: Where valgrind is.
    """

    path: Path

    @property
    def name(self) -> str:
        """See `Observer`."""
        return "callgrind"

    @property
    def slowdown(self) -> float:
        """See `Observer`."""
        return CALLGRIND_SLOWDOWN

    @property
    def stop_signals(self) -> frozenset[int]:
        """See `Observer`."""
        return ORDERLY

    def wrap(self, command: Command, output: Path) -> Command:
        """See `Observer`."""
        return replace(command, argv=callgrind_stacks.make_record_argv(str(self.path), output, command.argv))

    def read(self, output: Path) -> RawSamples:
        """See `Observer`."""
        stacks: list[RawStack] = []
        for path in sorted(output.parent.glob(f"{output.name}.*")):
            with path.open(encoding="utf-8", errors="replace") as lines:
                stacks += read_callgrind_stacks(callgrind_stacks.parse_profile(lines))
        return RawSamples(stacks=tuple(stacks), unit=Unit.INSTRUCTIONS, tool="callgrind")


def with_names(
    recordings: Sequence[RawSamples],
    resolver: InlineResolver,
    module_name: Callable[[str], str] = lambda module: Path(module).name,
) -> tuple[Samples, ...]:
    """Give recordings their names, all at once: reading the debug information of a program may take seconds.

    Args:
        recordings: What observers have read; the files that their frames are in still exist.
        resolver: Finds inlined functions.
        module_name: What a file is called instead of its path.
    """
    addresses: dict[str, frozenset[int]] = defaultdict(frozenset)
    for recording in recordings:
        for module, of_module in addresses_of(recording).items():
            addresses[module] |= of_module
    inlined = resolver.resolve(addresses)
    return tuple(name_samples(recording, inlined, module_name) for recording in recordings)


def read_perf_samples(events: Iterable[perf_record.PerfSample | Lost]) -> RawSamples:
    """What perf saw, with the addresses that debug information has; files are read for where they are loaded."""
    segments: dict[str, tuple[Segment, ...]] = {}
    stacks, lost, unit = [], 0, Unit.SECONDS
    for event in events:
        if isinstance(event, Lost):
            lost += event.count
            continue
        is_clock = event.event.startswith(_CLOCK)
        unit = Unit.SECONDS if is_clock else Unit.CYCLES
        frames = tuple(_place(frame, place, segments) for place, frame in enumerate(event.frames))
        weight = event.period * (_NANOSECOND if is_clock else 1)
        stacks.append(RawStack(frames=frames, weight=weight, thread=event.thread))
    return RawSamples(stacks=tuple(stacks), unit=unit, tool="perf", count=len(stacks), lost=lost)


def read_callgrind_stacks(profile: callgrind_stacks.CallgrindProfile) -> list[RawStack]:
    """What callgrind counted; only the innermost function of a stack has an address."""
    stacks = []
    for cost in profile.costs:
        places = enumerate(zip(cost.symbols, cost.modules, strict=True))
        frames = tuple(
            RawFrame(symbol=symbol, module=module or _UNKNOWN_MODULE, address=None if place else cost.address)
            for place, (symbol, module) in places
        )
        stacks.append(RawStack(frames=frames, weight=float(cost.instructions), thread=profile.program))
    return stacks


def _place(frame: PerfFrame, place: int, segments: dict[str, tuple[Segment, ...]]) -> RawFrame:
    symbol = "" if frame.symbol == _UNKNOWN_MODULE else frame.symbol
    if frame.is_kernel:
        return RawFrame(symbol=symbol, module=perf_record.KERNEL, is_kernel=True)
    if frame.module not in segments:
        segments[frame.module] = _load_segments(Path(frame.module))
    # A caller's address is that of the instruction after the call, which may belong to another function.
    address = find_address(segments[frame.module], frame.offset - (1 if place else 0))
    return RawFrame(symbol=symbol, module=frame.module, address=address)


def _load_segments(path: Path) -> tuple[Segment, ...]:
    try:
        with path.open("rb") as file:
            return read_segments(file)
    except OSError:  # a name in brackets, or a file that is gone
        return ()
