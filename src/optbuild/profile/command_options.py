"""Options for the commands on the command line: a file on standard input, and variables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from optbuild.errors import UsageError

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandOptions:
    """What every command on the command line gets.

    Attributes:
        stdin: The file that it reads from; None for nothing.
        env: Variables to set; placeholders mean the same as in the command.
        pass_env: Names of variables to take from the caller.
    """

    stdin: Path | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    pass_env: tuple[str, ...] = ()

    def require_command(self, *, given: bool) -> None:
        """Refuse options without effect.

        Args:
            given: The command line has a command.

        Raises:
            UsageError: It has none.
        """
        if not given and self != CommandOptions():
            option, keys = ("--env", "`env` or `pass-env`") if self.stdin is None else ("--stdin", "`stdin`")
            raise UsageError(
                f"{option} needs a command on the command line, and there is none",
                help=f"write {keys} into the [[workloads]] of optbuild.toml, or name a command after `--`",
            )


def parse_command_options(
    stdin: Path | None, variables: Iterable[str] | None, environ: Mapping[str, str]
) -> CommandOptions:
    """Read `--stdin FILE` and each `--env NAME[=VALUE]`.

    Args:
        stdin: The file, its path absolute.
        variables: As written.
        environ: The caller's environment.

    Raises:
        UsageError: A name is invalid, or the caller has no such variable.
    """
    env, pass_env = {}, []
    for text in variables or ():
        name, equals, value = text.partition("=")
        if not _NAME.fullmatch(name):
            raise UsageError(f"--env {text!r} does not name a variable", help="write --env NAME=VALUE, or --env NAME")
        if equals:
            env[name] = value
        elif name in environ:
            pass_env.append(name)
        else:
            raise UsageError(f"--env {name}: that variable is not set here", help=f"give its value: --env {name}=VALUE")
    return CommandOptions(stdin=stdin, env=env, pass_env=tuple(pass_env))
