"""`perf stat` for instruction counts: argv out, its CSV in."""

from __future__ import annotations

from pathlib import Path

_EVENT = "instructions:u"


def make_count_argv(perf: str, output: Path, argv: tuple[str, ...]) -> tuple[str, ...]:
    """The argv that runs a program and writes how many user-space instructions it took to a file."""
    return (perf, "stat", "--event", _EVENT, "--field-separator", ",", "--output", str(output), "--", *argv)


def parse_count(text: str) -> int:
    """Read the count.

    Raises:
        ValueError: The machine does not count, like many virtual machines; the message is perf's.

    Sources:
        perf-stat(1), "CSV FORMAT".
    """
    for line in text.splitlines():
        value, *rest = line.split(",")
        if any(field.startswith("instructions") for field in rest):
            if value.isdigit():
                return int(value)
            raise ValueError(f"perf: instructions {value.strip('<>')}")
    raise ValueError("perf counted no instructions")
