from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from optbuild.measure.silent import find_silent
from optbuild.profile.workloads import MetricName
from optbuild.testing import make_invocation, make_usage
from optbuild.workloads.programs import WorkloadRun


def silence(
    tmp_path: Path, argv: Sequence[str], *walls_s: float, metric: MetricName = MetricName.WALL, benchmarks: bool = False
) -> str | None:
    """What is said of a workload whose arms take so long."""
    workload = make_invocation(*argv, name="load", directory=tmp_path, metric=metric)
    runs = {
        ("load", f"arm {number}"): [
            WorkloadRun(
                usage=replace(make_usage(wall_s=wall_s * factor)), benchmarks={"parse": wall_s} if benchmarks else {}
            )
            for factor in (1.0, 1.001, 1.5)
        ]
        for number, wall_s in enumerate(walls_s)
    }
    found = find_silent((workload,), runs).get("load")
    return None if found is None else found.message


def test_runs_of_some_milliseconds_measure_the_start_of_a_process(tmp_path: Path) -> None:
    """All arms have to be that short: one that takes longer does some work."""
    assert "the start of a process" in (silence(tmp_path, ["{bin:demo}"], 0.001, 0.002) or "")
    assert silence(tmp_path, ["{bin:demo}"], 0.001, 0.006) is None
    assert "the start" in (silence(tmp_path, ["{bin:demo}"], 0.001, metric=MetricName.CPU) or "")
    assert silence(tmp_path, ["{bin:demo}"]) is None


def test_benchmarks_that_measure_themselves_may_be_short(tmp_path: Path) -> None:
    """Their times are not those of a process."""
    assert silence(tmp_path, ["{bin:demo}"], 0.001, benchmarks=True) is None


@pytest.mark.parametrize(
    ("argv", "wall_s"),
    [
        (["./load", "8080", "--seconds", "0.2"], 0.204),
        (["./load", "8080", "0.2"], 0.2),
        (["hey", "-z", "10s", "http://localhost"], 10.02),
        (["oha", "-z10s", "http://localhost"], 10.02),
        (["k6", "run", "--duration=1m", "load.js"], 60.9),
        (["ab", "-t", "5", "http://localhost/"], 5.01),
        (["wrk", "-t2", "-d1s", "http://localhost"], 1.11),
        (["wrk", "http://localhost"], 10.1),
        (["{bin:demo}", "--for", "500ms"], 0.505),
    ],
)
def test_a_load_that_takes_the_time_it_is_asked_for_proves_nothing(
    tmp_path: Path, argv: list[str], wall_s: float
) -> None:
    """It takes the same whatever the program does, as its own command says and its times show."""
    assert "the same time whatever the program does" in (silence(tmp_path, argv, wall_s, wall_s * 1.002) or "")


@pytest.mark.parametrize(
    ("argv", "walls_s"),
    [
        (["./load", "--seconds", "0.2"], (0.204, 0.4)),  # it is a limit that one of them does not reach
        (["./load", "--seconds", "0.2"], (0.1, 0.1)),
        (["./load", "--seconds", "0.2"], (0.5, 0.5)),
        (["oha", "-n", "2", "http://localhost"], (2.01, 2.01)),  # a number of requests
        (["./load", "--timeout", "5s"], (0.3, 0.3)),
        (["./load", "--seconds", "0"], (0.01, 0.01)),
        (["{bin:demo}", "data-10s"], (10.0, 10.0)),
    ],
)
def test_a_load_of_a_fixed_number_of_requests_is_left_alone(
    tmp_path: Path, argv: list[str], walls_s: tuple[float, ...]
) -> None:
    """A number in its command is no duration, or its times are others."""
    assert silence(tmp_path, argv, *walls_s) is None


def test_cpu_time_under_a_load_of_fixed_duration_may_tell(tmp_path: Path) -> None:
    """At a fixed rate of requests, a faster program needs less of it."""
    assert silence(tmp_path, ["./load", "--seconds", "0.2"], 0.2, 0.2, metric=MetricName.CPU) is None
