"""Check whether a directory's rust-toolchain file makes rustup run a compiler from the repository."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

from optbuild.errors import ToolchainError

# rustup prefers the first of them; only that one may have the legacy form, one line with a name or a path.
_FILE_NAMES = ("rust-toolchain", "rust-toolchain.toml")
_CHANNEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def refuse_toolchain_by_path(directory: Path, environ: Mapping[str, str]) -> None:
    """Refuse a toolchain that a rust-toolchain file names by path and that rustup would run.

    A file that cannot be parsed is refused as well: rustup may read it differently.

    Sources:
        The rustup book, "Overrides": https://rust-lang.github.io/rustup/overrides.html

    Raises:
        ToolchainError: The nearest rust-toolchain file names a path, or cannot be read.
    """
    if environ.get("RUSTUP_TOOLCHAIN"):
        return  # takes precedence over the files
    directory = directory.resolve()
    for folder in (directory, *directory.parents):
        files = [folder / name for name in _FILE_NAMES if (folder / name).is_file()]
        for file in files:
            if not _names_a_channel(file):
                raise ToolchainError(
                    "the rust-toolchain file names a toolchain by path, and this command runs nothing that a "
                    "repository names",
                    help="choose one yourself: export RUSTUP_TOOLCHAIN=stable",
                    location=str(file),
                )
        if files:
            return


def _names_a_channel(file: Path) -> bool:
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return False
    if file.suffix != ".toml" and _CHANNEL_NAME.fullmatch(text.strip()):
        return True
    try:
        section = tomllib.loads(text).get("toolchain", {})
    except tomllib.TOMLDecodeError:
        return False
    if not isinstance(section, dict) or "path" in section:
        return False
    return _CHANNEL_NAME.fullmatch(str(section.get("channel", "stable"))) is not None
