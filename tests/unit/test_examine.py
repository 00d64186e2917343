from __future__ import annotations

import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path

import pytest

from optbuild.errors import ToolchainError, WorkloadError
from optbuild.events import Level
from optbuild.execution.command import Command
from optbuild.measure.machine_checks import check_machine
from optbuild.session.examine import examine_measuring
from optbuild.session.request import Machine
from optbuild.testing import Reply, ScriptedExecutor, make_usage
from optbuild.toolchain.model import Finding


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with one program, and a temporary directory of its own."""
    for name in ("bin", "tmp"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    program = tmp_path / "bin" / "md5sum"
    program.write_text("")
    program.chmod(0o755)
    return tmp_path / "bin"


def examine(tools: Path, answer: Callable[[Command], Reply]) -> tuple[tuple[Finding, ...], ScriptedExecutor]:
    """Examine a machine on which programs run like this, and on which no time passes but theirs."""
    now_s = 0.0

    def run(command: Command) -> Reply:
        nonlocal now_s
        reply = answer(command)
        now_s += reply.usage.wall_s
        return reply

    executor = ScriptedExecutor(run)
    machine = Machine(
        executor=executor,
        emit=lambda _: None,
        environ={"PATH": str(tools)},
        working_directory=tools,
        now=lambda: datetime(2030, 1, 1, tzinfo=UTC),
        platform="linux",
    )
    return examine_measuring(machine, clock=lambda: now_s), executor


def steady(_: Command) -> Reply:
    """A program that always takes the same time."""
    return Reply(usage=make_usage(wall_s=0.05))


def test_precision_stands_below_what_the_machine_tells(tools: Path) -> None:
    """A quiet machine is good: the program, how long it runs and how many rounds that rests on are told."""
    findings, _ = examine(tools, steady)
    *checks, precision = findings
    assert [finding.subject for finding in checks] == [check.name for check in check_machine()]
    assert (precision.subject, precision.level, precision.remedy) == ("precision", Level.INFO, "")
    assert precision.message.startswith("±0.00% in one minute, estimated from 10 rounds of md5sum (50 ms a run)")


def test_a_machine_that_scatters_is_warned_about(tools: Path) -> None:
    """Half as long again every few runs: a minute would not reach one percent, and the remedies are told."""
    durations = cycle([2.9, 3.3, 2.4, 3.9, 2.7, 4.4, 3.0])
    findings, _ = examine(tools, lambda _: Reply(usage=make_usage(wall_s=next(durations) / 10)))
    precision = findings[-1]
    assert precision.level is Level.WARNING
    assert "--max-time" in precision.remedy
    assert "instructions" in precision.remedy


def test_a_machine_that_is_too_slow_is_not_guessed_about(tools: Path) -> None:
    """Where no round fits into the time, nothing is foreseen."""
    findings, executor = examine(tools, lambda _: Reply(usage=make_usage(wall_s=30.0)))
    assert findings[-1].level is Level.WARNING
    assert findings[-1].message.startswith("too few rounds for an estimate in one minute, estimated from 0 rounds")
    assert len(executor.commands) == 2, "the two that told how slow it is"


def test_the_program_runs_from_copies_on_a_file_of_its_own(tools: Path) -> None:
    """What is measured is the program against its copy; nothing is left behind."""
    _, executor = examine(tools, steady)
    places = {Path(command.argv[0]).parent.name for command in executor.commands[2:]}
    assert places == {"000", "001"}
    assert len({command.argv[1] for command in executor.commands}) == 1
    assert list((tools.parent / "tmp").iterdir()) == []


def test_a_machine_without_a_known_program_is_told_which(tools: Path) -> None:
    """None of those that every system has is there."""
    (tools / "md5sum").unlink()
    with pytest.raises(ToolchainError, match="no program for a trial measurement") as caught:
        examine(tools, steady)
    assert caught.value.help == "install one of: sha256sum, shasum, md5sum, cksum"


def test_a_program_that_fails_ends_it(tools: Path) -> None:
    """Nothing is left behind then either."""
    with pytest.raises(WorkloadError):
        examine(tools, lambda _: Reply(exit_code=1))
    assert list((tools.parent / "tmp").iterdir()) == []
