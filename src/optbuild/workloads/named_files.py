"""The files that a workload's commands name without saying so: arguments that are paths, scripts, programs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

from optbuild.workloads.words import Word, Words

# Programs that run the script named by their first argument.
_INTERPRETER = re.compile(r"(?:python|pypy|lua|ruby|perl|php)[\d.]*|(?:ba|da|k|z)?sh|node|deno|bun|Rscript|tclsh")

_NO_SCRIPT = frozenset({"-c", "-e", "-m"})  # followed by code or by the name of a module


def find_named_path(cwd: Path, word: Word) -> Path | None:
    """The file or directory that an argument names, also as `--option=PATH`."""
    return next(filter(is_readable, _paths(cwd, word)), None)


def find_absent_paths(cwd: Path, word: Word) -> tuple[Path, ...]:
    """The missing file that an argument might name."""
    paths = _paths(cwd, word)
    return () if any(map(is_readable, paths)) else paths


def _paths(cwd: Path, word: Word) -> tuple[Path, ...]:
    """The names in an argument: all of it, or what follows a `=`."""
    if len(word) != 1 or not isinstance(word[0], str):
        return ()
    _, _, value = word[0].partition("=")
    return tuple(cwd / text for text in (word[0], value) if text)


def find_programs(cwd: Path, words: Words, scratch: Path) -> Iterator[Path]:
    """The files that a command starts, except those that the workload first creates in its scratch directory.

    Two workloads that share them do not share what they work on.
    """
    program = _literal(words[0])
    if program is None:
        return
    started = [program] if "/" in program else []
    if _INTERPRETER.fullmatch(Path(program).name):
        arguments = [_literal(word) or "" for word in words[1:]]
        options = [*takewhile(lambda text: text.startswith("-"), arguments)]
        if _NO_SCRIPT.isdisjoint(options):
            started += arguments[len(options) : len(options) + 1]
    for text in started:
        path = cwd / text
        if text and is_readable(path) and path.is_file() and not path.is_relative_to(scratch):
            yield path


def _literal(word: Word) -> str | None:
    """A word without placeholders."""
    return word[0] if len(word) == 1 and isinstance(word[0], str) else None


def is_readable(path: Path) -> bool:
    """Whether a path names a file or a directory."""
    try:
        return path.is_file() or path.is_dir()
    except (OSError, ValueError):  # neither a long argument nor one with a null is a file name
        return False
