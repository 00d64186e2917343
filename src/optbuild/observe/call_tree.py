"""All recordings of a variant as one tree of calls, next to those of another variant, and which differences are real.

A variant was recorded several times. How much those recordings differ from each other is the noise: a difference
between two variants that is not clearly larger says nothing.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from statistics import fmean, variance

from optbuild.observe.profiles import ArmProfile, Profiled
from optbuild.observe.samples import Samples, fold

_DEVIATIONS = 3.0
"""How many standard errors a real difference is away from zero: two would show fifty of a thousand frames."""
_NUMBER = re.compile(r"\d+")

Path = tuple[str, ...]


class Change(StrEnum):
    """What a difference says."""

    CHEAPER = "cheaper"
    DEARER = "dearer"
    NOISE = "noise"


@dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """What something takes in one run.

    Attributes:
        variant: In the variant.
        base: In the variant that it is compared with; None if there is none.
        noise: The largest difference that chance explains.
    """

    variant: float
    base: float | None = None
    noise: float = 0.0

    @property
    def change(self) -> Change | None:
        """What the difference says; None without one."""
        if self.base is None:
            return None
        difference = self.variant - self.base
        if abs(difference) <= self.noise or difference == 0:
            return Change.NOISE
        return Change.CHEAPER if difference < 0 else Change.DEARER


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A function, called through one chain of calls.

    Attributes:
        name: Of the function; of a workload or a thread at the top.
        inclusive: What it took with what it called.
        itself: What it took without that.
    """

    name: str
    inclusive: Weight
    itself: Weight
    children: tuple[Node, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionRow:
    """A function, called through whatever chain of calls; one that calls itself counts once."""

    function: str
    inclusive: Weight
    itself: Weight


def thread_group(name: str) -> str:
    """One name for the threads of a pool, which are numbered."""
    return _NUMBER.sub("N", name)


def make_tree(profiled: Profiled) -> Node:
    """The tree of everything that was recorded; workloads stand at its top if there are several."""
    inclusive, itself = _Weights(profiled), _Weights(profiled)
    for origin, samples in _recordings(profiled):
        prefix = (profiled.workloads[origin.workload].workload,) if len(profiled.workloads) > 1 else ()
        for path, weight in fold(samples, thread_group).items():
            whole = (*prefix, *path)
            itself.add(whole, origin, weight)
            for length in range(len(whole) + 1):
                inclusive.add(whole[:length], origin, weight)
    children: dict[Path, list[Path]] = defaultdict(list)
    for path in inclusive.found():
        if path:
            children[path[:-1]].append(path)

    def grow(path: Path) -> Node:
        return Node(
            name=path[-1] if path else "all",
            inclusive=inclusive.of(path),
            itself=itself.of(path),
            children=tuple(map(grow, sorted(children.get(path, ())))),
        )

    return grow(())


def make_table(profiled: Profiled) -> tuple[FunctionRow, ...]:
    """Every function, those that took most themselves first."""
    inclusive, itself = _Weights(profiled), _Weights(profiled)
    for origin, samples in _recordings(profiled):
        for stack in samples.stacks:
            names = [frame.function for frame in stack.own_frames]
            if names:
                itself.add((names[-1],), origin, stack.weight)
            for name in set(names):
                inclusive.add((name,), origin, stack.weight)
    rows = (
        FunctionRow(function=key[0], inclusive=inclusive.of(key), itself=itself.of(key)) for key in inclusive.found()
    )
    return tuple(sorted(rows, key=lambda row: (-max(row.itself.variant, row.itself.base or 0.0), row.function)))


@dataclass(frozen=True, slots=True)
class _Origin:
    """Which recording a weight is from: the variant, the workload by its place, and the turn."""

    arm: str
    workload: int
    turn: int


def _recordings(profiled: Profiled) -> Iterator[tuple[_Origin, Samples]]:
    for place, workload in enumerate(profiled.workloads):
        for arm, profile in workload.arms.items():
            for turn, samples in enumerate(profile.recordings):
                yield _Origin(arm, place, turn), samples


class _Weights:
    """Weights by key, of every recording; what a key weighs in a run is a mean over recordings."""

    def __init__(self, profiled: Profiled) -> None:
        self._profiled = profiled
        self._found: dict[Path, dict[_Origin, float]] = defaultdict(lambda: defaultdict(float))

    def add(self, key: Path, origin: _Origin, weight: float) -> None:
        self._found[key][origin] += weight

    def found(self) -> Iterator[Path]:
        return iter(tuple(self._found))

    def of(self, key: Path) -> Weight:
        mean, error = self._estimate(key, self._profiled.variant)
        if self._profiled.base is None:
            return Weight(variant=mean)
        base, base_error = self._estimate(key, self._profiled.base)
        return Weight(variant=mean, base=base, noise=_DEVIATIONS * math.sqrt(error + base_error))

    def _estimate(self, key: Path, arm: str) -> tuple[float, float]:
        """The mean of one variant over all workloads, and its squared standard error."""
        found, mean, error = self._found.get(key, {}), 0.0, 0.0
        for place, workload in enumerate(self._profiled.workloads):
            profile = workload.arms[arm]
            values = [found.get(_Origin(arm, place, turn), 0.0) for turn in range(len(profile.recordings))]
            mean += fmean(values)
            error += _squared_error(values, profile)
        return mean, error


def _squared_error(values: list[float], profile: ArmProfile) -> float:
    """The squared standard error of a mean: as the recordings differ, but not below what counting samples allows."""
    count, turns = profile.count, len(values)
    if not count:  # everything was counted
        return 0.0
    sample = sum(each.total for each in profile.recordings) / count
    counted = (sum(values) + sample) * sample / turns**2  # a Poisson distribution; one more sample, for none is luck
    return counted if turns == 1 else max(counted, variance(values) / turns)
