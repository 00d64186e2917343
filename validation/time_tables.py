"""The committed tables of what a verdict costs: time against the design before, and runs against Welch's test."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

from validation.document import Table
from validation.experiments import Size, source
from validation.rates import Outcome
from validation.verdict_runs import MACHINES, MOST_RUNS, Calibration, own_runs, searches, welch_runs
from validation.verdict_time import (
    NOISES,
    OVERHEAD_S,
    Case,
    Spent,
    cases,
    measure_before,
    measure_now,
)

_TARGET = 0.5
_SHARE = 50
"""Of the whole sessions of other tables: each of these is simulated run by run."""
_SEARCH_SHARE = 10
"""The same, where a session has no stop rule."""


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
    sessions = max(2, size.whole // _SEARCH_SHARE)
    calibration = Calibration(partial(source, seed, "runs"), sessions)
    rows: list[tuple[str, ...]] = []
    ratios: dict[str, list[tuple[float, float]]] = {machine: [] for machine in MACHINES}
    for search in searches():
        own = own_runs(source(seed, "runs", search), search, sessions)
        rules = (calibration.of_any, calibration.of(search.machine))
        theirs = [welch_runs(source(seed, "runs", "Welch", search), search, sessions, rule) for rule in rules]
        most = 2.0 * search.workloads * (1 + MOST_RUNS)
        pair = [min(own, most) / min(each, most) for each in theirs]
        ratios[search.machine].append((pair[0], pair[1]))
        cells = [(_count(each), f"{_bound(each)}{ratio:.2g}") for each, ratio in zip(theirs, pair, strict=True)]
        rows.append((f"{search.change:.0%}", str(search.workloads), search.machine, _count(own), *cells[0], *cells[1]))
    for machine, found in ratios.items():
        rows.append(_mean_row(machine, found))
    every = [pair for found in ratios.values() for pair in found]
    rows.append(_mean_row("all", every))
    unknown, known = (_geometric_mean(column) for column in zip(*every, strict=True))
    return Table(
        title="Runs until a gain is found",
        target="at most half of the runs that Welch's test on runs in sequence takes, in the geometric mean, where "
        "both err in at most 5% of sessions, whether or not Welch's test knows the machine",
        text=(
            "Runs of 0.2 s. How many runs, control and warm-up included, until four of five sessions call the gain "
            "faster than nothing (no margin), as if that number were known before. Runs in sequence are a warm-up run "
            "and all others of the one program, then the same of the other. Ours errs in at most 5% of sessions "
            "whatever the machine. Welch's test with the critical values of its own tables does not (see *Teeth*): "
            "*any machine* gives it the value with which it errs in at most 5% of sessions on each of these machines, "
            "*this machine* the one for the machine at hand, which nobody knows who has only these runs. *Noisy* is "
            "10% from run to run, *quiet* 1%, and in both the speed wanders by half as much; the others have 2%: the "
            "machine slows down by 5% over the session, by 10% at a random moment, or by 10% for a fifth of the time, "
            f"twenty runs at once. *Never*: {MOST_RUNS:,} runs of each program on each workload are not enough; the "
            "ratio is then at most the one to that number, and so are the means. "
            f"Against Welch's test for any machine it is {unknown:.2f} in the geometric mean, against the one for this "
            f"machine {known:.2f}; {sessions} sessions per row."
        ),
        header=("gain", "workloads", "machine", "ours", "Welch, any machine", "ratio", "Welch, this machine", "ratio"),
        rows=tuple(rows),
        outcome=Outcome.MET if max(unknown, known) <= _TARGET else Outcome.MISSED,
        remark=(
            "It is met against a test that errs in at most 5% of sessions whatever the machine, as ours does, and "
            "missed against one that knows the machine. In neither column is it met for a gain that is large against "
            "the noise: three runs of each program in any order show it. Welch's test then takes 8 runs, and ours "
            "21, six rounds of three programs and a warm-up. That is the limit of a test that assumes nothing about "
            "the noise: among fewer than six pairs no set of signs is as rare as 5%, and no test on ranks errs in "
            "only 5% of sessions with four runs, half of 8. Where disturbances last, runs in sequence need many times "
            "as many, or are never enough."
        ),
    )


def _mean_row(machine: str, ratios: Sequence[tuple[float, float]]) -> tuple[str, ...]:
    unknown, known = (f"{_geometric_mean(column):.2f}" for column in zip(*ratios, strict=True))
    return ("geometric mean", "", machine, "", "", unknown, "", known)


def _bound(runs: float) -> str:
    return "" if math.isfinite(runs) else "< "


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
