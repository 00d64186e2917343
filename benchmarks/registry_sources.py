"""Sources of crates as the registry has them, for benchmarks of real programs."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path


def copy_sources(crate: str, release: str, directory: Path, *, work: Path) -> Path:
    """A copy of a release's sources, with its dependencies fetched; what is there already is kept.

    Args:
        crate: Its name.
        release: Its version.
        directory: Where the copy is made.
        work: Where cargo fetches it from the registry.
    """
    if directory.exists():
        return directory
    fetcher = work / "fetch"
    (fetcher / "src").mkdir(parents=True, exist_ok=True)
    (fetcher / "src" / "lib.rs").touch()
    (fetcher / "Cargo.toml").write_text(f'[package]\nname = "fetch"\n[dependencies]\n{crate} = "={release}"\n')
    (fetcher / "Cargo.lock").unlink(missing_ok=True)
    subprocess.run(["cargo", "fetch", "-q"], cwd=fetcher, check=True)
    home = Path(os.environ.get("CARGO_HOME") or Path.home() / ".cargo")
    (found,) = home.glob(f"registry/src/*/{crate}-{release}")
    shutil.copytree(found, directory)
    subprocess.run(["cargo", "fetch", "-q", "--locked"], cwd=directory, check=True)
    return directory
