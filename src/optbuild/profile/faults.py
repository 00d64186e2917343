"""Errors in a setting, before its place in a file is known; not for display: `load` adds the place."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

KeyPath = tuple[str | int, ...]

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_LONGEST_SHOWN = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing wrong with the setting at `path`."""

    path: KeyPath
    message: str
    help: str


class RefusedValueError(ValueError):
    """A value that cannot be used, with the edit that fixes it.

    Args:
        message: What is wrong, without the key's path.
        help: What to write instead.
    """

    def __init__(self, message: str, *, help: str) -> None:  # noqa: A002 - the word users read
        super().__init__(message)
        self.help = help


def render_key_path(path: KeyPath) -> str:
    """Write a key path in readable form: `variants.lto.codegen-units`, `workloads[0].command[2]`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            key = part if _BARE_KEY.fullmatch(part) else json.dumps(part, ensure_ascii=False)
            text += f".{key}" if text else key
    return text


def render_value(value: object) -> str:
    """Write a value of a TOML document for an error message, in TOML syntax and on one line."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list | tuple):
        return "a list" if value else "an empty list"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, str) else str(value)
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 1] + "…"


def render_inline(value: object) -> str:
    """Write a value in full, as it stands behind `KEY = ` in TOML."""
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{key} = {render_inline(item)}' for key, item in value.items())} }}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(render_inline, value))}]"
    return render_value(value)


def render_choices(values: Iterable[object]) -> str:
    """Write allowed values for a sentence: `"off", "thin" or "fat"`."""
    words = [render_value(value) for value in values]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def find_nearest(word: object, options: Iterable[str]) -> str | None:
    """The option that the author of `word` most likely meant."""
    matches = difflib.get_close_matches(word, list(options), n=1, cutoff=0.6) if isinstance(word, str) else []
    return matches[0] if matches else None
