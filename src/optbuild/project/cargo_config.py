"""Find, read and merge Cargo's configuration files as cargo does; nothing in them is run or obeyed.

Not for environment variables: what they add to a key is decided where the key is used.

Sources:
    The Cargo Book, Configuration: https://doc.rust-lang.org/cargo/reference/config.html
    cargo 1.95, `src/cargo/util/context/mod.rs` (`walk_tree`, `load_includes`) and `config_value.rs` (`merge`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import ParseError, TOMLKitError

from optbuild.errors import ToolchainError
from optbuild.project.model import CargoConfig, ConfigNode, ConfigTable, Setting, first_file
from optbuild.text import sanitize_line

_MAX_DEPTH = 80  # as in cargo's TOML reader


def load_cargo_config(directory: Path, environ: Mapping[str, str]) -> CargoConfig:
    """Read the configuration that cargo uses when it runs in a directory.

    Args:
        directory: Where cargo runs; symlinks are resolved, as the kernel does for cargo.
        environ: For `CARGO_HOME` and `HOME`.

    Raises:
        ToolchainError: A file cannot be read, is malformed, or conflicts with another one. Cargo itself fails here too,
            so the fault is in the environment, not on the command line.
    """
    directory = directory.resolve()
    files: list[Path] = []
    merged: ConfigTable = {}
    for path in _config_paths(directory, environ):
        read: list[Path] = []
        table = _load_file(path, read)
        files += read
        merged = _merge_tables(table, merged, path)
    return CargoConfig(directory=directory, files=tuple(files), values=merged)


def environment_value(environ: Mapping[str, str], name: str) -> str | None:
    """A variable as cargo sees it: a value that is not UTF-8 counts as unset."""
    value = environ.get(name)
    try:
        return None if value is None else value.encode().decode()
    except UnicodeEncodeError:  # undecodable bytes arrive as lone surrogates
        return None


def find_build_directory(config: CargoConfig, environ: Mapping[str, str]) -> str | None:
    """What sets cargo's `build-dir`, for display; None if it is the target directory."""
    if environment_value(environ, "CARGO_BUILD_BUILD_DIR") is not None:
        return "CARGO_BUILD_BUILD_DIR"
    node = config.find("build", "build-dir")
    return None if node is None else f"{first_file(node)}: build.build-dir"


def find_build_std(config: CargoConfig, environ: Mapping[str, str]) -> str | None:
    """What asks cargo to build the standard library, for display; None if nothing does. Only a nightly cargo obeys."""
    if environment_value(environ, "CARGO_UNSTABLE_BUILD_STD"):
        return "CARGO_UNSTABLE_BUILD_STD"
    node = config.find("unstable", "build-std")
    return None if node is None else f"{first_file(node)}: unstable.build-std"


def _config_paths(directory: Path, environ: Mapping[str, str]) -> Iterator[Path]:
    """Nearest first; the home's last, unless it was on the way."""
    places = [ancestor / ".cargo" for ancestor in (directory, *directory.parents)]
    home = _cargo_home(directory, environ)
    if home.resolve() not in {place.resolve() for place in places}:
        places.append(home)
    for place in places:
        # The name without an extension is the older one, and wins.
        path = next((path for name in ("config", "config.toml") if _exists(path := place / name)), None)
        if path is not None:
            yield path


def _cargo_home(directory: Path, environ: Mapping[str, str]) -> Path:
    if environ.get("CARGO_HOME"):
        return directory / environ["CARGO_HOME"]
    return directory / (environ.get("HOME") or _home_of_user()) / ".cargo"


def _home_of_user() -> str:
    import pwd  # noqa: PLC0415 - exists on Unix only, and importing optbuild works everywhere

    return pwd.getpwuid(os.getuid()).pw_dir


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a directory without search permission: cargo skips it
        return False


