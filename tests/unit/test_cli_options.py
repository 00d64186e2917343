from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Annotated

import pytest
import typer
from typer.core import TyperGroup
from typer.testing import CliRunner

from optbuild.cli.app import app as program
from optbuild.cli.context import CliContext
from optbuild.cli.options import Jobs, Json, MaxTime, read_duration_s, with_common_options, with_run_request
from optbuild.session.request import RunRequest


def call(*arguments: str) -> tuple[int, str, CliContext, list[dict[str, object]]]:
    """Call a command with common options; its exit code, what it printed, the context, and what it was given."""
    seen: list[dict[str, object]] = []
    app = typer.Typer(pretty_exceptions_enable=False)

    @app.command()
    @with_common_options
    def command(
        context: typer.Context,
        directory: Annotated[Path, typer.Argument()] = Path(),
        jobs: Jobs = None,
        max_time: MaxTime = None,
        as_json: Json = False,  # noqa: FBT002 - Typer makes an option of it
    ) -> None:
        """Do something."""
        seen.append({"directory": directory, "jobs": jobs, "max_time": max_time, "as_json": as_json})

    context = CliContext(argv=("optbuild",), workload=(), environ={})
    result = CliRunner().invoke(app, list(arguments), obj=context)
    return result.exit_code, result.output, context, seen


def test_durations_are_read_as_seconds() -> None:
    """An option takes what the build profile takes."""
    assert read_duration_s("1.5m") == 90.0


def test_a_wrong_duration_is_a_wrong_option() -> None:
    """Typer shows the text of the error beside the option's name."""
    with pytest.raises(typer.BadParameter, match='expected a duration such as "500ms"'):
        read_duration_s("5 minutes")
    code, output, _, seen = call("--max-time", "soon")
    assert code == 2
    assert "--max-time" in output
    assert seen == []


def test_a_command_gets_its_own_options_only() -> None:
    """Common options go into the context, so that no command passes them on."""
    code, _, context, seen = call("some", "--jobs", "3", "--max-time", "2m", "-vv", "--color", "never", "--debug")
    assert code == 0
    assert seen == [{"directory": Path("some"), "jobs": 3, "max_time": 120.0, "as_json": False}]
    assert (context.verbosity, context.colour, context.debug, context.progress) == (2, "never", True, "auto")


def test_without_options_the_defaults_hold() -> None:
    """Nothing said means: colours and progress as the terminal is."""
    code, _, context, seen = call()
    assert code == 0
    assert seen == [{"directory": Path(), "jobs": None, "max_time": None, "as_json": False}]
    assert (context.verbosity, context.colour, context.debug, context.json) == (0, "auto", False, False)


def test_quiet_wins_over_verbose() -> None:
    """Who asks for less gets less."""
    assert call("-q", "-v")[2].verbosity == -1


def test_json_is_known_to_all() -> None:
    """Errors leave as JSON as well, so the context knows."""
    _, _, context, seen = call("--json")
    assert context.json
    assert seen[0]["as_json"] is True


@pytest.mark.parametrize("arguments", [("--jobs", "0"), ("--color", "blue"), ("--progress", "much"), ("--nothing",)])
def test_wrong_options_are_usage_errors(arguments: tuple[str, ...]) -> None:
    """Nothing is run, and the exit code is 2."""
    code, _, _, seen = call(*arguments)
    assert code == 2
    assert seen == []


def test_help_shows_common_options_on_a_panel_of_their_own() -> None:
    """A command's own options come first."""
    code, output, _, _ = call("--help")
    assert code == 0
    assert "Common options" in output
    assert "--progress" in output


def test_no_help_text_has_words_that_the_renderer_takes_for_markup() -> None:
    """`[gates]` would vanish: square brackets are styles there."""
    commands = typer.main.get_group(program).commands.values()
    texts = {command.name: command.help or "" for command in commands}
    texts |= {f"{c.name} {p.name}": getattr(p, "help", None) or "" for c in commands for p in c.params}
    assert {name: text for name, text in texts.items() if re.search(r"\[[a-z/]", text)} == {}


def test_no_argument_brings_brackets_or_dots_of_its_own() -> None:
    """Typer adds them, so that `[DIR]` would be shown as `[[DIR]]`."""
    group = typer.main.get_group(program)
    fleet = group.commands["fleet"]
    assert isinstance(fleet, TyperGroup)
    commands = [*group.commands.values(), *fleet.commands.values()]
    words = {f"{c.name} {p.name}": p.metavar for c in commands for p in c.params if p.param_type_name == "argument"}
    assert len(words) > 20
    assert {name: word for name, word in words.items() if word is None or re.search(r"^\[|…|\.\.\.", word)} == {}


def test_the_wrapper_shows_all_options_to_typer() -> None:
    """Typer reads the signature: the command's own parameters, then the common ones by keyword."""

    @with_common_options
    def command(context: typer.Context, name: str = "x") -> None:
        """Do something."""

    parameters = inspect.signature(command).parameters
    assert list(parameters) == ["context", "name", "verbose", "quiet", "color", "progress", "debug"]
    assert parameters["debug"].kind is inspect.Parameter.KEYWORD_ONLY


def test_a_command_of_a_run_gets_its_options_as_one_request(tmp_path: Path) -> None:
    """What to build is said in one way by all commands that build; those without a use for an option lack it."""
    seen: list[RunRequest] = []
    app = typer.Typer(pretty_exceptions_enable=False)

    @app.command()
    @with_common_options
    @with_run_request(without=("bench",))
    def command(context: typer.Context, request: RunRequest, name: str = "x") -> None:
        """Do something."""
        seen.append(request)

    context = CliContext(argv=("optbuild", "y"), workload=("{bin}",), environ={})
    words = ["-f", str(tmp_path / "a.toml"), "--train", "a 'b c'", "--jobs", "2", "--no-wait", "--json"]
    assert CliRunner().invoke(app, words, obj=context).exit_code == 0
    request = RunRequest(
        directory=tmp_path,
        build_profile=str(tmp_path / "a.toml"),
        workload=("{bin}",),
        train=(("a", "b c"),),
        jobs=2,
        wait=False,
        command_line=("optbuild", "y"),
    )
    assert seen == [request]
    assert context.json
    assert CliRunner().invoke(app, ["--bench", "a"], obj=context).exit_code == 2
