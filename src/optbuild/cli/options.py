"""Options that several commands share, each declared once."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from optbuild.cli.context import CliContext, find_working_directory
from optbuild.units import parse_duration_s, parse_ratio

if TYPE_CHECKING:
    from optbuild.profile.command_options import CommandOptions
    from optbuild.session.request import RunRequest

_COMMON = "Common options"


def read_duration_s(text: str) -> float:
    """Read a duration for Typer, which shows the text of a ValueError."""
    try:
        return parse_duration_s(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def split_commands(commands: list[str] | None) -> tuple[tuple[str, ...], ...]:
    """Split commands as a shell splits words; no shell is involved."""
    from optbuild.profile.shell_words import split_command

    return tuple(split_command(command, find_working_directory()) for command in commands or ())


def command_options(call: CliContext, stdin: Path | None, env: list[str] | None) -> CommandOptions:
    """What every command of the command line is given."""
    from optbuild.profile.command_options import parse_command_options

    return parse_command_options(absolute(stdin), env, call.environ)


def start_directory(build_profile: str | None) -> Path:
    """Where to look for the project: next to a named build profile, else here."""
    if build_profile is None or build_profile.startswith("preset:"):
        return Path()
    return Path(build_profile).parent


def absolute(path: Path | None) -> Path | None:
    """A path from the caller's directory; symlinks are resolved."""
    return None if path is None else path.resolve()


def read_ratio(text: str) -> float:
    """Read a ratio for Typer: `1%` or `0.01`, above zero."""
    try:
        ratio = parse_ratio(text if str(text).strip().endswith("%") else float(text))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    if ratio == 0:
        raise typer.BadParameter("expected a ratio above zero")
    return ratio


def read_precision(text: str) -> float | None:
    """Read a precision for Typer: `auto` is None, anything else a ratio."""
    return None if text == "auto" else read_ratio(text)


def own_max_time(help_text: str) -> Any:  # noqa: ANN401 - what Typer's functions return
    """`--max-time` of a command where it is not the budget for all measuring."""
    return typer.Option("--max-time", metavar="TIME", parser=read_duration_s, help=help_text)


