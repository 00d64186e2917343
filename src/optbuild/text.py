"""The one place that makes foreign text safe to show: what workloads, compilers and file names may contain."""

from __future__ import annotations

import re
import unicodedata

_COLOUR = re.compile(r"\x1b\[[0-9;:]*m")
_CONTROL_SEQUENCE = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"  # OSC: titles, links, clipboard
    r"|\x1b[P^_X][^\x1b]*(?:\x1b\\)?"  # DCS, PM, APC, SOS
)
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_KEPT = frozenset("\n\t")


def sanitize(text: str, *, keep_colour: bool = False) -> str:
    r"""Make foreign text inert on a terminal: control characters become caret or `\u` form.

    Args:
        text: Bytes that someone else chose, decoded.
        keep_colour: Let SGR colour sequences pass, as rustc writes them.
    """
    if not keep_colour:
        return _inert(_COLOUR.sub("", text))
    pieces = []
    position = 0
    for match in _COLOUR.finditer(text):
        pieces += [_inert(text[position : match.start()]), match.group()]
        position = match.end()
    return "".join([*pieces, _inert(text[position:])])


def sanitize_line(text: str) -> str:
    """Make a foreign name fit on one line: `sanitize`, with newlines and tabs in visible form as well."""
    return sanitize(text).replace("\n", "^J").replace("\t", "^I")


def last_lines(data: bytes, count: int = 20) -> str:
    """The last lines of a program's output, made safe to show."""
    lines = data.decode("utf-8", "replace").rstrip().splitlines()[-count:]
    return sanitize("\n".join(lines))


def _inert(text: str) -> str:
    text = _CONTROL_SEQUENCE.sub(lambda match: "^[" + match.group()[1:].rstrip("\x07\x1b\\"), text)
    if text.isprintable():
        return text
    return "".join(map(_visible, text.replace("\r\n", "\n")))


def _visible(character: str) -> str:
    if character in _KEPT:
        return character
    code = ord(character)
    if code < 0x20:  # noqa: PLR2004 - C0 controls
        return "^" + chr(code + 0x40)
    if code == 0x7F:  # noqa: PLR2004 - DEL
        return "^?"
    if character in _BIDI or unicodedata.category(character) in {"Cc", "Cs"} or code in {0x2028, 0x2029}:
        return f"\\u{code:04x}"
    return character
