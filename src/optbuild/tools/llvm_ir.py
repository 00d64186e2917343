"""Read functions and their counters from LLVM's IR, as it is right before counters become code.

LLVM writes it into a directory where `rustc.write_ir_flags` ask for it: a file for each codegen unit. Only what leads
from a counter to its block is read.

Sources:
    LLVM Language Reference, https://llvm.org/docs/LangRef.html: `llvm.instrprof.increment` has the hash of the
    function's control flow, the number of its counters, and which one it is
    LLVM, `StandardInstrumentations.cpp`, `-ir-dump-directory`: a file's name is the number of the pass, a hash of the
    module's name, and what was printed
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath

_COUNTER = re.compile(
    r"call void @llvm\.instrprof\.increment(?P<step>\.step)?\(ptr @[^,]+, "
    r"i64 (?P<flow>\d+), i32 (?P<counters>\d+), i32 (?P<counter>\d+)[,)]"
)
_SITE = re.compile(r"call void @llvm\.instrprof\.value\.profile\(.*, i32 (?P<kind>\d+), i32 (?P<site>\d+)\)")
_OF_PROFILE = "@llvm.instrprof."
_PHI = " = phi "
_DEFINED = re.compile(r'[^@\n]*@(?P<quote>"?)(?P<name>[^"(\n]+)(?P=quote)\(')
_CONTINUED = ("   ", "  ]")  # the cases of a switch, the ends of an invoke
_LABEL = re.compile(r'(?P<label>"[^"]*"|[\w.$-]+):')
_TARGET = re.compile(r'label %(?P<label>"[^"]*"|[\w.$-]+)')


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A basic block.

    Attributes:
        code: Its instructions in text but for those of the profile, and phis; one of several lines is whole.
        successors: The labels of those that may follow, in the order of its last instruction.
        counters: Those that count how often it runs.
        choices: Those that count how often a selection in it takes its first value, in its order.
        sites: Where values are seen in it, in its order: LLVM's number of the kind, and which place of the function.
    """

    label: str
    code: tuple[str, ...]
    successors: tuple[str, ...]
    counters: tuple[int, ...]
    choices: tuple[int, ...]
    sites: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedFunction:
    """A function with counters.

    Attributes:
        symbol: Its mangled name.
        hash: LLVM's, of its control flow.
        counters: How many it has.
        blocks: In LLVM's order.
    """

    symbol: str
    hash: int
    counters: int
    blocks: tuple[Block, ...]


def parse_functions(text: str, wanted: Collection[tuple[str, int]]) -> Iterator[CountedFunction]:
    """Read some functions of a codegen unit.

    Args:
        text: What LLVM has written.
        wanted: The mangled name and the hash of the control flow of each.
    """
    symbols = {symbol for symbol, _ in wanted}
    for part in text.split("\ndefine ")[1:]:
        defined = _DEFINED.match(part)
        if defined is None or defined["name"] not in symbols:
            continue
        body = part.partition("\n}")[0]
        first = _COUNTER.search(body)
        if first is not None and (defined["name"], int(first["flow"])) in wanted:
            blocks = tuple(_parse_blocks(body.split("\n")[1:]))
            yield CountedFunction(
                symbol=defined["name"], hash=int(first["flow"]), counters=int(first["counters"]), blocks=blocks
            )


def _parse_blocks(lines: Iterable[str]) -> Iterator[Block]:
    label, instructions = "", list[str]()
    for line in lines:
        if named := _LABEL.match(line):
            yield _make_block(label, instructions)
            label, instructions = named["label"], []
        elif line.startswith(_CONTINUED) and instructions:
            instructions[-1] += f" {line.strip()}"
        elif line.startswith("  "):
            instructions.append(line.strip())
    yield _make_block(label, instructions)


def _make_block(label: str, instructions: Sequence[str]) -> Block:
    code, counters, choices, sites = list[str](), list[int](), list[int](), list[tuple[int, int]]()
    for instruction in instructions:
        if counter := _COUNTER.search(instruction):
            (choices if counter["step"] else counters).append(int(counter["counter"]))
        elif site := _SITE.search(instruction):
            sites.append((int(site["kind"]), int(site["site"])))
        elif _OF_PROFILE not in instruction and _PHI not in instruction:
            code.append(instruction)
    successors = tuple(_TARGET.findall(code[-1])) if code else ()
    return Block(
        label=label,
        code=tuple(code),
        successors=successors,
        counters=tuple(counters),
        choices=tuple(choices),
        sites=tuple(sites),
    )


def find_outdated(files: Iterable[tuple[PurePath, int]]) -> list[PurePath]:
    """The files of which a later build has written another: those of one module, but for the newest.

    Args:
        files: Each with when it was written.
    """
    newest: dict[str, tuple[int, PurePath]] = {}
    outdated = []
    for path, written in files:
        module = "-".join(path.name.split("-")[1:])
        last = newest.get(module)
        if last is None or last[0] < written:
            newest[module] = (written, path)
        outdated += [] if last is None else [min(last, (written, path))[1]]
    return outdated
