"""The race of a search while it is run: the rules of `measure/race`, asked after each round."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from optbuild.measure import statistics
from optbuild.measure.compare import suite_differences
from optbuild.measure.model import Series
from optbuild.measure.promise import Promise, estimate_changes, find_doubtful, find_promising
from optbuild.measure.race import Leaver, RaceRule, choose_winner, find_leavers
from optbuild.measure.statistics import Floats
from optbuild.profile.stages import Stages

SCREENING_LOOKS = 3
"""At which look it is decided at the latest which combinations are built."""


@dataclass(slots=True, kw_only=True)
class Race:
    """Who is still in a race, and who left when; a contest asks it after each round who leaves.

    A race of a search in stages begins as a screening: arms stay until it is clear what their changes bring. If
    combinations then promise to pay, it ends, and another race goes on with those; otherwise it goes on itself.

    It depends on the rounds alone, so an interrupted race goes on with the rounds that are kept.

    Attributes:
        preference: Less is preferred where times do not decide; by arm, the baseline included.
        stages: What arms and combinations change; the default has no combinations.
        series: All rounds so far.
        leavers: By name, in the order in which they left.
        promise: Which combinations are worth building; None until that is decided.
        looked: How many looks there were.
    """

    rule: RaceRule
    baseline: str
    preference: Mapping[str, int]
    stages: Stages = field(default_factory=Stages)
    series: tuple[Series, ...] = ()
    leavers: dict[str, Leaver] = field(default_factory=dict)
    promise: Promise | None = None
    looked: int = 0

    def __call__(self, series: Sequence[Series]) -> frozenset[str]:
        """Who has left after the latest round; all where another race goes on."""
        self.series = tuple(series)
        for look in self.rule.looks[self.looked :]:
            if look > self.rounds or self.goes_on_elsewhere:
                break
            self._look(look)
        return frozenset(self.preference if self.goes_on_elsewhere else self.leavers)

    @property
    def candidates(self) -> tuple[str, ...]:
        """The arms that began it, without the baseline."""
        return tuple(arm for arm in self.preference if arm != self.baseline)

    @property
    def goes_on_elsewhere(self) -> bool:
        """Whether another race goes on with combinations that promise to pay."""
        return self.promise is not None and bool(self.promise.kept)

    def _look(self, look: int) -> None:
        staying = self._find_doubtful(look)
        for leaver in find_leavers(self.rule, self.remaining(look), self.preference):
            if leaver.arm not in staying:
                self.leavers[leaver.arm] = leaver
        self.looked += 1
        if self.promise is None and not staying:
            self.decide(look)

    def _find_doubtful(self, look: int) -> frozenset[str]:
        """The arms that stay whatever their times, because it is not clear yet what their changes bring."""
        if self.promise is not None or self.looked + 1 >= SCREENING_LOOKS:
            return frozenset()
        effects = estimate_changes(self.stages, self._until(look), alpha=self.rule.error)
        return find_doubtful(self.stages, effects, margin=self.rule.margin)

    def decide(self, rounds: int) -> None:
        """Choose the combinations that are worth building by the first so many rounds."""
        d = self._until(rounds)
        own = d.get(self.stages.reference, np.zeros(rounds))
        measured = {arm: statistics.hodges_lehmann(each - own[: each.size]) for arm, each in d.items() if each.size}
        effects = estimate_changes(self.stages, d, alpha=self.rule.error)
        self.promise = find_promising(self.stages, effects, measured, margin=self.rule.margin)

    def _until(self, rounds: int) -> dict[str, Floats]:
        """The differences of every arm in those of the first so many rounds in which it took part."""
        return {arm: own[:rounds] for arm, own in self.differences().items()}

    @property
    def rounds(self) -> int:
        """The number of complete rounds."""
        return min((len(one.rounds) for one in self.series), default=0)

    def remaining(self, rounds: int | None = None) -> dict[str, Floats]:
        """The differences of those that have not left from the baseline.

        Args:
            rounds: Only the first so many; None for all.
        """
        d = self.first_rounds(self.rounds if rounds is None else rounds)
        return {arm: own for arm, own in d.items() if arm not in self.leavers}

    def first_rounds(self, rounds: int) -> dict[str, Floats]:
        """The differences of all arms that took part in each of the first rounds; the baseline's are zero."""
        return {arm: own[:rounds] for arm, own in self.differences().items() if own.size >= rounds}

    def differences(self) -> dict[str, Floats]:
        """The differences of every arm from the baseline, in the rounds in which it took part."""
        found = {arm: suite_differences(self.series, self.baseline, arm) for arm in self.preference}
        known = {arm: own for arm, own in found.items() if own is not None}
        known[self.baseline] = np.zeros(self.rounds)
        return known

    def winner(self) -> str:
        """The winner of those that have not left."""
        return choose_winner(self.rule, self.remaining(), self.preference)
