"""The JSON format of hyperfine, for the scripts and services that read it."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping
from typing import Any

from optbuild.measure.model import Resources
from optbuild.record.model import RunRecord
from optbuild.report.display import inert_on_ci
from optbuild.report.samples import WALL, Samples, nothing_measured, samples_of
from optbuild.text import sanitize_line


def render_hyperfine(record: RunRecord) -> str:
    """Write every wall time of every run. Benchmarks that a workload measures itself are not commands and are left out.

    `user` and `system` are medians here, but means in hyperfine. Every counted run ended with the exit code that its
    workload expects: any other ends the measuring.

    Raises:
        UsageError: No command was measured.

    Sources:
        github.com/sharkdp/hyperfine: src/benchmark/benchmark_result.rs and src/export/json.rs.
    """
    resources = {(item.workload, item.variant): item for item in record.resources}
    results = [
        _result(samples, resources[samples.workload, samples.variant], _expected_exit(record, samples.workload))
        for samples in samples_of(record, WALL)
        if _is_command(resources.get((samples.workload, samples.variant)))
    ]
    if not results:
        raise nothing_measured(record)
    return inert_on_ci(json.dumps({"results": results}, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def _is_command(resource: Resources | None) -> bool:
    return resource is not None and None not in {resource.median_user_s, resource.median_system_s}


def _result(samples: Samples, resource: Resources, exit_code: int) -> dict[str, Any]:
    values = samples.values
    return {
        "command": samples.name,
        "mean": statistics.fmean(values),
        "stddev": statistics.stdev(values) if len(values) > 1 else None,
        "median": samples.median,
        "user": resource.median_user_s,
        "system": resource.median_system_s,
        "min": min(values),
        "max": max(values),
        "times": values,
        "exit_codes": [exit_code] * len(values),
        "parameters": {"workload": sanitize_line(samples.workload), "variant": sanitize_line(samples.variant)},
    }


def _expected_exit(record: RunRecord, workload: str) -> int:
    listed = (record.build_profile or {}).get("workloads")
    for item in listed if isinstance(listed, list) else ():
        if isinstance(item, Mapping) and item.get("name") == workload and isinstance(item.get("expect-exit"), int):
            return int(item["expect-exit"])
    return 0
