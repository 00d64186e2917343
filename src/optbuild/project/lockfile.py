"""What Cargo.lock says about dependencies."""

from __future__ import annotations

import tomllib
from pathlib import Path


def load_locked_packages(lockfile: Path | None) -> frozenset[str]:
    """The names of all packages in a lock file; none if there is no file, or if cargo will refuse it."""
    if lockfile is None:
        return frozenset()
    try:
        packages = tomllib.loads(lockfile.read_text("utf-8")).get("package", [])
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        return frozenset()
    return frozenset(package["name"] for package in packages if "name" in package)
