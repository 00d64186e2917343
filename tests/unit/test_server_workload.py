from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from optbuild.errors import WorkloadError, WorkloadTimeoutError
from optbuild.execution.command import Command, ProgramNotFoundError
from optbuild.files import claim_directory
from optbuild.profile.placeholders import Placeholder, PlaceholderKind
from optbuild.profile.workloads import MetricName
from optbuild.testing import Answer, Reply, ScriptedExecutor, make_invocation, make_usage
from optbuild.workloads.invocation import Invocation, Ready, Server
from optbuild.workloads.programs import Place, WorkloadRun
from optbuild.workloads.readiness import ReadyKind
from optbuild.workloads.running import run_workload
from optbuild.workloads.words import Words

PORT = Placeholder(kind=PlaceholderKind.PORT)
READY = Reply(stdout=b"ready\n", usage=make_usage(wall_s=9.0, user_s=3.0, peak_rss_bytes=99))


@dataclass
class Stand:
    """A server `demo` and a load `ask`, which answer as a test says."""

    directory: Path
    server: Answer = READY
    load: Callable[[Command], Answer] = field(default=lambda _: Reply(usage=make_usage(wall_s=0.5)))
    program: str = "ask"
    options: tuple[str, ...] = ()
    metric: MetricName = MetricName.WALL

    def __post_init__(self) -> None:
        self.executor = ScriptedExecutor(self._answer)
        claim_directory(self.directory)

    def _answer(self, command: Command) -> Answer:
        return self.server if Path(command.argv[0]).name == "demo" else self.load(command)

    def invocation(self, within_s: float = 30.0) -> Invocation:
        ready = Ready(kind=ReadyKind.STDOUT, value=("ready",), within_s=within_s)
        server = Server(argv=((Placeholder(kind=PlaceholderKind.BIN, argument="demo"),), (PORT,)), ready=ready)
        workload = make_invocation(
            self.program, directory=self.directory, scratch=self.directory / "scratch", metric=self.metric
        )
        argv: Words = ((self.program,), (PORT,), *((word,) for word in self.options))
        return replace(workload, argv=argv, server=server, port_env={"PORT": (PORT,)})

    def run(self, within_s: float = 30.0) -> WorkloadRun:
        place = Place(
            root=self.directory,
            binaries={"demo": Path("/bins/demo")},
            stdout=self.directory / "stdout",
            stderr=self.directory / "stderr",
            extra_env={"LLVM_PROFILE_FILE": "/raw"},
        )
        return run_workload(self.executor, self.invocation(within_s), place)


@pytest.fixture
def stand(tmp_path: Path) -> Stand:
    """A server that behaves, and a load on it."""
    return Stand(tmp_path)


def test_the_time_is_the_loads_and_the_rest_the_servers(stand: Stand) -> None:
    """A fixed number of requests takes so long; memory and CPU time are those of the program that is optimised."""
    run = stand.run()
    assert (run.usage.wall_s, run.usage.user_s, run.usage.peak_rss_bytes) == (0.5, 3.0, 99)
    assert run.beside_cpu_s == pytest.approx(0.5)


def test_both_get_the_same_port_and_the_same_environment(stand: Stand) -> None:
    """As an argument and in a variable; an instrumented client counts as well."""
    stand.run()
    server, load = stand.executor.commands
    assert server.argv[1] == load.argv[1] == server.env["PORT"] == load.env["PORT"]
    assert server.env["LLVM_PROFILE_FILE"] == load.env["LLVM_PROFILE_FILE"] == "/raw"


def test_each_run_has_a_server_of_its_own(stand: Stand) -> None:
    """Started before the load and stopped after it."""
    stand.run()
    stand.run()
    assert [Path(command.argv[0]).name for command in stand.executor.commands] == ["demo", "ask"] * 2


@pytest.mark.parametrize("exit_code", [0, -15, 143])
def test_ending_by_our_own_signal_is_a_success(stand: Stand, exit_code: int) -> None:
    """With a handler of its own, without one, or in the way of shells."""
    stand.server = replace(READY, exit_code=exit_code)
    assert stand.run().usage.wall_s == 0.5


def failure(stand: Stand, **options: float) -> WorkloadError:
    """Run it, which must fail."""
    with pytest.raises(WorkloadError) as caught:
        stand.run(**options)
    return caught.value


def test_a_server_that_had_to_be_killed_is_refused(stand: Stand) -> None:
    """It has written no counts."""
    stand.server = replace(READY, exit_code=-9)
    error = failure(stand)
    assert error.message == snapshot(
        "the server of workload 'small' did not end within 10 s of SIGTERM, and was killed;"
        " a killed program writes no counts"
    )
    assert error.help == snapshot(
        'name the signal that stops it (`stop-signal = "INT"`), or give it more time (`grace = "1m"`)'
    )


def test_a_server_that_ends_by_itself_is_refused(stand: Stand) -> None:
    """Before it was ready; its own words are shown."""
    stand.server = Reply(exit_code=1, stderr=b"address in use")
    error = failure(stand)
    assert error.message == snapshot("the server of workload 'small' ended with exit code 1 before it was ready")
    assert error.detail == "address in use"
    assert error.location == str(stand.directory / "stderr.server")
    assert len(stand.executor.commands) == 1, "the load was not started"


