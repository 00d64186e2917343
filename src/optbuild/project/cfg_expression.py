"""Cargo's `cfg` expressions: whether the content of `cfg(…)` is true for a target.

Sources:
    cargo-platform, `src/cfg.rs` of cargo 1.95: https://github.com/rust-lang/cargo/tree/master/crates/cargo-platform
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_TOKEN = re.compile(
    r"""\ *(?:
        (?P<mark>[(),=])
      | "(?P<string>[^"]*)"
      | (?P<raw>r\#)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    )""",
    re.VERBOSE,
)
_MAX_DEPTH = 100

Token = tuple[str, str]
Cfg = tuple[str, str | None]


def matches_cfg(expression: str, target_cfg: Iterable[str]) -> bool:
    """Whether an expression such as `all(unix, target_arch = "x86_64")` is true.

    Args:
        expression: The text between the parentheses of `cfg(…)`.
        target_cfg: The lines of `rustc --print=cfg`.

    Raises:
        ValueError: The expression, or a line of `target_cfg`, is malformed.
    """
    # cargo leaves this one out: it describes the probe, not the target
    known = frozenset(_parse_cfg(line) for line in target_cfg) - {("proc_macro", None)}
    reader = _Reader(expression)
    result = _evaluate(reader, known, depth=0)
    reader.expect_end()
    return result


def _parse_cfg(line: str) -> Cfg:
    reader = _Reader(line)
    cfg = _read_cfg(reader)
    reader.expect_end()
    return cfg


class _Reader:
    """The tokens of an expression, one ahead."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = _tokenize(text)
        self._position = 0

    def peek(self) -> Token:
        return self._tokens[self._position]

    def take(self) -> Token:
        token = self.peek()
        self._position += token[0] != "end"
        return token

    def take_mark(self, mark: str) -> bool:
        if self.peek() != ("mark", mark):
            return False
        self.take()
        return True

    def expect_mark(self, mark: str) -> None:
        if not self.take_mark(mark):
            raise self.error(f"expected `{mark}`")

    def expect_end(self) -> None:
        if self.peek()[0] != "end":
            raise self.error("expected the end")

    def error(self, problem: str) -> ValueError:
        return ValueError(f"malformed cfg expression `{self._text}`: {problem}")


def _tokenize(text: str) -> list[Token]:
    tokens: list[Token] = []
    text = text.rstrip(" ")
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise ValueError(f"malformed cfg expression `{text}`: unexpected character at {position + 1}")
        kind = "raw" if match["raw"] else str(match.lastgroup)
        tokens.append((kind, match[str(match.lastgroup)]))
        position = match.end()
    return [*tokens, ("end", "")]


def _evaluate(reader: _Reader, known: frozenset[Cfg], *, depth: int) -> bool:
    if depth > _MAX_DEPTH:
        raise reader.error("nested too deeply")
    match reader.peek():
        case ("name", "all" | "any" as operator):
            reader.take()
            values = _evaluate_list(reader, known, depth=depth + 1)
            return all(values) if operator == "all" else any(values)
        case ("name", "not"):
            reader.take()
            reader.expect_mark("(")
            value = _evaluate(reader, known, depth=depth + 1)
            reader.expect_mark(")")
            return not value
    cfg = _read_cfg(reader)
    return cfg == ("true", None) or (cfg != ("false", None) and cfg in known)


def _evaluate_list(reader: _Reader, known: frozenset[Cfg], *, depth: int) -> list[bool]:
    reader.expect_mark("(")
    values: list[bool] = []
    while not reader.take_mark(")"):
        values.append(_evaluate(reader, known, depth=depth))
        if not reader.take_mark(","):
            reader.expect_mark(")")
            break
    return values


def _read_cfg(reader: _Reader) -> Cfg:
    kind, name = reader.take()
    if kind not in {"name", "raw"}:
        raise reader.error("expected a name")
    if not reader.take_mark("="):
        return (name, None)
    kind, value = reader.take()
    if kind != "string":
        raise reader.error("expected a string")
    return (name, value)
