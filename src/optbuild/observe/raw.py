"""Stacks as a tool gives them, and their names: inlined functions put in, and what differs between builds left out."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from optbuild.observe.samples import UNKNOWN, Frame, Samples, Stack, Unit
from optbuild.portable.names import read_name

_SYMBOL_VERSION = re.compile(r"@@?[A-Z][\w.]*$")  # `cfree@GLIBC_2.2.5`, as perf names what a library exports
_LLVM_SUFFIX = re.compile(r"\.(?:llvm\.\d+|cold(?:\.\d+)?|part\.\d+|constprop\.\d+|isra\.\d+)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class RawFrame:
    """A frame before its name is known.

    Attributes:
        symbol: Mangled; empty without one.
        module: The path of its file, or a name in brackets.
        address: Of the instruction in its file, as debug information has it; None if there is no such.
        is_kernel: It ran in the kernel.
    """

    symbol: str
    module: str
    address: int | None = None
    is_kernel: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RawStack:
    """A stack before its names are known; its frames from the innermost to the outermost."""

    frames: tuple[RawFrame, ...]
    weight: float
    thread: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RawSamples:
    """A recording before its names are known; see `Samples`."""

    stacks: tuple[RawStack, ...]
    unit: Unit
    tool: str
    count: int | None = None
    lost: int = 0


def join_raw(parts: Iterable[RawSamples]) -> RawSamples:
    """Several recordings as one.

    Raises:
        ValueError: There is none.
    """
    given = tuple(parts)
    each = tuple(part for part in given if part.stacks) or given[:1]  # one of nothing has no unit
    if not each:
        raise ValueError("nothing was recorded")
    counts = [part.count for part in each if part.count is not None]
    return RawSamples(
        stacks=tuple(stack for part in each for stack in part.stacks),
        unit=each[0].unit,
        tool=each[0].tool,
        count=sum(counts) if counts else None,
        lost=sum(part.lost for part in given),
    )


Inlined = Mapping[tuple[str, int], tuple[str, ...]]
"""By module and address, the symbols of the functions there from the innermost, the compiled one last."""


def addresses_of(samples: RawSamples) -> Mapping[str, frozenset[int]]:
    """The addresses by the file that they are in, to be asked for inlined functions."""
    found: dict[str, set[int]] = defaultdict(set)
    for stack in samples.stacks:
        for frame in stack.frames:
            if frame.address is not None:
                found[frame.module].add(frame.address)
    return {module: frozenset(addresses) for module, addresses in found.items()}


def name_samples(
    samples: RawSamples, inlined: Inlined, module_name: Callable[[str], str] = lambda module: module
) -> Samples:
    """Give a recording its names; equal stacks become one.

    Args:
        samples: As the tool gave them.
        inlined: What debug information says of their addresses.
        module_name: What a file is called instead of its path.
    """
    weights: dict[tuple[str, tuple[Frame, ...]], float] = defaultdict(float)
    known: dict[RawFrame, tuple[Frame, ...]] = {}
    for stack in samples.stacks:
        frames: list[Frame] = []
        for raw in reversed(stack.frames):
            if raw not in known:
                known[raw] = tuple(_name(raw, inlined, module_name))
            frames += known[raw]
        weights[stack.thread, tuple(frames)] += stack.weight
    return Samples(
        stacks=tuple(
            Stack(frames=frames, weight=weight, thread=thread) for (thread, frames), weight in weights.items()
        ),
        unit=samples.unit,
        tool=samples.tool,
        count=samples.count,
        lost=samples.lost,
    )


def function_name(symbol: str) -> str:
    """What a function is called in every build: demangled, without hashes, versions and what LLVM appends."""
    return read_name(_LLVM_SUFFIX.sub("", _SYMBOL_VERSION.sub("", symbol))).path


def _name(raw: RawFrame, inlined: Inlined, module_name: Callable[[str], str]) -> Iterable[Frame]:
    """A frame, with the functions that were inlined there after it."""
    chain = () if raw.address is None else inlined.get((raw.module, raw.address), ())
    symbol = raw.symbol or (chain[-1] if chain else UNKNOWN)
    names = [symbol, *reversed(chain[:-1])]
    for place, name in enumerate(names):
        yield Frame(
            function=function_name(name),
            symbol=name,
            module=module_name(raw.module),
            is_kernel=raw.is_kernel,
            is_inlined=place > 0,
        )
