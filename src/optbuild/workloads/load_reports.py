"""What a load generator says of the requests that it made, where it is one whose report is known.

A load that runs for a fixed time takes that time whatever the server does. What it reports besides, its requests
per second, does say something: its inverse is the time per request, of which less is better, as of any other time.
To add a load generator, write its parser and give it a line in `_GENERATORS`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from optbuild.adapters import adapter_of

TIME_PER_REQUEST = "time per request"
"""What tables call the inverse of the throughput."""
_RATE = "requests_per_s"
_PERCENTILES = {"p50": "latency_p50_s", "p90": "latency_p90_s", "p99": "latency_p99_s"}
_PER_SECOND = {"us": 1e6, "µs": 1e6, "ms": 1e3, "s": 1.0}
_GOOD = "2xx or 3xx"
_OTHER = "other"
# What oha calls a request that was under way when its time was over: `ClientError::Deadline` in its `src/client.rs`.
_DEADLINE = "aborted due to deadline"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadReport:
    """One run of a load generator.

    Attributes:
        values: Requests per second and latencies in seconds, by name.
        statuses: How many answers had each HTTP status, or each kind of status.
        errors: How many requests had no answer, by reason.
    """

    values: Mapping[str, float]
    statuses: Mapping[str, int]
    errors: Mapping[str, int] = field(default_factory=dict)

    def comparable(self, *, is_timed: bool) -> bytes:
        """What is the same in every run of programs that do the same: the answers, without their times.

        Args:
            is_timed: The load ran for a fixed time, so the number of answers is its speed.
        """
        statuses = sorted(name for name, count in self.statuses.items() if count)
        shown = statuses if is_timed else dict(self.statuses)
        return (json.dumps({"statuses": shown}, sort_keys=True) + "\n").encode()

    @property
    def time_per_request_s(self) -> float | None:
        """The inverse of the throughput; None where there was no request."""
        rate = self.values.get(_RATE, 0.0)
        return 1 / rate if 0 < rate < math.inf else None


Parse = Callable[[str], LoadReport | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Generator:
    """A load generator, and how its command says what it does.

    Attributes:
        parse: Reads its report; gives None for anything else.
        timed_by: Options that ask for a fixed time; none where that is what it does by itself.
        counted_by: Options that ask for a fixed number of requests.
        limited_by: Options that ask for a fixed rate, which then is the throughput whatever the server does.
    """

    parse: Parse
    timed_by: tuple[str, ...] = ()
    counted_by: tuple[str, ...] = ()
    limited_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """A load generator as a command starts it.

    Attributes:
        parse: Reads its report; gives None for anything else.
        is_timed: It runs for a fixed time.
        is_limited: It keeps to a rate.
    """

    parse: Parse
    is_timed: bool
    is_limited: bool


def find_load(argv: Sequence[str]) -> Load | None:
    """The load generator that a command starts, by itself or through a program such as `taskset`."""
    for index, word in enumerate(argv):
        generator = _GENERATORS.get(Path(word).name)
        if generator is not None:
            options = argv[index + 1 :]
            is_timed = not generator.timed_by or _has(options, generator.timed_by)
            return Load(
                parse=generator.parse,
                is_timed=is_timed and not _has(options, generator.counted_by),
                is_limited=_has(options, generator.limited_by),
            )
    return None


def _has(words: Sequence[str], options: tuple[str, ...]) -> bool:
    """Whether one of some options is given: a long one alone or with `=`, a short one also with its value joined."""
    return any(
        word.partition("=")[0] == option or (not option.startswith("--") and word.startswith(option))
        for word in words
        for option in options
    )


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


def _parse_oha(text: str) -> LoadReport | None:
    """Read what `oha --output-format json` prints; None for its report for people.

    Sources:
        oha's `schema.json`: https://github.com/hatoo/oha/blob/master/schema.json
    """
    try:
        report = adapter_of(_OhaReport).validate_json(text)
    except ValidationError:
        return None
    latencies = {_PERCENTILES[key]: value for key, value in report.percentiles.items() if key in _PERCENTILES}
    values = {_RATE: report.summary.requests_per_s, **latencies}
    return LoadReport(
        values={name: value for name, value in values.items() if value is not None},
        statuses=report.statuses,
        errors={reason: count for reason, count in report.errors.items() if reason != _DEADLINE},
    )


def _parse_wrk(text: str) -> LoadReport | None:
    """Read wrk's report; latencies are in it with `--latency`.

    Sources:
        `main` in https://github.com/wg/wrk/blob/master/src/wrk.c, and `format_time_us` in its `units.c`
    """
    done = _find(r"^ +(\d+) requests in ", text)
    rate = _find(r"^Requests/sec: +([\d.]+)", text)
    if done is None or rate is None:
        return None
    bad = _find(r"^ +Non-2xx or 3xx responses: (\d+)", text)
    failed = _find(r"^ +Socket errors: (.+)", text)
    named = re.findall(r"(\w+) (\d+)", failed[1]) if failed else ()
    number_bad = int(bad[1]) if bad else 0
    return LoadReport(
        values={_RATE: float(rate[1]), **_latencies(_find_all(r"^ +(50|90|99)% +([\d.]+)(us|ms|s)$", text))},
        statuses={_GOOD: int(done[1]) - number_bad, _OTHER: number_bad},
        errors={reason: int(count) for reason, count in named if int(count)},
    )


def _parse_hey(text: str) -> LoadReport | None:
    """Read hey's summary.

    Sources:
        `defaultTmpl` in https://github.com/rakyll/hey/blob/master/requester/print.go
    """
    rate = _find(r"^ +Requests/sec:\s+([\d.]+)", text)
    _, heading, rest = text.partition("\nStatus code distribution:\n")
    statuses, _, errors = rest.partition("\nError distribution:\n")
    if rate is None or not heading:
        return None
    return LoadReport(
        values={_RATE: float(rate[1]), **_latencies(_find_all(r"^ +(50|90|99)% in ([\d.]+) (s)ecs$", text))},
        statuses={code: int(count) for code, count in _find_all(r"^ +\[(\d+)\]\s+(\d+) responses", statuses)},
        errors={reason: int(count) for count, reason in _find_all(r"^ +\[(\d+)\]\t(.+)$", errors)},
    )


def _parse_ab(text: str) -> LoadReport | None:
    """Read the report of `ab`; its latencies are whole milliseconds, and left out.

    Answers of another length than the first are no errors here: they may hold a time.

    Sources:
        `output_results` in https://github.com/apache/httpd/blob/trunk/support/ab.c
    """
    done = _find(r"^Complete requests: +(\d+)", text)
    rate = _find(r"^Requests per second: +([\d.]+) ", text)
    if done is None or rate is None:
        return None
    bad = _find(r"^Non-2xx responses: +(\d+)", text)
    failed = _find(r"^ +\(Connect: (\d+), Receive: (\d+), Length: \d+, Exceptions: (\d+)\)", text)
    counts = zip(("connect", "receive", "exceptions"), failed.groups(), strict=True) if failed else ()
    # Requests that are under way at the end may count as answered otherwise, and as complete not.
    number_bad = min(int(bad[1]) if bad else 0, int(done[1]))
    return LoadReport(
        values={_RATE: float(rate[1])},
        statuses={_GOOD: int(done[1]) - number_bad, _OTHER: number_bad},
        errors={reason: int(count) for reason, count in counts if int(count)},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _K6Values:
    """What one metric has, of those that are asked for."""

    rate: float | None = None
    value: float | None = None
    count: float | None = None
    p50_ms: Annotated[float | None, Field(alias="med")] = None
    p90_ms: Annotated[float | None, Field(alias="p(90)")] = None
    p99_ms: Annotated[float | None, Field(alias="p(99)")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _K6Metric(_K6Values):
    """As `--summary-export` writes it, or with its values below `values`, as `handleSummary` gets it."""

    values: _K6Values | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _K6Report:
    metrics: Mapping[str, _K6Metric]


def _parse_k6(text: str) -> LoadReport | None:
    """Read k6's summary: the text, or JSON that `handleSummary` or `--summary-export` writes to standard output.

    Sources:
        Both forms in https://github.com/grafana/k6/blob/master/internal/js/summary_test.go, the text in `summary.js`
        and `summary-legacy.js` next to it.
    """
    try:
        return _k6_from_json(adapter_of(_K6Report).validate_json(text))
    except ValidationError:
        pass
    reqs = _find(r"^ *http_reqs\.*: +(\d+) +([\d.]+)/s", text)
    failed = _find(r"^ *http_req_failed\.*: +([\d.]+)%", text)
    if reqs is None:
        return None
    trend = _find(r"^ *http_req_duration\.*: +(.+)", text)
    found = re.findall(r"(med|p\(90\)|p\(99\))=([\d.]+)(us|µs|ms|s)(?= |$)", trend[1]) if trend else []
    names = {"med": "50", "p(90)": "90", "p(99)": "99"}
    return LoadReport(
        values={_RATE: float(reqs[2]), **_latencies([(names[name], number, unit) for name, number, unit in found])},
        statuses=_k6_statuses(float(reqs[1]), float(failed[1]) / 100 if failed else 0.0),
    )


def _k6_from_json(report: _K6Report) -> LoadReport | None:
    own = {name: metric.values or metric for name, metric in report.metrics.items()}
    reqs, trend, failed = own.get("http_reqs"), own.get("http_req_duration"), own.get("http_req_failed")
    if reqs is None or reqs.rate is None or reqs.count is None:
        return None
    latencies = {} if trend is None else {"p50": trend.p50_ms, "p90": trend.p90_ms, "p99": trend.p99_ms}
    share = 0.0 if failed is None else failed.rate if failed.rate is not None else failed.value or 0.0
    return LoadReport(
        values={
            _RATE: reqs.rate,
            **{_PERCENTILES[name]: value / 1000 for name, value in latencies.items() if value is not None},
        },
        statuses=_k6_statuses(reqs.count, share),
    )


def _k6_statuses(count: float, failed_share: float) -> dict[str, int]:
    """How many requests k6 calls failed: those without an answer, and those whose status was not expected."""
    failed = math.ceil(count * failed_share)
    return {"expected": round(count) - failed, "failed": failed}


@dataclass(frozen=True, slots=True, kw_only=True)
class _BombardierError:
    description: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _BombardierLatency:
    """In microseconds."""

    percentiles: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _BombardierResult:
    time_taken_s: Annotated[float, Field(alias="timeTakenSeconds")]
    req1xx: int
    req2xx: int
    req3xx: int
    req4xx: int
    req5xx: int
    others: int
    errors: tuple[_BombardierError, ...] = ()
    latency: _BombardierLatency = field(default_factory=_BombardierLatency)

    def statuses(self) -> dict[str, int]:
        """Answers by class; what it calls others had no answer, and is listed among the errors."""
        counts = (self.req1xx, self.req2xx, self.req3xx, self.req4xx, self.req5xx)
        return {f"{number}xx": count for number, count in enumerate(counts, start=1) if count}


@dataclass(frozen=True, slots=True, kw_only=True)
class _BombardierReport:
    result: _BombardierResult


def _parse_bombardier(text: str) -> LoadReport | None:
    """Read what `bombardier --print result --format json` prints; None for its report for people.

    Sources:
        `jsonTemplate` in https://github.com/codesenberg/bombardier/blob/master/templates.go
    """
    try:
        result = adapter_of(_BombardierReport).validate_json(text).result
    except ValidationError:
        return None
    statuses = result.statuses()
    rate = sum(statuses.values()) / result.time_taken_s if result.time_taken_s > 0 else 0.0
    percentiles = result.latency.percentiles.items()
    return LoadReport(
        values={
            _RATE: rate,
            **{_PERCENTILES[f"p{key}"]: value / 1e6 for key, value in percentiles if f"p{key}" in _PERCENTILES},
        },
        statuses=statuses,
        errors={error.description: error.count for error in result.errors},
    )


def _find(pattern: str, text: str) -> re.Match[str] | None:
    return re.search(pattern, text, re.MULTILINE)


def _find_all(pattern: str, text: str) -> list[tuple[str, ...]]:
    return re.findall(pattern, text, re.MULTILINE)


def _latencies(found: Sequence[tuple[str, ...]]) -> dict[str, float]:
    """Percentiles by name, from what stands for each: percent, number and unit."""
    return {_PERCENTILES[f"p{percent}"]: float(number) / _PER_SECOND[unit] for percent, number, unit in found}


# Options as each one's `--help` names them.
_GENERATORS: Mapping[str, Generator] = {
    "ab": Generator(parse=_parse_ab, timed_by=("-t",)),
    "bombardier": Generator(
        parse=_parse_bombardier,
        counted_by=("-n", "--requests"),
        limited_by=("-r", "--rate"),
    ),
    "hey": Generator(parse=_parse_hey, timed_by=("-z",), limited_by=("-q",)),
    "k6": Generator(parse=_parse_k6, counted_by=("-i", "--iterations"), limited_by=("--rps",)),
    "oha": Generator(parse=_parse_oha, timed_by=("-z",), limited_by=("-q", "--burst-delay")),
    "wrk": Generator(parse=_parse_wrk),
    "wrk2": Generator(parse=_parse_wrk, limited_by=("-R", "--rate")),
}
