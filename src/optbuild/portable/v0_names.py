"""Read v0 names of rustc into one spelling.

A demangler gives text. What is needed is structure: which part of a name is an implementation, its type, its trait, a
default method of a trait, a generic argument.

Sources:
    The rustc book, "v0 Symbol Format", https://doc.rust-lang.org/rustc/symbol-mangling/v0.html
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from optbuild.portable import spelling
from optbuild.portable.spelling import FunctionName, Spelling

_T = TypeVar("_T")
_BASIC = {
    "a": "i8", "b": "bool", "c": "char", "d": "f64", "e": "str", "f": "f32", "h": "u8", "i": "isize", "j": "usize",
    "l": "i32", "m": "u32", "n": "i128", "o": "u128", "p": "_", "s": "i16", "t": "u16", "u": "()", "v": "...",
    "x": "i64", "y": "u64", "z": "!",
}  # fmt: skip
_BASE_62 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_VENDOR_SUFFIX = re.compile(r"[.$].*", re.DOTALL)
_MAX_DEPTH = 200  # names are foreign text: one that refers to itself must not exhaust the stack


def read_v0_name(symbol: str) -> FunctionName:
    """The spelling of a v0 name.

    Raises:
        ValueError: It is not one.
    """
    text = _VENDOR_SUFFIX.sub("", symbol.removeprefix("_R")).lstrip("0123456789")
    try:
        reader = _Reader(text)
        found = reader.path()
        if reader.at < len(text):
            reader.path()  # the crate that needed the instance
        if reader.at != len(text):
            raise ValueError(f"{len(text) - reader.at} characters too many")
    except (IndexError, RecursionError) as error:
        raise ValueError("cut short") from error
    return FunctionName(path=found.path, detail=found.detail)


@dataclass(slots=True)
class _Reader:
    """Reads a name from left to right."""

    text: str
    at: int = 0
    depth: int = 0
    _paths: dict[str, Callable[[], Spelling]] = field(default_factory=dict)
    _types: dict[str, Callable[[], Spelling]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._types = {
            "R": self._reference,
            "Q": lambda: self._reference(mutable=True),
            "P": lambda: spelling.pointer(self.type()),
            "O": lambda: spelling.pointer(self.type(), mutable=True),
            "A": lambda: spelling.listed(self.type(), self._constant()),
            "S": lambda: spelling.listed(self.type()),
            "T": lambda: spelling.tupled(self._until_end(self.type)),
            "F": self._function,
            "D": self._object,
            "W": self._pattern,
        }
        self._paths = {"C": self._crate, "M": self._inherent, "X": self._trait_impl, "Y": self._trait_item,
                       "N": self._nested, "I": self._generic}  # fmt: skip

    def path(self) -> Spelling:
        """A path."""
        return self._referable(self._path)

    def _path(self) -> Spelling:
        tag = self._next()
        if tag not in self._paths:
            raise ValueError(f"no path begins with {tag!r}")
        return self._paths[tag]()

    def _crate(self) -> Spelling:
        _, name = self._identifier()
        return spelling.plain(name)

    def _inherent(self) -> Spelling:
        self._where_implemented()
        return self.type()

    def _trait_impl(self) -> Spelling:
        self._where_implemented()
        return spelling.implementation(self.type(), self.path())

    def _trait_item(self) -> Spelling:
        of, trait = self.type(), self.path()
        return Spelling(trait.path, f"<{of.detail} as {trait.detail}>")

    def _nested(self) -> Spelling:
        namespace = self._next()
        parent = self.path()
        number, name = self._identifier()
        shown, detail = name, name
        if namespace.isupper():
            shown = {"C": "{closure}", "S": "{shim}"}.get(namespace, f"{{{name}}}")
            detail = f"{shown}{name}#{number}"
        return spelling.item(parent, shown, detail)

    def _generic(self) -> Spelling:
        of = self.path()
        arguments = [argument for argument in self._until_end(self._argument) if argument is not None]
        return spelling.instance(of, arguments)

    def _where_implemented(self) -> None:
        self._disambiguator()
        self.path()

    def _argument(self) -> Spelling | None:
        if self._take("L"):
            self._number()
            return None
        return self._constant() if self._take("K") else self.type()

    def type(self) -> Spelling:
        """A type."""
        return self._referable(self._type)

    def _type(self) -> Spelling:
        tag = self._next()
        if tag in _BASIC:
            return spelling.plain(_BASIC[tag])
        if tag in self._types:
            return self._types[tag]()
        self.at -= 1
        return self._path()

    def _reference(self, *, mutable: bool = False) -> Spelling:
        if self._take("L"):
            self._number()
        return spelling.reference(self.type(), mutable=mutable)

    def _function(self) -> Spelling:
        self._binder()
        self._take("U")
        if self._take("K") and not self._take("C"):
            self._bare_identifier()
        return spelling.function_type(self._until_end(self.type), self.type())

    def _object(self) -> Spelling:
        self._binder()
        traits = self._until_end(self._object_trait)
        if not self._take("L"):
            raise ValueError("a trait object without its lifetime")
        self._number()
        return spelling.object_type(traits[0] if traits else None)

    def _object_trait(self) -> Spelling:
        found = self.path()
        while self._take("p"):
            self._bare_identifier()
            if self._take("K"):
                self._constant()
            else:
                self.type()
        return found

    def _pattern(self) -> Spelling:
        of = self.type()
        self._one_pattern()
        return of

    def _one_pattern(self) -> None:
        match self._next():
            case "R":
                self._constant()
                self._constant()
            case "O":
                self._until_end(self._one_pattern_of_several)
            case "N":
                return
            case other:
                raise ValueError(f"no pattern begins with {other!r}")

    def _one_pattern_of_several(self) -> None:
        self._one_pattern()

    def _constant(self) -> Spelling:
        return self._referable(self._constant_value)

    def _constant_value(self) -> Spelling:
        tag = self._next()
        if tag == "p":
            return spelling.plain("_")
        if tag in {"A", "T"}:
            return spelling.tupled(self._until_end(self._constant))
        if tag == "V":
            return self._constant_of_a_type()
        if tag in {"R", "Q"} and not self._take("e"):
            return self._constant()
        if tag not in {*_BASIC, "R", "Q"}:
            raise ValueError(f"no constant begins with {tag!r}")
        return spelling.plain(self._hexadecimal())

    def _constant_of_a_type(self) -> Spelling:
        of = self.path()
        match self._next():
            case "U":
                return of
            case "T":
                return spelling.instance(of, self._until_end(self._constant))
            case "S":
                return spelling.instance(of, self._until_end(self._constant_field))
            case other:
                raise ValueError(f"no constant of a type has {other!r}")

    def _constant_field(self) -> Spelling:
        self._identifier()
        return self._constant()

    def _hexadecimal(self) -> str:
        end = self.text.index("_", self.at)
        found, self.at = self.text[self.at : end], end + 1
        return found

    def _referable(self, read: Callable[[], Spelling]) -> Spelling:
        """Read something, or what a reference to earlier in the name points to."""
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise ValueError("nested too deep")
        start = self.at
        if self._take("B"):
            target = self._number()
            if target >= start:
                raise ValueError("a reference that does not point back")
            after, self.at = self.at, target
            found = self._referable(read)
            self.at = after
        else:
            found = read()
        self.depth -= 1
        return found

    def _until_end(self, read: Callable[[], _T]) -> list[_T]:
        found = []
        while not self._take("E"):
            found.append(read())
        return found

    def _identifier(self) -> tuple[int, str]:
        number = self._disambiguator()
        return number, self._bare_identifier()

    def _bare_identifier(self) -> str:
        is_punycode = self._take("u")
        start = self.at
        while self.text[self.at].isdigit() and not (self.at > start and self.text[start] == "0"):
            self.at += 1
            if self.at == len(self.text):
                break
        length = int(self.text[start : self.at])
        self._take("_")
        name = self.text[self.at : self.at + length]
        if len(name) != length:
            raise ValueError("cut short")
        self.at += length
        return _from_punycode(name) if is_punycode else name

    def _disambiguator(self) -> int:
        return self._number() + 1 if self._take("s") else 0

    def _binder(self) -> None:
        if self._take("G"):
            self._number()

    def _number(self) -> int:
        """A number in base 62."""
        if self._take("_"):
            return 0
        value = 0
        while not self._take("_"):
            value = value * 62 + _BASE_62.index(self._next())
        return value + 1

    def _next(self) -> str:
        character = self.text[self.at]
        self.at += 1
        return character

    def _take(self, character: str) -> bool:
        if self.text.startswith(character, self.at):
            self.at += 1
            return True
        return False


def _from_punycode(name: str) -> str:
    basic, _, rest = name.rpartition("_")
    try:
        return f"{basic}-{rest}".removeprefix("-").encode("ascii").decode("punycode")
    except UnicodeError:
        return name
