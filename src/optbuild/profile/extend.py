"""A build profile merged with all that it extends; not for variants: `inherit` resolves those."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

from optbuild.profile.confine import find_escape
from optbuild.profile.document import Document, find_schema_fault, load_document
from optbuild.profile.faults import Fault, find_nearest, render_value
from optbuild.profile.merge import Layer, LocatedProblem, make_layer, merge_layers
from optbuild.profile.model import PresetName
from optbuild.profile.presets import PREFIX, find_preset_names, suggest_preset

_KEY = ("extends",)
_MAX_CHAIN = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Extended:
    """A raw build profile with all that it extends.

    Attributes:
        layer: The merged documents.
        problems: Errors in how they extend each other.
        is_whole: Everything that is extended was found.
    """

    layer: Layer
    problems: tuple[LocatedProblem, ...]
    is_whole: bool


def load_extended(document: Document, *, workspace: Path) -> Extended:
    """Load all that a document extends.

    Raises:
        BuildProfileError: One of the documents cannot be read, is not TOML, or needs a newer optbuild.
    """
    chain = [document]
    fault: Fault | None = None
    while (extends := chain[-1].tree.get("extends")) is not None:
        fault = _find_fault(extends, chain[-1], workspace)
        if fault:
            break
        parent = load_document(_parent_source(extends, chain[-1]))
        fault = _find_cycle(parent, chain) or _find_excess(chain)
        if fault:
            break
        chain.append(parent)
    layers = [make_layer(each) for each in chain]
    faults = [(layer, find_schema_fault(each)) for layer, each in zip(layers, chain, strict=True)]
    problems = tuple(layer.make_problem(each) for layer, each in [*faults, (layers[-1], fault)] if each)
    merged = functools.reduce(merge_layers, reversed(layers))
    return Extended(layer=merged, problems=problems, is_whole=fault is None)


def _find_fault(extends: object, document: Document, workspace: Path) -> Fault | None:
    if not isinstance(extends, str) or not extends.strip():
        message = f'`extends`: expected "{PREFIX}NAME" or a file, got {render_value(extends)}'
        return Fault(path=_KEY, message=message, help="name one, or remove the key")
    if extends.startswith(PREFIX):
        names = find_preset_names()
        name = extends.removeprefix(PREFIX)
        message = f"`extends` names the unknown preset {render_value(name)}"
        return None if name in names else Fault(path=_KEY, message=message, help=suggest_preset(name, names))
    if document.path is None:
        return Fault(path=_KEY, message="a preset extends only presets", help=f'write "{PREFIX}NAME"')
    directory = document.path.parent
    escape = find_escape(extends, directory=directory, workspace=workspace, key=_KEY)
    if escape or (directory / extends).is_file():
        return escape
    meanings = {name: f"{PREFIX}{name}" for name in find_preset_names()}
    meanings |= {path.name: path.name for path in directory.glob("*.toml")}
    nearest = find_nearest(extends, meanings)
    return Fault(
        path=_KEY,
        message=f"`extends`: there is no file {render_value(extends)} in {directory}",
        help=f'did you mean "{meanings[nearest]}"?' if nearest else f'name an existing file, or "{PREFIX}NAME"',
    )


def _find_cycle(parent: Document, chain: list[Document]) -> Fault | None:
    known = [_identity(each) for each in chain]
    if _identity(parent) not in known:
        return None
    circle = [each.label for each in chain[known.index(_identity(parent)) :]]
    return Fault(
        path=_KEY,
        message=f"build profiles extend each other in a circle: {' -> '.join([*circle, circle[0]])}",
        help="remove `extends` from one of them",
    )


def _find_excess(chain: list[Document]) -> Fault | None:
    if len(chain) < _MAX_CHAIN:
        return None
    message = f"more than {_MAX_CHAIN} build profiles extend each other"
    return Fault(path=_KEY, message=message, help="put their keys into one file")


def _identity(document: Document) -> Path | str:
    return document.path.resolve() if document.path else document.label


def _parent_source(extends: str, document: Document) -> Path | PresetName:
    if extends.startswith(PREFIX) or document.path is None:
        return PresetName(extends.removeprefix(PREFIX))
    return document.path.parent / extends
