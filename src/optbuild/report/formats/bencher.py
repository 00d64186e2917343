"""Bencher Metric Format: what `bencher run --adapter json --file` reads."""

from __future__ import annotations

import json

from optbuild.record.model import RunRecord
from optbuild.report.display import inert_on_ci
from optbuild.report.samples import WALL, samples_of
from optbuild.report.tables import baseline_first
from optbuild.text import sanitize_line

_NS_PER_S = 1e9
_MEASURES = {WALL: ("latency", _NS_PER_S), "faults": ("page-faults", 1), "rss": ("memory", 1)}


def render_bencher(record: RunRecord) -> str:
    """Write the built-in measures: latency in nanoseconds between its quartiles, file size, and build time.

    Raises:
        UsageError: The run has measured nothing.

    Sources:
        https://bencher.dev/docs/reference/bencher-metric-format/; the slugs and units of built-in measures are those of
        github.com/bencherdev/bencher, lib/bencher_json/src/project/measure/built_in.rs.
    """
    found: dict[str, dict[str, dict[str, float]]] = {}
    for samples in samples_of(record):
        low, high = samples.quartiles
        measure, factor = _MEASURES.get(samples.metric, (f"{sanitize_line(samples.metric)}-time", _NS_PER_S))
        value = {"value": samples.median, "lower_value": low, "upper_value": high}
        found[samples.name] = {measure: {key: number * factor for key, number in value.items()}}
    for variant in baseline_first(record):
        measures = {}
        if variant.artifacts:
            measures["file-size"] = {"value": float(variant.size_bytes)}
        if variant.build_s is not None:
            measures["build-time"] = {"value": variant.build_s}
        if measures:
            found[f"build ({sanitize_line(variant.name)})"] = measures
    return inert_on_ci(json.dumps(found, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