def test_a_server_that_crashes_under_load_is_named_and_not_the_load(stand: Stand) -> None:
    """The load fails as well then, but that is not what was wrong."""
    stand.server = replace(READY, exit_code=-6)
    stand.load = lambda _: Reply(exit_code=1)
    assert failure(stand).message == snapshot(
        "the server of workload 'small' ended with signal 6 (SIGABRT) while it was under load"
    )


def test_a_load_that_fails_is_a_failure(stand: Stand) -> None:
    """As any other workload's command is."""
    stand.load = lambda _: Reply(exit_code=3, stderr=b"timeout")
    error = failure(stand)
    assert error.message == snapshot("workload 'small' ended with exit code 3, expected exit code 0")
    assert error.detail == "timeout"


def test_a_server_that_is_never_ready_runs_into_its_limit(stand: Stand) -> None:
    """What was asked stands in the error."""
    stand.server = Reply(stdout=b"starting")
    error = failure(stand, within_s=0.05)
    assert isinstance(error, WorkloadTimeoutError)
    assert error.message == snapshot("the server of workload 'small' was not ready within 50 ms: stdout ready")
    assert error.detail == "starting"


def test_a_server_that_leaves_processes_is_refused(stand: Stand) -> None:
    """Its workers could not write their counts."""
    stand.server = replace(READY, survivors=("worker (7)",))
    assert "left processes running; they were ended: worker (7)" in failure(stand).message


def test_a_server_that_cannot_be_started_is_named(stand: Stand) -> None:
    """By the key that it stands under."""
    stand.server = ProgramNotFoundError("/bins/demo", "not found")
    error = failure(stand)
    assert error.message == snapshot("workload 'small': cannot start the server /bins/demo: not found")
    assert "`server`" in error.help


def test_what_an_earlier_server_said_makes_none_ready(stand: Stand) -> None:
    """Each begins with an empty output, before it is started."""
    stand.run()
    stand.server = Reply()
    assert isinstance(failure(stand, within_s=0.01), WorkloadTimeoutError)
    assert not [path for path in stand.directory.glob("*.server") if b"ready" in path.read_bytes()]


def oha(**changes: object) -> Callable[[Command], Answer]:
    """What oha prints as JSON."""
    report: dict[str, object] = {
        "summary": {"successRate": 1.0, "total": 2.5, "requestsPerSec": 4000.0},
        "latencyPercentiles": {"p50": 0.001, "p90": 0.002, "p99": 0.004, "p99.99": None},
        "statusCodeDistribution": {"200": 10_000},
        "errorDistribution": {},
        **changes,
    }
    return lambda _: Reply(stdout=json.dumps(report).encode())


def test_ohas_report_is_read(stand: Stand) -> None:
    """Requests per second and latencies; what is left to compare is which answers came."""
    stand.program, stand.load = "/opt/oha", oha()
    assert stand.run().load == snapshot(
        {"requests_per_s": 4000.0, "latency_p50_s": 0.001, "latency_p90_s": 0.002, "latency_p99_s": 0.004}
    )
    assert (stand.directory / "stdout").read_text() == '{"statuses": {"200": 10000}}\n'


def test_a_report_for_people_is_left_alone(stand: Stand) -> None:
    """Without `--output-format json` there is nothing to read."""
    stand.program, stand.load = "oha", lambda _: Reply(stdout=b"Summary:")
    assert stand.run().load == {}
    assert (stand.directory / "stdout").read_text() == "Summary:"


def test_requests_without_an_answer_are_no_measurement(stand: Stand) -> None:
    """A server that refuses half of them is fast."""
    stand.program, stand.load = "oha", oha(errorDistribution={"connection refused\x1b": 7})
    assert failure(stand).message == snapshot(
        "workload 'small': 7 requests of the load had no answer: connection refused^[ (7)"
    )


def test_a_load_of_fixed_duration_is_measured_by_its_time_per_request(stand: Stand) -> None:
    """Its own time is the same whatever the server does; how many answers came tells the speed, and is not compared."""
    stand.program, stand.load, stand.options = "oha", oha(), ("-z", "2s")
    run = stand.run()
    assert run.benchmarks == {"time per request": 0.00025}
    assert run.load["latency_p99_s"] == 0.004
    assert (stand.directory / "stdout").read_text() == '{"statuses": ["200"]}\n'


def test_a_load_with_a_fixed_rate_measures_nothing_by_its_rate(stand: Stand) -> None:
    """The rate is the one that was asked for."""
    stand.program, stand.load, stand.options = "oha", oha(), ("-z", "2s", "-q", "100")
    assert stand.run().benchmarks == {}


def test_a_metric_that_was_chosen_is_kept_under_load(stand: Stand) -> None:
    """CPU time at a fixed rate of requests says something of its own."""
    stand.program, stand.load, stand.options, stand.metric = "oha", oha(), ("-z", "2s"), MetricName.CPU
    assert stand.run().benchmarks == {}


def test_a_load_without_any_answer_is_refused(stand: Stand) -> None:
    """There is no time per request."""
    stand.program, stand.options = "oha", ("-z", "2s")
    stand.load = oha(summary={"requestsPerSec": 0.0}, statusCodeDistribution={})
    assert failure(stand).message == snapshot("workload 'small': no request of the load was answered in its time")
