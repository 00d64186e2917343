"""The time budget of a contest: how long things take, and what still fits. Times decide here, values never do."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from optbuild.measure.schedule import MOST_PASSES, PILOT_ROUNDS, Round, batch_for, passes_for

_SHORTEST_RUN_S = 1e-4
_LATEST_ROUNDS = 5
_PILOT_RESERVE = 1.15  # rounds are not all as long as foretold


@dataclass(slots=True, kw_only=True)
class Budget:
    """What there is time for.

    Attributes:
        most_s: All that may be spent, from the moment that this is made.
        run_s: About how long one run of each workload takes, by its name.
        clock: Seconds from any moment.
        arms: How many take turns on each workload.
    """

    most_s: float
    run_s: Mapping[str, float]
    clock: Callable[[], float]
    arms: Mapping[str, int] = field(default_factory=dict)
    _started_s: float = field(init=False)
    _most_passes: int = field(init=False, default=MOST_PASSES)
    _warm_up_s: dict[str, list[float]] = field(init=False, default_factory=dict)
    _rounds: list[tuple[float, float]] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self._started_s = self.clock()

    def elapsed_s(self) -> float:
        """What is spent."""
        return self.clock() - self._started_s

    def left_s(self) -> float:
        """What is left; below zero where too much was spent."""
        return self.most_s - self.elapsed_s()

    def fits(self, more_s: float) -> bool:
        """Whether there is time for something."""
        return self.elapsed_s() + more_s <= self.most_s

    def estimated_run_s(self, workload: str) -> float:
        """What a run of the baseline takes."""
        return max(self.run_s[workload], _SHORTEST_RUN_S)

    def batch(self, workload: str) -> int:
        """How many runs in a row are timed as one."""
        return batch_for(self.estimated_run_s(workload))

    def passes(self, workload: str) -> int:
        """How many mirrored passes a superblock has."""
        return min(self._most_passes, passes_for(self.estimated_run_s(workload)))

    def learn(self, workload: str, run_s: float) -> None:
        """A run of the baseline took so long; what was known before may have been taken beside builds."""
        self.run_s = {**self.run_s, workload: min(self.run_s[workload], run_s)}

    def learn_warm_up(self, workload: str, took_s: float) -> None:
        """A run of any arm took so long with all that belongs to it."""
        self._warm_up_s.setdefault(workload, []).append(took_s)

    def learn_round(self, round_: Round, took_s: float) -> None:
        """A round took so long."""
        self._rounds.append((self.foreseen_s(round_), took_s))

    def estimated_warm_up_s(self) -> float:
        """What one run of each arm on each workload takes."""
        return sum(self.estimated_run_s(name) * arms for name, arms in self.arms.items())

    def estimated_round_s(self) -> float:
        """What a round of all arms takes, as far as was known before the first."""
        return sum(self._turn_s(name) * (1 + 2 * self.passes(name) * arms) for name, arms in self.arms.items())

    def round_s(self) -> float:
        """What a round took on average; an estimate where none was taken."""
        return statistics.fmean(took_s for _, took_s in self._rounds) if self._rounds else self.estimated_round_s()

    def next_round_s(self, round_: Round) -> float:
        """How long a round may take: by the slowest of the latest, or as the runs so far foretell."""
        slowest = max((took_s / foreseen_s for foreseen_s, took_s in self._rounds[-_LATEST_ROUNDS:]), default=1.0)
        return self.foreseen_s(round_) * slowest

    def foreseen_s(self, round_: Round) -> float:
        """How long a round takes by what its runs took while warming up."""
        return sum(self._turn_s(each.workload) * (1 + len(each.order)) for each in round_.superblocks)

    def choose_passes(self, *, beforehand_s: float = 0.0) -> None:
        """Give superblocks fewer passes where the pilot would not fit otherwise.

        Passes and superblocks share the variance out in the same way, and a rank interval needs superblocks. It is
        settled before the first one, by times alone.
        """
        for self._most_passes in range(MOST_PASSES, 0, -1):
            if self.fits(beforehand_s + _PILOT_RESERVE * PILOT_ROUNDS * self.estimated_round_s()):
                break

    def _turn_s(self, workload: str) -> float:
        """One turn of an arm: what runs took before or, with all that belongs to them, while warming up."""
        warm_s = statistics.median(self._warm_up_s.get(workload) or [0.0])
        return max(self.estimated_run_s(workload), warm_s) * self.batch(workload)