def _load_file(path: Path, read: list[Path], chain: tuple[Path, ...] = ()) -> ConfigTable:
    """Read a file and what it includes.

    Args:
        path: The file.
        read: The files read so far for one discovered file; grows. As in cargo, none may occur twice.
        chain: The resolved files that led here through `include`.
    """
    if path in read or path.resolve() in chain:
        raise _refused(path, "it is included twice, or includes itself")
    if len(chain) > _MAX_DEPTH:
        raise _refused(path, "it is included too deeply")
    read.append(path)
    document = _parse_file(path)
    includes = document.pop("include", [])
    own = _with_origin(document, path, depth=0)
    below: ConfigTable = {}
    for included in _include_paths(includes, path):
        below = _merge_tables(below, _load_file(included, read, (*chain, path.resolve())), included)
    return _merge_tables(below, own, path)


def _parse_file(path: Path) -> dict[str, Any]:
    try:
        # tomlkit rather than tomllib: cargo reads TOML 1.1, with its inline tables of several lines.
        return tomlkit.parse(path.read_bytes().decode("utf-8-sig")).unwrap()
    except OSError as error:
        raise _refused(path, f"it cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise _refused(path, "it is not UTF-8") from error
    except (TOMLKitError, RecursionError) as error:
        line = error.line if isinstance(error, ParseError) else None
        raise _refused(path, sanitize_line(str(error).partition("\n")[0]), line=line) from error


def _with_origin(value: object, file: Path, *, depth: int) -> Any:  # noqa: ANN401 - a table gives a table, a leaf a leaf
    if depth > _MAX_DEPTH:
        raise _refused(file, "it is nested too deeply")
    if isinstance(value, dict):
        return {key: _with_origin(child, file, depth=depth + 1) for key, child in value.items()}
    if isinstance(value, list):
        return tuple(_with_origin(child, file, depth=depth + 1) for child in value)
    return Setting(value=value, file=file)


def _include_paths(includes: object, file: Path) -> Iterator[Path]:
    """The included files, relative to the including one; an optional one that does not exist is left out."""
    if not isinstance(includes, list):
        raise _refused(file, "`include` must be an array of paths or tables")
    for include in includes:
        match include:
            case str() as name:
                optional = False
            case {"path": str() as name, "optional": bool() as optional}:
                pass
            case {"path": str() as name}:
                optional = False
            case _:
                raise _refused(file, "an `include` must be a path or a table with a `path`")
        if Path(name).suffix != ".toml":
            raise _refused(file, f"the included path `{sanitize_line(name)}` does not end with `.toml`")
        path = file.parent / name
        if not optional or _exists(path):
            yield path


def _merge_tables(low: ConfigTable, high: ConfigTable, file: Path, key: tuple[str, ...] = ()) -> ConfigTable:
    """Merge two tables: tables deeply, arrays joined with the higher precedence last, else the higher one wins."""
    merged = dict(low)
    for name, value in high.items():
        merged[name] = _merge(low[name], value, file, (*key, name)) if name in low else value
    return merged


def _merge(low: ConfigNode, high: ConfigNode, file: Path, key: tuple[str, ...]) -> ConfigNode:
    match low, high:
        case Setting(), Setting():
            return high
        case Mapping(), Mapping():
            return _merge_tables(low, high, file, key)
        case tuple(), tuple():
            return high if _is_program(key) else low + high
        case _:
            raise _refused(file, f"`{'.'.join(key)}` has a different type in another file that applies here")


def _is_program(key: tuple[str, ...]) -> bool:
    """Whether a list is a program with its arguments: of several files, cargo then uses only the nearest one's."""
    return key[0] == "target" and key[-1] == "runner"


def _refused(path: Path, problem: str, *, line: int | None = None) -> ToolchainError:
    location = os.fspath(path) if line is None else f"{path}:{line}"
    return ToolchainError(
        f"Cargo's configuration {location} cannot be used: {problem}",
        help=f"correct {path}; `cargo check` in the project shows the same error",
        location=location,
    )
