"""How many runs it takes to find a gain: optbuild's order and test, and Welch's test on runs in sequence.

Both get the number of runs that is enough, as if it were known before. Ours errs in at most 5% of sessions on whatever
machine; Welch's test gets the critical value with which it does so, on the machine at hand or on each of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product

import numpy as np

from optbuild.measure import statistics
from optbuild.measure.schedule import CONTROL_SHARE, PILOT_ROUNDS
from optbuild.measure.statistics import Floats
from optbuild.measure.stopping import Levels
from validation.noise import NoiseModel, Shape, drifting, simulate_runs, stepping
from validation.trials import CONFIDENCE
from validation.verdict_time import CHANGES, WORKLOADS, wander

MOST_RUNS = 2000
"""Of each program on each workload: the largest session of either."""
_POWER = 0.8
_BURST = math.log(1.10)
_BURST_RUNS = 20
_BURST_SHARE = 0.2


def bursting(generator: np.random.Generator, shape: Shape, sigma: float) -> Floats:
    """Slow a fifth of the time down by 10%, for twenty runs in the mean: a neighbour that comes and goes."""
    length = math.prod(shape[1:])
    chance = generator.random((shape[0], length))
    ends, begins = 1 / _BURST_RUNS, _BURST_SHARE / (1 - _BURST_SHARE) / _BURST_RUNS
    slow = np.empty((shape[0], length), dtype=bool)
    slow[:, 0] = chance[:, 0] < _BURST_SHARE
    for place in range(1, length):
        slow[:, place] = np.where(slow[:, place - 1], chance[:, place] >= ends, chance[:, place] < begins)
    return generator.normal(0.0, sigma, shape) + _BURST * slow.reshape(shape)


@dataclass(frozen=True, slots=True)
class Machine:
    """What disturbs its runs, and their standard deviation apart from that."""

    model: NoiseModel
    sigma: float


MACHINES: Mapping[str, Machine] = {
    "quiet": Machine(wander, 0.01),
    "noisy": Machine(wander, 0.10),
    "drift 5%": Machine(drifting, 0.02),
    "step 10%": Machine(stepping, 0.02),
    "bursts 10%": Machine(bursting, 0.02),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """One question: a gain of this size, on so many workloads, on this machine."""

    change: float
    workloads: int
    machine: str

    @property
    def theta(self) -> float:
        """The true difference of logarithms."""
        return math.log(1 - self.change)

    def noise(self, generator: np.random.Generator, shape: Shape) -> Floats:
        """What disturbs the runs of whole sessions."""
        machine = MACHINES[self.machine]
        return machine.model(generator, shape, machine.sigma)


def searches() -> Iterator[Search]:
    """All of them."""
    for machine, change, workloads in product(MACHINES, CHANGES, WORKLOADS):
        yield Search(change=change, workloads=workloads, machine=machine)


def own_runs(generator: np.random.Generator, search: Search, sessions: int) -> float:
    """The runs with which four of five sessions call the gain faster than nothing; infinite if none are enough.

    Long runs: an order of the base, its copy and the candidate in each round, and no primer.
    """
    levels = Levels.of(1, search.workloads, CONFIDENCE)
    machine = MACHINES[search.machine]
    for n in _sizes(statistics.least_rounds(levels.suite), MOST_RUNS):
        blocks = (sessions, n, search.workloads)
        logs = simulate_runs(machine.model, generator, blocks, arms=3, sigma=machine.sigma, turns=1)
        d = (logs[..., 1, 0] - logs[..., 0, 0]).mean(axis=-1) + search.theta
        found = np.mean([_is_faster(session, levels.suite) for session in d])
        if found >= _POWER:
            control = min(n, PILOT_ROUNDS) + CONTROL_SHARE * max(0, n - PILOT_ROUNDS)
            return search.workloads * (3 + 2 * n + control)
    return math.inf


Critical = Callable[[int, int], float]
"""Welch's critical value, given the runs of each program on each workload, and the workloads."""


@dataclass(slots=True)
class Calibration:
    """Critical values with which Welch's test errs in 5% of sessions on a machine.

    Attributes:
        source: Gives each row its own chance.
    """

    source: Callable[..., np.random.Generator]
    sessions: int
    _known: dict[tuple[str, int, int], float] = field(default_factory=dict)

    def of(self, machine: str) -> Critical:
        """Those of this machine."""
        return lambda n, workloads: self._find(machine, n, workloads)

    def of_any(self, n: int, workloads: int) -> float:
        """What errs in at most 5% of sessions on each machine: for whoever does not know which one it is."""
        return max(self._find(machine, n, workloads) for machine in MACHINES)

    def _find(self, machine: str, n: int, workloads: int) -> float:
        key = machine, n, workloads
        if key not in self._known:
            nothing = Search(change=0.0, workloads=workloads, machine=machine)
            found = np.abs(_welch(self.source("critical", *key), nothing, self.sessions, n))
            self._known[key] = float(np.quantile(found, CONFIDENCE))
        return self._known[key]


def welch_runs(generator: np.random.Generator, search: Search, sessions: int, critical: Critical) -> float:
    """The same for Welch's test on all runs of the one program and then all of the other, a warm-up run before each.

    With several workloads each has runs of its own, and the logarithms are averaged.
    """
    for n in _sizes(3, MOST_RUNS):
        found = _welch(generator, search, sessions, n)
        if (found < -critical(n, search.workloads)).mean() >= _POWER:
            return float(search.workloads * 2 * (1 + n))
    return math.inf


def _welch(generator: np.random.Generator, search: Search, sessions: int, n: int) -> Floats:
    """Welch's statistic in each session."""
    noise = search.noise(generator, (sessions, search.workloads, 1, 2 * n))[:, :, 0]
    first, second = noise[..., :n], noise[..., n:]
    spread = np.sqrt((first.var(axis=-1, ddof=1) + second.var(axis=-1, ddof=1)).mean(axis=1) / n / search.workloads)
    change = (second.mean(axis=-1) - first.mean(axis=-1)).mean(axis=1) + search.theta
    return np.asarray(change / spread)


def _is_faster(d: Floats, alpha: float) -> bool:
    interval = statistics.signed_rank_interval(d, alpha)
    return interval is not None and interval[1] < 0


def _sizes(least: int, most: int) -> Iterator[int]:
    n = least
    while n <= most:
        yield n
        n = max(n + 1, round(n * 1.2))
