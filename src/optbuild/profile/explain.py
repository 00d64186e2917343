"""Turn pydantic's errors about a file of settings into words for its author."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any, TypeGuard

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from optbuild.profile.faults import (
    Fault,
    KeyPath,
    RefusedValueError,
    find_nearest,
    render_choices,
    render_inline,
    render_key_path,
    render_value,
)
from optbuild.profile.merge import value_at
from optbuild.profile.metric_names import suggest_metric
from optbuild.profile.schema import make_profile_schema

_UNKNOWN_KEY = {"unexpected_keyword_argument", "extra_forbidden"}
_MISSING = {"missing", "missing_argument", "missing_keyword_only_argument"}
_UPGRADE = "remove it, or upgrade: pip install --upgrade cargo-optbuild"

# Specified, but not implemented yet. `*` stands for a workload's number or a variant's name.
_LATER_KEYS: Mapping[KeyPath, frozenset[str]] = {
    ("workloads", "*"): frozenset({"runner"}),
}
_ANY = '"…"'  # a text that only the author knows
_KINDS = {"object": "a table", "string": "a text", "boolean": "true or false"}


def explain(error: ValidationError, tree: Mapping[str, Any], schema: dict[str, Any] | None = None) -> Iterator[Fault]:
    """Turn each validation error into a fault.

    Args:
        error: What validating `tree` raised.
        tree: The raw file.
        schema: The JSON schema of such files; default: that of the build profile.
    """
    schema = make_profile_schema() if schema is None else schema
    for details in error.errors(include_url=False):
        path = tuple(part for part in details["loc"] if part != "[key]")
        if details["type"] in _UNKNOWN_KEY:
            yield _explain_unknown_key(path, schema)
        elif details["type"] in _MISSING:
            yield _explain_missing(path, schema)
        # pydantic also reports a list as too short if each of its items is wrong.
        elif details["type"] != "too_short" or not value_at(tree, path):
            yield _explain_value(path, details, value_at(tree, path), schema)


def _explain_unknown_key(path: KeyPath, schema: dict[str, Any]) -> Fault:
    written = render_key_path(path)
    *owner, key = path
    place = (owner[0], "*") if len(owner) == 2 else tuple(owner)  # noqa: PLR2004 - a variant or a workload
    if key in _LATER_KEYS.get(place, ()):
        return Fault(path=path, message=f"`{written}` needs a newer optbuild", help=_UPGRADE)
    known = list(_node_at(schema, tuple(owner)).get("properties", ()))
    nearest = find_nearest(key, known)
    table = None if owner else _table_with(str(key), schema)
    if nearest is not None:
        remedy = f"did you mean `{nearest}`?"
    elif table is not None:
        remedy = f"write it below `[{table}]`, where this key belongs"
    else:
        remedy = f"remove it; the keys here are {', '.join(sorted(known))}"
    return Fault(path=path, message=f"unknown key `{written}`", help=remedy)


def _table_with(key: str, schema: dict[str, Any]) -> str | None:
    """The only table of the build profile that has a key of this name."""
    tables = [name for name in schema["properties"] if key in _node_at(schema, (name,)).get("properties", ())]
    return tables[0] if len(tables) == 1 else None


def _explain_missing(path: KeyPath, schema: dict[str, Any]) -> Fault:
    expected = _describe(_node_at(schema, path), schema)
    return Fault(path=path, message=f"`{render_key_path(path)}` is missing", help=f"add `{path[-1]} = …`: {expected}")


def _explain_value(path: KeyPath, details: ErrorDetails, value: object, schema: dict[str, Any]) -> Fault:
    written = render_key_path(path)
    reason = details.get("ctx", {}).get("error")
    if isinstance(reason, RefusedValueError):
        return Fault(path=path, message=f"`{written}`: {reason}", help=reason.help)
    node = _node_at(schema, path)
    expected = str(reason).removeprefix("expected ") if reason is not None else _describe(node, schema)
    message = f"`{written}`: expected {expected}, got {render_value(value)}"
    return Fault(path=path, message=message, help=_suggest(path, value, schema) or f"write {expected}")


def _suggest(path: KeyPath, value: object, schema: dict[str, Any]) -> str | None:
    """What to write instead: what was meant, if that can be seen; otherwise an example."""
    node = _node_at(schema, path)
    if isinstance(value, str) and path[-1] == "metric" and (metric := suggest_metric(value)):
        return metric
    nearest = find_nearest(value, [option for option in node.get("enum", ()) if isinstance(option, str)])
    if nearest is not None:
        return f'did you mean "{nearest}"?'
    if isinstance(value, str) and (meant := _sibling_with(path, value, schema)):
        return f"did you mean `{meant} = {render_value(value)}`?"
    if node.get("type") == "array" and _is_text_for(value, _follow(node["items"], schema)):
        return f"write it as a list: {render_inline(_split_words(value) if node.get('minItems') else [value])}"
    if isinstance(value, list) and len(value) == 1 and _is_text_for(value[0], node):
        return f"write it without the brackets: `{path[-1]} = {render_value(value[0])}`"
    return _write_example(path, schema)


def _is_text_for(value: object, node: dict[str, Any]) -> TypeGuard[str]:
    if not isinstance(value, str) or node.get("type") != "string":
        return False
    return value in node.get("enum", (value,)) and re.search(node.get("pattern", ""), value) is not None


def _split_words(text: str) -> list[str]:
    """A command as its author would write it to a shell, as a list."""
    try:
        return shlex.split(text) or [text]
    except ValueError:  # a quotation mark without its partner
        return [text]


def _sibling_with(path: KeyPath, value: str, schema: dict[str, Any]) -> str | None:
    """The only other key of the same table that a word is a value of."""
    siblings = _node_at(schema, path[:-1]).get("properties", {})
    takers = [key for key, node in siblings.items() if key != path[-1] and value in _choices(node, schema)]
    return takers[0] if len(takers) == 1 else None


def _choices(node: dict[str, Any], schema: dict[str, Any]) -> list[object]:
    options = [_follow(option, schema) for option in (node, *node.get("anyOf", ()))]
    return [value for option in options for value in option.get("enum", ())]


def _write_example(path: KeyPath, schema: dict[str, Any]) -> str | None:
    """A line that the schema allows; for a table, its heading and one of its keys."""
    node, key = _node_at(schema, path), path[-1]
    if isinstance(key, int) and "properties" in node:
        return f"write it as a table with its own heading: `[[{render_key_path(path[:-1])}]]`"
    if isinstance(key, int):
        example = _example_of(node, schema)
        return example and f"write for instance {example}"
    if "properties" in _follow(node.get("additionalProperties") or {}, schema):
        return f"write a heading for each, such as `[{render_key_path((*path, 'NAME'))}]`"
    if "properties" in node and "examples" not in node:
        examples = {name: _example_of(child, schema) or _ANY for name, child in node["properties"].items()}
        name = min(examples, key=lambda name: _ANY in examples[name])  # the first that is given in full, if any is
        heading = f"write the heading `[{render_key_path(path)}]`, and below it for instance"
        return f"{heading} `{name} = {examples[name]}`"
    example = _example_of(node, schema)
    return example and f"write for instance `{key} = {example}`"


def _example_of(node: dict[str, Any], schema: dict[str, Any]) -> str | None:
    """A value that the schema allows, as it stands behind `KEY = `."""
    node = _follow(node, schema)
    found: str | None = None
    match node:
        case {"examples": [example, *_]}:
            found = render_inline(example)
        case {"enum": choices}:
            found = "true" if any(choice is True for choice in choices) else render_value(choices[0])
        case {"type": "integer" | "number", "default": number} | {"type": "integer", "minimum": number}:
            found = render_value(number)
        case {"anyOf": options}:
            found = next((example for option in options if (example := _example_of(option, schema))), None)
        case {"type": "boolean"}:
            found = "true"
        case {"type": "array", "items": items}:
            inner = _example_of(items, schema)
            found = inner and f"[{inner}]"
        case {"type": "string"}:
            found = _ANY
    return found


def _node_at(schema: dict[str, Any], path: KeyPath) -> dict[str, Any]:
    """The part of the JSON schema that describes the value at a key path."""
    node = schema
    for part in path:
        node = _follow(node, schema)
        if isinstance(part, int):
            options = [node, *node.get("anyOf", ())]
            node = next((option["items"] for option in options if "items" in option), {})
        else:
            node = node.get("properties", {}).get(part) or node.get("additionalProperties") or {}
    return _follow(node, schema)


def _follow(node: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    reference = node.get("$ref")
    return {**schema["$defs"][reference.rpartition("/")[2]], **node} if reference else node


def _describe(node: dict[str, Any], schema: dict[str, Any]) -> str:
    """Describe the values that a part of the JSON schema allows."""
    node = _follow(node, schema)
    match node:
        case {"enum": values}:
            return render_choices(values)
        case {"anyOf": options}:
            return " or ".join(_describe(option, schema) for option in options)
        case {"type": "array", "items": items}:
            not_empty = ", not empty" if node.get("minItems") else ""
            return f"a list of {_describe_items(items, schema)}{not_empty}"
        case {"type": "integer" | "number"}:
            return _describe_number(node)
    return _KINDS[node["type"]]


def _describe_items(items: dict[str, Any], schema: dict[str, Any]) -> str:
    match _follow(items, schema):
        case {"enum": values}:
            return render_choices(values)
        case {"type": "object"}:
            name = next((name for name, node in schema["properties"].items() if node.get("items") == items), "tables")
            return f"tables, each below its own [[{name}]]"
        case {}:
            return "values" if not items else "texts"
    return "texts"


def _describe_number(node: dict[str, Any]) -> str:
    kind = "an integer" if node["type"] == "integer" else "a number"
    match node:
        case {"minimum": low, "maximum": high}:
            return f"{kind} from {low} to {high}"
        case {"exclusiveMinimum": low, "exclusiveMaximum": high}:
            return f"{kind} above {low} and below {high}"
        case {"minimum": low}:
            return f"{kind} of {low} or more"
        case {"exclusiveMinimum": low}:
            return f"{kind} above {low}"
    return kind
