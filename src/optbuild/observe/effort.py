"""How often and how densely a workload is recorded: enough for a picture, and nothing that fills a disk."""

from __future__ import annotations

import math
from dataclasses import dataclass

from optbuild.tools.perf_record import CallGraph

WANTED_SAMPLES = 3000
"""For one picture: a function with 1% of the time then has 30 samples, give or take 5."""
ENOUGH_SAMPLES = 1000
"""Where recording takes much longer than the program: that function has 10 samples then, give or take 3."""
FEW_SAMPLES = 300
_PATIENCE_S = 5.0
"""For more samples than enough of one variant, if they need many runs: to start perf takes longer than a short program.
"""
_RECORDINGS = 5
"""Of each variant, if two are compared: the differences between them are the noise."""
_MOST_RUNS = 200
_FASTEST_HZ, _USUAL_HZ, _SLOWEST_HZ = 9999, 999, 49
_MOST_SAMPLES = {CallGraph.FRAME_POINTERS: 100_000, CallGraph.DWARF: 10_000}
"""In one recording: about 1 KB each, or 16 KB with a copy of the stack."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How a workload is recorded.

    Attributes:
        frequency_hz: How many samples of a busy CPU are taken in a second.
        runs: How many runs make one recording.
        recordings: How many recordings there are of each variant.
    """

    frequency_hz: int
    runs: int
    recordings: int


def plan_effort(*, run_cpu_s: float, run_wall_s: float, arms: int, max_time_s: float, call_graph: CallGraph) -> Effort:
    """Choose how a workload is recorded by perf.

    Args:
        run_cpu_s: CPU time of one run.
        run_wall_s: Its time.
        arms: How many variants take turns.
        max_time_s: What all recordings may take together; one of each variant is made in any case.
        call_graph: How stacks are found.
    """
    cpu_s, wall_s = max(run_cpu_s, 1e-4), max(run_wall_s, 1e-4)
    recordings = 1 if arms == 1 else _RECORDINGS
    # Starting perf takes longer than a short program runs, so a short one is sampled densely instead of often.
    wanted_hz = int(WANTED_SAMPLES / recordings / cpu_s)
    most_hz = int(_MOST_SAMPLES[call_graph] / cpu_s)
    frequency_hz = max(_SLOWEST_HZ, min(max(_USUAL_HZ, min(wanted_hz, _FASTEST_HZ)), most_hz))
    wanted_runs = math.ceil(WANTED_SAMPLES / recordings / frequency_hz / cpu_s)
    affordable = max(1, int(max_time_s / arms / wall_s))
    recordings = max(1, min(recordings, affordable))
    runs = max(1, min(wanted_runs, _MOST_RUNS, affordable // recordings))
    return Effort(frequency_hz=frequency_hz, runs=runs, recordings=recordings)


def is_recorded(*, samples: int, elapsed_s: float, share_s: float, recordings: int) -> bool:
    """Whether a recording has run often enough, though not as often as planned.

    Args:
        samples: How many it has.
        elapsed_s: How long it has taken, with all that perf does before and after a run.
        share_s: How long it may take.
        recordings: How many of the variant share its samples and its time.
    """
    is_enough = samples * recordings >= ENOUGH_SAMPLES and elapsed_s * recordings >= _PATIENCE_S
    return is_enough or elapsed_s > share_s
