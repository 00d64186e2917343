from __future__ import annotations

import json

import pytest
from inline_snapshot import snapshot

from optbuild.workloads.load_reports import LoadReport, find_load

WRK = """\
Running 1s test @ http://127.0.0.1:8080/no
  1 threads and 2 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency    44.56ms   12.28ms  75.95ms   86.36%
    Req/Sec    44.00     12.65    60.00     70.00%
  Latency Distribution
     50%  943.00us
     75%   44.05ms
     90%   48.11ms
     99%    1.05s
  44 requests in 1.00s, 5.43KB read
  Socket errors: connect 0, read 2, write 0, timeout 1
  Non-2xx or 3xx responses: 4
Requests/sec:     43.86
Transfer/sec:      5.41KB
"""
HEY = """\

Summary:
  Total:\t1.0248 secs
  Slowest:\t0.0451 secs
  Requests/sec:\t46.8380
  
  Total data:\t144 bytes

Response time histogram:
  0.002 [1]\t|■
  0.006 [1]\t|■

Latency distribution:
  10% in 0.0439 secs
  50% in 0.0440 secs
  90% in 0.0441 secs
  0% in 0.0000 secs

Status code distribution:
  [200]\t40 responses
  [404]\t8 responses

Error distribution:
  [20]\tGet "http://127.0.0.1:8099/": dial tcp 127.0.0.1:8099: connect: connection refused

"""  # noqa: W293 - as it is printed
AB = """\
This is ApacheBench, Version 2.3 <$Revision$>
Benchmarking 127.0.0.1 (be patient)

Concurrency Level:      2
Time taken for tests:   1.000 seconds
Complete requests:      954
Failed requests:        9
   (Connect: 0, Receive: 1, Length: 8, Exceptions: 0)
Non-2xx responses:      955
Requests per second:    953.99 [#/sec] (mean)
Time per request:       2.096 [ms] (mean)
Time per request:       1.048 [ms] (mean, across all concurrent requests)

Percentage of the requests served within a certain time (ms)
  50%      1
"""
# From the design document 020 of k6, https://github.com/grafana/k6
K6 = """\
     http_req_duration..............: avg=129.33ms min=110ms  med=123.2ms  max=260ms p(90)=135.66ms p(95)=227.74ms
       { expected_response:true }...: avg=129.33ms min=110ms  med=1.2ms  max=260ms p(90)=1.66ms p(95)=227.74ms
     http_req_failed................: 10.00% ✓ 27       ✗ 243
     http_reqs......................: 270    8.516465/s
     iterations.....................: 267    8.421837/s
"""
K6_HANDLED = json.dumps(
    {
        "root_group": {"name": ""},
        "metrics": {
            "http_reqs": {"type": "counter", "contains": "default", "values": {"count": 3, "rate": 1.5}},
            "http_req_failed": {"type": "rate", "values": {"rate": 0, "passes": 0, "fails": 3}},
            "http_req_duration": {"type": "trend", "values": {"avg": 15, "med": 15, "p(90)": 19, "p(95)": 19.5}},
        },
    }
)
K6_EXPORTED = json.dumps(
    {"metrics": {"http_reqs": {"count": 3, "rate": 3}, "http_req_failed": {"value": 1, "passes": 3, "fails": 0}}}
)
# As `jsonTemplate` of https://github.com/codesenberg/bombardier writes it.
BOMBARDIER = (
    '{"spec":{"numberOfConnections":8,"testType":"timed","testDurationSeconds":2,"method":"GET","url":"http://a/"},'
    '"result":{"bytesRead":1,"bytesWritten":1,"timeTakenSeconds":2.0,"req1xx":0,"req2xx":900,"req3xx":0,"req4xx":100,'
    '"req5xx":0,"others":3,"errors":[{"description":"timeout","count":3}],"latency":{"mean":1.5,"stddev":1,"max":9,'
    '"percentiles":{"50":1000,"75":1100,"90":1200,"95":1300,"99":4000}},"rps":{"mean":498.1,"stddev":1,"max":2}}}'
)


def read(program: str, text: str) -> LoadReport:
    """What is understood of a generator's report."""
    load = find_load([program])
    assert load is not None
    report = load.parse(text)
    assert report is not None
    return report


def test_wrks_report_is_read() -> None:
    """Its throughput, latencies in whatever unit, and the answers that were none."""
    assert read("/usr/bin/wrk", WRK) == snapshot(
        LoadReport(
            values={
                "requests_per_s": 43.86,
                "latency_p50_s": 0.000943,
                "latency_p90_s": 0.04811,
                "latency_p99_s": 1.05,
            },
            statuses={"2xx or 3xx": 40, "other": 4},
            errors={"read": 2, "timeout": 1},
        )
    )
    assert read("wrk", WRK.replace("Socket errors", "Nothing")).errors == {}


