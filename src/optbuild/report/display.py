"""Format values for every report: changes with the digits that their interval supports, foreign text on one line.

Not for layout: tables are in `tables`, sentences in `footnotes`, markup in `formats`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator

from optbuild.measure.metrics import METRICS
from optbuild.measure.model import Comparison, Verdict
from optbuild.report.model import NOTHING, Cell, Tone
from optbuild.text import name_some, sanitize_line
from optbuild.units import format_percent

_PROVEN = frozenset({Verdict.FASTER, Verdict.SLOWER})
_WITHOUT_TIME = {Verdict.FASTER: "less", Verdict.SLOWER: "more"}
_TONES = {Verdict.FASTER: Tone.FASTER, Verdict.SLOWER: Tone.SLOWER}
_MOST_DIGITS = 2
MARK = "†"
"""Marks a change with a separate footnote, and that footnote."""
_CI_COMMAND = re.compile(r"(?m)^(\s*):(?=:)|#(?=#\[|#vso\[)")


def sentence(text: str) -> str:
    """Make a message or a reason one inert line, joining broken lines; for names, `sanitize_line` keeps everything."""
    return sanitize_line(" ".join(text.split()))


def inert_on_ci(text: str) -> str:
    """Prevent CI systems from reading lines of a report as commands; nothing visible changes.

    Sources:
        GitHub Actions reads `::name::` at the start of a line and `##[name]` anywhere
        (actions/runner, src/Runner.Common/ActionCommand.cs); Azure Pipelines reads
        `##vso[` (https://learn.microsoft.com/azure/devops/pipelines/scripts/logging-commands).
    """
    return _CI_COMMAND.sub("\\g<0>\u200b", text)


def named_by_fact(told: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Facts about names, as name and fact: each fact once, with the names of a few that it is true of."""
    names: dict[str, list[str]] = {}
    for name, fact in told:
        names.setdefault(fact, []).append(name)
    return ((fact, name_some(those)) for fact, those in names.items())


def change_cell(comparison: Comparison) -> Cell:
    """A change for readers: bare if proven, after `~` if not, in brackets without an interval."""
    if comparison.verdict is Verdict.INVALID:
        return NOTHING
    digits = digits_of(comparison)
    if digits is None:
        return Cell(text=f"({format_percent(comparison.change, 0)})") if comparison.rounds else NOTHING
    change = format_percent(comparison.change, digits) + MARK * bool(comparison.warnings)
    return Cell(text=change if comparison.verdict in _PROVEN else f"~ {change}", tone=tone_of(comparison))


def interval_cell(comparison: Comparison) -> Cell:
    """The interval of a change, in percent: `[−12.6, −11.0]`."""
    digits = digits_of(comparison)
    if digits is None or comparison.ci_low is None or comparison.ci_high is None:
        return Cell(text="too few rounds") if comparison.verdict is not Verdict.INVALID else NOTHING
    low, high = (format_percent(end, digits).rstrip("%") for end in (comparison.ci_low, comparison.ci_high))
    return Cell(text=f"[{low}, {high}]")


def verdict_cell(comparison: Comparison) -> Cell:
    """The verdict of the comparison, in a word."""
    return Cell(text=verdict_word(comparison), tone=tone_of(comparison))


def verdict_word(comparison: Comparison) -> str:
    """The verdict, which is not about speed if time is not what was compared."""
    is_time = all(METRICS[name].is_time for name in comparison.metric.split("+") if name in METRICS)
    return str(comparison.verdict) if is_time else _WITHOUT_TIME.get(comparison.verdict, str(comparison.verdict))


def tone_of(comparison: Comparison) -> Tone:
    """The colour of a change; only proven ones have one."""
    return _TONES.get(comparison.verdict, Tone.PLAIN)


def digits_of(comparison: Comparison) -> int | None:
    """Digits after the point that the interval supports; None if nothing may be printed.

    The half-width is at least two units of the last digit, which preserves the shape of a shown interval.
    """
    if comparison.verdict is Verdict.INVALID or comparison.ci_low is None or comparison.ci_high is None:
        return None
    return digits_for((comparison.ci_high - comparison.ci_low) / 2)


def digits_for(half_width: float) -> int:
    """Digits after the point for a percentage that is known to within a half-width, given as a ratio."""
    percent = half_width * 100
    return min(max(-math.floor(math.log10(percent / 2)), 0), _MOST_DIGITS) if percent > 0 else _MOST_DIGITS


def unsigned_percent(ratio: float, digits: int = 1) -> str:
    """A width, a share or a margin: `0.4%`."""
    return f"{abs(ratio) * 100:.{digits}f}%"
