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


@dataclass(frozen=True, slots=True, kw_only=True)
class Placeholder:
    """A place in a word that is filled when the workload is planned.

    Attributes:
        kind: What it stands for.
        argument: The name of a bin, a library, an environment variable or a port; None for the default bin or library,
            for `{scratch}` and for the only port.
    """

    kind: PlaceholderKind
    argument: str | None = None


_PIECE = re.compile(r"(?P<brace>\{\{|\}\})|\{(?P<name>[^{}]*)\}|(?P<stray>[{}])|[^{}]+")
_KNOWN = "{bin}, {bin:NAME}, {lib}, {lib:NAME}, {scratch}, {port} and {env:NAME}"
_DOUBLE = "literal braces are doubled: {{ and }}"


def parse_placeholders(text: str) -> tuple[str | Placeholder, ...]:
    """Split a word into literal text and placeholders; `{{` and `}}` are literal braces.

    Raises:
        ValueError: A placeholder is unknown, or a brace stands alone.
    """
    pieces: list[str | Placeholder] = []
    for match in _PIECE.finditer(text):
        if match["stray"]:
            raise RefusedValueError(
                f"the brace {match['stray']} in `{text}` stands alone",
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


def _parse_one(name: str) -> Placeholder:
    kind, colon, argument = name.partition(":")
    match kind, bool(colon), argument:
        case ("bin" | "lib" | "scratch" | "port", False, ""):
            return Placeholder(kind=PlaceholderKind(kind))
        case ("bin" | "lib" | "env" | "port", True, str(argument)) if argument:
            return Placeholder(kind=PlaceholderKind(kind), argument=argument)
        case _:
            raise _refusal(name, kind)


def _refusal(name: str, kind: str) -> RefusedValueError:
    nearest = find_nearest(kind, PlaceholderKind)
    meant = f"did you mean {{{nearest}{':NAME' if nearest == PlaceholderKind.ENV else ''}}}? " if nearest else ""
    return RefusedValueError(
        f"unknown placeholder {{{name}}}",
        help=f"{meant}placeholders are {_KNOWN}; {_DOUBLE}",
    )
