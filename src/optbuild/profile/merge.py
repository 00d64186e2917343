"""Merged build profiles: their common content, and where each key was written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from optbuild.errors import Problem
from optbuild.profile.document import Document
from optbuild.profile.faults import Fault, KeyPath


class Origin(NamedTuple):
    """Where a key was written; sorts in reading order."""

    label: str
    line: int

    def __str__(self) -> str:
        return f"{self.label}:{self.line}"


class LocatedProblem(NamedTuple):
    """A problem, and its place in a form that sorts."""

    origin: Origin
    problem: Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A raw build profile.

    Attributes:
        tree: Its content, not validated.
        origins: Where each key path was written; the empty path stands for the file the user named.
    """

    tree: dict[str, Any]
    origins: dict[KeyPath, Origin]

    def locate(self, path: KeyPath) -> Origin:
        """Where a key was written; for a missing key, where it would belong."""
        while path not in self.origins:
            path = path[:-1]
        return self.origins[path]

    def make_problem(self, fault: Fault) -> LocatedProblem:
        """Add the place of its key to a fault."""
        origin = self.locate(fault.path)
        return LocatedProblem(origin, Problem(location=str(origin), message=fault.message, help=fault.help))


def make_layer(document: Document) -> Layer:
    """Make a layer from one document."""
    origins = {path: Origin(document.label, line) for path, line in document.lines.items()}
    return Layer(tree=document.tree, origins={(): Origin(document.label, 1), **origins})


def merge_layers(base: Layer, over: Layer) -> Layer:
    """Lay one layer over another: tables merge key by key; scalars, arrays and arrays of tables replace."""
    replaced: set[KeyPath] = set()
    tree = _merge_tables(base.tree, over.tree, (), replaced)
    kept = {
        path: origin
        for path, origin in base.origins.items()
        if not any(path[:length] in replaced for length in range(1, len(path) + 1))
    }
    return Layer(tree=tree, origins=kept | over.origins)


def value_at(tree: object, path: KeyPath) -> object:
    """The value at a key path; None if there is none."""
    for part in path:
        match tree, part:
            case dict(), str() if part in tree:
                tree = tree[part]
            case list(), int() if part < len(tree):
                tree = tree[part]
            case _:
                return None
    return tree


def _merge_tables(base: dict[str, Any], over: dict[str, Any], path: KeyPath, replaced: set[KeyPath]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        if isinstance(value, dict) and isinstance(below, dict):
            merged[key] = _merge_tables(below, value, (*path, key), replaced)
        else:
            merged[key] = value
            replaced.add((*path, key))
    return merged
