"""Find Cargo configuration that does not belong to a revision, and that cargo would obey because it lies above it.

Sources:
    The Cargo Book, "Hierarchical structure": https://doc.rust-lang.org/cargo/reference/config.html
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_NAMES = (".cargo/config", ".cargo/config.toml")
# They decide how cargo talks, to whom, and what it makes besides programs; not what a program becomes.
_HARMLESS = frozenset(
    {
        "alias",
        "cache",
        "cargo-new",
        "credential-alias",
        "doc",
        "future-incompat-report",
        "http",
        "install",
        "net",
        "registries",
        "registry",
        "resolver",
        "term",
    }
)


def find_leaking_config(files: Path, top: Path, target: str) -> Path | None:
    """The first file that would change what is built of a revision, and is not the revision's own.

    Args:
        files: The revision's files.
        top: The user's working tree, which they may lie in.
        target: What is built for; what holds for other triples does not count.
    """
    for directory in _directories_above(files, top):
        for name in _NAMES:
            leaking, own = directory / name, files / directory.relative_to(top) / name
            if leaking.is_file():
                relevant = _relevant(leaking, target)
                if relevant and relevant != _relevant(own, target):
                    return leaking
    return None


def _directories_above(files: Path, top: Path) -> Iterator[Path]:
    """The directories of the user's in which files lie."""
    if files.is_relative_to(top) and files != top:
        yield from (parent for parent in files.parents if parent.is_relative_to(top))


def _relevant(path: Path, target: str) -> dict[str, Any]:
    """What of a configuration file decides about programs for a target."""
    try:
        settings = tomllib.loads(path.read_text("utf-8-sig")) if path.is_file() else {}
    except (OSError, ValueError):
        return {"": str(path)}  # it cannot be read, and cargo says why
    relevant = {key: value for key, value in settings.items() if key not in _HARMLESS}
    targets = relevant.pop("target", {})
    if isinstance(targets, dict):
        kept = {name: table for name, table in targets.items() if name.startswith("cfg(") or name == target}
        return relevant | ({"target": kept} if kept else {})
    return relevant | {"target": targets}
