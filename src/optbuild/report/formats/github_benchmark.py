"""Numbers for github-action-benchmark, whose `tool` is then `customSmallerIsBetter`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from optbuild.record.model import RunRecord
from optbuild.report.display import inert_on_ci
from optbuild.report.samples import describe_samples, samples_of
from optbuild.report.tables import baseline_first
from optbuild.text import sanitize_line


def render_github_benchmark(record: RunRecord) -> str:
    """Write the median of each variant on each workload, and the size of each variant.

    Raises:
        UsageError: The run has measured nothing.

    Sources:
        github.com/benchmark-action/github-action-benchmark: `BenchmarkResult` in src/extract.ts, and README.md,
        "customSmallerIsBetter".
    """
    entries = [*_times(record), *_sizes(record)]
    return inert_on_ci(json.dumps(entries, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def _times(record: RunRecord) -> Iterator[dict[str, Any]]:
    for samples in samples_of(record):
        low, high = samples.quartiles
        yield {
            "name": samples.name,
            "unit": samples.unit,
            "value": samples.median,
            "range": f"± {(high - low) / 2:.3g}",
            "extra": describe_samples(record, samples),
        }


def _sizes(record: RunRecord) -> Iterator[dict[str, Any]]:
    for variant in baseline_first(record):
        if variant.artifacts:
            size_bytes = variant.size_bytes
            yield {"name": f"size ({sanitize_line(variant.name)})", "unit": "bytes", "value": size_bytes}
