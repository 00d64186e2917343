"""Check that the linker has put functions in the order in which training first ran them.

With one run, they stand in its order. With several, whose orders differ, the linker puts those together that run
together. So what is judged is how many neighbours stand in the order of their mean places: without the order about
a half, of a real program trained on four workloads 58%, and with it 80%.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from optbuild.making.proof.evidence import Check, Unit

_LEAST_FUNCTIONS = 4
"""With fewer, an order is chance."""
_LEAST_IN_ORDER = 0.65
"""By chance it is a half."""


def check_order(traces: Sequence[Sequence[str]], functions: Mapping[str, tuple[int, int]]) -> tuple[Check, ...]:
    """Judge the order of a program's functions.

    Args:
        traces: For each training run, its functions in the order in which they first ran.
        functions: The address and the size of each function of the program; empty if it is stripped.
    """
    places = _mean_places(traces)
    found = sorted((functions[name][0], name) for name in places if name in functions)
    is_known = len(found) >= _LEAST_FUNCTIONS
    in_order = _share_in_order([places[name] for _, name in found]) if is_known else None
    return (
        Check(
            name="the profile has the order in which functions first ran",
            passed=bool(places),
            fault="the profile does not say in which order functions first ran",
            help="run again with --fresh, which trains again",
            is_of_attempt=True,
        ),
        Check(
            name="neighbours in the order in which they first ran",
            passed=None if in_order is None else in_order >= _LEAST_IN_ORDER,
            value=in_order,
            unit=Unit.RATIO,
            fault="the linker did not put functions in the order in which they first ran",
            help="check in the log that rustc linked with its own lld",
            is_of_attempt=True,
        ),
    )


def _mean_places(traces: Sequence[Sequence[str]]) -> dict[str, float]:
    """The place of each function in the runs, on average; the linker weighs runs alike."""
    places: dict[str, list[int]] = {}
    for trace in traces:
        for place, name in enumerate(trace):
            places.setdefault(name, []).append(place)
    return {name: sum(each) / len(each) for name, each in places.items()}


def _share_in_order(places: Sequence[float]) -> float:
    steps = [before <= after for before, after in pairwise(places)]
    return sum(steps) / len(steps)
