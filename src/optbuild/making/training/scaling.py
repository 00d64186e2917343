"""Multiply counts: those of each workload, so that weights are shares; and those of all, as if training was shorter.

The second is `count-scale`, a factor of 1 at most. A count that was not 0 stays 1 at least: what ran in training stays
what ran, and what ran rarely weighs more against what ran often. Functions, their names, their hashes and the order in
which they first ran stay as they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

from optbuild.files import writing
from optbuild.tools.profile_text import FunctionRecord, map_records

K = TypeVar("K")

_MULTIPLIER_STEPS = 10  # the least multiplier at most: rounding to whole numbers then moves no share by more than...
_SHARE_ERROR = 0.05  # ... this, and less precise are the weights that people write
_COUNT_LIMIT = 2**60  # counters have 64 bits; the sum must stay well below
_HEAD_LINES = 2  # of a record: the hash, and how many counters there are
_AS_IT_IS = "surrogateescape"  # a name need not be UTF-8


def make_multipliers(shares: Mapping[K, tuple[float, int]]) -> dict[K, int]:
    """Whole factors that give each workload its weight's share of all counts, whatever its length.

    `llvm-profdata` multiplies counts; without this, the longest workload would dominate the profile. The factors are as
    small as they may be: large counts can make LLVM's code worse. With jsonxf 1.1.1 and rustc 1.95, twice the same
    counts and more gave a program that takes 10% more instructions on one of two inputs; two other programs do not
    care.

    Args:
        shares: For each training run its weight and its own total count, both above zero.
    """
    if len(shares) == 1:
        return dict.fromkeys(shares, 1)
    per_weight = {training: total / weight for training, (weight, total) in shares.items()}
    longest = max(per_weight.values())
    merged = longest * sum(weight for weight, _ in shares.values())
    most = max(1, min(_MULTIPLIER_STEPS, int(_COUNT_LIMIT / merged)))
    ratios = {training: longest / value for training, value in per_weight.items()}
    fitting = (steps for steps in range(1, most) if all(_is_near(ratio * steps) for ratio in ratios.values()))
    steps = next(fitting, most)
    return {training: math.floor(ratio * steps + 0.5) for training, ratio in ratios.items()}


def _is_near(factor: float) -> bool:
    """Whether a factor is almost a whole number."""
    return abs(math.floor(factor + 0.5) / factor - 1) <= _SHARE_ERROR


def write_scaled(source: Path, target: Path, scale: float) -> None:
    """Rewrite a profile's text with scaled counts.

    Args:
        source: The profile, as text.
        target: The file to write.
        scale: What each count is multiplied by, above 0 and 1 at most.

    Raises:
        ValueError: The text is not as expected.
        StorageError: The file cannot be written.
    """
    scaled = make_scaling(scale)
    with (
        source.open(encoding="utf-8", errors=_AS_IT_IS) as lines,
        writing(target),
        target.open("w", encoding="utf-8", errors=_AS_IT_IS) as stream,
    ):
        stream.writelines(map_records(lines, lambda record: scale_record(record, scaled)))


def make_scaling(scale: float) -> Callable[[int], int]:
    """What becomes of a count: it is rounded to the nearest, but only 0 becomes 0."""
    factor = Fraction(str(scale))  # exact: a float has fewer digits than the largest counts
    numerator, denominator = factor.numerator * 2, factor.denominator * 2

    def scaled(count: int) -> int:
        return max(1, (count * numerator + factor.denominator) // denominator) if count else 0

    return scaled


def scale_record(record: FunctionRecord, scaled: Callable[[int], int]) -> FunctionRecord:
    """A function's record with other counts: those of its counters, and those of the values that it recorded.

    Args:
        record: As `llvm-profdata` writes it.
        scaled: What becomes of a count.

    Raises:
        ValueError: It is not as expected.
    """
    return replace(record, lines=tuple(_scale_lines(record, scaled)))


def _scale_lines(record: FunctionRecord, scaled: Callable[[int], int]) -> Iterator[str]:
    seen, counters = 0, 0  # lines that are no comments, and how many of them are counters
    for line in record.lines:
        if line.startswith("#"):
            yield line
            continue
        seen += 1
        if seen <= _HEAD_LINES:
            counters = int(line)  # in the last of them
            yield line
        elif seen <= _HEAD_LINES + counters:
            yield str(scaled(int(line)))
        else:
            # Of all that follows, only values have a colon. A name may have one as well: the last is the count's.
            value, colon, count = line.rpartition(":")
            yield f"{value}:{scaled(int(count))}" if colon else line
    if seen < _HEAD_LINES + counters:
        raise ValueError(f"the record of {record.name} is cut short")
