"""Programs that run beside others: started, looked at, stopped, and never left behind."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from threading import Barrier

import pytest

from optbuild.execution.command import Command, ProgramNotFoundError, Stream
from optbuild.execution.local import LocalExecutor
from optbuild.execution.stopping import StopRequest
from tests.integration.execution_programs import shell
from tests.integration.optbuild_program import await_that


@pytest.fixture
def executor() -> Iterator[LocalExecutor]:
    """An executor of this machine."""
    with LocalExecutor(emit=lambda _: None) as made:
        yield made


def server(directory: Path, script: str = "") -> Command:
    """A program that runs until it is stopped, and says so when it has begun."""
    command = shell(f"{script}\ntouch begun; while :; do sleep 0.01; done", directory)
    return replace(command, stdout=directory / "out", stderr=Stream.NULL, grace_s=60.0)


def test_others_run_meanwhile(executor: LocalExecutor, tmp_path: Path) -> None:
    """The one goes on while the other comes to its end; then it is stopped by its signal."""
    with executor.start(server(tmp_path)) as running:
        await_that((tmp_path / "begun").exists, "it runs")
        assert executor.run(shell("echo beside", tmp_path)).stdout == b"beside\n"
        assert running.poll() is None
        completed = running.stop()
    assert completed.exit_code == -signal.SIGTERM
    assert completed.usage.wall_s > 0


def test_its_own_good_order_is_seen(executor: LocalExecutor, tmp_path: Path) -> None:
    """What it does upon the signal it may do to the end."""
    with executor.start(server(tmp_path, "trap 'echo bye; exit 7' TERM")) as running:
        await_that((tmp_path / "begun").exists, "it runs")
        assert running.stop().exit_code == 7
    assert (tmp_path / "out").read_text() == "bye\n"


def test_one_that_does_not_listen_is_killed(executor: LocalExecutor, tmp_path: Path) -> None:
    """When its grace has passed."""
    with executor.start(replace(server(tmp_path, "trap '' TERM"), grace_s=0.3)) as running:
        await_that((tmp_path / "begun").exists, "it runs")
        assert running.stop().exit_code == -signal.SIGKILL


def test_its_own_end_is_noticed(executor: LocalExecutor, tmp_path: Path) -> None:
    """As often as one looks, and when it is stopped too late."""
    with executor.start(replace(server(tmp_path, "exit 5"), timeout_s=None)) as running:
        await_that(lambda: running.poll() is not None, "it ended")
        assert [ended.exit_code for ended in (running.poll(), running.stop()) if ended] == [5, 5]


def test_an_error_meanwhile_leaves_nothing_running(executor: LocalExecutor, tmp_path: Path) -> None:
    """Leaving the context ends it, and what it started."""
    child = tmp_path / "child"
    script = "sh -c 'echo $$ > child; while :; do sleep 0.01; done' &"

    def fail_meanwhile() -> None:
        with executor.start(server(tmp_path, script)):
            await_that((tmp_path / "begun").exists, "it runs")
            await_that(lambda: child.exists() and child.read_text() != "", "its child runs")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_meanwhile()
    assert not Path(f"/proc/{int(child.read_text())}").exists()


def test_a_program_that_is_not_there_is_named(executor: LocalExecutor, tmp_path: Path) -> None:
    """Before anything is started."""
    command = replace(server(tmp_path), argv=("no-such-program",))
    with pytest.raises(ProgramNotFoundError, match="no-such-program"), executor.start(command):
        pytest.fail("it was started")


def test_a_thread_uses_the_launcher_that_an_earlier_one_has_left(executor: LocalExecutor, tmp_path: Path) -> None:
    """Unless it has died meanwhile. Two at the same time have one each."""
    with closing(StopRequest()) as stop, ThreadPoolExecutor() as threads:

        def find_launcher(others: Barrier) -> int:
            with executor.stoppable(stop):
                found = int(executor.run(shell("echo $PPID", tmp_path)).stdout)
                others.wait()
            return found

        first, again = (threads.submit(find_launcher, Barrier(1)).result() for _ in range(2))
        assert again == first
        os.kill(first, signal.SIGKILL)
        await_that(lambda: "State:\tZ" in Path(f"/proc/{first}/status").read_text(), "it has died")
        second = threads.submit(find_launcher, Barrier(1)).result()
        assert second != first
        both = Barrier(2)
        beside = [threads.submit(find_launcher, both) for _ in range(2)]
        used = {each.result() for each in beside}
        assert second in used
        assert len(used) == 2
    executor.close()
    assert not any(Path(f"/proc/{pid}").exists() for pid in used)
