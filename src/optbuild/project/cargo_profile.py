"""The settings of Cargo's profiles, before any variant changes them.

Not for setting anything: variants do that with `--config`, which overrides all that is read here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from optbuild.project.cargo_config import environment_value
from optbuild.project.model import CargoConfig, CargoProfile, CargoProfiles, ConfigNode, Setting

WITH_LTO = ("thin", "fat")
"""The kinds of link-time optimisation that look at all crates at once."""

_ROOTS = {"bench": "release", "test": "dev"}
_DEFAULT_UNITS = {"dev": 256, "release": 16}  # rustc's own, if Cargo passes none; incremental builds are split finer


def load_cargo_profiles(manifest: Path, config: CargoConfig, environ: Mapping[str, str]) -> CargoProfiles:
    """Read the profiles of a workspace, which cargo has accepted already.

    Args:
        manifest: The workspace's root manifest: cargo ignores the profiles of others.
        config: Cargo's configuration, whose `[profile]` tables override the manifest's.
        environ: The user's environment, whose `CARGO_PROFILE_*` override both.
    """
    names = (name for name in environ if name.startswith("CARGO_PROFILE_"))
    configured = _plain(config.find("profile") or {})
    return CargoProfiles(
        tables=(configured if isinstance(configured, dict) else {}, _manifest_tables(manifest)),
        environ={name: value for name in names if (value := environment_value(environ, name)) is not None},
    )


def resolve_cargo_profile(profiles: CargoProfiles, name: str) -> CargoProfile:
    """The settings for the crates of a program that is built with a profile.

    Sources:
        The Cargo Book, "Profiles", https://doc.rust-lang.org/cargo/reference/profiles.html, and "Configuration",
        https://doc.rust-lang.org/cargo/reference/config.html#profile
    """
    lineage = tuple(_lineage(profiles, name))
    lto = _nearest(profiles, lineage, "lto")
    units = _nearest(profiles, lineage, "codegen-units")
    overrides = [package for each in lineage for table in profiles.tables for package in _packages(table, each)]
    package_units = (package["codegen-units"] for package in overrides if "codegen-units" in package)
    is_dev = lineage[-1] == "dev"
    opt_level = _nearest(profiles, lineage, "opt-level")
    return CargoProfile(
        lto=_LTO_WORDS.get(str(lto).lower(), str(lto)),
        codegen_units=_number(units, _DEFAULT_UNITS.get(lineage[-1], 16)),
        package_codegen_units=frozenset(_number(each, 0) for each in package_units),
        is_for_development=is_dev,
        opt_level=str(("0" if is_dev else "3") if opt_level is None else opt_level),
        debug_assertions=_truth(_nearest(profiles, lineage, "debug-assertions"), default=is_dev),
        overflow_checks=_truth(_nearest(profiles, lineage, "overflow-checks"), default=is_dev),
        strip=_word(_nearest(profiles, lineage, "strip")),
        debug=_word(_nearest(profiles, lineage, "debug")),
        split_debuginfo=_word(_nearest(profiles, lineage, "split-debuginfo")),
        codegen_backend=_word(_nearest(profiles, lineage, "codegen-backend")),
    )


def is_said_already(profiles: CargoProfiles, name: str, key: str, value: object) -> bool:
    """Whether a profile sets or inherits this value of a key; Cargo's defaults do not count.

    Args:
        profiles: Those of the workspace.
        name: The profile.
        key: As in `Cargo.toml`.
        value: As in a variant.
    """
    found = _nearest(profiles, tuple(_lineage(profiles, name)), key)
    if found is None:
        return False
    word = str(found).lower()
    return (_LTO_WORDS.get(word, word) if key == "lto" else word) == str(value).lower()


def find_override(profiles: CargoProfiles, name: str, key: str) -> str | None:
    """What overrides a key of a profile in the manifest, for display; None if nothing does.

    Args:
        profiles: Those of the workspace.
        name: The profile.
        key: As in `Cargo.toml`.
    """
    if (variable := _variable(name, key)) in profiles.environ:
        return f"{variable} of the environment"
    configured, _manifest = profiles.tables
    table = configured.get(name)
    return f"`profile.{name}.{key}` of Cargo's configuration" if isinstance(table, dict) and key in table else None


# How cargo reads the values of `lto`. `false` is not off: it lets the units of one crate be optimised together.
_LTO_WORDS = {"true": "fat", "fat": "fat", "thin": "thin", "off": "off", "n": "off", "no": "off"}
_LTO_WORDS |= dict.fromkeys(("false", "none"), "thin-local")


def _manifest_tables(manifest: Path) -> dict[str, Any]:
    try:
        tables = tomlkit.parse(manifest.read_bytes().decode("utf-8-sig")).unwrap().get("profile", {})
    except (OSError, UnicodeDecodeError, TOMLKitError):
        return {}  # cargo could read it, and says what is wrong with it otherwise
    return tables if isinstance(tables, dict) else {}


def _plain(node: ConfigNode) -> object:
    """A node of the configuration without the origins of its values."""
    if isinstance(node, Setting):
        return node.value
    if isinstance(node, Mapping):
        return {key: _plain(child) for key, child in node.items()}
    return [_plain(child) for child in node]


def _lineage(profiles: CargoProfiles, name: str) -> Iterator[str]:
    """A profile and those that it inherits from, nearest first."""
    seen: set[str] = set()
    current: object = name
    while isinstance(current, str) and current not in seen:
        seen.add(current)
        yield current
        current = _own(profiles, current, "inherits") or _ROOTS.get(current)


def _nearest(profiles: CargoProfiles, lineage: tuple[str, ...], key: str) -> object:
    return next((value for name in lineage if (value := _own(profiles, name, key)) is not None), None)


def _variable(name: str, key: str) -> str:
    return f"CARGO_PROFILE_{name}_{key}".replace("-", "_").upper()


def _own(profiles: CargoProfiles, name: str, key: str) -> object:
    """The settings of one profile itself: the environment overrides configuration files, those the manifest."""
    variable = _variable(name, key)
    if variable in profiles.environ:
        return profiles.environ[variable]
    tables = (table.get(name) for table in profiles.tables)
    return next((table[key] for table in tables if isinstance(table, dict) and key in table), None)


def _packages(table: Mapping[str, Any], name: str) -> Iterator[Mapping[str, Any]]:
    """The tables `[profile.NAME.package.*]`; build scripts and macros are not part of the program."""
    profile = table.get(name)
    packages = profile.get("package") if isinstance(profile, dict) else None
    for package in packages.values() if isinstance(packages, dict) else ():
        if isinstance(package, dict):
            yield package


def _truth(value: object, *, default: bool) -> bool:
    """A switch of a table, or of the environment as text."""
    return default if value is None else str(value).lower() == "true"


def _word(value: object) -> str | None:
    return None if value is None else str(value).lower()


def _number(value: object, default: int) -> int:
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() else default
