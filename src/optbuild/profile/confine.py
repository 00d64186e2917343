"""Paths that a build profile may name only inside the workspace."""

from __future__ import annotations

import re
from pathlib import Path, PurePath

from optbuild.profile.faults import Fault, KeyPath, render_key_path, render_value

_WORKSPACE_HEADER = re.compile(r"^\s*\[\s*workspace\s*[.\]]", re.MULTILINE)


def find_workspace(directory: Path) -> Path:
    """Find the directory that paths must stay in: the outermost Cargo workspace, else the git top, else `directory`."""
    start = directory.resolve()
    enclosing = (start, *start.parents)
    roots = [each for each in enclosing if _is_workspace_root(each / "Cargo.toml")]
    if roots:
        return roots[-1]
    return next((each for each in enclosing if _is_git_top(each)), start)


def find_escape(text: str, *, directory: Path, workspace: Path, key: KeyPath) -> Fault | None:
    """Check that a path stays inside the workspace, even through symlinks.

    Args:
        text: The path as written.
        directory: What it is relative to.
        workspace: The directory that it must stay inside, resolved.
        key: Where it is written.
    """
    try:
        resolved = (directory / text).resolve()
    # a symlink loop raises one or the other, depending on Python's version
    except (OSError, RuntimeError, ValueError) as error:
        return Fault(
            path=key,
            message=f"`{render_key_path(key)}`: {render_value(text)} cannot be resolved: {error}",
            help="write a relative path that exists",
        )
    if PurePath(text).is_absolute():
        reason = f"is an absolute path: {resolved}"
    elif not resolved.is_relative_to(workspace):
        reason = f"leaves the workspace: it is {resolved}"
    else:
        return None
    return Fault(
        path=key,
        message=f"`{render_key_path(key)}`: {render_value(text)} {reason}",
        help=f"write a relative path that stays inside {workspace}",
    )


def _is_git_top(directory: Path) -> bool:
    try:
        return (directory / ".git").exists()
    except OSError:  # a directory without permission to look into it
        return False


def _is_workspace_root(manifest: Path) -> bool:
    try:
        return _WORKSPACE_HEADER.search(manifest.read_text("utf-8")) is not None
    except (OSError, ValueError):
        return False
