"""The functions of a program by the path that every build has, and the counts that belong to them.

Mangled names differ between builds of other settings. Instances of generic code, copies in several units and parts that
were split off are one function: a person reads the source, where there is one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from optbuild.portable.model import FunctionCounts
from optbuild.portable.names import read_name
from optbuild.tools.mangling import crate_of
from optbuild.tools.symbols import FunctionSymbol

# LLVM's machine function splitter and its hot-cold splitting, and BOLT, which numbers the fragments.
_COLD = re.compile(r"\.(?:cold(?:\.\d+)?|__part\.\d+)$")
# LLVM's names of local functions that link-time optimisation made visible, and of clones; BOLT's of local functions.
_SUFFIX = re.compile(r"(?:\.llvm\.\d+|/\d+|\.warm|\.constprop\.\d+|\.isra\.\d+|\.part\.\d+|\.specialized\.\d+)+$")
_CLOSURES = re.compile(r"(?:::\{closure\})+$")
_DROP = re.compile(r"^core::ptr::drop_in_place<(.*)>$")
_SHIM = re.compile(r"::\{shim(?::[^}]*)?\}$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """A function of one program.

    Attributes:
        crate: The crate whose code it is.
        parts: Its copies, in the order of their addresses.
        cold: The parts that were split off.
    """

    crate: str | None
    parts: tuple[FunctionSymbol, ...]
    cold: tuple[FunctionSymbol, ...]

    @property
    def size_bytes(self) -> int:
        """The code of all copies."""
        return sum(part.size_bytes for part in self.parts)

    @property
    def cold_bytes(self) -> int:
        """The code of the parts that were split off."""
        return sum(part.size_bytes for part in self.cold)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What training counted in a function.

    Attributes:
        total: Of all its blocks, in all instances.
    """

    crate: str | None
    total: int


def group_symbols(functions: Iterable[FunctionSymbol]) -> dict[str, Body]:
    """The functions of a program by path. Of several names for one address the first is taken."""
    parts: dict[str, list[FunctionSymbol]] = {}
    cold: dict[str, list[FunctionSymbol]] = {}
    crates: dict[str, str | None] = {}
    known: set[int] = set()
    for function in functions:
        if function.address in known:
            continue
        known.add(function.address)
        name, is_cold = split_symbol(function.name)
        path = read_name(name).path
        crates.setdefault(path, crate_of(name))
        (cold if is_cold else parts).setdefault(path, []).append(function)
    return {
        path: Body(crate=crate, parts=tuple(parts.get(path, ())), cold=tuple(cold.get(path, ())))
        for path, crate in crates.items()
    }


def split_symbol(symbol: str) -> tuple[str, bool]:
    """A symbol without what the compiler and the linker append, and whether it is a part that was split off."""
    name = _SUFFIX.sub("", symbol)
    bare = _COLD.sub("", name)
    return _SUFFIX.sub("", bare), bare != name


def group_counts(records: Iterable[tuple[str, FunctionCounts]]) -> dict[str, Counted]:
    """The counts by path, given each with the mangled name that it had."""
    found: dict[str, Counted] = {}
    for symbol, counts in records:
        path = counts.name.path
        before = found.get(path)
        crate = crate_of(symbol) if before is None else before.crate
        found[path] = Counted(crate=crate, total=counts.total + (0 if before is None else before.total))
    return found


def readable(path: str) -> str:
    """A path as a person would name it."""
    if (match := _DROP.match(path)) is not None:
        return f"drop of {match[1]}"
    path = _SHIM.sub("", path)
    outer = _CLOSURES.sub("", path)
    return path if outer == path else f"closure in {outer}"


def find_hot_paths(counts: Mapping[str, Counted], share: float) -> list[str]:
    """The hottest functions that have a share of all counts together."""
    total = sum(each.total for each in counts.values())
    found: list[str] = []
    reached = 0
    for path, each in sorted(counts.items(), key=lambda item: (-item[1].total, item[0])):
        if not each.total or reached >= share * total:
            break
        found.append(path)
        reached += each.total
    return found
