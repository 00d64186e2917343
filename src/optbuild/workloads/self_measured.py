"""Read what benches have measured themselves: Criterion's raw samples, and what libtest, Divan and Gungraun print.

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
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from optbuild.adapters import adapter_of
from optbuild.text import sanitize_line

_NS_PER_S = 1e9
_PER_SECOND = {"ps": 1e12, "ns": 1e9, "µs": 1e6, "ms": 1e3, "s": 1.0, "m": 1 / 60, "h": 1 / 3600}
# `│  ╰─ 1000    34.05 µs      │ 16.88 ms      │ 45.18 µs      │ 214.1 µs      │ 100     │ 100`: the fastest sample, the
# slowest, median and mean; a name that groups others has none of them.
_DIVAN_LINE = re.compile(r"^(?P<tree>(?:[│ ]  )*)(?:├─|╰─) (?P<rest>\S.*)$", re.MULTILINE)
_DIVAN_TIME = re.compile(r"(?P<number>[\d.]+) (?P<unit>ps|ns|µs|ms|s|m|h)")
_DIVAN_LEAF = re.compile(rf"(?P<name>.+?) +{_DIVAN_TIME.pattern.replace('?P<number>', '').replace('?P<unit>', '')}")
# `speed::group::parse long:input()`, where neither the id nor what follows it has to be there; below it, after blanks
# or a grid, `Instructions:      1734|N/A      (*********)`
_GUNGRAUN_NAME = re.compile(r"(?P<path>\w+(?:::\w+)+)(?: (?:(?P<id>\w+)(?::.*)?|.*))?")
_GUNGRAUN_TOOL = re.compile(r"[ |]*=+ (?P<tool>[A-Z]+) =+")
_GUNGRAUN_COUNT = re.compile(r"[ |+-]+Instructions: +(?P<count>\d+)\|.*")
_COUNTING_TOOLS = ("CALLGRIND", "CACHEGRIND")
_COMPARISON = "Comparison with "
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
            sample = adapter_of(_Sample).validate_json(file.read_bytes())
            name = adapter_of(_Benchmark).validate_json(file.with_name("benchmark.json").read_bytes()).full_id
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


def read_divan(text: str) -> dict[str, float]:
    """Seconds per iteration of each benchmark that Divan has reported, by the names on its way in the tree.

    The median of its samples is taken: a single one that was held up may be a thousand times as long.

    Sources:
        `tree_painter.rs` and `time/fine_duration.rs` in https://github.com/nvzqz/divan
    """
    found: dict[str, float] = {}
    names: list[str] = []
    for line in _DIVAN_LINE.finditer(text):
        first, *columns = line["rest"].split("│")
        leaf = _DIVAN_LEAF.fullmatch(first.strip())
        names = [*names[: len(line["tree"]) // 3], leaf["name"] if leaf else first.strip()]
        median = _DIVAN_TIME.fullmatch(columns[1].strip()) if leaf and len(columns) > 1 else None
        if median is not None:
            found["/".join(names)] = float(median["number"]) / _PER_SECOND[median["unit"]]
    return found


def read_gungraun(text: str) -> dict[str, int]:
    """Instructions of each benchmark that Gungraun or iai-callgrind has reported, by its path without the file.

    Only what callgrind or cachegrind counts is taken, of several parts the total, and nothing of another benchmark that
    is shown for comparison.

    Sources:
        `format.rs` in https://github.com/gungraun/gungraun
    """
    found: dict[str, int] = {}
    name, counts = None, False
    for line in text.splitlines():
        if header := _GUNGRAUN_NAME.fullmatch(line):
            path = header["path"].partition("::")[2]
            name, counts = path if header["id"] is None else f"{path}/{header['id']}", True
        elif tool := _GUNGRAUN_TOOL.fullmatch(line):
            counts = tool["tool"] in _COUNTING_TOOLS
        elif line.lstrip(" |+-").startswith(_COMPARISON):
            name = None
        elif name is not None and counts and (count := _GUNGRAUN_COUNT.fullmatch(line)):
            found[name] = int(count["count"])
    return found


def describe_benchmarks(names: Iterable[str]) -> str:
    """The part of a bench's output that can be compared: which benchmarks it has."""
    return "".join(f"benchmark {sanitize_line(name)}\n" for name in sorted(names))


def describe_tests(text: str) -> str:
    """The part of libtest's output that can be compared, without times and order: tests and verdicts."""
    lines = {f"test {found['name']} ... {found['verdict']}\n" for found in _TEST_LINE.finditer(text)}
    return "".join(sorted(lines))
