"""Files import each other in one direction only; the layers of packages are import-linter's."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import optbuild

ROOT = Path(optbuild.__file__).parent


def module_of(path: Path) -> str:
    """What a file is imported as."""
    parts = ("optbuild", *path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(tree: ast.Module, modules: set[str]) -> set[str]:
    """The files that a file names, wherever it imports them: above, in a function, or for its types alone."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= names & modules or {node.module}
    return found & modules


def test_no_file_imports_itself_by_way_of_others() -> None:
    """Whoever reads a file can read what it rests on first."""
    files = {module_of(path): path for path in ROOT.rglob("*.py")}
    modules = set(files)
    graph = {name: imports_of(ast.parse(path.read_text()), modules) - {name} for name, path in files.items()}
    order = list(TopologicalSorter(graph).static_order())  # raises a CycleError that names the circle
    assert len(order) == len(files) > 100
