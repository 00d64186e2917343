"""What a search found: its candidates, the race among them, and the winner's confirmation in fresh runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from optbuild.measure.model import Comparison, Series


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateRecord:
    """One candidate of a search.

    Attributes:
        settings: What a build profile would say of it besides `inherits`, in the keys of `optbuild.toml`.
        build_s: How long it takes to build alone, training included, by this run and earlier ones; None if unknown.
        size_bytes: Of its binaries in total; None if it was not built.
        dropped_after: The rounds after which it left the race; None if it stayed to the end, or did not take part.
        reason: Why it left, or did not take part; None for one that stayed.
        change: Of the time in the race, an estimate that chose and proves nothing; None if it was not measured.
        ci_low: The end of an interval that holds for all candidates and looks together; None if there is none.
        ci_high: Likewise.
        rounds: How many rounds it took part in.
    """

    variant: str
    settings: Mapping[str, Any]
    build_s: float | None
    size_bytes: int | None
    dropped_after: int | None
    reason: str | None
    change: float | None
    ci_low: float | None
    ci_high: float | None
    rounds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOutRecord:
    """A combination of levels that is not a candidate, and why."""

    variant: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorRecord:
    """What one level of a factor changes against its first level, all else equal.

    Attributes:
        level: As TOML has it.
        against: The factor's first level.
        change: Of the time, averaged over all pairs; None without a pair that was measured.
        ci_low: None if there are too few rounds for an interval: then nothing is known.
        pairs: How many pairs of candidates differ in nothing else.
    """

    factor: str
    level: Any
    against: Any
    change: float | None
    ci_low: float | None
    ci_high: float | None
    pairs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreeningRecord:
    """A race, or the screening before it.

    Attributes:
        looks: After which rounds candidates could leave.
        confidence: That the best candidate did not leave by mistake.
        resumed_rounds: How many of its rounds an earlier run had taken.
        undecided: Those that had not left at the end, besides the winner.
        detectable: The difference from the winner that might have gone unseen there, as a ratio; None if all but one
            had left, or if there were too few rounds to say.
        series: The raw values of the metric that decides.
    """

    looks: tuple[int, ...]
    confidence: float
    rounds: int
    resumed_rounds: int
    duration_s: float
    series: tuple[Series, ...]
    undecided: tuple[str, ...] = ()
    detectable: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchRecord:
    """One search.

    Attributes:
        objective: What the winner has least of: `time` or `size`.
        budget_s: What it was given.
        left_out: Combinations of levels that are no candidates.
        winner: The variant that was chosen; the baseline if no candidate is better; None if the search did not get
            that far.
        confirmation: The winner against the baseline in fresh runs: the only figure to quote. None if the baseline won
            or the search did not get that far.
        pareto: Variants that no other one beats in time, size and build time together.
        screening: The race of the candidates that were built first; where no combination was built, it is all of it.
        race: Of those that were left with the combinations that were built then.
        max_time_s: What the race could take at least, and the confirmation at most.
    """

    objective: str
    budget_s: float
    candidates: tuple[CandidateRecord, ...]
    left_out: tuple[LeftOutRecord, ...] = ()
    winner: str | None = None
    confirmation: Comparison | None = None
    pareto: tuple[str, ...] = ()
    factors: tuple[FactorRecord, ...] = ()
    screening: ScreeningRecord | None = None
    race: ScreeningRecord | None = None
    max_time_s: float = 0.0
