"""How programs end that do not end by themselves: timeouts, what they leave behind, interruptions, killed parents."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest

from optbuild.errors import InterruptedRunError, OptbuildError
from optbuild.events import Event, Notice
from optbuild.execution import conversation, launcher
from optbuild.execution.local import LocalExecutor
from tests.integration.execution_programs import (
    LOOP,
    SAVES,
    ended_afterwards,
    launcher_pid,
    read_pid,
    runs,
    shell,
    wait_until,
    write_launcher_without_pidfd,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="child subreapers and /proc are Linux's")

DAEMON = "( setsid sh -c 'echo $$ > daemon; exec sleep 1000' >/dev/null 2>&1 </dev/null & )"
UNTIL_DAEMON = "while [ ! -s daemon ]; do sleep 0.01; done"
STUBBORN = f"trap '' TERM INT HUP; echo $$ > program; {LOOP}"

# A program that uses the executor as the command line does: told what to run in argv, it tells what happens in lines.
DRIVER = """
import sys
from pathlib import Path
from optbuild.errors import InterruptedRunError
from optbuild.execution.command import Command
from optbuild.execution.local import LocalExecutor
from optbuild.execution.signals import SignalGate

def shell(script, grace_s=60.0):
    return Command(argv=("/bin/sh", "-c", script), cwd=Path.cwd(), env={"PATH": sys.argv[3]}, grace_s=grace_s)

gate = SignalGate()
gate.install()
with LocalExecutor(lambda event: print(event.code, flush=True), gate) as executor:
    try:
        executor.run(shell(sys.argv[1], float(sys.argv[2])))
    except InterruptedRunError as error:
        print(error.status, executor.run(shell("echo usable again")).stdout.decode(), end="", flush=True)
