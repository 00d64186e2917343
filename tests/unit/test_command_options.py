from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from optbuild.cli.machine import has_input, with_absolute_directories
from optbuild.errors import UsageError
from optbuild.profile.command_options import CommandOptions, parse_command_options
from optbuild.profile.load import command_line_workload
from optbuild.profile.workloads import Use


def test_a_variable_has_a_value_of_its_own_or_the_caller_s() -> None:
    """The value may hold anything, an equals sign too; without one the caller's is taken when the workload runs."""
    options = parse_command_options(None, ["A=x=y", "B=", "C"], {"C": "z"})
    assert options == CommandOptions(env={"A": "x=y", "B": ""}, pass_env=("C",))


@pytest.mark.parametrize("word", ["", "=1", "1A=2", "A B=1", "UNSET"])
def test_a_variable_that_cannot_be_passed_is_refused(word: str) -> None:
    """Left out in silence, it would be missed in the program."""
    with pytest.raises(UsageError, match="--env") as caught:
        parse_command_options(None, [word], {})
    assert "--env" in (caught.value.help or "")


def test_a_command_is_given_what_options_say(tmp_path: Path) -> None:
    """Braces in a path are literal; those in a value are as in the command."""
    options = CommandOptions(stdin=tmp_path / "{a}", env={"D": "{scratch}/{x}"}, pass_env=("HOME",))
    workload = command_line_workload(["{bin}"], Use, tmp_path, options=options)
    assert workload.stdin == f"{tmp_path}/{{{{a}}}}"
    assert (workload.env, workload.pass_env) == ({"D": "{scratch}/{{x}}"}, ("HOME",))


@pytest.mark.parametrize(
    ("options", "key"),
    [(CommandOptions(stdin=Path("x")), "stdin"), (CommandOptions(env={"A": "1"}), "pass-env")],
)
def test_options_without_a_command_name_the_key(options: CommandOptions, key: str) -> None:
    """The workloads of a build profile say it themselves."""
    with pytest.raises(UsageError, match="there is none") as caught:
        options.require_command(given=False)
    assert key in (caught.value.help or "")
    options.require_command(given=True)
    CommandOptions().require_command(given=False)


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """Both ends of a pipe."""
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def test_a_pipe_has_input_when_something_is_in_it(pipe: tuple[int, int]) -> None:
    """It is asked without reading and without waiting."""
    reading, writing = pipe
    assert not has_input(reading)
    os.write(writing, b"data")
    assert has_input(reading)
    assert os.read(reading, 9) == b"data"
    assert not has_input(reading)


def test_a_file_has_input_until_its_end(tmp_path: Path) -> None:
    """The null device and an empty file have none."""
    (tmp_path / "data").write_text("data")
    with (tmp_path / "data").open("rb", buffering=0) as file:
        assert has_input(file.fileno())
        file.read()
        assert not has_input(file.fileno())
    with Path(os.devnull).open("rb") as file:
        assert not has_input(file.fileno())


def test_directories_in_variables_are_those_that_the_user_sees(tmp_path: Path) -> None:
    """Cargo is called in the project, where a relative directory would be another one."""
    environ = {
        "CARGO_HOME": "/home/.cargo",
        "CARGO_TARGET_DIR": "out",
        "CARGO_BUILD_TARGET_DIR": "",
        "CARGO_BUILD_BUILD_DIR": "{cargo-cache-home}/b",
        "X": "y",
    }
    assert with_absolute_directories(environ, tmp_path) == {**environ, "CARGO_TARGET_DIR": str(tmp_path / "out")}
