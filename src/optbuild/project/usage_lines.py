"""How a project's own texts call its programs: command lines in a README, `usage:` in sources. Pure.

Only what can be run as it stands is taken: words, options, numbers, and files that are there or of a kind that is.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

FILE = "\0file"
"""Stands in a call for the file to read."""

_FENCE = re.compile(r"^\s*(?:```|~~~)")
_PROMPT = re.compile(r"^\s*(?:[$>%]\s+)?")
_USAGE = re.compile(r"(?i)\busage:?\s+([^\"\\\n]+)")
_OPTIONAL = re.compile(r"\[[^\[\]]*\]")
_PLACE_FOR_FILE = re.compile(
    r"(?i:<(?:[\w ]*[-_ ])?(?:file|filename|path|input|source|infile|document)s?>)(?:\.\.\.|…)?"
    r"|(?:\w+[-_])?(?:FILE|FILENAME|PATH|INPUT|SOURCE|INFILE|DOCUMENT)S?(?:\.\.\.|…)?"
)
_PLACE = re.compile(r"<.*>|\{.*\}|[A-Z][A-Z_-]+(?:\.\.\.|…)?|\.\.\.|…")
_PLAIN = re.compile(r"[A-Za-z0-9_+.,:=%@/-]+")
_PATH = re.compile(r"[^=:]*(?:/[^=:]*|\.[A-Za-z][A-Za-z0-9]{0,7})")
_OPERATORS = frozenset({"|", "||", "&&", ";", "&", ">", ">>", "2>", "2>&1", "<", "<<", "<<<"})
_NO_WORK = frozenset({"-h", "--help", "help", "-V", "--version", "version", "--list", "completions", "completion"})
# It writes, deletes, asks or never ends: nothing to be started unasked in somebody's project.
_HARM = re.compile(
    r"-(?:o|O|i|w)|--?(?:out|output|out-dir|output-dir|in-place|inplace|write|fix|delete|force|watch|interactive)(?:=.*)?"
    r"|serve|server|watch|daemon|install|uninstall|init|new|login|publish|push|rm|remove|delete|clean|purge|fix|format"
    r"|update|upgrade|self-update|edit|config"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageCall:
    """One way to call a program.

    Attributes:
        words: Its arguments; `FILE` stands where a file is to be read.
        stdin: It reads the file from standard input.
        file: The file that the text names, whether or not there is one.
        suffix: The extension of the file that the text names; empty where any will do.
        harm: The word for which nobody should start it unasked; None where there is none.
    """

    words: tuple[str, ...]
    stdin: bool = False
    file: str | None = None
    suffix: str = ""
    harm: str | None = None

    @property
    def reads_file(self) -> bool:
        """Whether it needs a file."""
        return self.stdin or FILE in self.words


def find_calls(text: str, program: str) -> tuple[UsageCall, ...]:
    """Command lines of a README that call a program, in fenced blocks or after a prompt.

    Args:
        text: Markdown.
        program: The program's name.
    """
    calls = (call for line in _command_lines(text) if (call := parse_call(line, program)) is not None)
    return tuple(dict.fromkeys(calls))


def find_usage(text: str, program: str) -> tuple[UsageCall, ...]:
    """What a source says after `usage:`; `{}` there stands for the program's name."""
    lines = (match[1].strip() for match in _USAGE.finditer(text))
    named = (re.sub(r"^\{[^{}]*\}", program, line) for line in lines)
    return tuple(dict.fromkeys(call for line in named if (call := parse_call(line, program)) is not None))


def parse_call(line: str, program: str) -> UsageCall | None:
    """Read one command line; None where it does not call the program, or leaves open what to write."""
    try:
        words = shlex.split(_OPTIONAL.sub(" ", line), comments=True)
    except ValueError:
        return None
    piped, words = _take_piped_file(words)
    arguments = _after_program(words, program)
    if arguments is None:
        return None
    arguments, redirected = _take_redirections(arguments)
    stdin_file = piped or redirected
    if arguments is None or any(word in _OPERATORS or word in _NO_WORK for word in arguments):
        return None
    return _read_arguments(arguments, stdin_file)


def _read_arguments(arguments: list[str], stdin_file: str | None) -> UsageCall | None:
    named = stdin_file
    words: list[str] = []
    for word in arguments:
        if _PLACE_FOR_FILE.fullmatch(word):
            if FILE in words or stdin_file:
                return None
            words.append(FILE)
        elif _PLACE.fullmatch(word) or not _PLAIN.fullmatch(word) or _leads_away(word):
            return None
        elif _PATH.fullmatch(word) and not word.startswith("-"):
            if named is not None:
                return None
            named = word.removeprefix("./")
            words.append(FILE)
        else:
            words.append(word)
    file = named.removeprefix("./") if named else None
    suffix = re.sub(r"^.*?(\.[A-Za-z0-9]+)?$", lambda match: match[1] or "", file or "").lower()
    harm = next((word for word in words if _HARM.fullmatch(word)), None)
    return UsageCall(words=tuple(words), stdin=stdin_file is not None, file=file, suffix=suffix, harm=harm)


def _leads_away(word: str) -> bool:
    return "://" in word or word.startswith(("/", "~")) or ".." in word.split("/")


def _command_lines(text: str) -> Iterator[str]:
    is_code = False
    held = ""
    for line in text.splitlines():
        if _FENCE.match(line):
            is_code, held = not is_code, ""
            continue
        if is_code or line.startswith("    ") or re.match(r"\s*\$ ", line):
            command = _PROMPT.sub("", line)
            if command.endswith("\\"):
                held += command[:-1] + " "
                continue
            yield held + command
            held = ""


def _take_piped_file(words: list[str]) -> tuple[str | None, list[str]]:
    """`cat FILE | program …` reads the file from standard input."""
    if len(words) > 3 and words[0] == "cat" and words[2] == "|":  # noqa: PLR2004 - the words before the program
        return words[1], words[3:]
    return None, words


def _after_program(words: list[str], program: str) -> list[str] | None:
    """The arguments, after the program's name or `cargo run … --`; None where the line runs something else."""
    if words[:2] == ["cargo", "run"]:
        options, dashes, arguments = words[2:], "--" in words, words[words.index("--") + 1 :] if "--" in words else []
        elsewhere = [options[at + 1 : at + 2] for at, word in enumerate(options) if word in {"--bin", "--example"}]
        is_ours = not elsewhere or elsewhere == [[program]]
        return arguments if dashes and is_ours and "--example" not in options else None
    if words and words[0].rpartition("/")[2] == program:
        return words[1:]
    return None


def _take_redirections(arguments: list[str]) -> tuple[list[str] | None, str | None]:
    """What is left without `< FILE` and `> FILE`, and the file of the first."""
    stdin = None
    kept: list[str] = []
    rest = iter(arguments)
    for word in rest:
        if word == "<":
            stdin = next(rest, None)
            if stdin is None:
                return None, None
        elif word == ">":
            next(rest, None)
        else:
            kept.append(word)
    return kept, stdin
