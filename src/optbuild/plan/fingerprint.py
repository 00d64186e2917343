"""Content hashes: an action's id from its recipe, and a result's key from the content of its inputs."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any

from optbuild import __version__
from optbuild.plan.action import ActionId, Id, Output

_ID_DIGITS = 8
_SCALARS = frozenset({str, int, float, bool, type(None)})


def make_action_id(kind: str, *content: object) -> Id[Any]:
    """The id of an action: the same for the same content in any run, on any machine with the same paths."""
    return Id(f"{kind}-{fingerprint(content)[:_ID_DIGITS]}")


def make_result_key(action_id: ActionId, resolved: Mapping[str, str]) -> str:
    """The key under which this version of optbuild may reuse an action's result.

    Args:
        action_id: The recipe.
        resolved: Each input's name and the hash of its content.
    """
    return f"{action_id}-{fingerprint({'optbuild': __version__, **resolved})[:16]}"


def fingerprint(content: object) -> str:
    """The SHA-256 of a value made of dataclasses, mappings, sequences and scalars; mappings have no order."""
    canonical = json.dumps(_plain(content), sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _plain(value: object) -> object:  # noqa: PLR0911 - a line for each kind of value
    if type(value) in _SCALARS:  # the most common case first: the other checks take longer
        return value
    if isinstance(value, (Output, Path, Id)):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {item.name: _plain(getattr(value, item.name)) for item in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted(str(_plain(item)) for item in value)
    if isinstance(value, Enum):
        return value.value
    raise TypeError(f"cannot fingerprint a {type(value).__name__}")
