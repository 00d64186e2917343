from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
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


def test_a_counted_command_runs_in_its_own_place(tmp_path: Path, callgrind: InstructionCounter) -> None:
    """Directory, environment, streams and timeout are those of the command."""
    command = make_command("/p/demo", "small.txt", env={"LANG": "C"}, timeout_s=10.0)
    counted = callgrind.counted(command, tmp_path / "count")
    assert counted.argv[0] == callgrind.path
    assert counted.argv[-2:] == ("/p/demo", "small.txt")
    assert replace(counted, argv=command.argv) == command


def test_all_processes_of_a_command_are_counted_together(tmp_path: Path, callgrind: InstructionCounter) -> None:
    """A script that starts the program writes a file of its own; where nothing was written, nothing was counted."""
    for name, count in (("count.12", 100), ("count.13", 23), ("other.12", 1)):
        (tmp_path / name).write_text(f"summary: {count}\n")
    assert callgrind.read(tmp_path / "count") == 123
    (tmp_path / "count.14").write_text("# callgrind format\n")
    with pytest.raises(ValueError, match="callgrind counted no instructions"):
        callgrind.read(tmp_path / "count")


def test_what_another_run_has_written_is_not_read(tmp_path: Path, callgrind: InstructionCounter) -> None:
    """A counter that writes nothing has counted nothing."""
    (tmp_path / "count.12").write_text(CALLGRIND_COUNTS)
    callgrind.counted(make_command(), tmp_path / "count")
    with pytest.raises(ValueError, match="callgrind counted no instructions"):
        callgrind.read(tmp_path / "count")


@pytest.mark.parametrize("reply", [Reply(exit_code=1), Reply(exit_code=-15, timed_out=True)])
def test_a_trial_that_is_cut_short_is_no_way_to_count(tmp_path: Path, reply: Reply) -> None:
    """A counter that is stopped writes how far it came: that number is not the program's."""

    def answer(command: Command) -> Reply:
        output = Path(next(word for word in command.argv if "out-file" in word).partition("=")[2])
        return replace(reply, writes={output: CALLGRIND_COUNTS.encode()})

    environ = install(tmp_path, "valgrind")
    assert find_counter(ScriptedExecutor(answer), environ, tmp_path) == (
        f"perf is not installed; callgrind ended with {reply.exit_code}"
    )


def test_what_is_not_worth_trying_is_given_untried(tmp_path: Path) -> None:
    """Starting valgrind takes a second, and there may be no time for its counting."""
    executor = counting(perf=PERF_DOES_NOT)
    counter = find_counter(executor, install(tmp_path, "perf", "valgrind"), tmp_path, lambda _: False)
    assert isinstance(counter, InstructionCounter)
    assert counter.name == "callgrind", "perf is tried in any case: that takes milliseconds"
    assert len(executor.commands) == 1
