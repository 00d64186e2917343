"""What must hold exactly: checked with the functions that optbuild itself calls, on simulated sessions."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from optbuild.measure.compare import analyse, look_again, needed_rounds
from optbuild.measure.model import A_PRIME, AaVerdict, Analysis, Series, Superblock, Verdict
from optbuild.measure.schedule import PILOT_ROUNDS, Shape, make_round
from optbuild.measure.statistics import Floats
from optbuild.measure.warnings import WarningKind
from validation.noise import MODELS, NoiseModel
from validation.rates import Rate
from validation.trials import CANDIDATES, CONFIDENCE, MOST_ROUNDS, Truths, report, simulate_pipeline

BASELINE = "baseline"
CANDIDATE_NAMES = tuple(f"candidate-{number}" for number in range(CANDIDATES))
_ARMS = (BASELINE, A_PRIME, *CANDIDATE_NAMES)
_SIGMA = 0.01
_MIN_EFFECT = 0.002
_CLOSE = 1e-9
_OPPOSITE = {Verdict.FASTER: Verdict.SLOWER, Verdict.SLOWER: Verdict.FASTER}


def as_series(logs: Floats, arms: tuple[str, ...] = _ARMS, control: Truths | None = None) -> list[Series]:
    """Turn one simulated session into what sampling gives.

    Args:
        logs: Rounds, workloads, arms, runs.
        arms: Their names.
        control: The rounds that the baseline's copy takes part in; None means all.
    """
    times = np.exp(logs)
    present = [True] * len(logs) if control is None else control
    return [
        Series(
            workload=f"workload-{workload}",
            metric="wall",
            unit="s",
            rounds=tuple(
                _superblock(arms, block, with_control=bool(there))
                for block, there in zip(times[:, workload], present, strict=True)
            ),
        )
        for workload in range(times.shape[1])
    ]


def _superblock(arms: tuple[str, ...], runs: Floats, *, with_control: bool) -> Superblock:
    values = {
        arm: tuple(map(float, own)) for arm, own in zip(arms, runs, strict=True) if with_control or arm != A_PRIME
    }
    return Superblock(order=(*values, *reversed(values)), values=values)


def whole_session(logs: Floats, control: Truths, min_effect: float) -> Analysis:
    """Take one session through the real pilot, stop rule and analysis."""
    pilot = as_series(logs[:PILOT_ROUNDS])
    wanted = needed_rounds(pilot, baseline=BASELINE, candidates=CANDIDATE_NAMES, confidence=CONFIDENCE, precision=None)
    asked = as_series(logs[: min(wanted, MOST_ROUNDS)])
    rounds = min(look_again(asked, baseline=BASELINE, candidates=CANDIDATE_NAMES), MOST_ROUNDS)
    return _analyse(as_series(logs[:rounds], control=control[:rounds]), min_effect=min_effect)


def check_pipeline(generator: np.random.Generator, sessions: int) -> tuple[Rate, Rate, Rate]:
    """Hold the array pipeline against the real one; count differing sessions, and the real one's footnotes.

    Returns:
        Sessions in which the two differ; sessions with a fragile verdict; sessions warned of trend or autocorrelation.
    """
    differing = fragile = shape = total = 0
    for model in MODELS.values():
        logs, control = simulate_pipeline(model, generator, sessions, _SIGMA)
        fast = report(logs, control, _MIN_EFFECT)
        for index in range(sessions):
            analysis = whole_session(logs[index], control[index], _MIN_EFFECT)
            different = [one for one in analysis.comparisons if one.verdict in _OPPOSITE]
            seen = (
                analysis.rounds,
                any(one.workload is None for one in different),
                any(one.workload is not None for one in different),
                analysis.aa.verdict is AaVerdict.INVALID,
                analysis.aa.verdict is AaVerdict.WARNING,
            )
            arrays = (fast.rounds, fast.suite, fast.cells, fast.invalid, fast.warned)
            close = math.isclose(math.log1p(analysis.half_width or 0.0), float(fast.half_width[index]), rel_tol=_CLOSE)
            differing += seen != tuple(array[index] for array in arrays) or not close
            fragile += any(one.fragile for one in analysis.comparisons)
            shape += any(one.kind in {WarningKind.TREND, WarningKind.AUTOCORRELATION} for one in analysis.warnings)
            total += 1
    counts = (differing, fragile, shape)
    first, second, third = (Rate(hits=count, trials=total) for count in counts)
    return first, second, third


def check_invariants(generator: np.random.Generator, sessions: int) -> Mapping[str, Rate]:
    """Count violations of each invariant over random sessions."""
    names = list(MODELS)
    violations = {
        "swapping the arms mirrors change, interval and verdict": 0,
        "permuting the labels permutes the results": 0,
        "the same seed gives the same schedule": 0,
        "one failing arm gets no ratio, and no other arm loses its own": 0,
    }
    for number in range(sessions):
        model = MODELS[names[number % len(names)]]
        logs = _session(model, generator)
        found = (_swap_holds(logs), _labels_hold(logs, generator), _seed_holds(number), _failure_holds(logs))
        for name, holds in zip(violations, found, strict=True):
            violations[name] += not holds
    return {name: Rate(hits=count, trials=sessions) for name, count in violations.items()}


def _session(model: NoiseModel, generator: np.random.Generator) -> Floats:
    """Give sixteen rounds in which the candidates differ from the baseline by up to a few percent."""
    logs: Floats = simulate_pipeline(model, generator, 1, _SIGMA)[0][0, :16]
    logs[:, :, 2:] += generator.normal(0.0, 0.02, (CANDIDATES, 1))
    return logs


def _swap_holds(logs: Floats) -> bool:
    arms = (BASELINE, CANDIDATE_NAMES[0])
    series = as_series(logs[:, :, [0, 2]], arms)
    forth = _analyse(series, candidates=arms[1:])
    back = _analyse(series, baseline=arms[1], candidates=arms[:1])
    for one, other in zip(forth.comparisons, back.comparisons, strict=True):
        ends = (one.change, one.ci_high or 0.0, one.ci_low or 0.0)
        mirrored = (other.change, other.ci_low or 0.0, other.ci_high or 0.0)
        close = all(
            math.isclose(1 / (1 + end) - 1, image, abs_tol=_CLOSE) for end, image in zip(ends, mirrored, strict=True)
        )
        if not close or other.verdict is not _OPPOSITE.get(one.verdict, one.verdict) or one.p_value != other.p_value:
            return False
    return True


def _labels_hold(logs: Floats, generator: np.random.Generator) -> bool:
    order = generator.permutation(CANDIDATES)
    names = tuple(CANDIDATE_NAMES[place] for place in order)
    plain = {(one.candidate, one.workload): one for one in _analyse(as_series(logs)).comparisons}
    renamed = _analyse(as_series(logs, (BASELINE, A_PRIME, *names)), candidates=CANDIDATE_NAMES)
    return all(
        (one.change, one.ci_low, one.ci_high, one.p_value, one.verdict)
        == (twin.change, twin.ci_low, twin.ci_high, twin.p_value, twin.verdict)
        for one in renamed.comparisons
        for twin in [plain[CANDIDATE_NAMES[names.index(one.candidate)], one.workload]]
    )


def _seed_holds(seed: int) -> bool:
    shapes = {"short": Shape(turns=2, primed=True), "long": Shape(turns=1, primed=False)}
    few, many = (
        [make_round(dict.fromkeys(shapes, _ARMS), shapes, seed=seed, index=index) for index in range(count)]
        for count in (7, 12)
    )
    return few == many[:7]


def _failure_holds(logs: Floats) -> bool:
    failed = CANDIDATE_NAMES[1]
    whole = as_series(logs)
    torn = [
        Series(
            workload=whole[0].workload,
            metric="wall",
            unit="s",
            rounds=tuple(
                Superblock(order=block.order, values={**block.values, failed: ()}) for block in whole[0].rounds
            ),
        ),
        *whole[1:],
    ]
    without = _analyse(torn).comparisons
    lost = {(failed, None), (failed, whole[0].workload)}
    kept = [one for one in _analyse(whole).comparisons if (one.candidate, one.workload) not in lost]
    return list(without) == kept


def _analyse(
    series: list[Series],
    *,
    baseline: str = BASELINE,
    candidates: tuple[str, ...] = CANDIDATE_NAMES,
    min_effect: float = _MIN_EFFECT,
) -> Analysis:
    return analyse(series, baseline=baseline, candidates=candidates, confidence=CONFIDENCE, min_effect=min_effect)
