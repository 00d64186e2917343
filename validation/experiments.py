"""Each question that is asked of the statistics, as a function from a seed and a size to a table."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import signal

from optbuild.measure import statistics
from optbuild.measure.statistics import Floats
from validation import invariants, peers
from validation.document import Table
from validation.noise import MODELS, contaminated, lognormal
from validation.rates import Outcome, Rate, rate_of, worst
from validation.trials import (
    CANDIDATES,
    CONFIDENCE,
    MOST_ROUNDS,
    PRECISION,
    WORKLOADS,
    Reports,
    Setting,
    collect,
    covers,
    intervals,
    single_differences,
)

ROUNDS = (10, 20, 30)
SIGMAS = (0.01, 0.03, 0.10, 0.30)
_ALPHA = 1 - CONFIDENCE
_MARGIN = 0.01
_POWER = 0.8
_TRUTH = math.log(0.95)
_IN_TIME = {"AR(1) 0.3", "drift 5%", "step 10%"}
_ENOUGH = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is simulated.

    Attributes:
        sessions: Per row of a table.
        real: Sessions per noise model that go through optbuild's own functions one by one.
        random: Sessions on which the invariants are checked.
    """

    sessions: int
    real: int
    random: int


FULL = Size(sessions=10_000, real=25, random=200)
REDUCED = Size(sessions=1_000, real=6, random=40)

Experiment = Callable[[int, Size], Table]


def source(seed: int, *row: object) -> np.random.Generator:
    """Give every row of every table its own random source: no row depends on another."""
    return np.random.default_rng([seed, zlib.crc32(repr(row).encode())])


def coverage(seed: int, size: Size) -> Table:
    """Ask how often the 95% interval holds the true difference."""
    rows, outcomes = [], []
    for name, model in MODELS.items():
        rates = []
        for n in ROUNDS:
            generator = source(seed, "coverage", name, n)
            d = single_differences(model, generator, sessions=size.sessions, rounds=n, sigma=0.02)
            rates.append(rate_of(covers(d + _TRUTH, _TRUTH)))
        outcome = worst([rate.against(0.94, 0.97) for rate in rates])
        outcomes.append(outcome)
        rows.append((name, *map(str, rates), outcome))
    return Table(
        title="Coverage",
        target="the 95% interval holds the true difference in 94–97% of sessions, under every noise model",
        text=(
            f"One candidate, 5% faster than the baseline, one workload, one mirrored pass per round, σ = 2% per run, "
            f"{size.sessions:,} sessions per entry. The exact levels of the signed-rank interval are 95.1, 95.2 and "
            "95.0% at 10, 20 and 30 rounds."
        ),
        header=("noise", *(f"n = {n}" for n in ROUNDS), "target"),
        rows=tuple(rows),
        outcome=worst(outcomes),
    )


