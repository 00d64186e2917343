"""One TOML file of settings: refused if it cannot be read safely, else parsed with the line of every key.

Not for what its keys mean: `load` validates the merged whole.
"""

from __future__ import annotations

import codecs
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optbuild import __version__
from optbuild.errors import BuildProfileError, Problem, SettingsError
from optbuild.profile.faults import Fault, KeyPath, render_key_path, render_value
from optbuild.profile.locate import locate_keys, measure_depth
from optbuild.profile.model import SCHEMA_VERSION, PresetName
from optbuild.profile.presets import PREFIX, load_preset


@dataclass(frozen=True, slots=True, kw_only=True)
class FileKind:
    """A kind of file of settings, for what is said about one that cannot be read.

    Attributes:
        schema_version: The newest `schema` that can be read.
        error: Raised with the problems of such a file.
        if_absent: What to do where there is no file.
        if_directory: What to do where a directory was named.
        if_large: What to do with a file that is too large.
    """

    schema_version: int
    error: type[SettingsError]
    if_absent: str
    if_directory: str
    if_large: str

    @property
    def subject(self) -> str:
        """What such a file is called."""
        return self.error.subject

    def refusal(self, location: str, message: str, help_text: str) -> SettingsError:
        """The error about a file with one problem."""
        return self.error((Problem(location=location, message=message, help=help_text),))


BUILD_PROFILE = FileKind(
    schema_version=SCHEMA_VERSION,
    error=BuildProfileError,
    if_absent="write one: optbuild init",
    if_directory="name the TOML file itself: -f DIRECTORY/optbuild.toml",
    if_large="keep data in separate files, and name them in `inputs`",
)

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


def load_document(source: Path | PresetName, kind: FileKind = BUILD_PROFILE) -> Document:
    """Read one file or preset.

    Raises:
        SettingsError: The kind's own: it cannot be read, is refused, is not TOML, or needs a newer optbuild.
    """
    if isinstance(source, Path):
        return parse_document(_read_file(source, kind), label=str(source), path=source, kind=kind)
    return parse_document(load_preset(source), label=f"{PREFIX}{source}", path=None)


def parse_document(data: bytes, *, label: str, path: Path | None = None, kind: FileKind = BUILD_PROFILE) -> Document:
    """Parse the content of one file.

    Raises:
        SettingsError: The kind's own: it is refused, is not TOML, or needs a newer optbuild.
    """
    text = _decode(data, label, kind)
    depth, line = measure_depth(text)
    if depth > _MAX_DEPTH:
        raise kind.refusal(
            f"{label}:{line}",
            f"{kind.subject} is nested {depth} levels deep; more than {_MAX_DEPTH} are refused",
            "flatten it: no key needs more than 4 levels",
        )
    try:
        tree = tomllib.loads(text)
    except ValueError as error:
        raise kind.error((_syntax_problem(str(error), text, label),)) from error
    document = Document(label=label, path=path, tree=tree, lines=locate_keys(text))
    large = _find_large_integer(tree, ())
    if large is not None:
        raise kind.refusal(
            f"{label}:{document.lines[large]}",
            f"`{render_key_path(large)}`: the integer does not fit into 64 bits",
            "write a smaller one",
        )
    version = tree.get("schema")
    if type(version) is int and version > kind.schema_version:
        raise kind.refusal(
            f"{label}:{document.lines['schema',]}",
            f"{kind.subject.replace('the', 'this', 1)} needs a newer optbuild: it uses schema {version}, and optbuild "
            f"{__version__} reads schema {kind.schema_version}",
            "upgrade: pip install --upgrade cargo-optbuild",
        )
    return document


def find_schema_fault(document: Document, kind: FileKind = BUILD_PROFILE) -> Fault | None:
    """Check that a document names its schema."""
    version = document.tree.get("schema")
    if type(version) is int and version == kind.schema_version:
        return None
    message = "`schema` is missing"
    if version is not None:
        message = f"`schema`: expected {kind.schema_version}, got {render_value(version)}"
    remedy = f"write `schema = {kind.schema_version}` at the top of the file"
    return Fault(path=("schema",), message=message, help=remedy)


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


def _read_file(path: Path, kind: FileKind) -> bytes:
    location = str(path)
    try:
        if not path.exists():
            what = kind.subject.removeprefix("the ")
            raise kind.refusal(location, f"there is no {what} at {path}", kind.if_absent)
        if not path.is_file():
            raise kind.refusal(location, f"{path} is not a file", kind.if_directory)
        with path.open("rb") as stream:
            return stream.read(_MAX_BYTES + 1)
    except OSError as error:
        reason = error.strerror or str(error)
        advice = "make the file readable, or name another one"
        raise kind.refusal(location, f"cannot read {path}: {reason}", advice) from error


def _decode(data: bytes, label: str, kind: FileKind) -> str:
    if len(data) > _MAX_BYTES:
        raise kind.refusal(label, f"{kind.subject} is larger than {_MAX_BYTES} bytes", kind.if_large)
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise kind.refusal(
            f"{label}:{line}",
            f"{kind.subject} is not UTF-8: byte 0x{data[error.start]:02x} on line {line}",
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
