"""In which order arms run: randomised rounds of mirrored superblocks, from a seed.

Pure: it says what should run and when, and runs nothing. An arm is a variant's name, or the baseline's copy.

Sources:
    A. Abedi, T. Brecht: Conducting Repeatable Experiments in Highly Variable Cloud Computing Environments, ICPE 2017,
    https://doi.org/10.1145/3030207.3030229 (randomised multiple interleaved trials).
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

PILOT_ROUNDS = 10
"""Rounds after which the number that precision needs is asked for, once."""

_ONE_PASS_FROM_S = 0.2
MOST_PASSES = 3
_BATCH_BELOW_S = 0.005
_LARGEST_BATCH = 100

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
        primer: The arm of the run that comes before and is discarded. It is the first arm of `order`: in a mirrored
            pass every arm then follows each of its neighbours once, and an end arm itself instead of the neighbour it
            lacks, so that what a run inherits from the one before is shared out evenly.
        order: The arm of each run.
    """

    workload: str
    primer: str
    order: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """Every workload once, in random order."""

    index: int
    superblocks: tuple[SuperblockOrder, ...]


def passes_for(run_s: float) -> int:
    """How many mirrored passes a superblock has, given the seconds one run takes: more where runs are short.

    Raises:
        ValueError: The duration is not above zero.
    """
    return min(MOST_PASSES, math.ceil(_ONE_PASS_FROM_S / _positive(run_s)))


def batch_for(run_s: float) -> int:
    """How many times a program is run in a row and timed as one run: more than once only below a few milliseconds.

    The same number holds for every arm, so it is asked for once per workload, with the baseline's duration.

    Raises:
        ValueError: The duration is not above zero.
    """
    return min(_LARGEST_BATCH, math.ceil(_BATCH_BELOW_S / _positive(run_s)))


def make_warm_up(arms: Mapping[str, Sequence[str]], *, seed: int) -> tuple[Turn, ...]:
    """Give the discarded runs at the start: on each workload every arm of it once, shuffled."""
    turns = [Turn(arm=arm, workload=workload) for workload, names in arms.items() for arm in names]
    return _shuffled(turns, _generator(seed, "warm-up"))


def make_round(arms: Mapping[str, Sequence[str]], passes: Mapping[str, int], *, seed: int, index: int) -> Round:
    """Give one round by its index; it depends on no other round, and the same arguments always give the same one.

    Args:
        arms: For each workload the baseline, candidates and the baseline's copy, in any fixed order.
        passes: The number of mirrored passes in a superblock of each workload.
        seed: Stored with the results.
        index: Counted from zero.
    """
    generator = _generator(seed, f"round {index}")
    superblocks = tuple(
        _make_superblock(arms[workload], workload, passes[workload], generator)
        for workload in _shuffled(tuple(arms), generator)
    )
    return Round(index=index, superblocks=superblocks)


def _make_superblock(arms: Sequence[str], workload: str, passes: int, generator: random.Random) -> SuperblockOrder:
    order: tuple[str, ...] = ()
    for _ in range(passes):
        forth = _shuffled(arms, generator)
        order += forth + forth[::-1]
    return SuperblockOrder(workload=workload, primer=order[0], order=order)


def _generator(seed: int, purpose: str) -> random.Random:
    return random.Random(f"{seed} {purpose}")  # noqa: S311 - the order must be repeatable, not secret


def _shuffled(items: Sequence[_Item], generator: random.Random) -> tuple[_Item, ...]:
    # Only random() keeps its sequence across Python versions; shuffle() may change.
    return tuple(sorted(items, key=lambda _: generator.random()))


def _positive(run_s: float) -> float:
    if not run_s > 0:
        raise ValueError("a run takes more than zero seconds")
    return run_s
