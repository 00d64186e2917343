"""Read legacy names of rustc into one spelling.

A legacy name holds the path as rustc prints it for people, with signs that a linker would not take written out, and a
hash of all that the path does not say: generic arguments, above all.

Sources:
    The rustc book, "Symbol Mangling", https://doc.rust-lang.org/rustc/symbol-mangling/index.html
    rustc's `rustc_symbol_mangling::legacy`, which writes them
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from optbuild.portable import spelling
from optbuild.portable.spelling import FunctionName, Spelling

_HASH = re.compile(r"h[0-9a-f]{16}")
_ESCAPE = re.compile(r"\$(?:(SP|BP|RF|LT|GT|LP|RP|C)|u([0-9a-f]{1,6}))\$|\.\.")
_SIGNS = {"SP": "@", "BP": "*", "RF": "&", "LT": "<", "GT": ">", "LP": "(", "RP": ")", "C": ","}
_TOKEN = re.compile(r"::|->|\.>|'[a-z_]\w*|[^\W\d]\w*|\d\w*|\S")
_SPECIAL = re.compile(r"\{\{(.*?)\}\}|\{(.*?)\}")
_PRIMITIVE = frozenset(
    "i8 bool char f64 str f32 u8 isize usize i32 u32 i128 u128 i16 u16 i64 u64 f16 f128".split()  # noqa: SIM905
)
_BEGIN_A_FUNCTION = frozenset({"fn", "unsafe", "extern", "for"})
_LENGTH = re.compile(r"\d+")


def read_legacy_name(symbol: str) -> FunctionName:
    """The spelling of a legacy name.

    Raises:
        ValueError: It is not one.
    """
    elements = tuple(map(_decode, _elements(symbol)))
    if elements and _HASH.fullmatch(elements[-1]):
        elements = elements[:-1]
    text = "::".join(elements)
    if not text:
        raise ValueError("no path")
    try:
        path = _Reader(tuple(_tokens(text))).whole_path()
    except (IndexError, ValueError, RecursionError):
        path = text  # not as expected; it still is the same text in another build
    return FunctionName(path=path, detail=text)


def _elements(symbol: str) -> Iterator[str]:
    at = len("_ZN")
    while at < len(symbol) and (match := _LENGTH.match(symbol, at)) is not None:
        length = int(match[0])
        element = symbol[match.end() : match.end() + length]
        if len(element) != length:
            raise ValueError("cut short")
        yield element
        at = match.end() + length
    if not symbol.startswith("E", at):
        raise ValueError("no end")


def _decode(element: str) -> str:
    element = element[1:] if element.startswith("_$") else element
    return _ESCAPE.sub(_decode_one, element)


def _decode_one(match: re.Match[str]) -> str:
    if match[0] == "..":
        return "::"
    return _SIGNS[match[1]] if match[1] else chr(int(match[2], 16))


def _tokens(text: str) -> Iterator[str]:
    position = 0
    for special in _SPECIAL.finditer(text):
        yield from _TOKEN.findall(text[position : special.start()])
        name = special[1] or special[2] or ""
        yield "{shim}" if "shim" in name else f"{{{name.partition('#')[0]}}}"
        position = special.end()
    yield from _TOKEN.findall(text[position:])


@dataclass(slots=True)
class _Reader:
    """Reads what rustc prints of a path."""

    tokens: tuple[str, ...]
    at: int = 0

    def whole_path(self) -> str:
        """The path that all tokens are."""
        found = self.path().path
        if self.at != len(self.tokens):
            raise ValueError("more than a path")
        return found

    def path(self) -> Spelling:
        """A path, to the end of it."""
        found: Spelling | None = None
        while True:
            found = self._segment(found)
            if not self._take("::"):
                return found

    def _segment(self, before: Spelling | None) -> Spelling:
        if self._take("<"):
            return self._bracketed(before)
        name = self._next()
        if not (name[0] == "{" or name[0] == "_" or name.isidentifier()):
            raise ValueError(f"no name: {name}")
        found = spelling.plain(name) if before is None else spelling.item(before, name)
        if self._peek() == "<" and not self._ahead("<", "impl"):
            self.at += 1
            found = spelling.instance(found, self._arguments(">"))
        elif self._peek() == "(" and before is not None:  # `Fn(A) -> B`
            self.at += 1
            self._arguments(")")
            if self._take("->") or self._take(".>"):
                self.type()
        return found

    def _bracketed(self, before: Spelling | None) -> Spelling:
        """An implementation, or the arguments of an instance after `::`."""
        if self._take("impl"):
            of = self.type()
            found = spelling.implementation(self.type(), of) if self._take("for") else of
            self._expect(">")
            return found
        if before is not None:
            return spelling.instance(before, self._arguments(">"))
        of = self.type()
        found = spelling.implementation(of, self.path()) if self._take("as") else of
        self._expect(">")
        return found

    def type(self) -> Spelling:
        """A type, or a constant in the place of one."""
        special = self._pointed() or self._listed()
        if special is not None:
            return special
        token = self._peek() or ""
        if token in _BEGIN_A_FUNCTION:
            return self._function()
        if token[:1].isdigit() or token in {"-", "!"} or token.startswith("'"):
            self.at += 1
            return spelling.plain("'_" if token.startswith("'") else token)
        if self._take("dyn"):
            return self._object()
        found = self.path()
        is_parameter = "::" not in found.path and found.path not in _PRIMITIVE and "<" not in found.path
        return Spelling(spelling.UNKNOWN, found.detail) if is_parameter else found

    def _pointed(self) -> Spelling | None:
        if self._take("&"):
            if (self._peek() or "").startswith("'"):
                self.at += 1
            return spelling.reference(mutable=self._take("mut"), to=self.type())
        if self._take("*"):
            return spelling.pointer(mutable=self._next() == "mut", to=self.type())
        return None

    def _listed(self) -> Spelling | None:
        if self._take("["):
            of = self.type()
            length = self.type() if self._take(";") else None
            self._expect("]")
            return spelling.listed(of, length)
        return spelling.tupled(self._arguments(")")) if self._take("(") else None

    def _object(self) -> Spelling:
        principal = self._bound()
        while self._take("+"):
            self._bound()
        return spelling.object_type(principal)

    def _bound(self) -> Spelling:
        if (self._peek() or "").startswith("'"):
            return spelling.plain(self._next())
        if self._take("for"):
            self._expect("<")
            self._arguments(">")
        found = self.path()
        if self._take("="):
            self.type()
        return found

    def _function(self) -> Spelling:
        while self._next() != "fn":
            pass
        self._expect("(")
        parameters = self._arguments(")")
        result = self.type() if self._take("->") or self._take(".>") else spelling.tupled(())
        return spelling.function_type(parameters, result)

    def _arguments(self, end: str) -> list[Spelling]:
        found = []
        while not self._take(end):
            argument = self.type()
            if self._take("="):
                argument = self.type()
            if argument.path != "'_":
                found.append(argument)
            if not self._take(",") and self._peek() != end:
                raise ValueError(f"no {end}")
        return found

    def _ahead(self, *tokens: str) -> bool:
        return self.tokens[self.at : self.at + len(tokens)] == tokens

    def _peek(self) -> str | None:
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def _next(self) -> str:
        token = self.tokens[self.at]
        self.at += 1
        return token

    def _take(self, wanted: str) -> bool:
        if self._peek() == wanted:
            self.at += 1
            return True
        return False

    def _expect(self, wanted: str) -> None:
        if not self._take(wanted):
            raise ValueError(f"no {wanted}")
