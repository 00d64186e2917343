"""The one place that makes foreign text safe to show: what workloads, compilers and file names may contain.

Also for the form of text files that belong to somebody else.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_COLOUR = re.compile(r"\x1b\[[0-9;:]*m")
# C0 except tab and newline, DEL and C1, bidirectional controls, line and paragraph separators, lone surrogates.
_UNSAFE_CLASS = r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
_UNSAFE = re.compile(_UNSAFE_CLASS)
_UNSAFE_OR_COLOUR = re.compile(f"{_COLOUR.pattern}|{_UNSAFE_CLASS}")

# What CI systems take for a command: `::` at the start of a line, ignoring blanks, and `##[` or `##vso[` anywhere in
# it. Colour sequences and invisible characters in between do not prevent that: they may be gone by the time it is read.
# Sources: `ActionCommand.TryParseV2` and `TryParse` in github.com/actions/runner, `Command.TryParse` in
# github.com/microsoft/azure-pipelines-agent.
_UNSEEN = rf"(?:{_COLOUR.pattern}|[\xad\u034f\u180e\u200b-\u200d\u2060-\u2064\ufeff])"
_CI_COMMAND = re.compile(
    rf"(?m:(^(?:[^\S\n]|{_UNSEEN})*:)({_UNSEEN}*:))"
    rf"|(#)({_UNSEEN}*#(?:\w|{_UNSEEN})*\[)"
)  # fmt: skip

BYTE_ORDER_MARK = "\ufeff"
"""What some editors write at the beginning of a file in UTF-8; cargo ignores it."""


def sanitize(text: str, *, keep_colour: bool = False) -> str:
    r"""Make foreign text inert: control characters in caret or `\u` form, a backslash inside commands to a CI system.

    Args:
        text: Bytes that someone else chose, decoded.
        keep_colour: Let SGR colour sequences pass, as rustc writes them.
    """
    if not keep_colour:
        text = _COLOUR.sub("", text)
    pattern = _UNSAFE_OR_COLOUR if keep_colour else _UNSAFE
    visible = pattern.sub(lambda match: _visible(match.group()), text.replace("\r\n", "\n"))
    return _CI_COMMAND.sub(lambda match: "\\".join(filter(None, match.groups())), visible)


def sanitize_line(text: str) -> str:
    """Make a foreign name fit on one line: `sanitize`, with newlines and tabs in visible form as well."""
    return sanitize(text).replace("\n", "^J").replace("\t", "^I")


def keep_form(before: str, after: str) -> str:
    """Give a changed text the line endings and the byte order mark that it had before."""
    if 0 < before.count("\n") == before.count("\r\n"):
        after = re.sub(r"(?<!\r)\n", "\r\n", after)
    return BYTE_ORDER_MARK + after if before.startswith(BYTE_ORDER_MARK) else after


def last_lines(data: bytes, count: int = 20) -> str:
    """The last lines of a program's output, made safe to show."""
    lines = data.decode("utf-8", "replace").rstrip().splitlines()[-count:]
    return sanitize("\n".join(lines))


def name_some(names: Sequence[str], most: int = 6) -> str:
    """Names in a row, at most so many, and how many more there are; made safe by whoever gives them."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more:,} more" if more > 0 else "")


def _visible(found: str) -> str:
    if len(found) > 1:  # a colour sequence that may pass
        return found
    code = ord(found)
    if code < 0x20:  # noqa: PLR2004 - C0 controls
        return "^" + chr(code + 0x40)
    return "^?" if code == 0x7F else f"\\u{code:04x}"  # noqa: PLR2004 - DEL