"""


@pytest.fixture
def events() -> list[Event]:
    """What the executor tells while it runs programs."""
    return []


@pytest.fixture(params=["pidfd", "sigchld"])
def executor(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, events: list[Event]
) -> Iterator[LocalExecutor]:
    """An executor, with either way to wait for a program."""
    if request.param == "sigchld":
        monkeypatch.setattr(launcher, "__file__", str(write_launcher_without_pidfd(tmp_path)))
    with LocalExecutor(emit=events.append) as made:
        yield made


@pytest.fixture
def drivers() -> Iterator[ExitStack]:
    """Ends the drivers that a failing test leaves."""
    with ExitStack() as stack:
        yield stack


def start_driver(drivers: ExitStack, cwd: Path, script: str, *, grace_s: float = 60.0) -> subprocess.Popen[str]:
    """Start a process that runs a script through an executor of its own."""
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER, script, str(grace_s), os.defpath], cwd=cwd, stdout=subprocess.PIPE, text=True
    )
    drivers.enter_context(driver)
    drivers.callback(driver.kill)
    return driver


def read_line(driver: subprocess.Popen[str]) -> str:
    """The next line of what a driver tells."""
    assert driver.stdout is not None
    return driver.stdout.readline().rstrip("\n")


def codes(events: list[Event]) -> list[str]:
    """The codes of all notices."""
    return [event.code for event in events if isinstance(event, Notice)]


def test_a_timeout_sends_the_stop_signal_and_leaves_time_to_save(
    executor: LocalExecutor, tmp_path: Path, events: list[Event]
) -> None:
    """A program writes its profile when it is asked to end; people are told that it is slow and that it is stopped."""
    completed = executor.run(shell(f"{SAVES}; {LOOP}", tmp_path, timeout_s=2.0, grace_s=60.0))

    assert (tmp_path / "saved").read_text() == "saved\n"
    assert completed.timed_out
    assert completed.exit_code == 0
    assert codes(events) == ["slow", "stopping"]
    assert [event.message for event in events if isinstance(event, Notice)] == [
        "sh is still running after 1 s of its 2 s timeout",
        "stopping sh with SIGTERM; it has 60 s to end before it is killed",
    ]


def test_the_stop_signal_is_the_one_of_the_command(executor: LocalExecutor, tmp_path: Path) -> None:
    """A program that ends in good order at another signal gets that one."""
    script = f"trap 'echo int > saved; exit 5' INT; {LOOP}"

    completed = executor.run(shell(script, tmp_path, timeout_s=2.0, stop_signal=signal.SIGINT))

    assert (tmp_path / "saved").read_text() == "int\n"
    assert completed.exit_code == 5


def test_a_program_that_ignores_its_stop_signal_is_killed_after_its_grace(
    executor: LocalExecutor, tmp_path: Path
) -> None:
    """SIGKILL comes last, for the whole process group, and the run says that it was late."""
    completed = executor.run(shell(STUBBORN, tmp_path, timeout_s=2.0, grace_s=0.1))

    assert completed.timed_out
    assert completed.exit_code == -signal.SIGKILL
    assert not runs(read_pid(tmp_path / "program"))


def test_a_stopped_program_gets_its_stop_signal_too(executor: LocalExecutor, tmp_path: Path) -> None:
    """A program that reached for the terminal hangs stopped: it is woken, so that it can end in good order."""
    completed = executor.run(shell(f"{SAVES}; kill -STOP $$; {LOOP}", tmp_path, timeout_s=2.0, grace_s=60.0))

    assert (tmp_path / "saved").read_text() == "saved\n"
    assert completed.exit_code == 0


def test_a_very_long_timeout_is_no_trouble(executor: LocalExecutor, tmp_path: Path) -> None:
    """A timeout that means "never" is longer than what poll takes, and is waited for all the same."""
    completed = executor.run(shell("echo fine", tmp_path, timeout_s=1e12))

    assert completed.stdout == b"fine\n"


def test_a_daemon_is_killed_and_named(executor: LocalExecutor, tmp_path: Path) -> None:
    """Neither a double fork nor a session of its own lets a process survive the program that started it."""
    completed = executor.run(shell(f"{DAEMON}; {UNTIL_DAEMON}", tmp_path))

    pid = read_pid(tmp_path / "daemon")
    assert completed.exit_code == 0
    assert completed.survivors == (f"sleep (pid {pid})",)
    assert not runs(pid)
    assert executor.run(shell("true", tmp_path)).survivors == ()


def test_a_child_that_ends_a_moment_later_is_no_survivor(executor: LocalExecutor, tmp_path: Path) -> None:
    """Helpers that see their parent go and follow it are waited for."""
    completed = executor.run(shell("(while kill -0 $$; do :; done; echo gone > gone) 2>/dev/null & true", tmp_path))

    assert completed.survivors == ()
    assert (tmp_path / "gone").read_text() == "gone\n"


def test_without_a_sweep_a_daemon_stays_and_troubles_no_later_command(executor: LocalExecutor, tmp_path: Path) -> None:
    """A build may leave a server behind: it is no later program's survivor, and its output is not theirs."""
    talker = (
        "trap '' PIPE; echo $$ > daemon; while [ ! -e go ]; do sleep 0.01; done; echo intruder; touch said; " + LOOP
    )
    starter = shell(f'( setsid sh -c "$0" </dev/null & ); {UNTIL_DAEMON}', tmp_path, sweep=False)
    executor.run(replace(starter, argv=(*starter.argv, talker)))
    pid = read_pid(tmp_path / "daemon")

    with ended_afterwards(pid):
        completed = executor.run(shell("touch go; while [ ! -e said ]; do sleep 0.01; done; echo mine", tmp_path))

        assert completed.stdout == b"mine\n"
        assert completed.survivors == ()
        assert runs(pid)


def test_stopping_without_a_sweep_ends_the_whole_group(executor: LocalExecutor, tmp_path: Path) -> None:
    """Of a build that is stopped only daemons stay: what shares its process group ends with it."""
    build = shell(f'sh -c "$0" & {LOOP}', tmp_path, timeout_s=2.0, sweep=False)

    executor.run(replace(build, argv=(*build.argv, STUBBORN)))

    pid = read_pid(tmp_path / "program")
    with ended_afterwards(pid):
        wait_until(lambda: not runs(pid), "the stubborn child is killed")


def test_an_error_in_a_callback_ends_the_program_in_good_order(executor: LocalExecutor, tmp_path: Path) -> None:
    """The program is stopped, its further lines are not told, and the executor goes on with the next command."""
    heard: list[bytes] = []

    def refuse(line: bytes) -> NoReturn:
        heard.append(line)
        raise LookupError(line)

    with pytest.raises(LookupError):
        executor.run(shell(f"{SAVES}; echo one; echo two; {LOOP}", tmp_path), on_stdout=refuse)

    assert heard == [b"one\n"]
    assert (tmp_path / "saved").read_text() == "saved\n"
    assert executor.run(shell("echo fine", tmp_path)).stdout == b"fine\n"