def false_verdicts(seed: int, size: Size) -> Table:
    """Ask how often a report on identical programs calls any of them different."""
    settings = (Setting(min_effect=_MARGIN), Setting(min_effect=0.0), Setting(min_effect=0.0, alpha=_ALPHA / 2))
    rows, outcomes = [], []
    for name, model in MODELS.items():
        for sigma in SIGMAS:
            generator = source(seed, "false verdicts", name, sigma)
            default, bare, halved = collect(model, generator, sessions=size.sessions, sigma=sigma, settings=settings)
            outcome = rate_of(default.false).against(0.0, _ALPHA)
            outcomes.append(outcome)
            rows.append(
                (
                    name,
                    f"{sigma:.0%}",
                    f"{np.median(default.rounds):.0f}",
                    str(rate_of(default.false)),
                    outcome,
                    *(f"{rate_of(found).ratio:.1%}" for found in (bare.false, bare.suite, bare.cells, halved.false)),
                )
            )
    return Table(
        title="False verdicts",
        target="at most 5% of reports say anything but *same* or *inconclusive* where nothing differs",
        text=(
            f"The whole pipeline: {CANDIDATES} candidates on {WORKLOADS} workloads ({CANDIDATES * WORKLOADS} cells) "
            f"and the baseline's copy; a pilot of 10 rounds, then as many as a precision of {PRECISION:.0%} calls for, "
            f"at most {MOST_ROUNDS}; the check of the harness, its margin, all verdicts. A report is false when any "
            f"suite mean or any cell is called faster or slower, or the session invalid. {size.sessions:,} sessions "
            "per row. The target applies to the default margin of 1%. The four columns on the right use a margin "
            "of zero, the hardest case: all reports, those false in a suite mean, those false in a cell, and all "
            "reports if both families had half the level.\n\n"
            "Suite means and cells are two families, and each keeps its 5% (columns *suite* and *cells*). A report "
            "shows both, so **with no margin it errs more often than 5%**. The default margin absorbs that as "
            "long as intervals are not much wider than the margin; at a noise that dwarfs it a report comes near the "
            "figures for no margin. Half the level for each family would keep every report below 5% (last column), "
            "for suite intervals about a tenth wider."
        ),
        header=("noise", "σ", "median n", "margin 1%", "target", "margin 0", "suite", "cells", "halved levels"),
        rows=tuple(rows),
        outcome=worst(outcomes),
    )


def harness(seed: int, size: Size) -> Table:
    """Ask how often the check of the harness speaks by chance, and whether the stop rule reaches its precision."""
    rows = []
    for name, model in MODELS.items():
        for sigma in (0.01, 0.03):
            generator = source(seed, "harness", name, sigma)
            (found,) = collect(
                model, generator, sessions=size.sessions, sigma=sigma, settings=[Setting(min_effect=_MARGIN)]
            )
            rows.append((name, f"{sigma:.0%}", *_harness_row(found)))
    return Table(
        title="Check of the harness and stop rule",
        target=None,
        text=(
            "The same pipeline with the default margin. *Footnote*: the 95% interval of the baseline's copy excludes "
            "zero, 5% by construction. *Invalid*: its 99.8% interval lies wholly beyond the margin. *Reached*: the "
            f"suite's half-width is at most {PRECISION:.0%}, among sessions that the limit of {MOST_ROUNDS} rounds did "
            "not cut short (where those are at least 5%)."
        ),
        header=("noise", "σ", "footnote", "invalid", "median n", "cut short", "reached", "median half-width"),
        rows=tuple(rows),
    )


def _harness_row(found: Reports) -> tuple[str, ...]:
    cut = found.rounds == MOST_ROUNDS
    width = np.expm1(found.half_width)
    reached = f"{np.mean(width[~cut] <= PRECISION):.1%}" if (~cut).mean() >= _ENOUGH else "–"
    return (
        str(rate_of(found.warned)),
        str(rate_of(found.invalid)),
        f"{np.median(found.rounds):.0f}",
        f"{cut.mean():.0%}",
        reached,
        f"{np.median(width):.2%}",
    )


def power(seed: int, size: Size) -> Table:
    """Ask how often a gain of the printed detectable size is found."""
    rows, outcomes = [], []
    families = (1, CANDIDATES, CANDIDATES * WORKLOADS)
    for name, model in MODELS.items():
        for n in ROUNDS:
            generator = source(seed, "power", name, n)
            printing, fresh = (
                single_differences(model, generator, sessions=size.sessions, rounds=n, sigma=0.02) for _ in range(2)
            )
            effects, rates = zip(*(_found(printing, fresh, _ALPHA / family) for family in families), strict=True)
            outcome = worst([rate.against(_POWER, 1.0) for rate in rates])
            outcomes.append(outcome)
            rows.append((name, str(n), f"{math.expm1(effects[0]):.2%}", *map(str, rates), outcome))
    return Table(
        title="Power at the printed detectable effect",
        target="a gain of the size printed as detectable is called faster in at least 80% of sessions",
        text=(
            f"One candidate, one workload, σ = 2% per run, margin 1%, {size.sessions:,} sessions to find the median "
            "printed effect and as many fresh ones with a gain of that size: how many find it, where the comparison "
            f"stands alone and where it is one of {families[1]} or of {families[2]} that share the level."
        ),
        header=("noise", "n", "printed effect", "found", *(f"one of {family}" for family in families[1:]), "target"),
        rows=tuple(rows),
        outcome=worst(outcomes),
    )


