"""Where the counters of a function are: what its blocks do, in a form that another version of the function has as well.

Counters have numbers, and a small change gives other numbers to all that follow. A place says what the block of a
counter does, and what its neighbours do; both without names of values, hashes, types and what the optimiser notes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain

from optbuild.portable.model import Place
from optbuild.portable.names import read_name
from optbuild.tools.llvm_ir import Block, CountedFunction

_SEEN = 6  # instructions of a neighbour, next to the block
_SHAPES = 256
_NUMBERED = 3  # of so many successors it matters which one a block is
_NOTES = re.compile(
    r", ![\w.]+ !\w+"
    r"|\balign \d+"
    r"|\b(?:range|captures|dereferenceable|dereferenceable_or_null|initializes|memory|nofpclass|align)"
    r"\([^()]*(?:\([^()]*\)[^()]*)*\)"
    r"|#\d+|\[[^\[\]]*%[^\[\]]*\]"
)
_WORDS = re.compile(
    r'(?P<result>^%\S+ = )|@(?P<quote>"?)(?P<name>[\w.$]+)(?P=quote)|%"[^"]*"|%[\w.$-]+|(?P<word>-?\b[\w.]+)'
)
_TYPE = re.compile(r"[ifv]\d+|ptr|void|label|x")
_VARYING = re.compile(r"[0-9a-f]{8,}|\d+")


def locate_counters(function: CountedFunction) -> tuple[Place, ...]:
    """The place of each counter, in the order of the blocks."""
    blocks = {block.label: block for block in function.blocks}
    code = {label: tuple(map(_spell, block.code)) for label, block in blocks.items()}
    before: dict[str, list[tuple[str, int]]] = {}
    for block in function.blocks:
        for number, successor in enumerate(block.successors):
            of_few = len(block.successors) <= _NUMBERED
            before.setdefault(successor, []).append((block.label, number if of_few else -1))
    found: dict[int, Place] = {}
    for block in function.blocks:
        for counter, position in block.counters:
            # A loop whose head was copied has a counter twice. The first one is where the head was.
            if counter not in found:
                found[counter] = _make_place(block, counter, position, code, before)
    return tuple(found.values())


def _make_place(
    block: Block,
    counter: int,
    position: int,
    code: Mapping[str, Sequence[str]],
    before: Mapping[str, Sequence[tuple[str, int]]],
) -> Place:
    own = (position, *code[block.label])
    preceding = sorted((tuple(code[label][-_SEEN:]), number) for label, number in before.get(block.label, ()))
    following = [tuple(code.get(label, ())[:_SEEN]) for label in block.successors[:_NUMBERED]]
    ending = code[block.label][-1].split()[:1] if code[block.label] else []
    shape = (position > 0, len(preceding), ending, len(block.successors))  # what counts a selection stands within
    return Place(
        counter=counter, near=_hash((own, preceding, following)), code=_hash(own), shape=_hash(shape) % _SHAPES
    )


def _spell(instruction: str) -> str:
    """An instruction by its words, constants, and the functions that it names."""
    return " ".join(chain.from_iterable(map(_spell_word, _WORDS.finditer(_NOTES.sub("", instruction)))))


def _spell_word(word: re.Match[str]) -> Iterator[str]:
    if word["name"]:
        yield _spell_name(word["name"])
    elif word["word"] and not _TYPE.fullmatch(word["word"]):
        yield word["word"]


@lru_cache(maxsize=1 << 14)
def _spell_name(symbol: str) -> str:
    if symbol.startswith(("_ZN", "_R")):
        return read_name(symbol).path
    return _VARYING.sub("", symbol)


def _hash(what: object) -> int:
    """24 bits: places of one function are compared with each other, and a file of many should be small."""
    return int.from_bytes(hashlib.blake2b(repr(what).encode(), digest_size=3).digest(), "big")
