"""The flags that cargo passes to rustc for target code, and where they come from.

Cargo takes the first source that is set: `CARGO_ENCODED_RUSTFLAGS`, `RUSTFLAGS`, `target.<triple>` joined with every
matching `target.'cfg(…)'`, then `build`. optbuild must append its own flags to these, or the user's flags are lost.

Sources:
    The Cargo Book, `build.rustflags`: https://doc.rust-lang.org/cargo/reference/config.html#buildrustflags
    cargo 1.95, `src/cargo/core/compiler/build_context/target_info.rs` (`extra_args`) and
    `src/cargo/util/context/de.rs` (`StringList`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from optbuild.project.cargo_config import environment_value
from optbuild.project.cfg_expression import matches_cfg
from optbuild.project.model import CargoConfig, Rustflags, Setting, misconfigured

_SEPARATOR = "\x1f"
# Unicode's White_Space, which Rust splits at; Python's definition includes U+001C to U+001F as well.
_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_SPACES = re.compile(f"[{_SPACE}]+")
_OUTER_SPACE = re.compile(f"^[{_SPACE}]+|[{_SPACE}]+$")
# Options that change the output of `rustc --print=cfg`, and cannot make rustc load or run anything.
_CFG_CODEGEN_OPTIONS = frozenset(
    {"debug-assertions", "opt-level", "overflow-checks", "panic", "relocation-model", "target-cpu", "target-feature"}
)

Flag = tuple[str, str]  # the argument and its origin
PrintCfg = Callable[[tuple[str, ...]], tuple[str, ...]]


def resolve_rustflags(
    config: CargoConfig, environ: Mapping[str, str], target: str, target_cfg: tuple[str, ...] | None
) -> Rustflags:
    """Find the flags that cargo would pass to rustc for code of a target.

    Args:
        config: Cargo's configuration where it is run.
        environ: The environment cargo is run in.
        target: The target triple, as passed with `--target`; or the path of a target's JSON file.
        target_cfg: The lines of `rustc --print=cfg` for the target; None leaves `target.'cfg(…)'` out.

    Raises:
        ToolchainError: A value has a type that cargo refuses.
    """
    variable, found = _from_environment(environ)
    if variable is None:
        found = _from_target(config, environ, target, target_cfg) or _from_key(config, environ, ("build", "rustflags"))
    return Rustflags(
        flags=tuple(flag for flag, _ in found),
        origin=" + ".join(dict.fromkeys(origin for _, origin in found)) or None,
    )


def settle_rustflags(
    config: CargoConfig, environ: Mapping[str, str], target: str, target_cfg: tuple[str, ...], print_cfg: PrintCfg
) -> Rustflags:
    """Find the flags if flags decide which `target.'cfg(…)'` tables match.

    Cargo finds the flags without those tables, asks rustc for its `cfg` with them, and takes what then matches. It asks
    once more, but only to warn if the answer would change again.

    Args:
        config: Cargo's configuration where it is run.
        environ: The environment cargo is run in.
        target: As for `resolve_rustflags`.
        target_cfg: The output of `rustc --print=cfg` without flags.
        print_cfg: Asks rustc for its `cfg` with the given flags; gets only flags that can change it.

    Raises:
        ToolchainError: A value has a type that cargo refuses.
    """
    first = resolve_rustflags(config, environ, target, None)
    if not _cfg_tables(config, "rustflags"):
        return first
    changing = cfg_flags(first.flags)
    return resolve_rustflags(config, environ, target, print_cfg(changing) if changing else target_cfg)


def cfg_flags(flags: Iterable[str]) -> tuple[str, ...]:
    """Select the rustc flags that change its `cfg` and are harmless, whoever wrote them."""
    kept: list[str] = []
    words = iter(flags)
    for word in words:
        if word == "-O" or word.startswith("--cfg="):
            kept.append(word)
        elif word in {"--cfg", "-C", "--codegen"}:
            value = next(words, "@")
            # rustc reads more arguments from any `@file`, whatever precedes it.
            if not value.startswith("@") and (word == "--cfg" or _is_cfg_option(value)):
                kept += [word, value]
        elif word.startswith(("-C", "--codegen=")) and _is_cfg_option(re.sub("^(-C|--codegen=)", "", word)):
            kept.append(word)
    return tuple(kept)


def _is_cfg_option(text: str) -> bool:
    return text.partition("=")[0].replace("_", "-") in _CFG_CODEGEN_OPTIONS


def _from_environment(environ: Mapping[str, str]) -> tuple[str | None, list[Flag]]:
    """The deciding variable, if one is set. An empty one decides as well: for no flags."""
    encoded = environment_value(environ, "CARGO_ENCODED_RUSTFLAGS")
    if encoded is not None:
        name = "CARGO_ENCODED_RUSTFLAGS"
        return name, [(flag, name) for flag in encoded.split(_SEPARATOR)] if encoded else []
    plain = environment_value(environ, "RUSTFLAGS")
    if plain is not None:
        words = (_OUTER_SPACE.sub("", word) for word in plain.split(" "))
        return "RUSTFLAGS", [(word, "RUSTFLAGS") for word in words if word]
    return None, []


def _from_target(
    config: CargoConfig, environ: Mapping[str, str], target: str, target_cfg: tuple[str, ...] | None
) -> list[Flag]:
    name = Path(target).stem if target.endswith(".json") else target
    # Cargo makes one key of it, so a triple with a dot refers to a nested table.
    found = _from_key(config, environ, ("target", *name.split("."), "rustflags"))
    if target_cfg is not None:
        for key in matching_cfg_tables(config, target_cfg, "rustflags"):
            found += _from_files(config, ("target", key, "rustflags"))
    return found


def matching_cfg_tables(config: CargoConfig, target_cfg: tuple[str, ...], setting: str) -> list[str]:
    """The names of the `target.'cfg(…)'` tables that match a target and have a setting, in cargo's order."""
    return [key for key in _cfg_tables(config, setting) if _matches(key, target_cfg)]


