"""Refuse parts of a command that are for a shell, since none runs it; each error names the key that does the same.

Not for placeholders. A text is split as a shell splits it; quoted parts go to the program. A shell has already removed
the quotes of words after `--`: of these, only what is hardly meant for a program is refused.
"""

from __future__ import annotations

import glob
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from optbuild.errors import UsageError

_QUOTED = "\0"
_QUOTES = re.compile(r"""'[^']*'|"(?:\\.|[^"\\])*"|\\.""", re.DOTALL)
_WORD = re.compile(r"[^ \t\r\n]+")
_EXPANSION = re.compile(r"(?<!\\)(?:\$[A-Za-z_{(]|`)")
_ASSIGNMENT = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)=.*", re.DOTALL)
_REDIRECTION = re.compile(r"&>>?|\d*(?:<<<|<<|<>|<|>>|>\||>)(?:&\d|/dev/null)?")

_JOINS = "make each command a separate workload, or let one script do it all: sh -c '…'"
_PIPE = "write the data to a file and name that: --stdin FILE, or `stdin` in optbuild.toml"
_INPUT = "name the file by --stdin FILE, or by `stdin` of each workload in optbuild.toml"
_OUTPUT = "leave it out: optbuild writes a workload's output to a file, and compares it"
_PATTERN = "name the files one by one, or let a shell expand them: sh -c '{bin} data/*.txt'"
_VARIABLE = "write {env:NAME} for the value of a variable; use a script for the rest: sh -c '…'"

_IN_TEXT = (
    (re.compile(r"&&|\|\||;|&$"), _JOINS),
    (re.compile(r"\|"), _PIPE),
    (re.compile(r"<"), _INPUT),
    (re.compile(r">"), _OUTPUT),
    (_EXPANSION, _VARIABLE),
    (re.compile(r"^~(?:/|$)"), "write {env:HOME} instead"),
    (re.compile(r"\*"), _PATTERN),
)
"""What a shell would act on in an unquoted word; the first match counts."""


def split_command(text: str, directory: Path) -> tuple[str, ...]:
    """Split a command as a shell splits words.

    Args:
        text: The value of an option.
        directory: Where the command runs.

    Raises:
        UsageError: A quote is not closed, or part of it is for a shell.
    """
    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise UsageError(f"cannot split {text!r} into words: {error}", help="close every quote") from error
    _refuse_assignment(_bare_words(text)[:1], words)
    for word, bare in zip(words, _bare_words(text), strict=True):
        found = next(((match[0], remedy) for pattern, remedy in _IN_TEXT if (match := pattern.search(bare))), None)
        if found is None and set("?[") & set(bare) and _names_files(word, directory):
            found = (word, _PATTERN)
        if found is not None:
            sign, remedy = found
            raise UsageError(
                f"`{sign}` in {text!r} is for a shell, and commands are run without one",
                help=f"{remedy}; quote it if it is meant for the program itself",
            )
    return words


def require_no_shell(words: tuple[str, ...], directory: Path) -> None:
    """Refuse words after `--` that only a shell could handle.

    Args:
        words: The command.
        directory: Where it runs.

    Raises:
        UsageError: A word is an operator of shells, a variable before the program, or a pattern of files.
    """
    _refuse_assignment(words[:1], words)
    for sign, remedy in _foreign_words(words, directory):
        raise UsageError(
            f"the word `{sign}` after `--` is for a shell, and commands are run without one",
            help=f"{remedy}; if it is meant for the program itself, write the command into optbuild.toml",
        )


def _foreign_words(words: tuple[str, ...], directory: Path) -> Iterator[tuple[str, str]]:
    for before, word in zip(("", *words), words, strict=False):
        if word in {"&&", "||"}:
            yield word, _JOINS
        elif word in {"|", "|&"}:
            yield word, _PIPE
        elif _REDIRECTION.fullmatch(word):
            yield word, _INPUT if "<" in word else _OUTPUT
        # The value of an option may be a pattern for the program itself: `--glob '*.rs'`.
        elif set("*?[") & set(word) and not before.startswith("-") and _is_path(word) and _names_files(word, directory):
            yield word, _PATTERN


def _refuse_assignment(first: tuple[str, ...] | list[str], words: tuple[str, ...]) -> None:
    for bare in first:
        if match := _ASSIGNMENT.fullmatch(bare):
            raise UsageError(
                f"the command begins with the variable {match['name']}, which a shell would set",
                help=f"set it with an option: --env {shlex.quote(words[0])}; or by `env` in optbuild.toml",
            )


def _bare_words(text: str) -> list[str]:
    """The words of a text; one sign replaces each quoted part, except what shells expand within quotes."""
    return _WORD.findall(_QUOTES.sub(_bare, text))


def _bare(match: re.Match[str]) -> str:
    return _QUOTED + "".join(_EXPANSION.findall(match[0]) if match[0].startswith('"') else ())


def _is_path(word: str) -> bool:
    return "/" in word or word.startswith("*.")


def _names_files(pattern: str, directory: Path) -> bool:
    return any(glob.iglob(pattern, root_dir=directory))  # noqa: PTH207 - a pattern may be absolute
