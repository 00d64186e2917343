"""Servers as workloads: trained under load, ended by a signal, measured one at a time."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import pytest

from tests.integration.optbuild_program import (
    MEASURE,
    RUN_MARKER,
    VARIANTS,
    Optbuild,
    await_that,
    copy_crate,
    edit,
    fail,
    variant_of,
)

pytestmark = pytest.mark.pgo

PROFILE = f"""\
schema = 1
{VARIANTS}
[[workloads]]
name = "requests"
server = ["{{bin}}", "{{port}}"]
ready = {{ stdout = "listening", within = "5m" }}
load = ["{{bin:ask}}", "{{port}}", "200"]
pass-env = ["{RUN_MARKER}"]
grace = "5m"
{MEASURE}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A server that no signal handler of its own ends, with a client."""
    project = copy_crate("answers", tmp_path / "answers")
    (project / "optbuild.toml").write_text(PROFILE)
    return project


def test_a_server_that_dies_of_its_stop_signal_is_trained(optbuild: Optbuild, project: Path) -> None:
    """It never returns from `main`, and its counts are there all the same, besides those of the client."""
    record = optbuild.run("pgo", "--json", cwd=project).expect(0).document
    pgo = variant_of(record, "pgo")["pgo"]
    assert pgo["raw_profiles"] == 2
    assert pgo["applied"]
    assert pgo["flush_object"]
    assert {item["equal"] for item in record["outputs"]} == {True}
    evidence = optbuild.run("report", cwd=project).expect(0).stdout
    assert "counts saved from stop signals" in " ".join(evidence.split())
    for artifact in (item for variant in record["variants"] for item in variant["artifacts"]):
        assert b"optbuild_flush" not in Path(artifact["path"]).read_bytes(), "what is shipped has none of it"


def test_without_the_object_its_missing_counts_are_told(optbuild: Optbuild, project: Path) -> None:
    """The client's alone are a profile that does not fit: nothing of the server is in it."""
    edit(project / "optbuild.toml", 'grace = "5m"', 'grace = "5m"\nflush-object = false')
    fail(optbuild, project, 13, "profile-data")


def test_a_rerun_starts_no_server(optbuild: Optbuild, project: Path) -> None:
    """Nothing has changed: training and measuring are reused."""
    optbuild.run("pgo", "--json", "--max-time", "10s", cwd=project).expect(0)
    again = optbuild.run("pgo", "--json", "--max-time", "10s", cwd=project).expect(0)
    assert "nothing has changed since run" in again.stderr


def test_a_deaf_server_is_told_what_to_say(optbuild: Optbuild, project: Path) -> None:
    """It catches the signal and does nothing: killed after its grace, and exit code 11."""
    edit(project / "optbuild.toml", '"{bin}", "{port}"', '"{bin}", "{port}", "--deaf"')
    edit(project / "optbuild.toml", 'grace = "5m"', 'grace = "2s"')
    words = ("did not end within 2 s of SIGTERM, and was killed", "stop-signal")
    fail(optbuild, project, 11, "workload", *words)
    assert optbuild.children() == []


def test_a_server_that_crashes_under_load_is_named(optbuild: Optbuild, project: Path) -> None:
    """By its own ending, and not by the client's."""
    edit(project / "optbuild.toml", '"{bin}", "{port}"', '"{bin}", "{port}", "--crash-at", "150"')
    fail(optbuild, project, 11, "workload", "ended with signal 6 (SIGABRT) while it was under load")
    assert optbuild.children() == []


def test_a_server_that_is_never_ready_is_stopped(optbuild: Optbuild, project: Path) -> None:
    """Exit code 12, with what was waited for."""
    edit(project / "optbuild.toml", '"{bin}", "{port}"', '"{bin}", "{port}", "--silent"')
    edit(project / "optbuild.toml", 'within = "5m"', 'within = "300ms"')
    fail(optbuild, project, 12, "timeout", "was not ready within 0.3 s: stdout listening")
    assert optbuild.children() == []


def test_what_hinders_a_server_is_told_in_its_own_words(optbuild: Optbuild, project: Path) -> None:
    """A port that is none, in this case: it ends before it is ready."""
    edit(project / "optbuild.toml", 'server = ["{bin}", "{port}"]', 'server = ["{bin}", "70000"]')
    fail(optbuild, project, 11, "workload", "before it was ready", "usage: answers PORT")


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, 128 + signal.SIGKILL)]
)
def test_an_interrupt_under_load_leaves_nothing_running(
    optbuild: Optbuild, project: Path, number: signal.Signals, status: int
) -> None:
    """Neither the server nor the load outlives optbuild, however that ends."""
    edit(project / "optbuild.toml", '"{port}", "200"', '"{port}", "200000000"')
    with optbuild.start("pgo", cwd=project) as running:
        running.await_that(lambda: any("/ask " in line for line in optbuild.children()), "the load runs")
        running.send(number)
        assert running.end().status == status
    await_that(lambda: optbuild.children() == [], "everything has ended")


@pytest.mark.skipif(shutil.which("python3") is None, reason="the load is a Python script")
def test_a_url_can_say_that_a_server_is_ready(optbuild: Optbuild, project: Path) -> None:
    """A plan shows how a server is awaited, and a URL that cannot be asked is refused before anything is built."""
    edit(project / "optbuild.toml", 'stdout = "listening"', 'http = "https://127.0.0.1:{port}/"')
    refused = optbuild.run("pgo", cwd=project).expect(2)
    assert "expected a URL that begins with http://" in refused.stderr
    edit(project / "optbuild.toml", "https://", "http://")
    plan = optbuild.run("plan", "-v", cwd=project).expect(0).stdout
    assert "ready   http http://127.0.0.1:{port}/ within 5 min 00 s" in plan
