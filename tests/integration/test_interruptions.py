"""Runs that are ended from outside, and runs that meet: no child is left, nothing is lost, nothing is half done."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.integration.optbuild_program import (
    RUN_MARKER,
    Optbuild,
    Running,
    await_that,
    copy_crate,
    program,
    steps_of,
    variant_of,
    write_profile,
)

pytestmark = pytest.mark.pgo

HOLDING = 'touch held; while [ -e hold ]; do sleep 0.02; done; "$1" data/train.txt'
"""A script that says that it runs, and runs until it is let go."""

PASS_MARKER = f'pass-env = ["{RUN_MARKER}"]'

HOLDING_BUILD_SCRIPT = """\
use std::path::Path;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    while Path::new("hold").exists() {
        std::fs::write("held", "").unwrap();
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose training goes on until the file `hold` is deleted."""
    directory = copy_crate("tally", tmp_path / "tally")
    write_profile(directory, train=HOLDING, keys=PASS_MARKER)
    (directory / "hold").touch()
    return directory


def await_training(running: Running, project: Path) -> None:
    """Wait until the training runs, and nothing beside it."""
    running.await_that((project / "held").exists, "the training runs")
    running.await_saying("✓ release: build")


def let_go(project: Path) -> None:
    """Let the training come to its end."""
    (project / "hold").unlink()


def expect_resumed(optbuild: Optbuild, project: Path) -> None:
    """The next run takes what was finished, and comes to an end."""
    record = optbuild.run("pgo", "--json", cwd=project).expect(0).document
    steps = steps_of(record)
    instrumented = variant_of(record, "pgo")["steps"][0]["action"]
    assert steps[instrumented], "the instrumented binary was built before"
    assert variant_of(record, "release")["status"] == "reused"


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_during_training_ends_all_and_the_next_run_goes_on(
    optbuild: Optbuild, project: Path, number: signal.Signals, status: int
) -> None:
    """It is said at once what is stopped; the program is gone; the record says interrupted."""
    with optbuild.start("pgo", "--json", cwd=project) as running:
        await_training(running, project)
        running.send(number)
        ended = running.end().expect(status)
    assert "stopping sh with SIGTERM" in ended.stderr
    assert f"stopped by {number.name}" in ended.stderr
    assert optbuild.children() == []
    assert (ended.document["status"], ended.error["code"]) == ("interrupted", "interrupted")
    stored = project / "target/optbuild/runs" / ended.document["run_id"] / "record.json"
    assert stored.read_text() == ended.stdout
    let_go(project)
    expect_resumed(optbuild, project)


def test_a_signal_during_a_build_ends_cargo_and_all_below_it(optbuild: Optbuild, project: Path) -> None:
    """Cargo, and the build script that it runs, are gone; the next run builds."""
    (project / "build.rs").write_text(HOLDING_BUILD_SCRIPT)
    with optbuild.start("build", "release", "--json", cwd=project) as running:
        running.await_that((project / "held").exists, "the build script runs")
        assert len(optbuild.children()) >= 3
        running.send(signal.SIGINT)
        ended = running.end().expect(130)
    assert "stopping cargo with SIGTERM" in ended.stderr
    optbuild.await_no_children()
    assert [item["status"] for item in ended.document["variants"]] == ["skipped"]
    let_go(project)
    optbuild.run("build", "release", cwd=project).expect(0)


def test_a_signal_while_measuring_keeps_all_that_was_built(optbuild: Optbuild, project: Path) -> None:
    """Binaries and outputs are there, so the next run only measures."""
    let_go(project)
    with optbuild.start("pgo", "--json", "--max-time", "1h", cwd=project) as running:
        running.await_saying("  measure …")
        running.send(signal.SIGINT)
        ended = running.end().expect(130)
    assert optbuild.children() == []
    assert ended.document["status"] == "interrupted"
    assert (project / "target/optbuild/artifacts/pgo/tally").is_file()
    resumed = optbuild.run("pgo", "--json", cwd=project).expect(0)
    assert all(steps_of(resumed.document).values())
    assert resumed.document["benchmarks"]


def test_a_second_signal_forces_the_end(optbuild: Optbuild, project: Path) -> None:
    """A program that ignores its stop signal has its whole grace, unless the user insists."""
    stubborn = "trap '' TERM INT; touch held; while :; do sleep 0.02; done"
    write_profile(project, train=stubborn, keys=f'{PASS_MARKER}\ngrace = "1h"')
    with optbuild.start("pgo", cwd=project) as running:
        await_training(running, project)
        running.send(signal.SIGINT)
        running.await_saying("it has 1 h 00 min to end before it is killed")
        running.send(signal.SIGINT)
        running.end().expect(130)
    assert optbuild.children() == []


def test_kill_9_leaves_no_child_and_the_next_run_recovers(optbuild: Optbuild, project: Path) -> None:
    """Nobody is there to clean up: the children go by themselves, and what was finished is reused."""
    with optbuild.start("pgo", cwd=project) as running:
        await_training(running, project)
        running.send(signal.SIGKILL)
        assert running.end().status == 128 + signal.SIGKILL
    await_that(lambda: optbuild.children() == [], "no child is left")
    let_go(project)
    expect_resumed(optbuild, project)


def test_the_second_of_two_runs_waits_or_fails(optbuild: Optbuild, project: Path) -> None:
    """It names the pid that it waits for; with `--no-wait` it fails at once, and touches nothing."""
    with optbuild.start("pgo", cwd=project) as one:
        await_training(one, project)
        refused = optbuild.run("pgo", "--json", "--no-wait", cwd=project).expect(16)
        assert refused.error["code"] == "lock-held"
        assert f"pid {one.process.pid}" in refused.stderr
        optbuild.run("clean", cwd=project).expect(16)
        with optbuild.start("pgo", cwd=project) as other:
            other.await_saying(f"waiting for another optbuild run (pid {one.process.pid})")
            let_go(project)
            one.end().expect(0)
            assert "nothing has changed since run" in other.end().expect(0).stderr


def test_waiting_for_another_run_can_be_interrupted(optbuild: Optbuild, project: Path) -> None:
    """Ctrl-C ends the one that waits, and not the one that works."""
    with optbuild.start("pgo", cwd=project) as one:
        await_training(one, project)
        with optbuild.start("pgo", "--json", cwd=project) as other:
            other.await_saying("waiting for another")
            other.send(signal.SIGINT)
            assert other.end().expect(130).error["code"] == "interrupted"
        assert one.process.poll() is None
        let_go(project)
        one.end().expect(0)


def test_a_cargo_that_waits_for_its_lock_is_told(optbuild: Optbuild, project: Path) -> None:
    """Another cargo in the same directory is named as what the run waits for."""
    optbuild.run("build", "release", cwd=project).expect(0)
    locks = list((project / "target/optbuild/cargo").rglob(".cargo-lock"))
    assert locks
    descriptors = [os.open(path, os.O_RDWR) for path in locks]
    try:
        for descriptor in descriptors:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        with optbuild.start("build", "release", cwd=project) as running:
            running.await_saying(f"another cargo holds {project}/target/optbuild")
            for descriptor in descriptors:
                fcntl.flock(descriptor, fcntl.LOCK_UN)
            running.end().expect(0)
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


@pytest.mark.parametrize(
    "arguments",
    [
        ("plan",),
        ("plan", "--json"),
        ("schema", "record"),
        ("help", "exit-codes"),
        ("help", "bench"),
        ("--help",),
        ("bench", "--help"),
    ],
)
def test_a_reader_of_a_result_that_has_gone_ends_the_program_quietly(
    optbuild: Optbuild, project: Path, arguments: tuple[str, ...]
) -> None:
    """As in `optbuild plan | head -1`: status 141, and not a word."""
    reader, writer = os.pipe()
    os.close(reader)
    completed = subprocess.run(
        [program("optbuild"), *arguments],
        cwd=project,
        env=dict(optbuild.environ),
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writer)
    assert (completed.returncode, completed.stderr) == (141, "")


def test_a_mistake_that_nobody_reads_ends_quietly(optbuild: Optbuild) -> None:
    """Typer tells of it by itself; the status is that of an unread message all the same."""
    reader, writer = os.pipe()
    os.close(reader)
    completed = subprocess.run(
        [program("optbuild"), "--no-such"], env=dict(optbuild.environ), stderr=writer, check=False
    )
    os.close(writer)
    assert completed.returncode == 141


def test_a_reader_of_messages_that_has_gone_ends_the_run(optbuild: Optbuild, project: Path) -> None:
    """As in `optbuild pgo 2>&1 | head -1`: status 141, no log of a bug, no child, and the next run goes on."""
    let_go(project)
    reader, writer = os.pipe()
    process = subprocess.Popen(
        [program("optbuild"), "pgo"], cwd=project, env=dict(optbuild.environ), stdout=writer, stderr=writer
    )
    os.close(writer)
    assert os.read(reader, 1)
    os.close(reader)
    assert process.wait() == 141
    optbuild.await_no_children()
    assert not list((optbuild.home / "tmp").glob("optbuild*"))  # a linker that was ended may leave files of its own
    optbuild.run("pgo", cwd=project).expect(0)
