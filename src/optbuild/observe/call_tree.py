"""All recordings of a variant as one tree of calls, next to those of another variant, and which differences are real.

A variant was recorded several times. How much those recordings differ from each other is the noise: a difference
between two variants that is not clearly larger says nothing.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from statistics import fmean, variance

from optbuild.observe.profiles import ArmProfile, Profiled
from optbuild.observe.samples import Samples, fold

_DEVIATIONS = 3.0
"""How many standard errors a real difference is away from zero: two would show fifty of a thousand frames."""
_MOST_FRAMES = 256
"""Of one chain of calls. perf keeps 127 frames, each with the functions that were inlined into it."""
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


@dataclass(frozen=True, slots=True)
class _Origin:
    """Which recording a weight is from: the variant, the workload by its place, and the turn."""

    arm: str
    workload: int
    turn: int


_ByOrigin = dict[_Origin, float]


def thread_group(name: str) -> str:
    """One name for the threads of a pool, which are numbered."""
    return _NUMBER.sub("N", name)


def make_tree(profiled: Profiled) -> Node:
    """The tree of everything that was recorded; workloads stand at its top if there are several.

    Of very deep recursion the calls in the middle are left out: a picture cannot show them, and JSON nests as deep as
    the tree.
    """
    top = _Branch()
    for origin, samples in _recordings(profiled):
        prefix = (profiled.workloads[origin.workload].workload,) if len(profiled.workloads) > 1 else ()
        for path, weight in fold(samples, thread_group).items():
            top.add((*prefix, *_shorten(path)), origin, weight)
    return _grow("all", top, profiled)


@dataclass(slots=True)
class _Branch:
    """A function in a tree that still grows, with its weights in each recording."""

    inclusive: _ByOrigin = field(default_factory=lambda: defaultdict(float))
    itself: _ByOrigin = field(default_factory=lambda: defaultdict(float))
    children: dict[str, _Branch] = field(default_factory=dict)

    def add(self, path: Path, origin: _Origin, weight: float) -> None:
        branch = self
        branch.inclusive[origin] += weight
        for name in path:
            branch = branch.children.setdefault(name, _Branch())
            branch.inclusive[origin] += weight
        branch.itself[origin] += weight


def _grow(name: str, branch: _Branch, profiled: Profiled) -> Node:
    return Node(
        name=name,
        inclusive=_weigh(branch.inclusive, profiled),
        itself=_weigh(branch.itself, profiled),
        children=tuple(_grow(child, branch.children[child], profiled) for child in sorted(branch.children)),
    )


def _shorten(path: Path) -> Path:
    if len(path) <= _MOST_FRAMES:
        return path
    half = _MOST_FRAMES // 2
    return (*path[:half], "[deeper calls left out]", *path[-half:])


def make_table(profiled: Profiled) -> tuple[FunctionRow, ...]:
    """Every function, those that took most themselves first."""
    found: dict[str, _Branch] = defaultdict(_Branch)
    for origin, samples in _recordings(profiled):
        for stack in samples.stacks:
            names = [frame.function for frame in stack.own_frames]
            if names:
                found[names[-1]].itself[origin] += stack.weight
            for name in set(names):
                found[name].inclusive[origin] += stack.weight
    rows = (
        FunctionRow(function=name, inclusive=_weigh(each.inclusive, profiled), itself=_weigh(each.itself, profiled))
        for name, each in found.items()
    )
    return tuple(sorted(rows, key=lambda row: (-max(row.itself.variant, row.itself.base or 0.0), row.function)))


def _recordings(profiled: Profiled) -> Iterator[tuple[_Origin, Samples]]:
    for place, workload in enumerate(profiled.workloads):
        for arm, profile in workload.arms.items():
            for turn, samples in enumerate(profile.recordings):
                yield _Origin(arm, place, turn), samples


def _weigh(found: Mapping[_Origin, float], profiled: Profiled) -> Weight:
    """What something weighs in a run: a mean over recordings."""
    mean, error = _estimate(found, profiled, profiled.variant)
    if profiled.base is None:
        return Weight(variant=mean)
    base, base_error = _estimate(found, profiled, profiled.base)
    return Weight(variant=mean, base=base, noise=_DEVIATIONS * math.sqrt(error + base_error))


def _estimate(found: Mapping[_Origin, float], profiled: Profiled, arm: str) -> tuple[float, float]:
    """The mean of one variant over all workloads, and its squared standard error."""
    mean, error = 0.0, 0.0
    for place, workload in enumerate(profiled.workloads):
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
