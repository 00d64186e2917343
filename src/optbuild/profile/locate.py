"""Find the line of each key in a TOML text, and its depth; not for its values: `tomllib` reads those.

Neither `tomllib` nor `tomlkit` gives the line of a key. Depth must be known before parsing, because parsers recurse.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass

from optbuild.profile.faults import KeyPath

# An unclosed string runs to the end of its line or of the text: one pass, however broken the text is.
_TOKEN = re.compile(
    r'''
    (?P<skip>   \#[^\n]* | [ \t\r]+ )
    | """ (?: [^"\\] | \\(?:.|\Z) | "{1,2}(?!") )*+ (?: "{3,5} | \Z )
    | \'\'\' (?: [^'] | '{1,2}(?!') )*+ (?: '{3,5} | \Z )
    | " (?: [^"\\\n] | \\[^\n] )*+ "?
    | ' [^'\n]* '?
    | [A-Za-z0-9_-]+
    | .
    ''',
    re.VERBOSE | re.DOTALL,
)
_END_OF_SCALAR = frozenset({"\n", ",", "]", "}", ""})
_END_OF_KEY = frozenset({"\n", "=", ",", "[", "]", "{", "}"})


def measure_depth(text: str) -> tuple[int, int]:
    """The deepest nesting of brackets and dotted keys in a TOML text, well-formed or not, and its line."""
    open_brackets = dots = 0
    deepest = (0, 1)
    for token in _tokenise(text):
        if token.text in {"[", "{"}:
            open_brackets += 1
        elif token.text in {"]", "}"}:
            open_brackets = max(open_brackets - 1, 0)
        if token.text in _END_OF_KEY:
            dots = 0
        elif token.text == ".":
            dots += 1
        deepest = max(deepest, (open_brackets + dots, token.line), key=lambda pair: pair[0])
    return deepest


def locate_keys(text: str) -> dict[KeyPath, int]:
    """Find the line of every key and array element of a TOML text, counted from 1.

    Args:
        text: A document that `tomllib` accepts and that is not nested deeply.
    """
    walk = _Walk(text)
    walk.read_document()
    return walk.lines


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    line: int


def _tokenise(text: str) -> Iterator[_Token]:
    line = 1
    for match in _TOKEN.finditer(text):
        token = match.group()
        if match["skip"] is None:
            yield _Token(token, line)
        line += token.count("\n")


class _Walk:
    """One pass over the tokens of a document, by TOML's grammar."""

    def __init__(self, text: str) -> None:
        self.lines: dict[KeyPath, int] = {}
        self._tokens = [*_tokenise(text), _Token("", text.count("\n") + 1)]
        self._at = 0
        self._array_tables: dict[KeyPath, int] = {}

    def read_document(self) -> None:
        table: KeyPath = ()
        while self._next.text:
            if self._next.text == "\n":
                self._advance()
            elif self._next.text == "[":
                table = self._read_header()
            else:
                self._read_assignment(table)

    @property
    def _next(self) -> _Token:
        return self._tokens[self._at]

    def _advance(self, count: int = 1) -> None:
        self._at += count

    def _read_header(self) -> KeyPath:
        line = self._next.line
        brackets = 2 if self._tokens[self._at + 1].text == "[" else 1
        self._advance(brackets)
        parts = self._read_key()
        self._advance(brackets)
        path: KeyPath = ()
        for position, part in enumerate(parts, start=1):
            path = (*path, part)
            self.lines.setdefault(path, line)
            if brackets == 2 and position == len(parts):  # noqa: PLR2004 - `[[name]]` begins another element
                self._array_tables[path] = self._array_tables.get(path, 0) + 1
            if path in self._array_tables:
                path = (*path, self._array_tables[path] - 1)
                self.lines.setdefault(path, line)
        return path

    def _read_key(self) -> list[str]:
        parts = []
        while True:
            text = self._next.text
            quoted = text.startswith(('"', "'"))
            parts.append(tomllib.loads(f"key = {text}")["key"] if quoted else text)
            self._advance()
            if self._next.text != ".":
                return parts
            self._advance()

    def _read_assignment(self, table: KeyPath) -> None:
        line = self._next.line
        path = table
        for part in self._read_key():
            path = (*path, part)
            self.lines.setdefault(path, line)
        self._advance()
        self._read_value(path)

    def _read_value(self, path: KeyPath) -> None:
        opening = self._next.text
        if opening in {"[", "{"}:
            self._advance()
            self._read_members(path, closing="]" if opening == "[" else "}")
        else:
            while self._next.text not in _END_OF_SCALAR:
                self._advance()

    def _read_members(self, path: KeyPath, closing: str) -> None:
        count = 0
        while self._next.text != closing:
            if self._next.text in {"\n", ","}:
                self._advance()
            elif closing == "}":
                self._read_assignment(path)
            else:
                self.lines[(*path, count)] = self._next.line
                self._read_value((*path, count))
                count += 1
        self._advance()