@pytest.mark.parametrize("moment", ["LauncherProcess.send", "Conversation._take_message"])
def test_a_signal_in_the_middle_of_a_start_or_an_end_hangs_nothing(
    executor: LocalExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """A program that was never sent, or whose end was read and forgotten, is not waited for."""
    executor.run(shell("true", tmp_path))
    owner, name = (getattr(conversation, moment.partition(".")[0]), moment.partition(".")[2])
    original = getattr(owner, name)

    def interrupted(*_arguments: object) -> NoReturn:
        monkeypatch.setattr(owner, name, original)
        raise InterruptedRunError(signal.SIGINT)

    monkeypatch.setattr(owner, name, interrupted)
    with pytest.raises(InterruptedRunError):
        executor.run(shell("true", tmp_path))

    assert executor.run(shell("echo fine", tmp_path)).stdout == b"fine\n"


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)],
    ids=str,
)
def test_a_signal_stops_the_program_with_its_grace(
    tmp_path: Path, drivers: ExitStack, number: int, status: int
) -> None:
    """People are told at once, the program may take its time, and the executor can be used again."""
    takes_its_time = "trap 'while [ ! -e go ]; do sleep 0.01; done; echo saved > saved; exit 0' TERM"
    driver = start_driver(drivers, tmp_path, f"{takes_its_time}; {DAEMON}; {UNTIL_DAEMON}; echo $$ > program; {LOOP}")
    program, daemon = read_pid(tmp_path / "program"), read_pid(tmp_path / "daemon")

    driver.send_signal(number)
    assert read_line(driver) == "stopping"
    assert runs(program)
    (tmp_path / "go").touch()

    assert read_line(driver) == f"{status} usable again"
    assert driver.wait() == 0
    assert (tmp_path / "saved").read_text() == "saved\n"
    assert not runs(program)
    assert not runs(daemon)


def test_a_second_signal_kills_at_once(tmp_path: Path, drivers: ExitStack) -> None:
    """Whoever presses Ctrl-C twice does not wait for the grace, here an hour."""
    driver = start_driver(drivers, tmp_path, STUBBORN, grace_s=3600.0)
    program = read_pid(tmp_path / "program")

    driver.send_signal(signal.SIGINT)
    assert read_line(driver) == "stopping"
    assert runs(program)
    driver.send_signal(signal.SIGINT)

    assert read_line(driver) == "130 usable again"
    assert driver.wait() == 0
    assert not runs(program)


def test_killing_optbuild_kills_everything_it_runs(tmp_path: Path, drivers: ExitStack) -> None:
    """SIGKILL leaves optbuild no time for anything: the launcher notices, and ends what runs and itself."""
    driver = start_driver(drivers, tmp_path, f"{DAEMON}; {UNTIL_DAEMON}; echo $PPID > launcher; {STUBBORN}")
    pids = [read_pid(tmp_path / name) for name in ("program", "daemon", "launcher")]
    assert all(map(runs, pids))

    driver.kill()

    wait_until(lambda: not any(map(runs, pids)), "the program, its daemon and the launcher are gone")


def test_closing_the_executor_ends_its_launcher(tmp_path: Path) -> None:
    """Nothing is left when the context is left, and closing twice is fine."""
    with LocalExecutor(emit=lambda _: None) as executor:
        executor.run(shell("true", tmp_path))
        pid = launcher_pid(executor)
        executor.close()
        assert not runs(pid)


def test_a_launcher_that_dies_under_a_program_is_an_error_with_a_remedy(
    executor: LocalExecutor, tmp_path: Path
) -> None:
    """The run fails instead of hanging, and the next one has a new launcher."""
    program: list[int] = []

    def kill_launcher(line: bytes) -> None:
        program.append(int(line))
        os.kill(launcher_pid(executor), signal.SIGKILL)

    with ExitStack() as stack:
        with pytest.raises(OptbuildError) as caught:
            executor.run(shell(f"echo $$; {LOOP}", tmp_path), on_stdout=kill_launcher)
        stack.enter_context(ended_afterwards(program[0]))

        assert caught.value.message == "optbuild's launcher process ended while sh was running"
        assert caught.value.help.startswith("run the same command again; ")
        assert executor.run(shell("echo fine", tmp_path)).stdout == b"fine\n"


def test_a_launcher_that_died_between_two_programs_is_replaced(executor: LocalExecutor, tmp_path: Path) -> None:
    """Nobody notices: nothing ran in it."""
    executor.run(shell("true", tmp_path))
    pid = launcher_pid(executor)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not runs(pid), "the launcher is dead")

    assert executor.run(shell("echo fine", tmp_path)).stdout == b"fine\n"
    assert launcher_pid(executor) != pid
