from __future__ import annotations

import pytest

from optbuild.cli.metrics import read_metric
from optbuild.errors import UsageError
from optbuild.measure.metrics import METRICS, ExactMetric
from optbuild.profile.workloads import MetricName
from optbuild.testing import make_usage


@pytest.mark.parametrize("name", list(MetricName))
def test_every_metric_of_a_build_profile_can_be_asked_for(name: MetricName) -> None:
    """And each of them can be read from a run."""
    assert read_metric(str(name)) is name
    assert METRICS[name].read(make_usage(wall_s=2.0, minor_faults=7)) > 0


def test_instructions_are_counted_and_not_tested() -> None:
    """They are exact, so that there is nothing to judge."""
    assert [read_metric(name) for name in ("instructions", "allocations")] == list(ExactMetric)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("", None),
        ("Wall", "wall"),
        ("instructions ", "instructions"),
        ("heap", "allocations"),
        ("max_rss", "rss"),
        ("page faults", "faults"),
        ("energy", None),
    ],
)
def test_another_metric_is_answered_by_those_there_are(text: str, meant: str | None) -> None:
    """A wrong name is a wrong command line; what it most likely means is named first."""
    with pytest.raises(UsageError, match=f"there is no metric {text!r}") as caught:
        read_metric(text)
    known = "choose one of: wall, cpu, faults, rss, instructions, allocations"
    assert caught.value.help == (known if meant is None else f"did you mean {meant}? {known}")
