"""A search on its way: how far it got, how much time is left, and what its record says of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from optbuild.making.carry_out import Making
from optbuild.measure.arms import Arms
from optbuild.measure.model import Comparison
from optbuild.measure.race import find_undecided
from optbuild.plan.measure import Measure
from optbuild.profile.candidates import risk_of
from optbuild.record.describe_search import (
    RaceFindings,
    describe_candidates,
    describe_factors,
    describe_screening,
    find_sizes,
    pareto_of,
)
from optbuild.record.search import SearchRecord
from optbuild.session.building import describe_site
from optbuild.session.ledger import Ledger
from optbuild.session.race import Race
from optbuild.session.search import BUILD_SHARE, Search
from optbuild.units import format_percent

CONFIRM_SHARE = 0.25
"""Of the budget at most: what is kept for confirming the winner."""


@dataclass(slots=True, kw_only=True)
class Heat:
    """One race of a search as far as it got: the screening, or the one that goes on with combinations.

    Attributes:
        resumed_rounds: How many rounds an earlier run had taken.
        is_sound: Its times say something.
    """

    race: Race
    resumed_rounds: int = 0
    duration_s: float = 0.0
    is_sound: bool = True

    def undecided(self) -> tuple[tuple[str, ...], float | None]:
        """Those that are left besides the winner, and the difference that might have gone unseen there."""
        race = self.race
        if not race.rounds or race.goes_on_elsewhere:
            return (), None
        return find_undecided(race.rule, race.remaining(), winner=race.winner(), baseline=race.baseline)

    def would_go_on(self) -> bool:
        """Whether more time could decide more."""
        return bool(self.undecided()[0]) and self.race.rounds < self.race.rule.looks[-1]

    def describe(self) -> RaceFindings:
        """What a record says of it."""
        race = self.race
        undecided, detectable = self.undecided()
        return RaceFindings(
            rule=race.rule,
            series=race.series,
            rounds=race.rounds,
            differences=race.differences(),
            first_rounds=race.first_rounds(min(race.rounds, race.rule.looks[0])),
            leavers=race.leavers,
            resumed_rounds=self.resumed_rounds,
            duration_s=self.duration_s,
            undecided=undecided,
            detectable=detectable,
        )


@dataclass(slots=True, kw_only=True)
class Course:
    """A search on its way; whatever happens, its record says how far it got.

    Attributes:
        making: Builds its candidates, in parts.
        refused: Why combinations are not built, once that is decided.
        heats: Its races: the screening, and then perhaps one more.
    """

    search: Search
    ledger: Ledger
    clock: Callable[[], float] = time.monotonic
    making: Making = field(init=False)
    refused: Mapping[str, str] = field(default_factory=dict)
    heats: list[Heat] = field(default_factory=list)
    winner: str | None = None
    confirmation: Comparison | None = None
    began_s: float = field(init=False)

    def __post_init__(self) -> None:
        self.began_s = self.clock()
        self.ledger.is_late = lambda: self.elapsed_s() > BUILD_SHARE * self.search.budget_s
        self.making = Making(self.search.plan, describe_site(self.ledger))

    def elapsed_s(self) -> float:
        """The time spent."""
        return self.clock() - self.began_s

    def left_s(self) -> float:
        """The time left."""
        return max(0.0, self.search.budget_s - self.elapsed_s())

    @property
    def max_time_s(self) -> float:
        """The longest that the confirmation takes, and the race in any case, if the budget allows."""
        return self.ledger.prepared.build_profile.measure.max_time_s

    def racing_s(self) -> tuple[float, bool]:
        """How long the next race may take, and whether the budget alone limits it.

        Finding a winner is worth as much time as building the candidates, the screening included. A race that goes on
        with combinations gets half of that time in any case.
        """
        whole_s = max(self.max_time_s, self.ledger.built.wall_s or 0.0)
        wanted_s = max(whole_s - sum(heat.duration_s for heat in self.heats), whole_s / 2 if self.heats else 0.0)
        room_s = self.left_s() - min(self.max_time_s, CONFIRM_SHARE * self.search.budget_s)
        return max(0.0, min(wanted_s, room_s)), room_s < wanted_s

    @property
    def action(self) -> Measure:
        """What is measured."""
        action = self.search.plan.measure
        assert action is not None  # noqa: S101 - `prepare_search` refuses a search that cannot measure
        return action

    @property
    def final(self) -> Heat | None:
        """The latest race that has a round."""
        return next((heat for heat in reversed(self.heats) if heat.race.rounds), None)

    def describe(self) -> SearchRecord:
        """What was found so far."""
        search, built, history = self.search, self.ledger.built, self.ledger.history
        races = [heat.describe() for heat in self.heats if heat.race.rounds]
        records = [describe_screening(race) for race in races]
        return SearchRecord(
            objective=str(search.objective),
            budget_s=search.budget_s,
            candidates=describe_candidates(
                search.candidates, built, history, races, {**self.find_barred(), **self.refused}
            ),
            left_out=search.left_out,
            winner=self.winner,
            confirmation=self.confirmation,
            pareto=pareto_of(built, history, races),
            factors=describe_factors(search.factors, self.points(), races[0] if races else None),
            screening=records[0] if records else None,
            race=records[1] if len(records) > 1 else None,
            max_time_s=self.max_time_s,
        )

    def points(self) -> tuple[tuple[Mapping[str, object], str], ...]:
        """The levels of every combination, and the arm that was measured for it."""
        equals = self.find_equals()
        return tuple((levels, equals.get(name, name)) for levels, name in self.search.points)

    def find_equals(self) -> dict[str, str]:
        """The candidates whose binaries equal those of the baseline or of an earlier candidate, each with that one.

        Tests and benches that cargo runs may still differ: where such a workload is measured, none is left out.
        """
        built, first, equals = self.ledger.built, dict[object, str](), dict[str, str]()
        if any(workload.call is not None for workload in self.action.workloads):
            return equals
        for variant in self.search.plan.variants:
            if variant.compile is None or not built.is_built(variant):
                continue
            artifacts = built.results[variant.compile].artifacts
            content = frozenset((name, artifact.sha256) for name, artifact in artifacts.items())
            if (other := first.setdefault(content, variant.name)) != variant.name:
                equals[variant.name] = other
        return equals

    def find_barred(self) -> dict[str, str]:
        """Why candidates that were built take no part in the race."""
        equals = self.find_equals()
        return self._find_too_large() | {
            name: f"its binaries are those of {other}, byte for byte" for name, other in equals.items()
        }

    def _find_too_large(self) -> dict[str, str]:
        """The candidates whose binaries are larger than allowed, each with how much."""
        most, sizes = self.search.max_size_growth, find_sizes(self.ledger.built)
        if most is None or self.search.baseline.name not in sizes:
            return {}
        before = sizes[self.search.baseline.name]
        growth = {name: size / before - 1 for name, size in sizes.items()}
        return {
            name: f"it is {format_percent(more)} larger, and max-size-growth is {format_percent(most)}"
            for name, more in growth.items()
            if more > most
        }

    def preference(self, arms: Arms) -> Mapping[str, int]:
        """The order in which arms are preferred where times do not decide: the baseline, then cheaper and safer."""
        baseline, candidates = self.search.baseline, self.search.candidates
        risks = {each.name: (risk_of(each.variant, baseline), place) for place, each in enumerate(candidates)}
        ranked = sorted(arms.candidates, key=lambda name: risks[name])
        return {name: place for place, name in enumerate((arms.baseline, *ranked))}


def without(arms: Arms, gone: Collection[str]) -> Arms:
    """Some of the arms."""
    return Arms(
        variants={arm: binaries for arm, binaries in arms.variants.items() if arm.name not in gone},
        programs={
            workload: {arm: own for arm, own in programs.items() if arm.name not in gone}
            for workload, programs in arms.programs.items()
        },
    )
