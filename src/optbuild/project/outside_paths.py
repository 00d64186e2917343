"""Find what a revision's manifests name outside its own files: there it would meet another state, or nothing.

Sources:
    The Cargo Book, "Specifying Dependencies", "Overriding Dependencies":
    https://doc.rust-lang.org/cargo/reference/specifying-dependencies.html,
    https://doc.rust-lang.org/cargo/reference/overriding-dependencies.html
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_DEPENDENCIES = ("dependencies", "dev-dependencies", "build-dependencies")


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedPath:
    """A path that a manifest gives for a package.

    Attributes:
        manifest: Where it stands.
        key: Under which key, such as `dependencies.left` or `patch.crates-io.left`.
        text: As it is written.
        path: Where that is.
    """

    manifest: Path
    key: str
    text: str
    path: Path


def find_outside_paths(manifests: Iterable[Path], *, tree: Path, repository: Path) -> tuple[NamedPath, ...]:
    """What is named outside a tree, by these manifests and by those of packages in it that they name.

    Absolute paths elsewhere are the same for every revision, and are left out.

    Args:
        manifests: Of the workspace's root and its members.
        tree: The files of the revision.
        repository: The user's working tree, whose own files are of another revision.
    """
    waiting, seen = [path.resolve() for path in manifests], set[Path]()
    outside = []
    tree, repository = tree.resolve(), repository.resolve()
    while waiting:
        manifest = waiting.pop(0)
        if manifest in seen or not manifest.is_file():
            continue
        seen.add(manifest)
        for named in _named_paths(manifest):
            if named.path.is_relative_to(tree):
                waiting.append(named.path / "Cargo.toml")
            elif not Path(named.text).is_absolute() or named.path.is_relative_to(repository):
                outside.append(named)
    return tuple(outside)


def _named_paths(manifest: Path) -> Iterator[NamedPath]:
    try:
        document = tomllib.loads(manifest.read_text("utf-8-sig"))
    except (OSError, ValueError):
        return  # cargo says what is wrong with it
    for key, table in _tables(document):
        for name, entry in table.items():
            if isinstance(entry, Mapping) and isinstance(text := entry.get("path"), str):
                path = (manifest.parent / text).resolve()
                yield NamedPath(manifest=manifest, key=f"{key}.{name}", text=text, path=path)


def _tables(document: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    places = [("", document), ("workspace.", document.get("workspace"))]
    targets = document.get("target")
    for name, target in targets.items() if isinstance(targets, Mapping) else ():
        places.append((f"target.{name}.", target))
    for prefix, place in places:
        for kind in _DEPENDENCIES:
            if isinstance(place, Mapping) and isinstance(place.get(kind), Mapping):
                yield f"{prefix}{kind}", place[kind]
    patches = document.get("patch")
    for source, table in patches.items() if isinstance(patches, Mapping) else ():
        if isinstance(table, Mapping):
            yield f"patch.{source}", table
    if isinstance(document.get("replace"), Mapping):
        yield "replace", document["replace"]
