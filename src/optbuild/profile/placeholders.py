"""The placeholders of a workload's words, such as `{bin}`; not for what they stand for: the planner knows that."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from optbuild.profile.faults import RefusedValueError, find_nearest


class PlaceholderKind(StrEnum):
    """What a placeholder stands for."""

    BIN = "bin"
    LIB = "lib"
    SCRATCH = "scratch"
    ENV = "env"
    PORT = "port"
    WHEEL = "wheel"
    PYTHON = "python"


@dataclass(frozen=True, slots=True, kw_only=True)
class Placeholder:
    """A place in a word that planning the workload fills.

    Attributes:
        kind: What it stands for.
        argument: The name of a bin, a library, an environment variable or a port; None for the default bin or library,
            for `{scratch}`, the only port, the wheel and its Python.
    """

    kind: PlaceholderKind
    argument: str | None = None


_PIECE = re.compile(r"(?P<brace>\{\{|\}\})|\{(?P<name>[^{}]*)\}|(?P<stray>[{}])|[^{}]+")
_WRITTEN = re.compile(r"\{(?P<kind>[A-Za-z]+)(?P<colon>:?)(?P<argument>[A-Za-z0-9_][A-Za-z0-9_.-]*)?\}")
_KNOWN = "{bin}, {bin:NAME}, {lib}, {lib:NAME}, {scratch}, {port}, {wheel}, {python} and {env:NAME}"
_DOUBLE = "literal braces are doubled: {{ and }}"
_IN_FILE = f"for literal braces here, write the command into optbuild.toml, where {_DOUBLE}"


def parse_placeholders(text: str) -> tuple[str | Placeholder, ...]:
    """Split a word into literal text and placeholders; `{{` and `}}` are literal braces.

    Raises:
        ValueError: A placeholder is unknown, or a brace has no partner.
    """
    pieces: list[str | Placeholder] = []
    for match in _PIECE.finditer(text):
        if match["stray"]:
            raise RefusedValueError(
                f"the brace {match['stray']} in `{text}` has no partner",
                help=f"{_DOUBLE}; placeholders are {_KNOWN}",
            )
        if match["name"] is not None:
            pieces.append(_parse_one(match["name"]))
            continue
        literal = match["brace"][0] if match["brace"] else match.group()
        match pieces:
            case [*_, str(before)]:
                pieces[-1] = before + literal
            case _:
                pieces.append(literal)
    return tuple(pieces)


def double_braces(text: str) -> str:
    """Convert a word as users type it for `parse_placeholders`: only braces of a placeholder are not literal.

    Raises:
        RefusedValueError: Something that looks like a placeholder is not one, or is within further braces.
    """
    written, end = "", 0
    for match in _WRITTEN.finditer(text):
        if find_nearest(match["kind"], PlaceholderKind) is None or bool(match["colon"]) != bool(match["argument"]):
            continue
        _parse_one(match.group()[1:-1], _IN_FILE)
        if text[: match.start()].endswith("{") and text[match.end() :].startswith("}"):
            raise RefusedValueError(
                f"{{{match.group()}}} could be a placeholder in braces, or literal braces",
                help=_IN_FILE,
            )
        written += literal_text(text[end : match.start()]) + match.group()
        end = match.end()
    return written + literal_text(text[end:])


def literal_text(text: str) -> str:
    """A text for `parse_placeholders` without placeholders."""
    return text.replace("{", "{{").replace("}", "}}")


def _parse_one(name: str, remedy: str = _DOUBLE) -> Placeholder:
    kind, colon, argument = name.partition(":")
    match kind, bool(colon), argument:
        case ("bin" | "lib" | "scratch" | "port" | "wheel" | "python", False, ""):
            return Placeholder(kind=PlaceholderKind(kind))
        case ("bin" | "lib" | "env" | "port", True, str(argument)) if argument:
            return Placeholder(kind=PlaceholderKind(kind), argument=argument)
        case _:
            raise _refusal(name, kind, remedy)


def _refusal(name: str, kind: str, remedy: str) -> RefusedValueError:
    nearest = find_nearest(kind, PlaceholderKind)
    meant = f"did you mean {{{nearest}{':NAME' if nearest == PlaceholderKind.ENV else ''}}}? " if nearest else ""
    return RefusedValueError(
        f"unknown placeholder {{{name}}}",
        help=f"{meant}placeholders are {_KNOWN}; {remedy}",
    )
