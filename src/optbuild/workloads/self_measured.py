"""Read what benches measured themselves: Criterion's raw samples, and libtest's output for `#[bench]`.

Such a bench runs its code for a time that it chooses itself, so its own wall time says nothing about the code. One run
is one observation here, whatever it did inside: the value of a benchmark is its time per iteration.

Sources:
    Criterion.rs, "Analysis Process", https://bheisler.github.io/criterion.rs/book/analysis.html: if the iteration
    counts of a sample differ, the estimate is the slope of a regression through the origin, else the mean. With equal
    counts the slope is the mean, so one formula serves both.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from optbuild.text import sanitize_line

_NS_PER_S = 1e9
# `test sum::short ... bench:       1,234.56 ns/iter (+/- 78)`
_BENCH_LINE = re.compile(r"^test (?P<name>.+?) +\.\.\. bench: +(?P<ns>[\d,]+(?:\.\d+)?) ns/iter", re.MULTILINE)
_TEST_LINE = re.compile(r"^test (?P<name>.+?) +\.\.\. (?P<verdict>ok|ignored|bench|FAILED)", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sample:
    """`sample.json`: how often each measurement ran the code, and how long all of it took, in nanoseconds."""

    iters: tuple[float, ...]
    times: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Benchmark:
    """`benchmark.json`: the displayed name of a benchmark."""

    full_id: str


_SAMPLE = TypeAdapter(_Sample)
_BENCHMARK = TypeAdapter(_Benchmark)


def read_criterion(home: Path) -> dict[str, float]:
    """Seconds per iteration of each benchmark with samples below a directory, by its id.

    If several share an id, which Criterion keeps in separate directories, the later ones are named by their
    directories.

    Raises:
        ValueError: A file is malformed, or a benchmark measured no time.
    """
    found: dict[str, float] = {}
    for file in sorted(home.rglob("new/sample.json")):
        try:
            sample = _SAMPLE.validate_json(file.read_bytes())
            name = _BENCHMARK.validate_json(file.with_name("benchmark.json").read_bytes()).full_id
        except (OSError, ValidationError) as error:
            raise ValueError(f"{file} and the benchmark.json next to it are not what Criterion writes") from error
        if name in found:
            name = str(file.parents[1].relative_to(home))
        found[name] = _per_iteration_ns(sample, file) / _NS_PER_S
    return found


def _per_iteration_ns(sample: _Sample, file: Path) -> float:
    """The slope of the regression through the origin."""
    squares = math.fsum(count * count for count in sample.iters)
    products = math.fsum(count * time for count, time in zip(sample.iters, sample.times, strict=False))
    if len(sample.iters) != len(sample.times) or not squares or not 0 < products / squares < math.inf:
        raise ValueError(f"{file} has no time per iteration")
    return products / squares


def read_libtest(text: str) -> dict[str, float]:
    """Seconds per iteration of each `#[bench]` that a libtest program reported, by its name."""
    return {found["name"]: float(found["ns"].replace(",", "")) / _NS_PER_S for found in _BENCH_LINE.finditer(text)}


def describe_benchmarks(values: Mapping[str, float]) -> str:
    """The part of a bench's output that can be compared: which benchmarks it has."""
    return "".join(f"benchmark {sanitize_line(name)}\n" for name in sorted(values))


def describe_tests(text: str) -> str:
    """The part of libtest's output that can be compared, without times and order: tests and verdicts."""
    lines = {f"test {found['name']} ... {found['verdict']}\n" for found in _TEST_LINE.finditer(text)}
    return "".join(sorted(lines))