def _found(printing: Floats, fresh: Floats, alpha: float) -> tuple[float, Rate]:
    """The median effect that some sessions print as detectable, and how many others find it."""
    low, high = intervals(printing, alpha)
    theta = np.median(statistics.walsh_averages(printing), axis=-1)
    reach = float(np.median(np.maximum(high - theta, theta - low)))
    margin = math.log1p(_MARGIN)
    effect = statistics.detectable_effect(reach, printing.shape[-1], margin, alpha)
    _, high = intervals(fresh, alpha)
    return effect, rate_of(high - effect < -margin)


def teeth(seed: int, size: Size) -> Table:
    """Ask whether the simulated noise would deceive a careless method."""
    rows, failing = [], set()
    for name, model in MODELS.items():
        runs = peers.simulate_two(model, source(seed, "teeth", name), sessions=size.sessions, sigma=0.02)
        rate = rate_of(peers.welch(*runs.in_sequence))
        own = rate_of(peers.ours_without_margin(*runs.interleaved))
        if rate.interval[0] > 2 * _ALPHA:
            failing.add(name)
        rows.append((name, str(rate), str(own), "fails" if name in failing else "–"))
    return Table(
        title="Teeth",
        target="where noise depends on time, all runs of one program and then all of the other, with Welch's test at "
        "5%, must fail visibly",
        text=(
            "Two identical programs, 40 runs each, σ = 2%. *Fails*: more than twice the promised 5%. Independent noise "
            "deceives nobody, whatever the order; drift, steps and memory do."
        ),
        header=("noise", "AAAA BBBB, Welch", "mirrored, ours, margin 0", ""),
        rows=tuple(rows),
        outcome=Outcome.MET if failing >= _IN_TIME else Outcome.MISSED,
    )


def peers_rules(seed: int, size: Size) -> Table:
    """Ask what other tools' rules would have said of the same runs."""
    rows = []
    for name, model in MODELS.items():
        runs = peers.simulate_two(model, source(seed, "peers", name), sessions=size.sessions, sigma=0.05)
        theirs = [rate_of(rule(*runs.in_sequence)).ratio for rule in peers.UNPAIRED.values()]
        mixed = [rate_of(rule(*runs.interleaved)).ratio for rule in peers.UNPAIRED.values()]
        own = [rate_of(rule(*runs.interleaved)).ratio for rule in peers.OURS.values()]
        pairs = [f"{first:.1%} / {second:.1%}" for first, second in zip(theirs, mixed, strict=True)]
        rows.append((name, *pairs, *(f"{ratio:.1%}" for ratio in own)))
    return Table(
        title="Other rules on the same runs",
        target=None,
        text=(
            f"Two identical programs, {2 * peers.ROUNDS} runs each, σ = 5%, {size.sessions:,} sessions per row: how "
            "often each rule calls one of them faster. The first figure is for runs in sequence (AAAA BBBB), the "
            "second for the same noise met in mirrored random order. *Mean ± σ ratio* counts only where 1 lies more "
            "than one σ away; a tool that prints “x times faster” above it does so in 100% of sessions. These rules "
            "have no margin, or 1% on the pooled t; ours is shown with none and with 1%."
        ),
        header=("noise", *peers.UNPAIRED, *peers.OURS),
        rows=tuple(rows),
    )


