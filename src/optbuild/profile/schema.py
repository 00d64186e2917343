"""The JSON schema of a file of settings, made from its model; editors and error messages read it."""

from __future__ import annotations

import json
from typing import Any, cast

from optbuild.adapters import JSON_SCHEMA_DIALECT, adapter_of
from optbuild.profile.model import ProfileSettings

_NULL = {"type": "null"}


def make_profile_schema() -> dict[str, Any]:
    """Make the JSON schema of a build profile, with the keys of `optbuild.toml`."""
    return make_settings_schema(ProfileSettings, "optbuild build profile")


def make_settings_schema(model: type, title: str) -> dict[str, Any]:
    """Make the JSON schema of a file of settings, with the keys that it has in TOML."""
    schema = adapter_of(model).json_schema(by_alias=True, mode="validation")
    definitions = schema.pop("$defs")
    return {
        "$schema": JSON_SCHEMA_DIALECT,
        "title": title,
        **_tidy_schema({key: value for key, value in schema.items() if key != "title"}),
        "$defs": {name: _tidy_schema(definitions[name]) for name in sorted(definitions)},
    }


def render_profile_schema() -> str:
    """Write the JSON schema of a build profile as the text of a file."""
    return render_schema(make_profile_schema())


def render_schema(schema: dict[str, Any]) -> str:
    """Write a JSON schema as the text of a file."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _tidy_schema(node: dict[str, Any]) -> dict[str, Any]:
    """Leave out what does not concern TOML: null, which it does not have, and titles made from keys."""
    tidy: dict[str, Any] = {}
    for key, value in node.items():
        if key == "properties":
            tidy[key] = {name: _tidy_schema(_without_made_title(child)) for name, child in value.items()}
        elif key == "anyOf":
            options = [_tidy_schema(option) for option in value if option != _NULL]
            tidy.update(options[0] if len(options) == 1 else {key: options})
        elif isinstance(value, dict) and key != "default":
            tidy[key] = _tidy_schema(value)
        else:
            tidy[key] = value
    if tidy.get("default", ...) is None:
        del tidy["default"]
    # A default is a value of the model; if the model reads the key from text, it is not a value of the key.
    if tidy.get("type") == "string" and not isinstance(tidy.get("default", ""), str):
        del tidy["default"]
    return tidy


def _without_made_title(node: dict[str, Any]) -> dict[str, Any]:
    return cast("dict[str, Any]", {key: value for key, value in node.items() if key != "title"})
