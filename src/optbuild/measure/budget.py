"""The time budget of a contest: how long things take, and what still fits. Times decide here, values never do."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from optbuild.measure.schedule import PILOT_ROUNDS, Round, Shape
from optbuild.measure.shape import SMALLEST_TURNS, batch_for, growth, is_primed, pilot_turns

_SHORTEST_RUN_S = 1e-4
_LATEST_ROUNDS = 5
_PILOT_RESERVE = 1.15  # rounds may take longer than predicted


@dataclass(slots=True, kw_only=True)
class Budget:
    """Decides what there is time for.

    Attributes:
        most_s: The whole budget, counted from the creation of this object.
        run_s: About how long one run of each workload takes, by its name.
        clock: Seconds since an arbitrary moment.
        arms: How many take turns on each workload.
    """

    most_s: float
    run_s: Mapping[str, float]
    clock: Callable[[], float]
    arms: Mapping[str, int] = field(default_factory=dict)
    _started_s: float = field(init=False)
    _smallest: bool = field(init=False, default=False)
    _growth: int = field(init=False, default=1)
    _warm_up_s: dict[str, list[float]] = field(init=False, default_factory=dict)
    _rounds: list[tuple[float, float]] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self._started_s = self.clock()

    def elapsed_s(self) -> float:
        """The time spent."""
        return self.clock() - self._started_s

    def left_s(self) -> float:
        """The time left; negative if too much was spent."""
        return self.most_s - self.elapsed_s()

    def fits(self, more_s: float) -> bool:
        """Whether there is time for something."""
        return self.elapsed_s() + more_s <= self.most_s

    def estimated_run_s(self, workload: str) -> float:
        """How long a run of the baseline takes."""
        return max(self.run_s[workload], _SHORTEST_RUN_S)

    def batch(self, workload: str) -> int:
        """How many runs in a row are timed as one."""
        return batch_for(self.estimated_run_s(workload))

    def shape(self, workload: str) -> Shape:
        """The shape of a workload's superblocks."""
        run_s = self.estimated_run_s(workload)
        turns = SMALLEST_TURNS if self._smallest else pilot_turns(run_s)
        return Shape(turns=turns * self._growth, primed=is_primed(run_s))

    def learn(self, workload: str, run_s: float) -> None:
        """Record a run of the baseline; earlier durations may have been taken while builds were running."""
        self.run_s = {**self.run_s, workload: min(self.run_s[workload], run_s)}

    def learn_warm_up(self, workload: str, took_s: float) -> None:
        """Record how long a run of any arm took, including its overhead."""
        self._warm_up_s.setdefault(workload, []).append(took_s)

    def learn_round(self, round_: Round, took_s: float) -> None:
        """Record how long a round took."""
        self._rounds.append((self.foreseen_s(round_), took_s))

    def estimated_warm_up_s(self) -> float:
        """How long one run of each arm on each workload takes."""
        return sum(self.estimated_run_s(name) * arms for name, arms in self.arms.items())

    def estimated_round_s(self) -> float:
        """How long a round of all arms takes, as estimated before the first."""
        shapes = {name: self.shape(name) for name in self.arms}
        return sum(
            self._turn_s(name) * (shapes[name].primed + shapes[name].turns * arms) for name, arms in self.arms.items()
        )

    def round_s(self) -> float:
        """The average duration of the latest rounds; an estimate before the first."""
        latest = [took_s for _, took_s in self._rounds[-_LATEST_ROUNDS:]]
        return statistics.fmean(latest) if latest else self.estimated_round_s()

    def fitting_rounds(self) -> int:
        """How many more rounds fit, if they take as long as the latest."""
        return max(0, int(self.left_s() / max(self.round_s(), _SHORTEST_RUN_S)))

    def next_round_s(self, round_: Round) -> float:
        """How long a round may take: based on the slowest of the latest, or on the runs so far."""
        slowest = max((took_s / foreseen_s for foreseen_s, took_s in self._rounds[-_LATEST_ROUNDS:]), default=1.0)
        return self.foreseen_s(round_) * slowest

    def foreseen_s(self, round_: Round) -> float:
        """How long a round takes, based on its warm-up runs."""
        return sum(
            self._turn_s(each.workload) * ((each.primer is not None) + len(each.order)) for each in round_.superblocks
        )

    def choose_size(self, *, beforehand_s: float = 0.0) -> None:
        """Make superblocks as small as possible if the pilot would not fit otherwise.

        Turns and superblocks divide the variance in the same way, and a rank interval needs superblocks. This is
        decided before the first one, by times alone.
        """
        self._smallest = False
        self._smallest = not self.fits(beforehand_s + _PILOT_RESERVE * PILOT_ROUNDS * self.estimated_round_s())

    def grow(self, wanted: int) -> int:
        """Make superblocks larger if many more are wanted and fit; return how many of those it takes.

        This is decided once, after the pilot, by the number wanted and by times.
        """
        self._growth = growth(min(self.shape(name).turns for name in self.arms), min(wanted, self.fitting_rounds()))
        return math.ceil(wanted / self._growth)

    def _turn_s(self, workload: str) -> float:
        """How long one turn of an arm takes: by earlier runs or, including overhead, by warm-up runs."""
        warm_s = statistics.median(self._warm_up_s.get(workload) or [0.0])
        return max(self.estimated_run_s(workload), warm_s) * self.batch(workload)
