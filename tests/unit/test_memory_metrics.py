from __future__ import annotations

from dataclasses import replace

import pytest

from optbuild.errors import WorkloadError
from optbuild.measure.cells import check_peak
from optbuild.measure.metrics import METRICS
from optbuild.measure.model import Verdict
from optbuild.measure.silent import find_silent
from optbuild.profile.workloads import MetricName
from optbuild.report.display import verdict_cell
from optbuild.testing import make_comparison, make_invocation, make_usage
from optbuild.workloads.programs import WorkloadRun


def test_page_faults_are_all_of_them() -> None:
    """Those that need the disk depend on what ran before; a program touches the same pages either way."""
    usage = make_usage(wall_s=1.0, major_faults=3, minor_faults=200)
    assert METRICS["faults"].read(usage) == 203


def test_resident_memory_is_the_peak() -> None:
    """As the kernel gives it."""
    usage = make_usage(wall_s=1.0, peak_rss_bytes=5 << 20)
    assert METRICS["rss"].read(usage) == 5 << 20


def test_every_metric_can_be_chosen() -> None:
    """In the build profile, for one workload, and by `--metric`."""
    assert set(METRICS) == {str(name) for name in MetricName}


def test_a_peak_below_the_floor_is_refused() -> None:
    """The kernel counts the memory of the process that starts a program as its own: all would be equal."""
    workload = replace(make_invocation("{bin:demo}"), metric=MetricName.RSS)
    low = WorkloadRun(usage=make_usage(wall_s=1.0, peak_rss_bytes=100, peak_rss_floor_bytes=100))
    with pytest.raises(WorkloadError, match=r"at most .* of memory") as refused:
        check_peak(workload, "pgo", low)
    assert 'metric = "faults"' in refused.value.help
    high = WorkloadRun(usage=make_usage(wall_s=1.0, peak_rss_bytes=101, peak_rss_floor_bytes=100))
    check_peak(workload, "pgo", high)


@pytest.mark.parametrize(("metric", "is_silent"), [(MetricName.WALL, True), (MetricName.FAULTS, False)])
def test_a_short_run_has_page_faults(metric: MetricName, is_silent: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """Its time says nothing of the program; the pages that it touches do."""
    workload = replace(make_invocation("{bin:demo}"), metric=metric)
    run = WorkloadRun(usage=make_usage(wall_s=0.001, minor_faults=90))
    assert bool(find_silent([workload], {(workload.name, "pgo"): [run]})) is is_silent


@pytest.mark.parametrize(("metric", "word"), [("wall", "faster"), ("faults", "less"), ("rss", "less")])
def test_less_memory_is_not_called_faster(metric: str, word: str) -> None:
    """The record keeps the verdict's name; people read a word that fits."""
    comparison = replace(make_comparison(), metric=metric, verdict=Verdict.FASTER)
    assert verdict_cell(comparison).text == word
