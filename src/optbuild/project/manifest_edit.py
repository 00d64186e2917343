"""Write settings into a Cargo profile of a manifest's text; comments, order and everything else stay unchanged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from optbuild.text import BYTE_ORDER_MARK, keep_form

BUILT_IN = frozenset({"dev", "release", "test", "bench"})
"""Built-in Cargo profiles."""


def set_profile_keys(text: str, name: str, settings: Mapping[str, str | int | bool]) -> str:
    """Set keys of `[profile.NAME]`.

    Args:
        text: A `Cargo.toml`.
        name: The Cargo profile; one that neither is built in nor exists inherits from `release`.
        settings: Keys and values as Cargo has them.

    Raises:
        ValueError: The text is not TOML, or its tables are in a form that cannot be changed in place.
    """
    try:
        document = tomlkit.parse(text.removeprefix(BYTE_ORDER_MARK))
        wanted = _with_settings(document.unwrap(), name, settings)
        profiles = document.setdefault("profile", tomlkit.table(is_super_table=True))
        if name not in profiles:
            profiles[name] = tomlkit.table()
        for key, value in wanted["profile"][name].items():
            if profiles[name].get(key) != value:
                profiles[name][key] = value
        changed = tomlkit.dumps(document)
        if tomlkit.parse(changed).unwrap() != wanted:
            raise ValueError("the profile cannot be changed in place")
    except (TOMLKitError, TypeError, AttributeError) as error:
        raise ValueError(str(error)) from error
    return keep_form(text, changed)


def _with_settings(tree: dict[str, Any], name: str, settings: Mapping[str, str | int | bool]) -> dict[str, Any]:
    profiles = tree.get("profile", {})
    own = profiles.get(name, {} if name in BUILT_IN else {"inherits": "release"})
    return {**tree, "profile": {**profiles, name: {**own, **settings}}}
