"""The order in which arms run: randomised rounds of mirrored superblocks, from a seed.

Pure: it determines what runs and when, and runs nothing. An arm is a variant's name, or the baseline's copy.

Sources:
    A. Abedi, T. Brecht: Conducting Repeatable Experiments in Highly Variable Cloud Computing Environments, ICPE 2017,
    https://doi.org/10.1145/3030207.3030229 (randomised multiple interleaved trials).
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

PILOT_ROUNDS = 10
"""Rounds after which the required number is computed, once."""

CONTROL_SHARE = 0.25
"""Of the rounds after the pilot: those that the baseline's copy takes part in, chosen at random."""

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One arm running one workload once."""

    arm: str
    workload: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SuperblockOrder:
    """The runs of one superblock.

    Attributes:
        primer: The arm of the first run, which is discarded; None if runs are long. It is the first arm of
            `order`: in a mirrored pass every arm then follows each of its neighbours once, and an end arm itself
            instead of the neighbour it lacks, so effects of the preceding run are shared out evenly.
        order: The arm of each run.
    """

    workload: str
    primer: str | None
    order: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """Every workload once, in random order."""

    index: int
    superblocks: tuple[SuperblockOrder, ...]


def make_warm_up(arms: Mapping[str, Sequence[str]], *, seed: int) -> tuple[Turn, ...]:
    """Give the discarded runs at the start: on each workload every arm of it once, shuffled."""
    turns = [Turn(arm=arm, workload=workload) for workload, names in arms.items() for arm in names]
    return _shuffled(turns, _generator(seed, "warm-up"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a workload's superblocks are made of.

    Attributes:
        turns: How often each arm runs: once, in one random order; or an even number of times, in mirrored passes.
        primed: It begins with a run that is discarded.
    """

    turns: int
    primed: bool


def make_round(arms: Mapping[str, Sequence[str]], shapes: Mapping[str, Shape], *, seed: int, index: int) -> Round:
    """Give one round by its index; it depends on no other round, and the same arguments always give the same one.

    Args:
        arms: For each workload the arms that take part, in any fixed order.
        shapes: Of the superblocks of each workload.
        seed: Stored with the results.
        index: Counted from zero.
    """
    generator = _generator(seed, f"round {index}")
    superblocks = tuple(
        _make_superblock(arms[workload], workload, shapes[workload], generator)
        for workload in _shuffled(tuple(arms), generator)
    )
    return Round(index=index, superblocks=superblocks)


def has_control(*, seed: int, index: int) -> bool:
    """Whether the baseline's copy takes part in a round: in each of the pilot's, and in some after it.

    The pilot gives the check of the harness its ten rounds; later ones keep it concurrent.
    """
    return index < PILOT_ROUNDS or _generator(seed, f"control {index}").random() < CONTROL_SHARE


def _make_superblock(arms: Sequence[str], workload: str, shape: Shape, generator: random.Random) -> SuperblockOrder:
    order = _shuffled(arms, generator) if shape.turns == 1 else ()
    for _ in range(shape.turns // 2):
        forth = _shuffled(arms, generator)
        order += forth + forth[::-1]
    return SuperblockOrder(workload=workload, primer=order[0] if shape.primed else None, order=order)


def _generator(seed: int, purpose: str) -> random.Random:
    return random.Random(f"{seed} {purpose}")  # noqa: S311 - the order must be repeatable, not secret


def _shuffled(items: Sequence[_Item], generator: random.Random) -> tuple[_Item, ...]:
    # Only random() keeps its sequence across Python versions; shuffle() may change.
    return tuple(sorted(items, key=lambda _: generator.random()))
