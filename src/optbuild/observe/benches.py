"""Benchmarks whose times show that the compiler has removed their work. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping

from optbuild.observe.observation import Finding, FindingKind
from optbuild.units import format_duration

_NOTHING_S = 1.5e-9
"""A few instructions: less than any work worth measuring takes."""
_GROWTH = 8.0
"""Of the work, from which on the time has to grow."""
_SIZE = re.compile(r"(?P<stem>.*?)(?P<size>\d+)(?P<unit>[kKmM]?)$")
_UNITS = {"": 1, "k": 1000, "K": 1000, "m": 1_000_000, "M": 1_000_000}
_TODO = (
    "pass inputs and results through `std::hint::black_box`, so that the compiler knows neither: "
    "`b.iter(|| f(black_box(input)))`"
)


def find_folded(benchmarks: Mapping[str, float]) -> Iterator[Finding]:
    """Benchmarks that measure nothing: they take no time, or as long for many times the work.

    Args:
        benchmarks: Seconds per iteration, by name; a name that ends in a number has so much to do.
    """
    sizes: dict[str, dict[int, float]] = defaultdict(dict)
    for name, seconds in benchmarks.items():
        if 0 <= seconds < _NOTHING_S:
            yield _folded(f"{name} takes {format_duration(seconds)} an iteration, which is less than any work takes")
        if (match := _SIZE.fullmatch(name)) is not None:
            sizes[match["stem"]][int(match["size"]) * _UNITS[match["unit"]]] = seconds
    for stem, times in sizes.items():
        least, most = min(times), max(times)
        if least > 0 and most / least >= _GROWTH and times[most] < times[least] * 1.5:
            yield _folded(
                f"{stem}… takes {format_duration(times[least])} for {least:,} and {format_duration(times[most])} for "
                f"{most:,}: its time does not grow with its work"
            )


def _folded(figure: str) -> Finding:
    return Finding(kind=FindingKind.FOLDED_BENCH, figure=figure, share=None, at_most=None, todo=_TODO)
