"""The report of a load generator about its requests, in a known format: `oha`'s."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

_PERCENTILES = {"p50": "latency_p50_s", "p90": "latency_p90_s", "p99": "latency_p99_s"}


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadReport:
    """One run of a load generator.

    Attributes:
        values: Requests per second and latencies in seconds, by name.
        statuses: How many answers had each HTTP status.
        errors: How many requests had no answer, by reason.
    """

    values: Mapping[str, float]
    statuses: Mapping[str, int]
    errors: Mapping[str, int]

    def comparable(self) -> bytes:
        """What is equal in every run of equivalent programs: the answers, without their times."""
        return (json.dumps({"statuses": dict(self.statuses)}, sort_keys=True) + "\n").encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Summary:
    requests_per_s: Annotated[float, Field(alias="requestsPerSec")]


@dataclass(frozen=True, slots=True, kw_only=True)
class _OhaReport:
    summary: _Summary
    percentiles: Annotated[Mapping[str, float | None], Field(alias="latencyPercentiles")]
    statuses: Annotated[Mapping[str, int], Field(alias="statusCodeDistribution")]
    errors: Annotated[Mapping[str, int], Field(alias="errorDistribution", default_factory=dict)] = field(
        default_factory=dict
    )


def is_oha(program: str) -> bool:
    """Whether a load's program is oha."""
    return Path(program).name == "oha"


def parse_oha(text: bytes) -> LoadReport | None:
    """Read what `oha --output-format json` prints; None for anything else, such as its text report.

    Sources:
        oha's `schema.json`: https://github.com/hatoo/oha/blob/master/schema.json
    """
    try:
        report = TypeAdapter(_OhaReport).validate_json(text)
    except ValidationError:
        return None
    latencies = {_PERCENTILES[key]: value for key, value in report.percentiles.items() if key in _PERCENTILES}
    values = {"requests_per_s": report.summary.requests_per_s, **latencies}
    return LoadReport(
        values={name: value for name, value in values.items() if value is not None},
        statuses=report.statuses,
        errors=report.errors,
    )
