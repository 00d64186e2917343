"""What an observer saw: stacks with weights, whatever tool saw them.

The value that everything about profiles of time starts from: flame graphs, tables, differences, advice. It is plain
data without a file, a process or a format; reading tools' output is up to `tools`, drawing up to `report`.

One recording is a `Samples`: its stacks, each as `frames` from the outermost call to the innermost, and a `weight` in
`unit`. Weights add up: the sum over all stacks is the whole (`total`), the sum over the stacks that contain a frame is
what that frame took with everything that it called, and the sum over those that end in it is what it took itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

UNKNOWN = "[unknown]"
"""What a function without a name is called."""

_RUNTIME_ENDS = "std::sys::backtrace::__rust_begin_short_backtrace"
_CALLS_MAIN = "core::ops::function::FnOnce::call_once"


class Unit(StrEnum):
    """What a weight counts."""

    SECONDS = "s"
    """CPU time, sampled: of all threads together."""
    CYCLES = "cycles"
    """CPU cycles, sampled."""
    INSTRUCTIONS = "instructions"
    """Instructions, all of them counted by a simulated CPU."""

    @property
    def is_time(self) -> bool:
        """Whether weights are shares of CPU time, as samples are."""
        return self is not Unit.INSTRUCTIONS


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One function on a stack.

    Attributes:
        function: Its name for people, without what differs between builds; `[unknown]` if nothing is known.
        symbol: Its name as the file has it, mangled; equal to `function` where nothing is mangled.
        module: The file that it is in: a program, a shared library, `[kernel]`, `[vdso]`, or `[unknown]`.
        is_kernel: It ran in the kernel.
        is_inlined: The compiler put it into its caller; debug information has shown it.
    """

    function: str
    symbol: str
    module: str
    is_kernel: bool = False
    is_inlined: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """A chain of calls that was seen.

    Attributes:
        frames: From the outermost call to the innermost.
        weight: In the unit of its `Samples`.
        thread: The name of its thread, which is that of the program if nobody named it.
    """

    frames: tuple[Frame, ...]
    weight: float
    thread: str

    @property
    def own_frames(self) -> tuple[Frame, ...]:
        """The frames without those of the standard library that start the program or a thread.

        How many of those there are differs between variants, because link-time optimisation merges them. The standard
        library marks their end for its own short backtraces.
        """
        functions = [frame.function for frame in self.frames]
        if _RUNTIME_ENDS not in functions:
            return self.frames
        begin = len(functions) - functions[::-1].index(_RUNTIME_ENDS)
        while begin < len(functions) and functions[begin].startswith(_CALLS_MAIN):
            begin += 1
        return self.frames[begin:] or self.frames


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """What was seen of one run of a program, or of several together.

    Attributes:
        stacks: All stacks; equal ones may stand there more than once.
        unit: What their weights count.
        tool: What recorded them: `perf` or `callgrind`.
        count: How many samples were taken; None for a tool that counts everything.
        lost: How many samples the tool could not keep.
    """

    stacks: tuple[Stack, ...]
    unit: Unit
    tool: str
    count: int | None = None
    lost: int = 0

    @property
    def total(self) -> float:
        """The weight of all stacks together."""
        return sum(stack.weight for stack in self.stacks)

    @property
    def unnamed_share(self) -> float:
        """How much of the weight is in functions whose name is not known, outside the kernel."""
        ends = ((stack.frames[-1], stack.weight) for stack in self.stacks if stack.frames)
        unnamed = sum(weight for frame, weight in ends if frame.function == UNKNOWN and not frame.is_kernel)
        return unnamed / self.total if self.total else 0.0

    def scaled(self, factor: float) -> Samples:
        """The same with all weights multiplied."""
        return replace(self, stacks=tuple(replace(stack, weight=stack.weight * factor) for stack in self.stacks))


def join(parts: Iterable[Samples]) -> Samples:
    """Several recordings as one: weights and counts add up, and equal stacks become one.

    Raises:
        ValueError: There is none, or they have several units.
    """
    given = tuple(parts)
    each = tuple(part for part in given if part.stacks) or given[:1]  # one of nothing has no unit
    units = {(part.unit, part.tool) for part in each}
    if len(units) != 1:
        raise ValueError(f"recordings of {len(units)} kinds cannot be added up")
    weights: dict[tuple[str, tuple[Frame, ...]], float] = defaultdict(float)
    for part in each:
        for stack in part.stacks:
            weights[stack.thread, stack.frames] += stack.weight
    counts = [part.count for part in each if part.count is not None]
    return Samples(
        stacks=tuple(
            Stack(frames=frames, weight=weight, thread=thread) for (thread, frames), weight in weights.items()
        ),
        unit=each[0].unit,
        tool=each[0].tool,
        count=sum(counts) if counts else None,
        lost=sum(part.lost for part in given),
    )


def fold(samples: Samples, thread_name: Callable[[str], str] = lambda name: name) -> Mapping[tuple[str, ...], float]:
    """Folded stacks: by the thread and the functions from the outermost one in, the weight of each.

    Args:
        samples: What was seen.
        thread_name: Gives threads of one pool one name.
    """
    folded: dict[tuple[str, ...], float] = defaultdict(float)
    for stack in samples.stacks:
        folded[thread_name(stack.thread), *(frame.function for frame in stack.own_frames)] += stack.weight
    return folded
