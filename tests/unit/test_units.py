from __future__ import annotations

import pytest

from optbuild.units import (
    format_bytes,
    format_duration,
    format_percent,
    parse_duration_s,
    parse_ratio,
    parse_size_bytes,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("30s", 30.0), ("5m", 300.0), ("1h", 3600.0), ("1.5 h", 5400.0), (" 0.25s ", 0.25)],
)
def test_durations_are_read_as_seconds(text: str, seconds: float) -> None:
    """A number and a unit, with or without a blank between and around them."""
    assert parse_duration_s(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "5", "s", "5 min", "5M", "-5s", "+5s", "1e3s", ".5s", "5.s", "1m30s", "5s5", "inf s", "nan s"]
)
def test_what_is_no_duration_is_refused_with_examples(text: str) -> None:
    """The message shows how durations are written."""
    with pytest.raises(ValueError, match='"500ms", "30s", "5m" or "1h"'):
        parse_duration_s(text)


@pytest.mark.parametrize("text", ["0s", "0.0ms", "9" * 400 + "s", "9" * 308 + "h"])
def test_durations_are_above_zero_and_end(text: str) -> None:
    """Zero would stop everything at once, and infinity fits into no record."""
    with pytest.raises(ValueError, match="a finite duration above zero"):
        parse_duration_s(text)


@pytest.mark.parametrize(
    ("value", "ratio"), [("3%", 0.03), ("0%", 0.0), (" 12.5 % ", 0.125), (0.03, 0.03), (0, 0.0), (1, 1.0)]
)
def test_ratios_are_read_as_fractions(value: str | float, ratio: float) -> None:
    """A percentage is a text with its sign, a number is a fraction."""
    assert parse_ratio(value) == pytest.approx(ratio)


@pytest.mark.parametrize(
    "value", ["", "3", "0.03", "-3%", "3%%", "nan%", -0.01, float("nan"), float("inf"), "9" * 400 + "%"]
)
def test_what_is_no_ratio_is_refused_with_examples(value: str | float) -> None:
    """Neither a text without a percent sign nor a negative or endless number is a ratio."""
    with pytest.raises(ValueError, match=r'expected a ratio such as "3%" or 0\.03'):
        parse_ratio(value)


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [
        ("512B", 512),
        ("500MB", 500_000_000),
        ("1kB", 1000),
        ("1 KiB", 1024),
        ("1.5GiB", 3 << 29),
        (" 2TiB ", 2 << 40),
        ("2TB", 2 * 10**12),
    ],
)
def test_sizes_are_read_as_bytes(text: str, size_bytes: int) -> None:
    """Decimal units are powers of a thousand, binary ones of 1024."""
    assert parse_size_bytes(text) == size_bytes


@pytest.mark.parametrize("text", ["", "5", "5G", "-5GB", "5 gib", "1e3MB", "GiB", "5GiBs"])
def test_what_is_no_size_is_refused_with_examples(text: str) -> None:
    """The message shows how sizes are written."""
    with pytest.raises(ValueError, match='"500MB" or "20GiB"'):
        parse_size_bytes(text)


@pytest.mark.parametrize("text", ["0B", "0.0GiB", "0.1B"])
def test_sizes_are_above_zero(text: str) -> None:
    """Nothing fits into nothing."""
    with pytest.raises(ValueError, match="above zero"):
        parse_size_bytes(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0 ms"),
        (0.0000123, "12.3 µs"),
        (0.00124, "1.24 ms"),
        (0.0994, "99.4 ms"),
        (0.0995, "0.0995 s"),
        (0.25, "0.25 s"),
        (3.2, "3.2 s"),
        (99.4, "99.4 s"),
        (99.5, "1 min 40 s"),
        (125.0, "2 min 05 s"),
        (3599.4, "59 min 59 s"),
        (3599.6, "1 h 00 min"),
        (3720.0, "1 h 02 min"),
        (90_000.0, "25 h 00 min"),
    ],
)
def test_durations_are_written_with_three_digits_or_in_clock_units(seconds: float, text: str) -> None:
    """No unit reads 60 of itself, and none a thousand."""
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (312, "312 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (9_646_899, "9.2 MiB"),
        (104_857_600, "100 MiB"),
        (3 << 30, "3.0 GiB"),
        (5000 << 30, "5000 GiB"),
        (-2048, "-2.0 KiB"),
    ],
)
def test_bytes_are_written_in_binary_units(count: float, text: str) -> None:
    """The largest unit that leaves a number of at least one, GiB at most."""
    assert format_bytes(count) == text


@pytest.mark.parametrize(
    ("ratio", "digits", "text"),
    [
        (-0.118, 1, "−11.8%"),
        (0.004, 1, "+0.4%"),
        (0.0, 1, "0.0%"),
        (-0.0, 1, "0.0%"),
        (-0.0004, 1, "0.0%"),
        (0.0004, 2, "+0.04%"),
        (1.5, 0, "+150%"),
    ],
)
def test_percentages_have_a_sign_unless_they_are_zero(ratio: float, digits: int, text: str) -> None:
    """What rounds to zero says neither more nor less."""
    assert format_percent(ratio, digits) == text
