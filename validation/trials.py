"""Simulated sessions put through the rules of `optbuild.measure`, many at a time.

The interval is `optbuild.measure.statistics`' own, applied to a whole stack of sessions; the stop rule, the check of
the harness and the verdicts are written again here in terms of arrays, and `invariants` holds them against the real
ones.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from optbuild.measure import statistics
from optbuild.measure.schedule import CONTROL_SHARE, PILOT_ROUNDS
from optbuild.measure.statistics import Floats
from optbuild.measure.stopping import CHANGE_SHARE, LEAST_PRECISION, Levels
from validation.noise import NoiseModel, simulate_runs

Integers = npt.NDArray[np.int64]
Truths = npt.NDArray[np.bool_]

CONFIDENCE = 0.95
CANDIDATES = 4
WORKLOADS = 5
MOST_ROUNDS = 40
_CHUNK = 250


@dataclass(frozen=True, slots=True, kw_only=True)
class Reports:
    """What many sessions without any difference reported; one entry per session.

    Attributes:
        rounds: Taken after the stop rule.
        suite: A suite mean was called faster or slower.
        cells: A single workload was.
        invalid: The harness was called invalid.
        warned: Identical copies were called different, and the margin raised where needed.
        half_width: Of the widest suite interval, on the scale of logarithms.
    """

    rounds: Integers
    suite: Truths
    cells: Truths
    invalid: Truths
    warned: Truths
    half_width: Floats

    @property
    def false(self) -> Truths:
        """Sessions with any verdict but *same* and *inconclusive*."""
        return self.suite | self.cells | self.invalid


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What sessions are judged by.

    Attributes:
        min_effect: The margin of the verdicts, as a ratio.
        alpha: What all intervals of a report may miss together.
    """

    min_effect: float
    alpha: float = 1 - CONFIDENCE


def intervals(d: Floats, alpha: float) -> tuple[Floats, Floats]:
    """Give the ends of the untied signed-rank interval along the last axis.

    Raises:
        ValueError: There are too few differences for one.
    """
    critical = statistics.critical_rank_sum(d.shape[-1], alpha)
    if critical is None:
        raise ValueError("too few differences for this level")
    first, second = np.triu_indices(d.shape[-1])
    walsh = (d[..., first] + d[..., second]) / 2
    last = walsh.shape[-1] - 1 - critical
    walsh.partition((critical, last), axis=-1)  # a whole stack need not be sorted for two places
    return walsh[..., critical], walsh[..., last]


def chunks(sessions: int) -> Iterator[int]:
    """Split a number of sessions so that memory stays small."""
    for start in range(0, sessions, _CHUNK):
        yield min(_CHUNK, sessions - start)


def single_differences(
    model: NoiseModel, generator: np.random.Generator, *, sessions: int, rounds: int, sigma: float, turns: int = 2
) -> Floats:
    """Give d of one candidate and one workload, measured beside the baseline and its copy: sessions, rounds."""
    parts = []
    for size in chunks(sessions):
        logs = simulate_runs(model, generator, (size, rounds, 1), arms=3, sigma=sigma, turns=turns).mean(axis=-1)
        parts.append(logs[:, :, 0, 1] - logs[:, :, 0, 0])
    return np.concatenate(parts)


def covers(d: Floats, truth: float, alpha: float = 1 - CONFIDENCE) -> Truths:
    """Say which sessions' intervals hold the truth."""
    low, high = intervals(d, alpha)
    return np.asarray((low <= truth) & (truth <= high))


def simulate_pipeline(
    model: NoiseModel, generator: np.random.Generator, size: int, sigma: float
) -> tuple[Floats, Truths]:
    """Give complete sessions of the baseline, its copy and the candidates, none different.

    Returns:
        Logarithms of times, and the rounds that the baseline's copy takes part in.
    """
    logs = simulate_runs(model, generator, (size, MOST_ROUNDS, WORKLOADS), arms=2 + CANDIDATES, sigma=sigma)
    control = generator.random((size, MOST_ROUNDS)) < CONTROL_SHARE
    control[:, :PILOT_ROUNDS] = True
    return logs, control


def collect(
    model: NoiseModel, generator: np.random.Generator, *, sessions: int, sigma: float, settings: Sequence[Setting]
) -> list[Reports]:
    """Simulate sessions once and report on them under each setting."""
    parts = []
    for size in chunks(sessions):
        logs, control = simulate_pipeline(model, generator, size, sigma)
        parts.append([report(logs, control, one.min_effect, alpha=one.alpha) for one in settings])
    return [joined(column) for column in zip(*parts, strict=True)]


