"""Callgrind as a profiler on machines without perf: argv out, the stacks of its file in.

Callgrind keeps costs by function, not by stack. Asked to separate functions by their callers, it keeps them by chains
of calls, which are stacks.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

MOST_CALLERS = 32
_NAME = re.compile(r"(c?(?:ob|fl|fi|fe|fn))=\((\d+)\)(?: (.*))?$")
_CALLS = "calls="
_COST = re.compile(r"([+-]?(?:0x[0-9a-f]+|\d+)|\*) \S+ (\d+)\s*$")
_COMMAND = re.compile(r"cmd: *(\S+)")
_UNNAMED = re.compile(r"0x[0-9a-f]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class CallgrindCost:
    """What one instruction of a function cost, reached by one chain of calls.

    Attributes:
        symbols: The function and its callers, from the innermost to the outermost; mangled, empty without a name.
        modules: The file that each is in; empty if unknown.
        address: Of the instruction, in its module's file.
        instructions: How many were executed there.
    """

    symbols: tuple[str, ...]
    modules: tuple[str, ...]
    address: int
    instructions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CallgrindProfile:
    """A file of callgrind.

    Attributes:
        program: The name of what was run.
    """

    program: str
    costs: tuple[CallgrindCost, ...]


def make_record_argv(valgrind: str, output: Path, argv: tuple[str, ...]) -> tuple[str, ...]:
    """The argv that runs a program and what it starts on callgrind's simulated CPU; one file for each process.

    Sources:
        Valgrind manual, "Callgrind Command-line Options" (--separate-callers, --dump-instr),
        https://valgrind.org/docs/manual/cl-manual.html
    """
    options = (
        "--quiet",
        "--trace-children=yes",
        "--tool=callgrind",
        "--demangle=no",
        "--dump-instr=yes",
        f"--separate-callers={MOST_CALLERS}",
        f"--callgrind-out-file={output}.%p",
    )
    return (valgrind, *options, *argv)


def parse_profile(lines: Iterable[str]) -> CallgrindProfile:
    """Read a file of callgrind with the costs of instructions, by chains of calls.

    Sources:
        Valgrind, "Callgrind Format Specification", https://valgrind.org/docs/manual/cl-format.html
    """
    reader = _Reader()
    for line in lines:
        reader.read(line)
    return CallgrindProfile(program=reader.program, costs=tuple(reader.costs()))


@dataclass(slots=True)
class _Reader:
    """Reads line by line; names and addresses are written once, and referred to afterwards."""

    program: str = ""
    _names: dict[tuple[str, str], str] = field(default_factory=dict)
    _module: str = ""
    _function: str = ""
    _address: int = 0
    _is_call: bool = False
    _weights: dict[tuple[str, int], int] = field(default_factory=lambda: defaultdict(int))
    _modules: dict[str, str] = field(default_factory=dict)

    def read(self, line: str) -> None:
        if (cost := _COST.match(line)) is not None:
            self._read_cost(cost[1], int(cost[2]))
        elif (name := _NAME.match(line)) is not None:
            self._read_name(name[1], name[2], name[3])
        elif line.startswith(_CALLS):
            self._is_call = True
        elif (command := _COMMAND.match(line)) is not None:
            self.program = command[1].rpartition("/")[2]

    def _read_name(self, key: str, number: str, name: str | None) -> None:
        kind = key[-2:]
        table = kind if kind in {"ob", "fn"} else "fl"
        if name is not None:
            self._names[table, number] = name.rstrip()
        known = self._names.get((table, number), "")
        if key == "ob":
            self._module = known
        elif key == "fn":
            self._function = known
            self._modules.setdefault(known.partition("'")[0], self._module)

    def _read_cost(self, position: str, instructions: int) -> None:
        if position != "*":
            sign, digits = (position[0], position[1:]) if position[0] in "+-" else ("", position)
            value = int(digits, 16 if digits.startswith("0x") else 10)
            self._address = value if not sign else self._address + (value if sign == "+" else -value)
        if self._is_call:  # the cost of what was called, which stands at the callee as well
            self._is_call = False
            return
        self._weights[self._function, self._address] += instructions

    def costs(self) -> Iterator[CallgrindCost]:
        chains: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {}
        for (function, address), instructions in self._weights.items():
            if function not in chains:
                symbols = tuple(function.split("'"))
                modules = tuple(self._modules.get(symbol, "") for symbol in symbols)
                chains[function] = (tuple("" if _UNNAMED.fullmatch(each) else each for each in symbols), modules)
            symbols, modules = chains[function]
            yield CallgrindCost(symbols=symbols, modules=modules, address=address, instructions=instructions)
