"""Read `--metric`."""

from __future__ import annotations

from optbuild.errors import UsageError
from optbuild.measure.metrics import ExactMetric
from optbuild.profile.metric_names import find_metric
from optbuild.profile.workloads import MetricName


def read_metric(text: str) -> MetricName | ExactMetric:
    """The metric that verdicts are about, or one that is counted and not tested.

    Raises:
        UsageError: There is no such metric.
    """
    if text in list(ExactMetric):
        return ExactMetric(text)
    try:
        return MetricName(text)
    except ValueError:
        known = f"choose one of: {', '.join([*MetricName, *ExactMetric])}"
        meant = find_metric(text)
        remedy = known if meant is None else f"did you mean {meant}? {known}"
        raise UsageError(f"there is no metric {text!r}", help=remedy) from None
