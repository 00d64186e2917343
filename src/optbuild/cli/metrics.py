"""Read `--metric`."""

from __future__ import annotations

from optbuild.errors import UsageError
from optbuild.profile.model import MetricName

INSTRUCTIONS = "instructions"


def read_metric(text: str) -> MetricName | None:
    """The metric that verdicts are about; None for `instructions`, which are counted and not tested.

    Raises:
        UsageError: There is no such metric.
    """
    if text == INSTRUCTIONS:
        return None
    try:
        return MetricName(text)
    except ValueError:
        known = ", ".join([*MetricName, INSTRUCTIONS])
        raise UsageError(f"there is no metric {text!r}", help=f"choose one of: {known}") from None
