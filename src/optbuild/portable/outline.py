"""The outline of a function: what each block does and what follows it, in a form that another version has as well.

Counters have numbers, and a small change gives other numbers to all that follow. Even without a change LLVM counts
other edges, once it expects others to be frequent. An outline says what each block does, without names of values,
hashes, types and what the optimiser notes, and which counters count it. An edge that LLVM split to count it is one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain

from optbuild.portable.model import Edge, OutlineBlock
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


def outline(function: CountedFunction) -> tuple[OutlineBlock, ...]:
    """The blocks of a function, in LLVM's order, without those that only count an edge."""
    before: dict[str, list[str]] = {}
    for block in function.blocks:
        for successor in block.successors:
            before.setdefault(successor, []).append(block.label)
    splits = {block.label: block for block in function.blocks[1:] if _only_counts(block, before.get(block.label, ()))}
    kept = [block for block in function.blocks if block.label not in splits]
    numbers = {block.label: number for number, block in enumerate(kept)}
    edges = {block.label: tuple(_follow(label, splits) for label in block.successors) for block in kept}
    code = {block.label: tuple(map(_spell, block.code)) for block in kept}
    preceding: dict[str, list[tuple[tuple[str, ...], int]]] = {}
    for block in kept:
        for position, (target, _) in enumerate(edges[block.label]):
            number = position if len(block.successors) <= _NUMBERED else -1
            preceding.setdefault(target, []).append((code[block.label][-_SEEN:], number))

    def make(block: Block) -> OutlineBlock:
        own, targets = code[block.label], edges[block.label]
        ahead = sorted(preceding.get(block.label, ()))
        following = [code[target][:_SEEN] for target, _ in targets[:_NUMBERED]]
        ending = own[-1].split()[:1] if own else []
        return OutlineBlock(
            near=_hash((own, ahead, following)),
            code=_hash(own),
            shape=_hash((len(ahead), ending, len(targets))) % _SHAPES,
            counters=block.counters,
            choices=block.choices,
            sites=block.sites,
            edges=tuple(Edge(to=numbers[target], counters=counters) for target, counters in targets),
        )

    return tuple(map(make, kept))


def _only_counts(block: Block, before: Sequence[str]) -> bool:
    """Whether a block is only an edge, as one is that LLVM had to split to count it."""
    return (
        len(before) == 1
        and len(block.successors) == 1
        and len(block.code) == 1
        and not block.choices
        and block.successors[0] != block.label
    )


def _follow(label: str, splits: Mapping[str, Block]) -> tuple[str, tuple[int, ...]]:
    """The block that an edge leads to, and the counters on the way."""
    counters: tuple[int, ...] = ()
    while label in splits:
        counters += splits[label].counters
        (label,) = splits[label].successors
    return label, counters


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
    """24 bits: blocks of one function are compared with each other, and a file of many should be small."""
    return int.from_bytes(hashlib.blake2b(repr(what).encode(), digest_size=3).digest(), "big")
