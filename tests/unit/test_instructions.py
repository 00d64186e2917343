from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from optbuild.execution.command import Command, ProgramNotFoundError
from optbuild.measure.instructions import InstructionCounter, find_counter
from optbuild.testing import Answer, Reply, ScriptedExecutor, make_command

PERF_COUNTS = "# started on Mon Nov 23 09:24:06 2026\n\n130291,,instructions:u,1,100.00,,\n"
PERF_DOES_NOT = PERF_COUNTS.replace("130291", "<not supported>")
CALLGRIND_COUNTS = "# callgrind format\nsummary: 140302\n"


def install(directory: Path, *names: str) -> Mapping[str, str]:
    """An environment whose PATH holds these programs."""
    for name in names:
        (directory / name).write_text("")
        (directory / name).chmod(0o755)
    return {"PATH": str(directory), "LANG": "C"}


def counting(**outputs: str) -> ScriptedExecutor:
    """Counters that write this when they are run."""

    def answer(command: Command) -> Answer:
        program = Path(command.argv[0]).name
        if program == "perf":
            output = command.argv[command.argv.index("--output") + 1]
        else:
            output = next(word for word in command.argv if "out-file" in word).partition("=")[2]
        return Reply(writes={Path(output): outputs[program].encode()} if program in outputs else {})

    return ScriptedExecutor(answer)


def found(executor: ScriptedExecutor, environ: Mapping[str, str], scratch: Path) -> InstructionCounter:
    """The counter, which must be there."""
    counter = find_counter(executor, environ, scratch)
    assert isinstance(counter, InstructionCounter), counter
    return counter


def test_perf_is_taken_where_it_counts(tmp_path: Path) -> None:
    """It is exact and costs nothing; valgrind is not even tried."""
    executor = counting(perf=PERF_COUNTS, valgrind=CALLGRIND_COUNTS)
    counter = found(executor, install(tmp_path, "perf", "valgrind"), tmp_path)
    assert (counter.name, counter.path, counter.slowdown) == ("perf", str(tmp_path / "perf"), 1.0)
    (trial,) = executor.commands
    assert trial.argv[-1] == "true"


def test_callgrind_is_taken_where_perf_does_not_count(tmp_path: Path) -> None:
    """Virtual machines have no counters, and perf says so only when it is tried."""
    executor = counting(perf=PERF_DOES_NOT, valgrind=CALLGRIND_COUNTS)
    counter = found(executor, install(tmp_path, "perf", "valgrind"), tmp_path)
    assert counter.name == "callgrind"
    assert counter.slowdown > 1
    assert len(executor.commands) == 2


def test_callgrind_is_taken_where_there_is_no_perf(tmp_path: Path) -> None:
    """One of them is enough."""
    counter = found(counting(valgrind=CALLGRIND_COUNTS), install(tmp_path, "valgrind"), tmp_path)
    assert counter.path == str(tmp_path / "valgrind")


def test_without_either_there_is_a_reason(tmp_path: Path) -> None:
    """Nothing is run then."""
    executor = counting()
    environ = install(tmp_path)
    assert find_counter(executor, environ, tmp_path) == "perf is not installed; valgrind is not installed"
    assert executor.commands == []


def test_each_of_them_has_its_own_reason(tmp_path: Path) -> None:
    """All that was tried is told: what would help may be the other one."""
    environ = install(tmp_path, "perf", "valgrind")
    assert find_counter(counting(perf=PERF_DOES_NOT, valgrind="# callgrind format\n"), environ, tmp_path) == (
        "perf: instructions not supported; callgrind counted no instructions"
    )
    assert find_counter(counting(), environ, tmp_path) == (
        "perf counted no instructions; callgrind counted no instructions"
    )


def test_a_counter_that_cannot_be_started_is_a_reason(tmp_path: Path) -> None:
    """It may be there and be of another machine."""
    executor = ScriptedExecutor(lambda command: ProgramNotFoundError(command.argv[0], "Exec format error"))
    assert find_counter(executor, install(tmp_path, "perf"), tmp_path) == (
        "perf cannot be run: Exec format error; valgrind is not installed"
    )


@pytest.fixture
def callgrind(tmp_path: Path) -> InstructionCounter:
    """Callgrind, as it is found on a machine without perf."""
    return found(counting(valgrind=CALLGRIND_COUNTS), install(tmp_path, "valgrind"), tmp_path)


def test_a_count_runs_the_command_once_in_its_own_place(tmp_path: Path, callgrind: InstructionCounter) -> None:
    """Directory, environment and streams are those of the command; its time is longer as counting is slower."""
    executor = counting(valgrind=CALLGRIND_COUNTS)
    command = make_command("/p/demo", "small.txt", env={"LANG": "C"}, timeout_s=10.0)
    assert callgrind.count(command, executor, tmp_path / "count") == 140302
    (run,) = executor.commands
    assert run.argv[-2:] == ("/p/demo", "small.txt")
    assert (run.cwd, run.env, run.stdout) == (command.cwd, command.env, command.stdout)
    assert run.timeout_s == 10.0 * callgrind.slowdown
    callgrind.count(make_command("/p/demo"), executor, tmp_path / "count")
    assert executor.commands[-1].timeout_s is None


def test_what_another_run_has_written_is_not_read(tmp_path: Path, callgrind: InstructionCounter) -> None:
    """A counter that writes nothing has counted nothing."""
    (tmp_path / "count").write_text(CALLGRIND_COUNTS)
    with pytest.raises(ValueError, match="callgrind counted no instructions"):
        callgrind.count(make_command(), counting(), tmp_path / "count")


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(exit_code=-15, timed_out=True), "took longer than 10 min 00 s by callgrind"),
        (Reply(exit_code=1), "ended with 1 by callgrind"),
        (Reply(exit_code=-4), "ended with -4 by callgrind"),
    ],
)
def test_a_run_that_was_cut_short_has_no_count(
    tmp_path: Path, callgrind: InstructionCounter, reply: Reply, reason: str
) -> None:
    """A counter that is stopped writes how far it came: that number is not the program's."""
    output = tmp_path / "count"
    stopped = Reply(exit_code=reply.exit_code, timed_out=reply.timed_out, writes={output: CALLGRIND_COUNTS.encode()})
    with pytest.raises(ValueError, match=f"^{reason}$"):
        callgrind.count(make_command(timeout_s=10.0), ScriptedExecutor([stopped]), output)
