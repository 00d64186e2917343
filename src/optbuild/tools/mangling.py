"""Mangled names of functions: the crate that one belongs to, and its path without the parts that differ between builds.

Not a demangler: a profile has functions by their mangled names, and only these two questions arise.

Sources:
    The rustc book, "Symbol Mangling", https://doc.rust-lang.org/rustc/symbol-mangling/index.html
"""

from __future__ import annotations

import re

STANDARD_LIBRARY = frozenset({"std", "core", "alloc"})

# What ends a legacy name, and means "which build of this crate" in a v0 name.
_LEGACY_HASH = re.compile(r"17h[0-9a-f]{16}E")
_V0_DISAMBIGUATOR = re.compile(r"Cs[0-9A-Za-z]*_")

_LEGACY_FIRST = re.compile(r"_ZN(\d+)")
# An implementation is listed under its type: `<alloc::vec::Vec<T> as core::ops::Drop>::drop`, where `..` means `::`.
_LEGACY_PATH = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)\.\.")
_LEGACY_AS = "$u20$as$u20$"
_LEGACY_WRAPPING = re.compile(r"_?(?:\$(?:LT|RF|BP|LP|RP|C|u5b|u5d|u20|u7b|u7d)\$|(?:mut|const|dyn)\$u20\$)+")
# Namespaces, implementations and instances precede the crate whose path they qualify.
_V0_CRATE = re.compile(r"_R\d*(?:N[A-Za-z]|[MX](?:s[0-9A-Za-z]*_)?|[IYRQPOS])*C(?:s[0-9A-Za-z]*_)?u?(\d+)_?")
_V0_ANY_CRATE = re.compile(r"C(?:s[0-9A-Za-z]*_)u?(\d+)_?")


def function_path(name: str) -> str | None:
    """A mangled name without the parts that differ between builds of the same function; None if it is not mangled.

    A profile lists a function that only its own unit sees with that unit's name in front: `app.1f3a-cgu.0;_ZN…`.
    """
    name = without_unit(name)
    if name.startswith("_ZN"):
        return _LEGACY_HASH.sub("E", name)
    return _V0_DISAMBIGUATOR.sub("C", name) if name.startswith("_R") else None


def crate_of(name: str) -> str | None:
    """The crate of a function's code, as far as its mangled name shows; None for `main`, C and what has no crate.

    An implementation counts for the crate that wrote it. A legacy name does not show it, but the type or the trait must
    belong to that crate.
    """
    name = without_unit(name)
    if match := _LEGACY_FIRST.match(name):
        first = name[match.end() :][: int(match[1])]
        return _legacy_crate(first)
    if not name.startswith("_R"):
        return None
    match = _V0_CRATE.match(name) or _V0_ANY_CRATE.search(name)
    return None if match is None else name[match.end() :][: int(match[1])] or None


def _legacy_crate(first: str) -> str | None:
    if not first.startswith(("_$LT$", "$LT$")):
        return first.partition("..")[0] or None
    of_type, _, of_trait = first.partition(_LEGACY_AS)
    bare = (part[match.end() :] if (match := _LEGACY_WRAPPING.match(part)) else part for part in (of_type, of_trait))
    crates = [found[1] for part in bare if (found := _LEGACY_PATH.match(part))]
    return next((crate for crate in crates if crate not in STANDARD_LIBRARY), next(iter(crates), None))


def join_unit(unit: str | None, symbol: str) -> str:
    """The name of a function that only its own unit sees, as in a profile."""
    return f"{unit};{symbol}" if unit else symbol


def unit_crate(name: str) -> str | None:
    """The crate whose unit a function was compiled in, with the part that distinguishes two versions: `app.1f3a`.

    None if its name does not show it: an instance may be compiled in any crate.

    Sources: rustc's `CodegenUnitNameBuilder`, which names units by the crate and its stable id,
    https://doc.rust-lang.org/nightly/nightly-rustc/rustc_middle/mir/mono/struct.CodegenUnitNameBuilder.html
    """
    unit, _, _ = name.rpartition(";")
    return unit.partition("-")[0] or None


def without_unit(name: str) -> str:
    """A function's own symbol: a profile puts the unit's name before symbols that only their unit sees."""
    return name.rpartition(";")[2]
