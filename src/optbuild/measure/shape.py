"""The size of superblocks: as small as runs allow in the pilot, larger if many are wanted.

Pure. The variance of a session depends on its runs, however they are divided into superblocks, but a rank interval
widens with fewer than about twenty superblocks, and each superblock of short runs costs a primer.
"""

from __future__ import annotations

import math

SMALLEST_TURNS = 1
"""One random order of the arms. More turns than that are whole mirrored passes."""
MOST_TURNS = 6
_LONG_S = 0.2
_ENOUGH_ROUNDS = 40
_BATCH_BELOW_S = 0.005
_LARGEST_BATCH = 100


def is_primed(run_s: float) -> bool:
    """Whether a superblock begins with a discarded run: short runs depend on the preceding one."""
    return _positive(run_s) < _LONG_S


def pilot_turns(run_s: float) -> int:
    """How often each arm runs in a superblock of the pilot, given the seconds that a run takes.

    Raises:
        ValueError: The duration is not above zero.
    """
    return 2 if is_primed(run_s) else SMALLEST_TURNS


def growth(turns: int, wanted: int) -> int:
    """By how much superblocks should grow if many more are wanted.

    Args:
        turns: Of each arm in a superblock so far: the minimum over all workloads.
        wanted: How many more superblocks of each workload.

    Returns:
        A factor for the turns, which the number of superblocks is divided by.
    """
    most = MOST_TURNS // max(turns, 2) * max(turns, 2) // turns
    factor = min(most, wanted // _ENOUGH_ROUNDS)
    return factor - factor % 2 if turns == SMALLEST_TURNS and factor > 1 else max(1, factor)


def batch_for(run_s: float) -> int:
    """How many times a program is run in a row and timed as one run: more than once only below a few milliseconds.

    The number is the same for every arm, so it is computed once per workload, from the baseline's duration.

    Raises:
        ValueError: The duration is not above zero.
    """
    return min(_LARGEST_BATCH, math.ceil(_BATCH_BELOW_S / _positive(run_s)))


def _positive(run_s: float) -> float:
    if not run_s > 0:
        raise ValueError("a run takes more than zero seconds")
    return run_s
