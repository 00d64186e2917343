from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from optbuild.profile.model import PresetName
from optbuild.profile.presets import find_preset_names, load_preset
from optbuild.profile.schema import make_profile_schema, render_profile_schema

COMMITTED = Path(__file__).parents[2] / "schemas" / "optbuild-profile.schema.json"

FULL = """
schema = 1
extends = "preset:pgo"
[project]
features = ["a"]
[variants.x]
opt-level = "s"
strip = true
debug = 2
pgo = "auto"
[[workloads]]
name = "w"
command = ["{bin}"]
weight = 2
timeout = "5m"
compare-output = ["out.json"]
env = { A = "1" }
[measure]
precision = "1%"
min-effect = 0.02
"""


def is_valid(text: str) -> bool:
    """Whether a TOML text fits the JSON schema."""
    return jsonschema.Draft202012Validator(make_profile_schema()).is_valid(tomllib.loads(text))


def test_the_committed_schema_is_the_one_the_model_gives() -> None:
    """To mend a drift, write `optbuild.profile.schema.render_profile_schema()` into the file."""
    assert COMMITTED.read_text("utf-8") == render_profile_schema()


def test_the_schema_is_valid_json_schema() -> None:
    """Editors can read it."""
    jsonschema.Draft202012Validator.check_schema(json.loads(render_profile_schema()))


def test_every_key_is_described() -> None:
    """Editors show one sentence for each key."""
    schema = make_profile_schema()
    objects: list[dict[str, Any]] = [schema, *schema["$defs"].values()]
    for each in objects:
        for name, node in each.get("properties", {}).items():
            assert node.get("description", "").endswith((".", ";")), name


def test_a_default_is_a_value_of_its_key() -> None:
    """What an editor offers as the default would be accepted."""
    schema = make_profile_schema()
    for each in schema["$defs"].values():
        for node in each.get("properties", {}).values():
            if "default" in node:
                jsonschema.validate(node["default"], {**node, "$defs": schema["$defs"]})


@pytest.mark.parametrize("name", find_preset_names())
def test_presets_fit_the_schema(name: str) -> None:
    """What is shipped is valid, and says in its first line for whom it is."""
    text = load_preset(PresetName(name)).decode()
    assert is_valid(text)
    assert text.startswith("# For ")


def test_a_full_profile_fits_the_schema() -> None:
    """Values are described as they are written in TOML."""
    assert is_valid(FULL)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("schema = 1", ""),
        ("schema = 1", "schema = 2"),
        ('"s"', "9"),
        ('"5m"', "300"),
        ('"1%"', '"1"'),
        ("weight", "wieght"),
        ("weight = 2", "weight = 0"),
        ('"auto"', '"required"'),
        ('["out.json"]', "[]"),
    ],
)
def test_what_is_refused_does_not_fit_the_schema(old: str, new: str) -> None:
    """An editor marks what optbuild refuses."""
    assert old in FULL
    assert not is_valid(FULL.replace(old, new))