def errors_of_estimates(seed: int, size: Size) -> Table:
    """Ask how large a difference each way of measuring reports where there is none."""
    rows = []
    for name, model in MODELS.items():
        runs = peers.simulate_two(model, source(seed, "peers", name), sessions=size.sessions, sigma=0.05)
        careless, _ = peers.estimates(*runs.in_sequence)
        mixed, own = peers.estimates(*runs.interleaved)
        cells = [f"{np.median(error):.2%} / {np.quantile(error, 0.95):.2%}" for error in (careless, mixed, own)]
        rows.append((name, *cells))
    return Table(
        title="How far off the estimates are",
        target=None,
        text=(
            "The same runs: the size of the difference that is reported between identical programs, in the median "
            "session and in the worst of twenty."
        ),
        header=("noise", "ratio of means, in sequence", "ratio of means, interleaved", "ours"),
        rows=tuple(rows),
    )


def exactness(seed: int, size: Size) -> Table:
    """Ask whether what must hold exactly does, in the functions optbuild calls."""
    violations = invariants.check_invariants(source(seed, "invariants"), size.random)
    differing, fragile, shape = invariants.check_pipeline(source(seed, "pipeline"), size.real)
    entries = {**violations, "the array pipeline of this page agrees with optbuild's own": differing}
    rows = [(name, f"{rate.hits} of {rate.trials}", _exact(rate)) for name, rate in entries.items()]
    return Table(
        title="Invariants",
        target="no violation",
        text=(
            f"Checked on optbuild's own functions. Among the {fragile.trials} sessions that went through them whole "
            f"({CANDIDATES + CANDIDATES * WORKLOADS} comparisons each, nothing different, margin 0.2%, σ = 1%), "
            f"{fragile} carried a fragile verdict and {shape} a warning of trend or autocorrelation."
        ),
        header=("rule", "violations", "target"),
        rows=tuple(rows),
        outcome=worst([_exact(rate) for rate in entries.values()]),
    )


def _exact(rate: Rate) -> Outcome:
    return Outcome.MISSED if rate.hits else Outcome.MET


def beyond(seed: int, size: Size) -> Table:
    """Ask what happens where the assumptions fail: what randomised order cannot mend."""
    rows = []
    cases = {
        "rounds that remember 0.3 of the one before": _remembering,
        "delays that hit the candidate only": _one_sided,
    }
    for name, draw in cases.items():
        samples = [draw(source(seed, "beyond", name, n), size.sessions, n) for n in ROUNDS]
        warned = [statistics.serial_p(d) < 0.01 for d in samples[-1][:500]]  # noqa: PLR2004 - the level of the warning
        rows.append((name, *(str(rate_of(covers(d, 0.0))) for d in samples), str(rate_of(np.array(warned)))))
    return Table(
        title="Beyond the assumptions",
        target=None,
        text=(
            "Random order makes the sign of each superblock's difference a fair coin when nothing differs. It cannot "
            "help where the *difference itself* wanders from round to round (a neighbour that slows one program more "
            "than the other), nor where disturbances hit one program only; then the interval is about another "
            "quantity than the undisturbed difference. Coverage of that difference, and how often 30 rounds earn the "
            "warning of autocorrelation:"
        ),
        header=("what fails", *(f"n = {n}" for n in ROUNDS), "warned at n = 30"),
        rows=tuple(rows),
    )


def _remembering(generator: np.random.Generator, sessions: int, n: int) -> Floats:
    shocks = generator.normal(0.0, math.sqrt(1 - 0.3**2), (sessions, n))
    shocks[:, 0] /= math.sqrt(1 - 0.3**2)
    return np.asarray(signal.lfilter([1.0], [1.0, -0.3], shocks, axis=-1))


def _one_sided(generator: np.random.Generator, sessions: int, n: int) -> Floats:
    shape = (sessions, n, 1, 2)
    return np.asarray((contaminated(generator, shape, 0.02) - lognormal(generator, shape, 0.02)).mean(axis=(2, 3)))


EXPERIMENTS: tuple[Experiment, ...] = (
    coverage,
    false_verdicts,
    harness,
    power,
    teeth,
    peers_rules,
    errors_of_estimates,
    exactness,
    beyond,
)
