"""One spelling for a function, however its name is mangled: the parts that both parsers put names together from.

A spelling has two strengths. The *path* says which item a function is, and keeps nothing of generic arguments: an
instance and its generic source have the same. The *detail* keeps them as far as a mangling has them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_CRATE = re.compile(r"(?<![\w:}>])[^\W\d]\w*(?=::)")
UNKNOWN = "_"
# Arguments that a type has by default: a legacy name leaves them out, a v0 name does not.
_DEFAULTS = frozenset({"alloc::alloc::Global", "std::hash::random::RandomState"})
_DROP_GLUE = frozenset({"core::ptr::drop_in_place", "core::ptr::drop_glue"})


@dataclass(frozen=True, slots=True)
class Spelling:
    """A path or a type.

    Attributes:
        path: Without generic arguments.
        detail: With them.
    """

    path: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class FunctionName:
    """What a mangled name says of a function that another build, compiler or mangling says as well.

    Attributes:
        path: Which item it is: `core::str::trim`, `<alloc::vec::Vec as core::clone::Clone>::clone`.
        detail: Which instance, as far as the name tells; equal only between names of the same mangling.
        unit: The crate that a copy was compiled in, which only that crate calls; empty for a function that all share.
    """

    path: str
    detail: str
    unit: str = ""


def plain(text: str) -> Spelling:
    """What has no arguments."""
    return Spelling(text, text)


def item(parent: Spelling, name: str, detail: str | None = None) -> Spelling:
    """Something inside another item."""
    return Spelling(f"{parent.path}::{name}", f"{parent.detail}::{detail or name}")


def instance(of: Spelling, arguments: Sequence[Spelling]) -> Spelling:
    """A path with generic arguments. Drop glue is told apart by its type: without that, all of it is one item."""
    shown = ",".join(argument.detail for argument in arguments if argument.path not in _DEFAULTS)
    detail = f"{of.detail}<{shown}>" if shown else of.detail
    if of.path in _DROP_GLUE:
        return Spelling(f"core::ptr::drop_in_place<{shown}>", detail)
    return Spelling(of.path, detail)


def reference(to: Spelling, *, mutable: bool = False) -> Spelling:
    """A reference to whatever it may be: a generic implementation stands for all of them."""
    return Spelling("&_", f"&mut {to.detail}" if mutable else f"&{to.detail}")


def pointer(to: Spelling, *, mutable: bool = False) -> Spelling:
    """A raw pointer."""
    return Spelling("*_", f"*{'mut' if mutable else 'const'} {to.detail}")


def listed(of: Spelling, length: Spelling | None = None) -> Spelling:
    """A slice, or an array with its length."""
    if length is None:
        return Spelling("[_]", f"[{of.detail}]")
    return Spelling("[_;_]", f"[{of.detail};{length.detail}]")


def tupled(members: Sequence[Spelling]) -> Spelling:
    """A tuple."""
    shown = ",".join(member.detail for member in members)
    return Spelling(f"({','.join('_' for _ in members)})", f"({shown})")


def function_type(parameters: Sequence[Spelling], result: Spelling) -> Spelling:
    """A function pointer."""
    shown = ",".join(parameter.detail for parameter in parameters)
    end = "" if result.detail == "()" else f"->{result.detail}"
    return Spelling("fn", f"fn({shown}){end}")


def object_type(principal: Spelling | None) -> Spelling:
    """A trait object: the order of the marker traits after its own means nothing."""
    return plain("dyn") if principal is None else plain(f"dyn {principal.path}")


def implementation(of: Spelling, trait: Spelling) -> Spelling:
    """An implementation of a trait; where it stands does not matter."""
    return Spelling(f"<{of.path} as {trait.path}>", f"<{of.detail} as {trait.detail}>")


def for_any_type(path: str) -> str | None:
    """A path as a legacy name has it where its implementation is for any type; None for one of no implementation.

    `<alloc::string::String as core::convert::Into>::into` is one instance of `<_ as core::convert::Into>::into`. A v0
    name says the type of the instance, a legacy name the parameter.
    """
    if not path.startswith("<"):
        return None
    depth = 0
    for position, character in enumerate(path):
        depth += (character == "<") - (character == ">" and path[position - 1] != "-")
        if depth == 1 and path.startswith(" as ", position):
            return f"<{UNKNOWN}{path[position:]}"
    return None


def in_any_crate(path: str) -> str:
    """A path without the names of crates: `serde::de::Visitor` became `serde_core::de::Visitor` without a change."""
    return _CRATE.sub("", path)