def _cfg_tables(config: CargoConfig, setting: str) -> list[str]:
    """The names of all `target.'cfg(…)'` tables with a setting, sorted as cargo sorts them."""
    tables = config.find("target")
    if not isinstance(tables, Mapping):
        return []
    return sorted(
        key
        for key, table in tables.items()
        if key.startswith("cfg(") and isinstance(table, Mapping) and setting in table
    )


def _matches(key: str, target_cfg: tuple[str, ...]) -> bool:
    try:
        return key.endswith(")") and matches_cfg(key.removeprefix("cfg(")[:-1], target_cfg)
    except ValueError:  # cargo ignores an expression that it cannot read
        return False


def _from_key(config: CargoConfig, environ: Mapping[str, str], key: tuple[str, ...]) -> list[Flag]:
    """A list of strings from the files, followed by the words of its variable."""
    variable = "_".join(("cargo", *key)).replace("-", "_").upper()
    words = _split(environment_value(environ, variable) or "")
    return [*_from_files(config, key), *((word, variable) for word in words)]


def _from_files(config: CargoConfig, key: tuple[str, ...]) -> list[Flag]:
    node = config.find(*key)
    if node is None:
        return []
    name = ".".join(f"'{part}'" if "(" in part else part for part in key)
    match node:
        case Setting(value=str() as text, file=file):
            return [(word, f"{file}: {name}") for word in _split(text)]
        case Setting() | Mapping():
            raise misconfigured(key, "expected a string or an array of strings", node)
    flags: list[Flag] = []
    for item in node:
        if not isinstance(item, Setting) or not isinstance(item.value, str):
            raise misconfigured(key, "expected an array of strings", node)
        flags.append((item.value, f"{item.file}: {name}"))
    return flags


def _split(text: str) -> Iterator[str]:
    return (word for word in _SPACES.split(text) if word)
