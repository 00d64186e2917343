"""How long it takes to a verdict: the design before, and the design now.

Sessions are simulated run by run; what they cost is counted in runs and in seconds, with what each run costs beside the
program itself. The stop rule is `optbuild.measure.stopping`'s own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy import signal

from optbuild.measure import statistics
from optbuild.measure.schedule import CONTROL_SHARE, PILOT_ROUNDS
from optbuild.measure.shape import growth, is_primed, pilot_turns
from optbuild.measure.statistics import Floats
from optbuild.measure.stopping import LEAST_PRECISION, Levels, look_again, needed_superblocks
from validation.noise import Shape

MARGIN = math.log1p(0.01)
OVERHEAD_S = 0.003
CHANGES = (0.03, 0.10, 0.25)
WORKLOADS = (1, 4)
NOISES = {"quiet": 0.01, "noisy": 0.10}
RUNS_S = (0.02, 0.2, 2.0)
CONFIDENCE = 0.95
_OLD_LARGEST = 3
_MOST_ROUNDS = 1500
_SLOW_MEMORY = 0.99


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One question: a gain of this size, on so many workloads, on such a machine, with runs of this length."""

    change: float
    workloads: int
    noise: str
    run_s: float

    @property
    def sigma(self) -> float:
        """The standard deviation from run to run."""
        return NOISES[self.noise]

    @property
    def theta(self) -> float:
        """The true difference of logarithms."""
        return math.log(1 - self.change)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What one way of measuring needs for one case: means over sessions.

    Attributes:
        right: The share of sessions that call the gain faster.
        covered: The share of sessions whose suite interval holds the truth.
    """

    seconds: float
    runs: float
    rounds: float
    right: float
    covered: float


def cases() -> Iterator[Case]:
    """All of them."""
    for change, workloads, noise, run_s in product(CHANGES, WORKLOADS, NOISES, RUNS_S):
        yield Case(change=change, workloads=workloads, noise=noise, run_s=run_s)


def wander(generator: np.random.Generator, shape: Shape, sigma: float) -> Floats:
    """Independent runs, and a machine whose speed wanders by half as much with a memory of a hundred runs."""
    length = math.prod(shape[1:])
    shocks = generator.normal(0.0, sigma / 2 * math.sqrt(1 - _SLOW_MEMORY**2), (shape[0], length))
    shocks[:, 0] /= math.sqrt(1 - _SLOW_MEMORY**2)
    slow = signal.lfilter([1.0], [1.0, -_SLOW_MEMORY], shocks, axis=-1)
    return np.asarray(slow).reshape(shape) + generator.normal(0.0, sigma, shape)


def differences(generator: np.random.Generator, case: Case, *, sessions: int, rounds: int, turns: int) -> Floats:
    """Superblock differences of a candidate without any gain: sessions, workloads, rounds. Three arms take turns."""
    arms = 3
    noise = wander(generator, (sessions, rounds, case.workloads, arms * turns), case.sigma)
    sums = np.zeros((*noise.shape[:3], 2))
    first = 0
    while first < noise.shape[3]:
        mirrored = noise.shape[3] - first >= 2 * arms
        place = np.argsort(generator.random((*noise.shape[:3], arms)), axis=-1)[..., :2]
        sums += np.take_along_axis(noise[..., first : first + arms], place, axis=-1)
        if mirrored:
            sums += np.take_along_axis(noise[..., first + arms : first + 2 * arms], arms - 1 - place, axis=-1)
        first += arms * (1 + mirrored)
    return np.moveaxis((sums[..., 1] - sums[..., 0]) / turns, 1, -1)


def measure_before(generator: np.random.Generator, case: Case, sessions: int) -> Spent:
    """The design before: up to three passes, primers, a control in every round, ±1% whatever the change."""
    turns = 2 * min(_OLD_LARGEST, math.ceil(0.2 / case.run_s))
    rounds = _expected_rounds(case, turns)
    d = differences(generator, case, sessions=sessions, rounds=rounds, turns=turns) + case.theta
    alpha = 1 - CONFIDENCE
    least = max(PILOT_ROUNDS, statistics.least_rounds(alpha / case.workloads))
    outcomes: list[tuple[float, float, bool, bool]] = []
    for session in d.mean(axis=1):
        n = min(max(least, needed_superblocks(session[:PILOT_ROUNDS], alpha, LEAST_PRECISION)), rounds)
        outcomes.append((n, case.workloads * (3 + n * (1 + 3 * turns)), *_judge(session[:n], case, alpha)))
    return _summed_up(case, outcomes)


def measure_now(generator: np.random.Generator, case: Case, sessions: int) -> Spent:
    """The design now: small superblocks, larger ones where many are wanted, a control that takes turns less often."""
    turns, primer = pilot_turns(case.run_s), is_primed(case.run_s)
    levels = Levels.of(1, case.workloads, CONFIDENCE)
    least = max(PILOT_ROUNDS, levels.least_rounds)
    later = {
        grown: differences(generator, case, sessions=sessions, rounds=_expected_rounds(case, grown), turns=grown)
        for grown in (1, 2, 4, 6)
    }
    outcomes: list[tuple[float, float, bool, bool]] = []
    for index in range(sessions):
        pilot = later[turns][index, :, :PILOT_ROUNDS].mean(axis=0) + case.theta
        more = max(least, needed_superblocks(pilot, levels.suite, None)) - PILOT_ROUNDS
        factor = growth(turns, more)
        rest = later[turns * factor][index, :, PILOT_ROUNDS:].mean(axis=0) + case.theta
        session = np.concatenate([pilot, rest])
        n = min(PILOT_ROUNDS + math.ceil(more / factor), session.size)
        n = min(look_again(session[:n], pilot=PILOT_ROUNDS), session.size)
        later_runs = (n - PILOT_ROUNDS) * (primer + (2 + CONTROL_SHARE) * turns * factor)
        runs = case.workloads * (3 + PILOT_ROUNDS * (primer + 3 * turns) + later_runs)
        outcomes.append((n, runs, *_judge(session[:n], case, levels.suite)))
    return _summed_up(case, outcomes)


def _expected_rounds(case: Case, turns: int) -> int:
    """Enough of them for nearly every session."""
    typical = (2.3 * case.sigma * math.sqrt(2 / turns / case.workloads) / 0.01) ** 2
    return int(min(_MOST_ROUNDS, max(60, 3 * typical)))


def _judge(d: Floats, case: Case, alpha: float) -> tuple[bool, bool]:
    """Whether the suite is called faster, and its interval holds the truth."""
    interval = statistics.signed_rank_interval(d, alpha)
    if interval is None:
        return False, True
    low, high = interval
    return high < -MARGIN, low <= case.theta <= high


def _summed_up(case: Case, outcomes: Sequence[tuple[float, float, bool, bool]]) -> Spent:
    rounds, runs, right, covered = (float(np.mean(column)) for column in zip(*outcomes, strict=True))
    run_s = case.run_s * (3 - case.change) / 3  # two of three arms are the baseline
    return Spent(seconds=runs * (run_s + OVERHEAD_S), runs=runs, rounds=rounds, right=right, covered=covered)
