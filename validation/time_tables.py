"""The committed tables of what a verdict costs: time against the design before, and runs against Welch's test."""

from __future__ import annotations

import math
from collections.abc import Sequence

from validation.document import Table
from validation.experiments import Size, source
from validation.rates import Outcome
from validation.verdict_time import (
    NOISES,
    OVERHEAD_S,
    Case,
    Spent,
    cases,
    measure_before,
    measure_now,
    runs_for_power,
)

_TARGET = 0.5
_SHARE = 50
"""Of the whole sessions of other tables: each of these is simulated run by run."""


def time_to_verdict(seed: int, size: Size) -> Table:
    """Ask how much sooner the same verdict is there than with the design before."""
    rows, ratios = [], []
    for case in cases():
        before, now = (
            measure(source(seed, "time", case), case, _sessions(size)) for measure in (measure_before, measure_now)
        )
        ratios.append(now.seconds / before.seconds)
        rows.append((*_describe(case), *_spent(before), *_spent(now), f"{ratios[-1]:.2f}"))
    mean = _geometric_mean(ratios)
    rows.append(("geometric mean", *[""] * 9, f"{mean:.2f}"))
    quiet = ", ".join(f"{name} ({sigma:.0%})" for name, sigma in NOISES.items())
    return Table(
        title="Time to a verdict",
        target="at most half of the time that the design before took, in the geometric mean",
        text=(
            "One candidate with this gain, measured until its session ends, without a limit of time. *Before*: up to "
            "three mirrored passes in a superblock, a primer in each, the control in every round, a precision of 1% "
            "whatever the change, the level of the suite its own. *Now*: the rules of `optbuild.measure`, with one "
            "level for the suite and single workloads together. The standard deviation of a run is that of the "
            f"machine: {quiet}; on top of it the speed wanders by half as much, with a memory of a hundred runs. Each "
            f"run costs {OVERHEAD_S * 1000:.0f} ms beside the program. *Right* is the share of sessions that call the "
            f"gain faster, with the default margin; {_sessions(size)} sessions per case."
        ),
        header=(
            *("gain", "workloads", "machine", "a run takes"),
            *("before", "rounds", "right", "now", "rounds", "right", "ratio"),
        ),
        rows=tuple(rows),
        outcome=Outcome.MET if mean <= _TARGET else Outcome.MISSED,
    )


def runs_to_detect(seed: int, size: Size) -> Table:
    """Ask how many runs it takes to find a gain, against Welch's test on runs in sequence."""
    rows, ratios, never = [], [], 0
    for case in cases():
        if case.run_s != 0.2:  # noqa: PLR2004 - runs are counted, not seconds: one length is enough
            continue
        own, theirs = runs_for_power(source(seed, "runs", case), case, _sessions(size))
        known = math.isfinite(own) and math.isfinite(theirs)
        never += math.isfinite(own) and not math.isfinite(theirs)
        if known:
            ratios.append(own / theirs)
        rows.append((*_describe(case)[:3], _count(own), _count(theirs), f"{own / theirs:.2f}" if known else "–"))
    mean = _geometric_mean(ratios)
    return Table(
        title="Runs until a gain is found",
        target="at most half of the runs that Welch's test on runs in sequence takes, at 5% false verdicts for both",
        text=(
            "The same machines, runs of 0.2 s. How many runs, control and warm-up included, until four of five "
            "sessions call the gain faster than nothing (no margin). Welch's test gets the critical value with which "
            "it errs in 5% of sessions *on this machine*; with the one of its own tables it errs far more often where "
            "the speed wanders. Runs in sequence are all of the one program, then all of the other. Among the cases "
            f"that both decide, ours takes {mean:.2f} times the runs in the geometric mean; in {never} more cases "
            "Welch's test does not get there with 2,000 runs of each, and ours does."
        ),
        header=("gain", "workloads", "machine", "ours", "Welch, in sequence", "ratio"),
        rows=tuple(rows),
        outcome=Outcome.MET if mean <= _TARGET else Outcome.MISSED,
        remark=(
            "On a quiet machine a large gain needs no care: a handful of runs in any order show it. Ours takes at "
            "least six rounds of three programs there, for a rank interval has no verdict below that. Where the speed "
            "of the machine wanders, runs in sequence need many times as many."
        ),
    )


def _sessions(size: Size) -> int:
    return max(2, size.whole // _SHARE)


def _describe(case: Case) -> tuple[str, ...]:
    run = f"{case.run_s * 1000:.0f} ms" if case.run_s < 1 else f"{case.run_s:.0f} s"
    return f"{case.change:.0%}", str(case.workloads), case.noise, run


def _spent(spent: Spent) -> tuple[str, str, str]:
    seconds = f"{spent.seconds:.1f} s" if spent.seconds < 100 else f"{spent.seconds:,.0f} s"  # noqa: PLR2004 - digits
    return seconds, f"{spent.rounds:.0f}", f"{spent.right:.0%}"


def _count(runs: float) -> str:
    return f"{runs:,.0f}" if math.isfinite(runs) else "never"


def _geometric_mean(ratios: Sequence[float]) -> float:
    return math.exp(math.fsum(map(math.log, ratios)) / len(ratios)) if ratios else math.nan
