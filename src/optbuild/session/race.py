"""The race of a search while it is run: the rules of `measure/race`, asked after each round."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from optbuild.measure.compare import suite_differences
from optbuild.measure.model import Series
from optbuild.measure.race import Leaver, RaceRule, choose_winner, find_leavers
from optbuild.measure.statistics import Floats


@dataclass(slots=True, kw_only=True)
class Race:
    """Who is still in a race, and who left when; a contest asks it after each round who leaves.

    It depends on the rounds alone, so that a race that was interrupted goes on with the rounds that are kept.

    Attributes:
        preference: Less is preferred where times do not decide; by arm, the baseline included.
        series: All rounds so far.
        leavers: By name, in the order in which they left.
    """

    rule: RaceRule
    baseline: str
    preference: Mapping[str, int]
    series: tuple[Series, ...] = ()
    leavers: dict[str, Leaver] = field(default_factory=dict)
    _looked: int = 0

    def __call__(self, series: Sequence[Series]) -> frozenset[str]:
        """Who has left after the latest round."""
        self.series = tuple(series)
        for look in self.rule.looks[self._looked :]:
            if look > self.rounds:
                break
            found = find_leavers(self.rule, self.remaining(look), self.preference)
            self.leavers |= {each.arm: each for each in found}
            self._looked += 1
        return frozenset(self.leavers)

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
