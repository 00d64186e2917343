"""One TOML file of a build profile: refused if it cannot be read safely, else parsed with the line of every key.

Not for what its keys mean: `load` validates the merged whole.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optbuild import __version__
from optbuild.errors import BuildProfileError, Problem
from optbuild.profile.faults import Fault, KeyPath, render_key_path, render_value
from optbuild.profile.locate import locate_keys, measure_depth
from optbuild.profile.model import SCHEMA_VERSION, PresetName
from optbuild.profile.presets import PREFIX, load_preset

_MAX_BYTES = 1024 * 1024
_MAX_DEPTH = 32
_MAX_INTEGER = 2**63
_EXCERPT_WIDTH = 120
_POSITION = re.compile(r" \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A parsed TOML file or preset.

    Attributes:
        label: How it is named in messages: its path, or `preset:NAME`.
        path: The file; None for a preset.
        tree: What it says.
        lines: The line of every key and array element.
    """

    label: str
    path: Path | None
    tree: dict[str, Any]
    lines: dict[KeyPath, int]


def load_document(source: Path | PresetName) -> Document:
    """Read one file or preset.

    Raises:
        BuildProfileError: It cannot be read, is refused, is not TOML, or needs a newer optbuild.
    """
    if isinstance(source, Path):
        return parse_document(_read_file(source), label=str(source), path=source)
    return parse_document(load_preset(source), label=f"{PREFIX}{source}", path=None)


def parse_document(data: bytes, *, label: str, path: Path | None = None) -> Document:
    """Parse the content of one file.

    Raises:
        BuildProfileError: It is refused, is not TOML, or needs a newer optbuild.
    """
    text = _decode(data, label)
    depth, line = measure_depth(text)
    if depth > _MAX_DEPTH:
        raise _refusal(
            f"{label}:{line}",
            f"the build profile is nested {depth} levels deep; more than {_MAX_DEPTH} are refused",
            "flatten it: no key of a build profile needs more than 4 levels",
        )
    try:
        tree = tomllib.loads(text)
    except ValueError as error:
        raise BuildProfileError((_syntax_problem(str(error), text, label),)) from error
    document = Document(label=label, path=path, tree=tree, lines=locate_keys(text))
    large = _find_large_integer(tree, ())
    if large is not None:
        raise _refusal(
            f"{label}:{document.lines[large]}",
            f"`{render_key_path(large)}`: the integer does not fit into 64 bits",
            "write a smaller one",
        )
    version = tree.get("schema")
    if type(version) is int and version > SCHEMA_VERSION:
        raise _refusal(
            f"{label}:{document.lines['schema',]}",
            f"this build profile needs a newer optbuild: it uses schema {version}, and optbuild {__version__} reads "
            f"schema {SCHEMA_VERSION}",
            "upgrade: pip install --upgrade cargo-optbuild",
        )
    return document


def find_schema_fault(document: Document) -> Fault | None:
    """Check that a document names its schema."""
    version = document.tree.get("schema")
    if type(version) is int and version == SCHEMA_VERSION:
        return None
    message = "`schema` is missing"
    if version is not None:
        message = f"`schema`: expected {SCHEMA_VERSION}, got {render_value(version)}"
    return Fault(path=("schema",), message=message, help=f"write `schema = {SCHEMA_VERSION}` at the top of the file")


def _find_large_integer(value: object, path: KeyPath) -> KeyPath | None:
    """Find an integer that TOML does not allow but `tomllib` reads: showing or scaling one would fail."""
    if isinstance(value, int):
        return None if -_MAX_INTEGER <= value < _MAX_INTEGER else path
    members: Iterable[tuple[str | int, object]] = ()
    if isinstance(value, dict):
        members = value.items()
    elif isinstance(value, list):
        members = enumerate(value)
    return next((found for key, item in members if (found := _find_large_integer(item, (*path, key)))), None)


def _read_file(path: Path) -> bytes:
    location = str(path)
    try:
        if not path.exists():
            raise _refusal(location, f"there is no build profile at {path}", "write one: optbuild init")
        if not path.is_file():
            raise _refusal(location, f"{path} is not a file", "name the TOML file itself: -f DIRECTORY/optbuild.toml")
        with path.open("rb") as stream:
            return stream.read(_MAX_BYTES + 1)
    except OSError as error:
        reason = error.strerror or str(error)
        raise _refusal(
            location, f"cannot read {path}: {reason}", "make the file readable, or name another one with -f"
        ) from error


def _decode(data: bytes, label: str) -> str:
    if len(data) > _MAX_BYTES:
        raise _refusal(
            label,
            f"the build profile is larger than {_MAX_BYTES} bytes",
            "keep data in separate files, and name them in `inputs`",
        )
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _refusal(
            f"{label}:{line}",
            f"the build profile is not UTF-8: byte 0x{data[error.start]:02x} on line {line}",
            "save the file as UTF-8",
        ) from error


def _syntax_problem(message: str, text: str, label: str) -> Problem:
    advice = "correct the TOML at the caret: https://toml.io/en/v1.0.0"
    match = _POSITION.search(message)
    if match is None:
        return Problem(location=label, message=f"not TOML: {message}", help="correct the value")
    lines = [line.rstrip("\r") for line in text.rstrip().split("\n")]
    at_end = match["line"] is None
    number = len(lines) if at_end else int(match["line"])
    # A statement can fail after the last line with text.
    shown = lines[number - 1] if number <= len(lines) else ""
    column = len(shown) + 1 if at_end else int(match["column"])
    return Problem(
        location=f"{label}:{number}:{column}",
        message=f"not TOML: {message[: match.start()]}",
        help=advice,
        excerpt=_point_at(number, shown, column),
    )


def _point_at(number: int, line: str, column: int) -> str:
    """Write a line with a caret below a column; shorten a long line to the part around it."""
    begin = max(column - 1 - _EXCERPT_WIDTH // 2, 0)
    shown = line[begin : begin + _EXCERPT_WIDTH]
    before = line[begin : column - 1].ljust(column - 1 - begin)
    gutter = f"{number} | "
    # Keep tabs, to place the caret below its character whatever their width.
    indent = re.sub(r"[^\t]", " ", gutter + before)
    return f"{gutter}{shown}\n{indent}^"


def _refusal(location: str, message: str, help_text: str) -> BuildProfileError:
    return BuildProfileError((Problem(location=location, message=message, help=help_text),))
