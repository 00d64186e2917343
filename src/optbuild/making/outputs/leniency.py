r"""Which differences between two outputs do not count: what a filter matches, and the last digits of floats.

Not for which outputs are compared: `checker` decides that. Texts are read line by line, as they may be large.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from math import ceil, log10
from pathlib import Path

from optbuild.files import sha256_of

_NUMBER = re.compile(r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?")
_WHOLE = re.compile(r"[-+]?\d+")
_MOST_TOLERANCE = 1e-3  # beyond this, numbers that differ are different results, not different rounding
_LEAST_EXPONENT = -15
_WEEKDAY = "((Mon|Tue|Wed|Thu|Fri|Sat|Sun),? )?"
_MONTH = "(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
# These differ from run to run by nature: dates with a time, in three ways of writing, times of day, durations.
_OF_A_RUN = (
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d([.,]\d+)?)?(Z|[+-]\d\d:?\d\d)?",
    rf"\b{_WEEKDAY}\d\d? {_MONTH} \d{{4}} \d\d:\d\d(:\d\d)?( [+-]\d{{4}}| [A-Z]{{3,4}})?",
    rf"\b{_WEEKDAY}{_MONTH} [ \d]\d \d\d:\d\d:\d\d( [A-Z]{{3,4}})? \d{{4}}",
    r"\b\d\d?:\d\d:\d\d([.,]\d+)?",
    r"\d+(\.\d+)? ?(ns|us|µs|ms|s|sec|secs|seconds)\b",
)
# These from build to build: days, identifiers, addresses, and hashes, such as a program's own or that of its commit. A
# hash has a letter, so no large number is taken for one.
_OF_A_BUILD = (
    r"\b\d{4}-\d\d-\d\d\b",
    rf"\b{_WEEKDAY}(\d\d? {_MONTH}|{_MONTH} \d\d?,?) \d{{4}}\b",
    r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b",
    r"\b0x[0-9a-fA-F]+\b",
    r"\bg?(?=\d*[a-f])[0-9a-f]{7,}\b",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leniency:
    """What two outputs may differ in.

    Attributes:
        filters: Regular expressions; their matches in a line are ignored, and so is a line without anything else.
        tolerance: By how much floats may differ, relative to the larger; whole numbers may not.
    """

    filters: tuple[str, ...] = ()
    tolerance: float | None = None

    def digest(self, path: Path) -> tuple[str, int]:
        """The hash of what counts in a file, and the bytes that it was made from."""
        if not self.filters:
            return sha256_of(path), path.stat().st_size
        whole = hashlib.sha256()
        size_bytes = 0
        for line in self._lines(path):
            data = _encode(line)
            whole.update(data)
            size_bytes += len(data)
        return whole.hexdigest(), size_bytes

    def are_close(self, expected: Path, found: Path) -> bool:
        """Whether two files with different hashes differ by no more than the tolerance."""
        if self.tolerance is None:
            return False
        pairs = zip_longest(self._lines(expected), self._lines(found))
        return all(left == right or self._is_close(left, right) for left, right in pairs)

    def align(self, expected: Path, found: Path) -> tuple[bytes, bytes]:
        """What counts in both, the numbers of the second that are close enough replaced by those of the first."""
        if not self.filters and self.tolerance is None:
            return expected.read_bytes(), found.read_bytes()
        left_lines, right_lines = [], []
        for left, right in zip_longest(self._lines(expected), self._lines(found)):
            left_lines.append(left or "")
            right_lines.append(left if left is not None and self._is_close(left, right) else right or "")
        return _encode("".join(left_lines)), _encode("".join(right_lines))

    def _lines(self, path: Path) -> Iterator[str]:
        patterns = [re.compile(text) for text in self.filters]
        with path.open(encoding="utf-8", errors="surrogateescape", newline="\n") as stream:
            for line in stream:
                left = _without(patterns, line)
                if left.strip() or not line.strip():
                    yield left

    def _is_close(self, left: str | None, right: str | None) -> bool:
        if self.tolerance is None or left is None or right is None:
            return False
        found = _relative_difference(left, right)
        return found is not None and found <= self.tolerance


def propose_leniency(expected: bytes, found: bytes) -> str | None:
    """The key that would accept a difference that looks like a time, a hash, or different rounding.

    Returns:
        The key and its value as written in a build profile; None if the difference looks like none of them.
    """
    lines = [text.decode("utf-8", "surrogateescape").splitlines() for text in (expected, found)]
    different = [(left, right) for left, right in zip(*lines, strict=False) if left != right]
    if not different or len(lines[0]) != len(lines[1]):
        return None
    if filters := _filters_for(different):
        return f"compare-filter = [{', '.join(map(_quoted, filters))}]"
    differences = [_relative_difference(left, right) for left, right in different]
    known = [each for each in differences if each is not None]
    if len(known) < len(differences) or max(known) > _MOST_TOLERANCE:
        return None
    exponent = max(_LEAST_EXPONENT, ceil(log10(max(known)))) if max(known) else _LEAST_EXPONENT
    return f'compare-tolerance = "1e{exponent}"'


def condition_of(proposal: str) -> str:
    """When a proposed key may be written: a hash can be the result of a program as well as a mark of its build."""
    if any(_quoted(pattern) in proposal for pattern in _OF_A_BUILD):
        return "if this is not a result, but changes with each build (the program's own hash, a date, a commit)"
    return "if such a difference is none to you"


def _filters_for(pairs: Sequence[tuple[str, str]]) -> list[str]:
    """The patterns that make the lines of each pair equal; none if they cannot."""
    filters = []
    for text in (*_OF_A_RUN, *_OF_A_BUILD):
        pattern = re.compile(text)
        if any(_differ_in(pattern, *pair) for pair in pairs):
            filters.append(text)
            pairs = [(_without([pattern], left), _without([pattern], right)) for left, right in pairs]
    return filters if all(left == right for left, right in pairs) else []


def _differ_in(pattern: re.Pattern[str], left: str, right: str) -> bool:
    return [match.group() for match in pattern.finditer(left)] != [match.group() for match in pattern.finditer(right)]


def _without(patterns: Iterable[re.Pattern[str]], line: str) -> str:
    text = line.removesuffix("\n")
    for pattern in patterns:
        text = pattern.sub("", text)
    return text + line[len(line.removesuffix("\n")) :]


def _relative_difference(left: str, right: str) -> float | None:
    """The largest difference between floats of two lines; None if anything else differs."""
    if _NUMBER.sub("#", left) != _NUMBER.sub("#", right):
        return None
    pairs = zip(_NUMBER.findall(left), _NUMBER.findall(right), strict=True)
    different = [(a, b) for a, b in pairs if a != b]
    if any(_WHOLE.fullmatch(a) and _WHOLE.fullmatch(b) for a, b in different):
        return None
    values = [(float(a), float(b)) for a, b in different]
    return max((abs(a - b) / max(abs(a), abs(b)) for a, b in values if a != b), default=0.0)


def _quoted(pattern: str) -> str:
    return f"'{pattern}'"


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