Directory = Annotated[Path, typer.Argument(metavar="DIR", help="The Cargo project.", show_default="here")]
BuildProfile = Annotated[
    str | None,
    typer.Option(
        "--build-profile", "-f", metavar="FILE", help="A build profile, or preset:NAME.", rich_help_panel=_COMMON
    ),
]
Train = Annotated[
    list[str] | None, typer.Option("--train", metavar="CMD", help="Train with this command instead; repeatable.")
]
Bench = Annotated[
    list[str] | None, typer.Option("--bench", metavar="CMD", help="Benchmark with this command instead; repeatable.")
]
Stdin = Annotated[
    Path | None, typer.Option("--stdin", metavar="FILE", help="The file that these commands read on standard input.")
]
Env = Annotated[
    list[str] | None,
    typer.Option(
        "--env", metavar="NAME[=VALUE]", help="Set a variable for these commands, or pass yours on; repeatable."
    ),
]
Out = Annotated[
    Path | None, typer.Option("--out", metavar="DIR", help="The directory for the binaries.", rich_help_panel=_COMMON)
]
Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        "-j",
        min=1,
        metavar="N",
        help="Jobs of all builds together; 1 builds one after the other.",
        rich_help_panel=_COMMON,
    ),
]
KeepGoing = Annotated[
    bool, typer.Option("--keep-going", help="Continue with other variants when one fails.", rich_help_panel=_COMMON)
]
MaxTime = Annotated[
    float | None,
    typer.Option(
        "--max-time", metavar="TIME", parser=read_duration_s, help="Budget for all measuring.", rich_help_panel=_COMMON
    ),
]
Precision = Annotated[
    float | None,
    typer.Option(
        "--precision",
        metavar="RATIO|auto",
        parser=read_precision,
        help="Half-width of the interval to aim for; auto: the larger of 1% and a tenth of the change.",
        show_default="auto",
    ),
]
MinEffect = Annotated[
    float,
    typer.Option(
        "--min-effect", metavar="RATIO", parser=read_ratio, help="The smallest change that matters: the margin."
    ),
]
CrossValidate = Annotated[
    bool,
    typer.Option(
        "--cross-validate",
        help="Leave each training workload out in turn, and measure the gain that remains on it; costs builds.",
    ),
]
OneWorkload = Annotated[
    str | None, typer.Option("--workload", metavar="NAME", help="Run only this one; default: all benchmarks.")
]
AllowDebug = Annotated[bool, typer.Option("--allow-debug", help="Measure even what is built without optimisation.")]
Fresh = Annotated[bool, typer.Option("--fresh", help="Reuse no earlier result.", rich_help_panel=_COMMON)]
NoWait = Annotated[
    bool, typer.Option("--no-wait", help="Fail when another run holds the project.", rich_help_panel=_COMMON)
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.", rich_help_panel=_COMMON)]
Output = Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write to a file.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing.", rich_help_panel=_COMMON)]


class Colour(StrEnum):
    """When to write colours."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


class ProgressMode(StrEnum):
    """How to show progress."""

    AUTO = "auto"
    BAR = "bar"
    PLAIN = "plain"
    NONE = "none"


_EVERYWHERE: dict[str, Any] = {
    "verbose": Annotated[
        int,
        typer.Option(
            "--verbose",
            "-v",
            count=True,
            help="Show each command and its log.",
            show_default=False,
            rich_help_panel=_COMMON,
        ),
    ],
    "quiet": Annotated[bool, typer.Option("--quiet", "-q", help="Say less.", rich_help_panel=_COMMON)],
    "color": Annotated[Colour, typer.Option("--color", help="Colours.", rich_help_panel=_COMMON)],
    "progress": Annotated[ProgressMode, typer.Option("--progress", help="Progress.", rich_help_panel=_COMMON)],
    "debug": Annotated[bool, typer.Option("--debug", help="Show tracebacks.", rich_help_panel=_COMMON)],
}
_DEFAULTS = {"verbose": 0, "quiet": False, "color": Colour.AUTO, "progress": ProgressMode.AUTO, "debug": False}


def with_common_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that every command has; they go into the context, not to the command."""

    @functools.wraps(command)
    def wrapper(context: typer.Context, **values: Any) -> None:  # noqa: ANN401 - whatever the command declares
        shared = {name: values.pop(name) for name in _EVERYWHERE}
        call: CliContext = context.obj
        call.verbosity = -1 if shared["quiet"] else shared["verbose"]
        call.colour, call.progress, call.debug = str(shared["color"]), str(shared["progress"]), shared["debug"]
        call.json = bool(values.get("as_json", False))
        command(context, **values)

    return _declare(wrapper, command, {name: (hint, _DEFAULTS[name]) for name, hint in _EVERYWHERE.items()})


_OF_A_RUN: dict[str, tuple[Any, object]] = {
    "build_profile": (BuildProfile, None),
    "train": (Train, None),
    "bench": (Bench, None),
    "stdin": (Stdin, None),
    "env": (Env, None),
    "out": (Out, None),
    "jobs": (Jobs, None),
    "max_time": (MaxTime, None),
    "cross_validate": (CrossValidate, False),
    "allow_debug": (AllowDebug, False),
    "keep_going": (KeepGoing, False),
    "fresh": (Fresh, False),
    "no_wait": (NoWait, False),
    "as_json": (Json, False),
}


def with_run_request(*, without: tuple[str, ...] = ()) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options that say what to build, how, and for how long, except those without a use for it.

    The command gets them as its parameter `request`.
    """
    added = {name: option for name, option in _OF_A_RUN.items() if name not in without}

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def wrapper(context: typer.Context, **values: Any) -> None:  # noqa: ANN401 - whatever the command declares
            given = {name: values.pop(name) for name in added}
            command(context, request=_make_run_request(context.obj, **given), **values)

        return _declare(wrapper, command, added)

    return decorate


def _make_run_request(
    call: CliContext,
    *,
    build_profile: str | None,
    jobs: int | None,
    stdin: Path | None = None,
    env: list[str] | None = None,
    out: Path | None = None,
    train: list[str] | None = None,
    bench: list[str] | None = None,
    max_time: float | None = None,
    cross_validate: bool = False,
    allow_debug: bool = False,
    keep_going: bool = False,
    fresh: bool = False,
    no_wait: bool = False,
    as_json: bool = False,
) -> RunRequest:
    from optbuild.session.request import RunRequest

    return RunRequest(
        directory=start_directory(build_profile),
        build_profile=build_profile,
        workload=call.workload,
        train=split_commands(train),
        bench=split_commands(bench),
        command_options=command_options(call, stdin, env),
        out=absolute(out),
        jobs=jobs,
        max_time_s=max_time,
        cross_validate=cross_validate,
        allow_debug=allow_debug,
        keep_going=keep_going,
        fresh=fresh,
        wait=not no_wait,
        command_line=call.argv,
    )


def _declare(
    wrapper: Callable[..., None], command: Callable[..., None], added: Mapping[str, tuple[Any, object]]
) -> Callable[..., None]:
    """Show Typer a command's own options first, then the added ones."""
    hints = get_type_hints(command, localns={"RunRequest": object}, include_extras=True)
    own = [item for name, item in inspect.signature(command).parameters.items() if name != "request"]
    resolved = [item.replace(annotation=hints[item.name]) for item in own]
    resolved += [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hint)
        for name, (hint, default) in added.items()
    ]
    wrapper.__signature__ = inspect.Signature(resolved)  # type: ignore[attr-defined]  # what Typer reads
    wrapper.__annotations__ = {item.name: item.annotation for item in resolved}
    return wrapper