def test_heys_summary_is_read() -> None:
    """Statuses stand apart from the errors, whose text may hold brackets and digits."""
    assert read("hey", HEY) == snapshot(
        LoadReport(
            values={"requests_per_s": 46.838, "latency_p50_s": 0.044, "latency_p90_s": 0.0441},
            statuses={"200": 40, "404": 8},
            errors={'Get "http://127.0.0.1:8099/": dial tcp 127.0.0.1:8099: connect: connection refused': 20},
        )
    )


def test_the_report_of_ab_is_read() -> None:
    """An answer of another length is none that failed, and requests under way at the end are not counted twice."""
    assert read("ab", AB) == snapshot(
        LoadReport(values={"requests_per_s": 953.99}, statuses={"2xx or 3xx": 0, "other": 954}, errors={"receive": 1})
    )


def test_k6s_summary_is_read_as_text_and_as_json() -> None:
    """Whatever prints it: k6 itself, `--summary-export`, or a script's `handleSummary`."""
    assert read("k6", "banner\n" + K6) == snapshot(
        LoadReport(
            values={
                "requests_per_s": 8.516465,
                "latency_p50_s": 0.1232,
                "latency_p90_s": 0.13566,
            },
            statuses={"expected": 243, "failed": 27},
        )
    )
    assert read("k6", K6_HANDLED) == snapshot(
        LoadReport(
            values={"requests_per_s": 1.5, "latency_p50_s": 0.015, "latency_p90_s": 0.019},
            statuses={"expected": 3, "failed": 0},
        )
    )
    assert read("k6", K6_EXPORTED).statuses == {"expected": 0, "failed": 3}


def test_bombardiers_json_is_read() -> None:
    """Its throughput is that of the whole run, and not the mean of the rates that it sampled."""
    assert read("bombardier", BOMBARDIER) == snapshot(
        LoadReport(
            values={
                "requests_per_s": 500.0,
                "latency_p50_s": 0.001,
                "latency_p90_s": 0.0012,
                "latency_p99_s": 0.004,
            },
            statuses={"2xx": 900, "4xx": 100},
            errors={"timeout": 3},
        )
    )


def test_a_request_that_ohas_time_cuts_off_is_no_error() -> None:
    """With `-z` there is one in nearly every run."""
    report = {
        "summary": {"requestsPerSec": 4000.0},
        "latencyPercentiles": {},
        "statusCodeDistribution": {"200": 10},
        "errorDistribution": {"aborted due to deadline": 4, "connection refused": 1},
    }
    assert read("oha", json.dumps(report)).errors == {"connection refused": 1}


@pytest.mark.parametrize("program", ["ab", "bombardier", "hey", "k6", "oha", "wrk"])
@pytest.mark.parametrize("text", ["", "{}", '{"metrics": {}}', "Requests/sec: 1", "Summary:\n  Requests/sec:\t1.0\n"])
def test_what_is_no_report_is_left_alone(program: str, text: str) -> None:
    """A program of that name may print anything."""
    load = find_load([program])
    assert load is not None
    assert load.parse(text) is None


@pytest.mark.parametrize(
    ("argv", "is_timed", "is_limited"),
    [
        ("wrk -t1 -c2 http://a", True, False),
        ("taskset -c 1 wrk -d5s http://a", True, False),
        ("wrk2 -R2000 http://a", True, True),
        ("/opt/hey -z 10s http://a", True, False),
        ("hey -z=10s -q 5 http://a", True, True),
        ("hey -n 100 http://a", False, False),
        ("ab -t 5 http://a/", True, False),
        ("ab -n 5 -T text/plain http://a/", False, False),
        ("oha -z5s http://a", True, False),
        ("oha -n 5 http://a", False, False),
        ("bombardier http://a", True, False),
        ("bombardier --requests=10 http://a", False, False),
        ("bombardier -r 10 http://a", True, True),
        ("k6 run load.js", True, False),
        ("k6 run -i 100 load.js", False, False),
    ],
)
def test_a_command_says_what_its_generator_does(argv: str, is_timed: bool, is_limited: bool) -> None:  # noqa: FBT001
    """A fixed time, a fixed number of requests, or a fixed rate."""
    load = find_load(argv.split())
    assert load is not None
    assert (load.is_timed, load.is_limited) == (is_timed, is_limited)


def test_a_program_of_another_name_is_no_load_generator() -> None:
    """Nothing is guessed from what it prints."""
    assert find_load(["./load", "--seconds", "1"]) is None


def test_answers_are_compared_without_their_number_where_time_decides_it() -> None:
    """A faster server answers more of them."""
    report = LoadReport(values={}, statuses={"200": 3, "404": 0})
    assert report.comparable(is_timed=False) == b'{"statuses": {"200": 3, "404": 0}}\n'
    assert report.comparable(is_timed=True) == b'{"statuses": ["200"]}\n'


def test_time_per_request_is_the_inverse_of_the_throughput() -> None:
    """Without a request there is none."""
    assert LoadReport(values={"requests_per_s": 4000.0}, statuses={}).time_per_request_s == 0.00025
    assert LoadReport(values={"requests_per_s": 0.0}, statuses={}).time_per_request_s is None