def joined(parts: Sequence[Reports]) -> Reports:
    """Put the reports on several lots of sessions together."""
    columns = {
        one.name: np.concatenate([getattr(part, one.name) for part in parts]) for one in dataclasses.fields(Reports)
    }
    return Reports(**columns)


def report(logs: Floats, control: Truths, min_effect: float, *, alpha: float = 1 - CONFIDENCE) -> Reports:
    """Put sessions through pilot, stop rule, check of the harness and verdicts.

    Args:
        logs: As `simulate_pipeline` gives them; arm 0 is the baseline, arm 1 its copy.
        control: The rounds that the copy takes part in.
        min_effect: The smallest effect that matters, as a ratio.
        alpha: What all intervals of a report may miss together.
    """
    means = logs.mean(axis=-1)
    d = np.moveaxis(means[..., 1:] - means[..., :1], 1, -1)  # sessions, workloads, arms, rounds
    levels = Levels.of(CANDIDATES, WORKLOADS, 1 - alpha)
    rounds = stop(d[:, :, 1:].mean(axis=1), levels, MOST_ROUNDS)
    found = {name: np.zeros(rounds.size, dtype=bool) for name in ("suite", "cells", "invalid", "warned")}
    half_width = np.zeros(rounds.size)
    for n in np.unique(rounds):
        chosen = rounds == n
        harness = [
            part[present] for part, present in zip(d[chosen, :, 0, :n].mean(axis=1), control[chosen, :n], strict=True)
        ]
        verdicts, half_width[chosen] = _judge(d[chosen, :, 1:, :n], harness, min_effect, levels)
        for name, values in verdicts.items():
            found[name][chosen] = values
    return Reports(rounds=rounds, half_width=half_width, **found)


def stop(suite: Floats, levels: Levels, most: int) -> Integers:
    """The number of rounds that the automatic precision takes, within what the time allows.

    Args:
        suite: Differences over all workloads: sessions, candidates, rounds.
        levels: What the intervals may miss.
        most: As many rounds as there is time for.
    """
    pilot = suite[..., :PILOT_ROUNDS]
    low, high = intervals(pilot, levels.suite)
    aim = _aims(pilot)
    wanted = np.ceil(PILOT_ROUNDS * ((high - low) / 2 / aim) ** 2).max(axis=-1).astype(np.int64)
    rounds = np.clip(wanted, max(PILOT_ROUNDS, levels.least_rounds), most)
    for n in np.unique(rounds[rounds < most]):
        chosen = rounds == n
        again = np.ceil(n * (aim[chosen] / _aims(suite[chosen, :, :n])) ** 2).max(axis=-1).astype(np.int64)
        rounds[chosen] = np.clip(again, n, most)
    return np.asarray(rounds)


def _aims(d: Floats) -> Floats:
    """The half-widths to aim for."""
    theta = np.median(statistics.walsh_averages(d), axis=-1)
    return np.asarray(np.log1p(np.maximum(LEAST_PRECISION, CHANGE_SHARE * -np.expm1(-np.abs(theta)))))


def _judge(d: Floats, harness: Sequence[Floats], min_effect: float, levels: Levels) -> tuple[dict[str, Truths], Floats]:
    invalid, warned, margin = (
        np.array(column) for column in zip(*(_check(own, math.log1p(min_effect)) for own in harness), strict=True)
    )
    low, high = intervals(d.mean(axis=1), levels.suite)
    half_width = ((high - low) / 2).max(axis=-1)
    different = ((low > margin[:, None]) | (high < -margin[:, None])).any(axis=-1)
    low, high = intervals(d, levels.cell)
    cells = ((low > margin[:, None, None]) | (high < -margin[:, None, None])).any(axis=(1, 2))
    return {"suite": different & ~invalid, "cells": cells & ~invalid, "invalid": invalid, "warned": warned}, half_width


def _check(d: Floats, margin: float) -> tuple[bool, bool, float]:
    """The check of the harness: whether it is invalid, whether it warns, and the margin."""
    low, high = (float(end) for end in intervals(d, 0.002))
    invalid = low > margin or high < -margin
    low, high = (float(end) for end in intervals(d, 0.05))
    warned = not low <= 0 <= high and not invalid
    theta = float(np.median(statistics.walsh_averages(d)))
    return invalid, warned, max(margin, abs(theta)) if warned else margin
