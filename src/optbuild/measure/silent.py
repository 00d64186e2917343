"""Workloads whose times reveal nothing about the programs, however often they are measured.

Pure. A run may be too short to contain any of the program's work, or its own command may set its duration.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from optbuild.measure.metrics import METRICS
from optbuild.measure.warnings import ResultWarning, WarningKind
from optbuild.profile.workloads import MetricName
from optbuild.units import parse_duration_s
from optbuild.workloads.invocation import Invocation
from optbuild.workloads.programs import WorkloadRun
from optbuild.workloads.words import render_words

_SHORTEST_S = 0.005
"""Starting, loading and ending a process takes about a millisecond: a shorter run is little else."""
_LATE_S, _LATE_RATIO = 0.12, 0.05
"""How much longer a load may take than the requested time: it starts, and finishes its last requests."""
_APART_S, _APART_RATIO = 0.002, 0.02
_NUMBER = re.compile(r"(?P<option>-{1,2}[A-Za-z][A-Za-z_-]*=?)?(?P<number>\d+(?:\.\d+)?)(?P<unit>ms|s|m|h)?")
_OF_TIME = re.compile(r"dur|sec|time|period|^-[dtz]=?$")
_DEFAULTS_S = {"wrk": 10.0}


def find_silent(
    workloads: Iterable[Invocation], runs: Mapping[tuple[str, str], Sequence[WorkloadRun]]
) -> dict[str, ResultWarning]:
    """Give the reasons why workloads prove nothing about their programs, by name; others are left out.

    Args:
        workloads: All workloads.
        runs: By workload and arm. Benchmarks that a workload measures itself are not judged by its wall time.
    """
    found = {}
    for workload in workloads:
        own = {arm: values for (name, arm), values in runs.items() if name == workload.name}
        if any(run.benchmarks for values in own.values() for run in values):
            continue
        reason = _find_reason(workload, {arm: [run.usage.wall_s for run in values] for arm, values in own.items()})
        if reason is not None:
            found[workload.name] = reason
    return found


def _find_reason(workload: Invocation, walls_s: Mapping[str, Sequence[float]]) -> ResultWarning | None:
    medians = [statistics.median(values) for values in walls_s.values() if values]
    if not medians:
        return None
    longest_s = max(medians)
    if longest_s < _SHORTEST_S and METRICS[workload.metric].is_time:
        return ResultWarning(kind=WarningKind.TOO_SHORT, workload=workload.name, figures={"run_s": longest_s})
    if workload.metric is not MetricName.WALL or max(medians) - min(medians) > _APART_S + _APART_RATIO * longest_s:
        return None
    for asked_s in _asked_durations_s(render_words(workload.argv)):
        if asked_s <= min(medians) and longest_s <= asked_s * (1 + _LATE_RATIO) + _LATE_S:
            return ResultWarning(kind=WarningKind.FIXED_DURATION, workload=workload.name, figures={"asked_s": asked_s})
    return None


def _asked_durations_s(argv: Sequence[str]) -> Iterator[float]:
    """The times in a command: with a unit, with a fraction, or after an option about time.

    Sources:
        The time that wrk takes without `--duration`: `parse_args` in https://github.com/wg/wrk/blob/master/src/wrk.c
    """
    if (default_s := _DEFAULTS_S.get(Path(argv[0]).name)) is not None:
        yield default_s
    for before, word in pairwise(argv):
        match = _NUMBER.fullmatch(word)
        if match is None:
            continue
        number, unit = match["number"], match["unit"]
        is_time = unit is not None or "." in number or _OF_TIME.search(match["option"] or before) is not None
        if is_time and float(number) > 0:
            yield parse_duration_s(f"{number}{unit or 's'}")
