"""Base units inside (seconds, bytes, ratios); parse what users write, and scale for display only."""

from __future__ import annotations

import math
import re

_DURATION = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>ms|s|m|h)")
_SECONDS_PER = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_RATIO = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*%")
_BINARY_STEP = 1024
_SIZE = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[kKMGT]i?B|B)")
_POWERS = {"B": 0, "k": 1, "K": 1, "M": 2, "G": 3, "T": 4}


def parse_duration_s(text: str) -> float:
    """Read a duration such as `"500ms"`, `"30s"`, `"5m"` or `"1h"` as seconds.

    Raises:
        ValueError: The text is not a duration above zero.
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ValueError('expected a duration such as "500ms", "30s", "5m" or "1h"')
    seconds = float(match["number"]) * _SECONDS_PER[match["unit"]]
    if not 0 < seconds < math.inf:
        raise ValueError("expected a finite duration above zero")
    return seconds


def parse_ratio(value: str | float) -> float:
    """Read a ratio such as `"3%"` or `0.03` as a fraction.

    Raises:
        ValueError: The value is neither a percentage nor a number, or is negative.
    """
    if isinstance(value, str):
        match = _RATIO.fullmatch(value.strip())
        if match is None:
            raise ValueError('expected a ratio such as "3%" or 0.03')
        value = float(match["number"]) / 100
    if not math.isfinite(value) or value < 0:
        raise ValueError('expected a ratio such as "3%" or 0.03, not below zero')
    return float(value)


def parse_size_bytes(text: str) -> int:
    """Read a size such as `"500MB"` or `"20GiB"` as bytes; a decimal unit is a power of 1000, a binary one of 1024.

    Raises:
        ValueError: The text is not a size above zero.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError('expected a size such as "500MB" or "20GiB"')
    base = float(_BINARY_STEP if "i" in match["unit"] else 1000)
    size = round(float(match["number"]) * math.pow(base, _POWERS[match["unit"][0]]))
    if size <= 0:
        raise ValueError("expected a size above zero")
    return size


def format_duration(seconds: float) -> str:
    """Write seconds for people: `82.1 ns`, `1.24 ms`, `3.2 s`, `2 min 05 s`, `1 h 02 min`."""
    if 0 < seconds < 0.9995e-6:  # noqa: PLR2004 - below a microsecond
        return f"{seconds * 1e9:.3g} ns"
    if 0 < seconds < 0.09995e-3:  # noqa: PLR2004 - below a tenth of a millisecond, in microseconds
        return f"{seconds * 1e6:.3g} µs"
    if seconds < 0.0995:  # noqa: PLR2004 - below a tenth of a second, in milliseconds
        return f"{seconds * 1000:.3g} ms"
    if seconds < 99.5:  # noqa: PLR2004 - three digits say enough
        return f"{seconds:.3g} s"
    total = round(seconds)
    if total < 3600:  # noqa: PLR2004 - an hour
        return f"{total // 60} min {total % 60:02d} s"
    minutes = round(total / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min"


def format_minutes(seconds: float) -> str:
    """A duration in whole minutes, rounded up, as an option takes it: `2m`."""
    return f"{math.ceil(seconds / 60)}m"


def format_bytes(count: float) -> str:
    """Write a number of bytes for people, in binary units: `312 B`, `9.2 MiB`."""
    size = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(size) < _BINARY_STEP or unit == "GiB":
            break
        size /= _BINARY_STEP
    if unit == "B":
        return f"{size:.0f} B"
    return f"{size:.0f} {unit}" if abs(size) >= 99.5 else f"{size:.1f} {unit}"  # noqa: PLR2004


def format_percent(ratio: float, digits: int = 1) -> str:
    """Write a signed ratio as a percentage with a true minus sign: `−11.8%`, `+0.4%`, `0.0%`."""
    rounded = round(ratio * 100, digits)
    sign = "−" if rounded < 0 else "+" if rounded > 0 else ""
    return f"{sign}{abs(rounded):.{digits}f}%"


def format_share(share: float, digits: int = 1) -> str:
    """Write a part of a whole as a percentage, without a sign: `96.2%`."""
    return f"{share * 100:.{digits}f}%"
