"""The output of a bench may contain measured numbers, which rightly differ from build to build."""

from __future__ import annotations

import re
from pathlib import Path

from optbuild.profile.cargo_words import CargoVerb
from optbuild.workloads.invocation import Invocation

_NUMBER = re.compile(rb"[-+]?\d[\d,._]*(?:[eE][-+]?\d+)?")
_BLANKS = re.compile(rb"[ \t]+")


def are_measurements(invocation: Invocation, baseline: Path | None, candidate: Path) -> bool:
    """Whether a bench prints the same except for its numbers, such as counts of instructions.

    Args:
        invocation: The workload.
        baseline: The baseline's output; None if it was not kept.
        candidate: The candidate's output.
    """
    is_bench = invocation.call is not None and invocation.call.verb is CargoVerb.BENCH
    if not is_bench or invocation.compare_output != "auto" or baseline is None or not baseline.is_file():
        return False
    return _without_numbers(baseline.read_bytes()) == _without_numbers(candidate.read_bytes())


def _without_numbers(data: bytes) -> bytes:
    """An output with all numbers, and the blanks that align them, made equal."""
    return _BLANKS.sub(b" ", _NUMBER.sub(b"0", data))
