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
from optbuild.measure.schedule import PILOT_ROUNDS
from optbuild.measure.statistics import Floats
from validation.noise import NoiseModel, simulate_runs

Integers = npt.NDArray[np.int64]
Truths = npt.NDArray[np.bool_]

CONFIDENCE = 0.95
CANDIDATES = 4
WORKLOADS = 5
MOST_ROUNDS = 40
PRECISION = 0.01
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
        alpha: What the intervals of one family may miss together.
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
    walsh = statistics.walsh_averages(d)
    return walsh[..., critical], walsh[..., -1 - critical]


def chunks(sessions: int) -> Iterator[int]:
    """Split a number of sessions so that memory stays small."""
    for start in range(0, sessions, _CHUNK):
        yield min(_CHUNK, sessions - start)


def single_differences(
    model: NoiseModel, generator: np.random.Generator, *, sessions: int, rounds: int, sigma: float
) -> Floats:
    """Give d of one candidate and one workload, measured beside the baseline and its copy: sessions, rounds."""
    parts = []
    for size in chunks(sessions):
        logs = simulate_runs(model, generator, (size, rounds, 1), arms=3, sigma=sigma).mean(axis=-1)
        parts.append(logs[:, :, 0, 1] - logs[:, :, 0, 0])
    return np.concatenate(parts)


def covers(d: Floats, truth: float, alpha: float = 1 - CONFIDENCE) -> Truths:
    """Say which sessions' intervals hold the truth."""
    low, high = intervals(d, alpha)
    return np.asarray((low <= truth) & (truth <= high))


def simulate_pipeline(model: NoiseModel, generator: np.random.Generator, size: int, sigma: float) -> Floats:
    """Give complete sessions of the baseline, its copy and the candidates: logarithms of times, none different."""
    return simulate_runs(model, generator, (size, MOST_ROUNDS, WORKLOADS), arms=2 + CANDIDATES, sigma=sigma)


def collect(
    model: NoiseModel, generator: np.random.Generator, *, sessions: int, sigma: float, settings: Sequence[Setting]
) -> list[Reports]:
    """Simulate sessions once and report on them under each setting."""
    parts = []
    for size in chunks(sessions):
        logs = simulate_pipeline(model, generator, size, sigma)
        parts.append([report(logs, one.min_effect, alpha=one.alpha) for one in settings])
    return [joined(column) for column in zip(*parts, strict=True)]


def joined(parts: Sequence[Reports]) -> Reports:
    """Put the reports on several lots of sessions together."""
    columns = {
        one.name: np.concatenate([getattr(part, one.name) for part in parts]) for one in dataclasses.fields(Reports)
    }
    return Reports(**columns)


def report(logs: Floats, min_effect: float, *, alpha: float = 1 - CONFIDENCE) -> Reports:
    """Put sessions through pilot, stop rule, check of the harness and verdicts.

    Args:
        logs: As `simulate_pipeline` gives them; arm 0 is the baseline, arm 1 its copy.
        min_effect: The smallest effect that matters, as a ratio.
        alpha: What the intervals of one family may miss together.
    """
    means = logs.mean(axis=-1)
    d = np.moveaxis(means[..., 1:] - means[..., :1], 1, -1)  # sessions, workloads, arms, rounds
    rounds = _stop(d, alpha)
    found = {name: np.zeros(rounds.size, dtype=bool) for name in ("suite", "cells", "invalid", "warned")}
    half_width = np.zeros(rounds.size)
    for n in np.unique(rounds):
        chosen = rounds == n
        verdicts, half_width[chosen] = _judge(d[chosen, :, :, :n], min_effect, alpha)
        for name, values in verdicts.items():
            found[name][chosen] = values
    return Reports(rounds=rounds, half_width=half_width, **found)


def _stop(d: Floats, alpha: float) -> Integers:
    """The number of rounds that the pilot calls for, within what the time allows."""
    low, high = intervals(d[:, :, 1:, :PILOT_ROUNDS].mean(axis=1), alpha / CANDIDATES)
    width = ((high - low) / 2).max(axis=-1)
    least = statistics.least_rounds(CANDIDATES * WORKLOADS, 1 - alpha)
    wanted = np.ceil(PILOT_ROUNDS * (width / math.log1p(PRECISION)) ** 2).astype(np.int64)
    return np.asarray(np.clip(wanted, max(PILOT_ROUNDS, least), MOST_ROUNDS))


def _judge(d: Floats, min_effect: float, alpha: float) -> tuple[dict[str, Truths], Floats]:
    suite = d.mean(axis=1)
    margin = np.full(len(d), math.log1p(min_effect))
    low, high = intervals(suite[:, 0], 0.002)
    invalid = (low > margin) | (high < -margin)
    low, high = intervals(suite[:, 0], 0.05)
    warned = ((low > 0) | (high < 0)) & ~invalid
    theta = np.median(statistics.walsh_averages(suite[:, 0]), axis=-1)
    margin = np.where(warned, np.maximum(margin, np.abs(theta)), margin)
    low, high = intervals(suite[:, 1:], alpha / CANDIDATES)
    half_width = ((high - low) / 2).max(axis=-1)
    different = ((low > margin[:, None]) | (high < -margin[:, None])).any(axis=-1)
    low, high = intervals(d[:, :, 1:], alpha / (CANDIDATES * WORKLOADS))
    cells = ((low > margin[:, None, None]) | (high < -margin[:, None, None])).any(axis=(1, 2))
    return {"suite": different & ~invalid, "cells": cells & ~invalid, "invalid": invalid, "warned": warned}, half_width
