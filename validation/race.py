"""Simulate searches and print, or write, their validation page: `python -m validation.race [--full] [--write]`.

The rules are those of `optbuild.measure.race` and of a run, called one search at a time: nothing is written again here.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy

from optbuild.measure import statistics
from optbuild.measure.compare import verdict_of
from optbuild.measure.model import Verdict
from optbuild.measure.race import RaceRule, choose_winner, find_leavers, make_rule
from optbuild.measure.schedule import PILOT_ROUNDS
from optbuild.measure.statistics import Floats
from optbuild.measure.stopping import Levels, look_again, needed_superblocks
from validation.document import Table, render_page
from validation.experiments import source
from validation.noise import MODELS, NoiseModel, simulate_differences
from validation.rates import Outcome, Rate, rate_of, worst
from validation.stages import make_stage_tables

PAGE = Path(__file__).parent.parent / "docs" / "measurement" / "validation-race.md"
ARMS = 13
"""The baseline and twelve candidates."""
_SEED = 1
_CONFIDENCE = 0.95
_MARGIN = 0.01
_MOST_ROUNDS = 100
_SIGMA = 0.02
_FEW, _MANY = 200, 2_000


def all_equal(_generator: np.random.Generator) -> Floats:
    """Nobody differs from the baseline."""
    return np.zeros(ARMS)


def one_better(_generator: np.random.Generator) -> Floats:
    """One candidate takes 3% less, the others nothing."""
    effects = np.zeros(ARMS)
    effects[7] = math.log(0.97)
    return effects


def spread(generator: np.random.Generator) -> Floats:
    """Every candidate has its own effect, with a standard deviation of 4%."""
    return np.concatenate([[0.0], generator.normal(0.0, 0.04, ARMS - 1)])


def families(generator: np.random.Generator) -> Floats:
    """Three families of four, 0%, −8% and −15%, whose members differ by about half a percent."""
    means = np.repeat(np.log([1.0, 0.92, 0.85]), (ARMS - 1) // 3)
    return np.concatenate([[0.0], means + generator.normal(0.0, 0.005, ARMS - 1)])


def losers(generator: np.random.Generator) -> Floats:
    """Every candidate is slower than the baseline, by 0 to 10%."""
    return np.concatenate([[0.0], generator.uniform(0.0, 0.1, ARMS - 1)])


SCENES: Mapping[str, Callable[[np.random.Generator], Floats]] = {
    "all equal": all_equal,
    "one of twelve 3% better": one_better,
    "spread by 4%": spread,
    "three families": families,
    "all slower": losers,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outing:
    """What one simulated search came to.

    Attributes:
        lost_best: The best arm left, although it beats the one that it left for.
        false_claim: The confirmation is *faster*, although the winner is not faster by the margin.
        near_best: The winner is at most 1% slower than the best arm.
        runs: Of the whole search.
        full_runs: Of one session in which all arms stay to the end.
    """

    lost_best: bool
    false_claim: bool
    near_best: bool
    runs: int
    full_runs: int


def search(model: NoiseModel, generator: np.random.Generator, effects: Floats, sigma: float) -> Outing:
    """Simulate one search: a race, and the confirmation of its winner."""
    rule = make_rule(ARMS, min_effect=_MARGIN, error=1 - _CONFIDENCE)
    every = simulate_differences(model, generator, effects, rule.looks[-1], sigma)
    winner, lost_best, runs = _race(rule, every, effects)
    false_claim = False
    if winner:
        pair = effects[[0, winner]]
        d = simulate_differences(model, generator, np.concatenate([pair, [0.0]]), _MOST_ROUNDS, sigma)[1]
        rounds = _rounds_of_a_session(d[np.newaxis], 1)
        runs += 3 * rounds
        interval = statistics.signed_rank_interval(d[:rounds], 1 - _CONFIDENCE)
        is_faster = verdict_of(interval, math.log1p(_MARGIN)) is Verdict.FASTER
        false_claim = is_faster and effects[winner] > -math.log1p(_MARGIN)
    longer = simulate_differences(model, generator, effects, _MOST_ROUNDS, sigma)
    return Outing(
        lost_best=lost_best,
        false_claim=false_claim,
        near_best=bool(effects[winner] - effects.min() <= math.log1p(_MARGIN)),
        runs=runs,
        full_runs=(ARMS + 1) * _rounds_of_a_session(longer[1:], ARMS - 1),
    )


def _race(rule: RaceRule, every: Floats, effects: Floats) -> tuple[int, bool, int]:
    """Race all arms; give the winner, whether the best was lost by mistake, and the runs."""
    here = {str(arm): every[arm] for arm in range(ARMS)}
    preference = {str(arm): arm for arm in range(ARMS)}
    best, lost_best, runs, last = int(np.argmin(effects)), False, 0, 0
    for look in rule.looks:
        runs += (look - last) * (len({*here, "0"}) + 1)  # the baseline takes turns to the end, and so does its copy
        last = look
        for leaver in find_leavers(rule, {arm: d[:look] for arm, d in here.items()}, preference):
            del here[leaver.arm]
            needed = math.log1p(_MARGIN) if preference[leaver.leader] < preference[leaver.arm] else 0.0
            is_beaten = effects[int(leaver.arm)] >= effects[int(leaver.leader)] - needed
            lost_best |= int(leaver.arm) == best and not is_beaten
        if len(here.keys() - {"0"}) <= 1:
            break
    return int(choose_winner(rule, {arm: d[:last] for arm, d in here.items()}, preference)), lost_best, runs


def _rounds_of_a_session(d: Floats, candidates: int) -> int:
    """How many rounds a run takes at the automatic precision, as many for each of its candidates."""
    levels = Levels.of(candidates, 1, _CONFIDENCE)
    pilot = max(PILOT_ROUNDS, levels.least_rounds)
    wanted = max(needed_superblocks(own[:PILOT_ROUNDS], levels.suite, None) for own in d)
    wanted = min(max(pilot, wanted), _MOST_ROUNDS)
    again = max(look_again(own[:wanted], pilot=PILOT_ROUNDS) for own in d)
    return min(max(wanted, again), _MOST_ROUNDS)


def make_tables(seed: int, searches: int) -> list[Table]:
    """Simulate every scene under every noise."""
    errors, winners, spent = [], [], []
    found: list[tuple[Rate, Rate]] = []
    for scene, make_effects in SCENES.items():
        for name, model in MODELS.items():
            generator = source(seed, "race", scene, name)
            outings = [search(model, generator, make_effects(generator), _SIGMA) for _ in range(searches)]
            wrong = rate_of(np.array([each.lost_best or each.false_claim for each in outings]))
            lost = rate_of(np.array([each.lost_best for each in outings]))
            near = rate_of(np.array([each.near_best for each in outings]))
            found.append((wrong, near))
            errors.append((scene, name, str(lost), str(wrong), wrong.against(0.0, 0.05)))
            winners.append((scene, name, str(near), near.against(0.9, 1.0)))
            runs, full = np.mean([each.runs for each in outings]), np.mean([each.full_runs for each in outings])
            spent.append((scene, name, f"{runs:,.0f}", f"{full:,.0f}", f"{runs / full:.0%}"))
            sys.stderr.write(f"{scene}, {name}: {wrong}, {near}, {runs / full:.0%}\n")
    few = f"A row is undecided where {searches:,} searches are too few to tell its rate from the border."
    return [
        Table(
            title="Errors of a search",
            target="at most 5% of searches err",
            text=(
                "A search errs if the best arm leaves the race although it beats the one that it leaves for (by the "
                "margin, or at all where it is the preferred one), or if the confirmation says *faster* of a winner "
                "that is not faster by the margin."
            ),
            header=("truth", "noise", "best arm lost", "either error", "outcome"),
            rows=tuple(errors),
            outcome=worst([wrong.against(0.0, 0.05) for wrong, _ in found]),
            remark=few,
        ),
        Table(
            title="The winner",
            target="in at least 90% of searches within 1% of the best arm",
            text="The winner of the race, in truth, against the arm that is the best in truth.",
            header=("truth", "noise", "within 1%", "outcome"),
            rows=tuple(winners),
            outcome=worst([near.against(0.9, 1.0) for _, near in found]),
            remark=few,
        ),
        Table(
            title="Runs",
            target=None,
            text=(
                "Runs of a whole search, confirmation included, against one session in which all arms take turns until "
                f"every change is known to the automatic precision, or for {_MOST_ROUNDS} rounds. Means over searches, "
                "in turns of an arm."
            ),
            header=("truth", "noise", "search", "all arms to the end", "share"),
            rows=tuple(spent),
        ),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Simulate; give 1 where a target is missed, else 0."""
    options = _parser().parse_args(arguments)
    searches = _MANY if options.full else _FEW
    tables = [*make_tables(options.seed, searches), *make_stage_tables(options.seed, searches // 2, _SIGMA)]
    command = f"python -m validation.race{' --full' if options.full else ''} --seed {options.seed} --write"
    rule = make_rule(ARMS, min_effect=_MARGIN, error=1 - _CONFIDENCE)
    opening = (
        f"Generated by `{command}` with numpy {np.__version__} and scipy {scipy.__version__}; the same command gives "
        f"the same page. {searches:,} searches per row: the baseline and {ARMS - 1} candidates on one workload, "
        f"`min-effect` 1%, a run-to-run standard deviation of {_SIGMA:.0%} before what a noise adds, superblocks of "
        f"one mirrored pass, looks after {', '.join(map(str, rule.looks))} rounds. Intervals in brackets are 95% "
        "Clopper–Pearson intervals in percent; *met*, *missed* and *undecided* as in [the validation of the "
        "statistics](validation.md). How a race works: [0024](../adr/0024-a-race-and-a-confirmation.md); "
        "in stages: [0031](../adr/0031-a-search-in-stages.md)."
    )
    page = render_page(tables, title="Validation of the race by simulation", opening=[opening])
    if options.write:
        PAGE.write_text(page, encoding="utf-8")
    else:
        sys.stdout.write(page)
    return int(any(table.outcome is Outcome.MISSED for table in tables))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m validation.race", description=__doc__)
    parser.add_argument("--full", action="store_true", help=f"{_MANY} searches per row, not {_FEW}")
    parser.add_argument("--seed", type=int, default=_SEED, help="of all chance (default: %(default)s)")
    parser.add_argument("--write", action="store_true", help="write the page into the documentation")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
