"""Pydantic's readers and writers of the project's types, each made once, and not before it is needed."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import TypeAdapter

JSON_SCHEMA_DIALECT = "https://json-schema.org/draft/2020-12/schema"

T = TypeVar("T")

_made: dict[object, TypeAdapter[Any]] = {}


def adapter_of(kind: type[T]) -> TypeAdapter[T]:
    """What reads and writes values of a type.

    To make one takes a millisecond for a small type, and some fifty for a run's record. A short command would spend
    much of its time on it if one were made for each value, or for each module that is imported.
    """
    if kind not in _made:
        _made[kind] = TypeAdapter(kind)
    return _made[kind]


def make_json_schema(kind: type[Any], title: str) -> dict[str, Any]:
    """The JSON schema of a document that holds a value of a type."""
    schema = adapter_of(kind).json_schema(mode="serialization")
    return {"$schema": JSON_SCHEMA_DIALECT, **schema, "title": title}
