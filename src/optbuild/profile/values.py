"""Values of a build profile and how to read them from TOML; not for which keys exist: `model` says that."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, WithJsonSchema

from optbuild.profile.cargo_words import parse_cargo_words
from optbuild.profile.faults import RefusedValueError
from optbuild.profile.placeholders import parse_placeholders
from optbuild.units import parse_duration_s, parse_ratio, parse_size_bytes

_FLOAT = re.compile(r"\d+(\.\d+)?([eE][-+]?\d+)?")


def _check_text(text: str) -> str:
    if "\0" in text:
        raise RefusedValueError(
            "a NUL character, which no program can receive", help=r"remove the `\u0000` from the text"
        )
    return text


def _check_not_empty(text: str) -> str:
    if not text.strip():
        raise RefusedValueError("an empty text", help="write a name, or remove the key")
    return text


def _check_word(text: str) -> str:
    parse_placeholders(text)
    return text


def _check_plain_path(text: str) -> str:
    if set(text) & {"{", "}"}:
        raise RefusedValueError(
            f"`{text}` contains braces, and placeholders are not replaced here",
            help="write a plain relative path",
        )
    return text


def _check_program(words: tuple[str, ...]) -> tuple[str, ...]:
    if not words[0].strip():
        raise RefusedValueError("the program's name is empty", help='begin the command with "{bin}" or a program')
    return words


def _check_cargo_words(words: tuple[str, ...]) -> tuple[str, ...]:
    parse_cargo_words(words)
    return words


def _check_one_line(text: str) -> str:
    if text.splitlines() != [text]:
        raise RefusedValueError("more than one line", help="write a name of one line")
    return text


def _check_variant_name(text: str) -> str:
    if re.fullmatch(r"(?![.-])[A-Za-z0-9._-]+", text) is None:
        raise RefusedValueError(
            "not a name for a variant",
            help="use letters, digits, `.`, `_` and `-`, and begin with a letter, a digit or `_`",
        )
    return text


def _check_variable(text: str) -> str:
    if "=" in text:
        raise RefusedValueError("not a name for an environment variable", help="remove the `=` from the name")
    return text


def _read_duration_s(value: object) -> object:
    return parse_duration_s(value if isinstance(value, str) else "")


def _read_size_bytes(value: object) -> object:
    return parse_size_bytes(value if isinstance(value, str) else "")


def _read_ratio(value: object) -> object:
    return parse_ratio(value if isinstance(value, str | int | float) and not isinstance(value, bool) else "")


def _check_share(ratio: float) -> float:
    if ratio > 1:
        raise ValueError('expected a share of at most "100%"')
    return ratio


def _check_above_zero(ratio: float) -> float:
    if ratio <= 0:
        raise ValueError('expected a ratio above zero, such as "1%" or 0.01')
    return ratio


def read_precision(value: object) -> object:
    """Read `"auto"`, or a ratio above zero."""
    return value if value == "auto" else _check_above_zero(_read_ratio(value))  # type: ignore[arg-type]  # it is a number


def only(*types: type) -> BeforeValidator:
    """Accept only values of these types, not others that are equal to one."""
    # Pydantic accepts `true` and `1.0` for the literal 1, and 1 for `true`: values of other types become text.
    return BeforeValidator(lambda value: value if type(value) in types else str(value))


def read_pgo_mode(value: object) -> object:
    """Read TOML's `true`, `false` or `"auto"` as the name of a mode.

    Raises:
        ValueError: It is none of them.
    """
    if isinstance(value, bool):
        return "required" if value else "off"
    if value == "auto":
        return value
    raise ValueError('expected true, false or "auto"')


def _check_compare_output(value: object) -> object:
    listed = isinstance(value, list | tuple) and value and all(isinstance(item, str) for item in value)
    if listed or value in ("auto", "stdout", "none"):
        return value
    raise ValueError('expected "auto", "stdout", "none" or a list of files')


def _check_output_files(value: str | tuple[str, ...]) -> str | tuple[str, ...]:
    for file in value if isinstance(value, tuple) else ():
        inside = file.removeprefix("{scratch}/")
        if inside != file and (not inside.strip("/") or ".." in inside.split("/") or inside.startswith("/")):
            raise RefusedValueError(f"`{file}` is not a file below {{scratch}}", help='write `"{scratch}/NAME"`')
        _check_plain_path(_check_not_empty(_check_text(inside)))
    return value


def _check_pattern(text: str) -> str:
    try:
        re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise RefusedValueError(
            f"`{text}` is not a regular expression: {error}",
            help=r"write it as Python's `re` reads it, best in single quotes, such as '\d+ ms'",
        ) from error
    return text


def _read_tolerance(value: object) -> object:
    if isinstance(value, str) and _FLOAT.fullmatch(value):
        value = float(value)
    return _read_ratio(value)


def _check_tolerance(ratio: float) -> float:
    if not 0 < ratio < 1:
        raise ValueError('expected a ratio above zero and below one, such as "1e-9"')
    return ratio


def _check_names(value: object) -> object:
    listed = isinstance(value, list | tuple) and value and all(isinstance(item, str) for item in value)
    if listed or isinstance(value, str):
        return value
    raise ValueError("expected a name or a list of names")


def _check_each_name(value: str | tuple[str, ...]) -> str | tuple[str, ...]:
    for name in (value,) if isinstance(value, str) else value:
        _check_not_empty(_check_text(name))
    return value


Text = Annotated[str, AfterValidator(_check_text)]
Name = Annotated[Text, AfterValidator(_check_not_empty)]
NameOrNames = Annotated[
    str | Annotated[tuple[str, ...], Field(min_length=1)],
    BeforeValidator(_check_names),  # a union would tell what is wrong with each of its members
    AfterValidator(_check_each_name),
]
PlainPath = Annotated[Name, AfterValidator(_check_plain_path)]
Word = Annotated[Text, AfterValidator(_check_word)]
VariableName = Annotated[Name, AfterValidator(_check_variable)]
VariantName = Annotated[str, AfterValidator(_check_variant_name)]
DurationS = Annotated[
    float,
    BeforeValidator(_read_duration_s),
    Field(allow_inf_nan=False),
    WithJsonSchema({"type": "string", "pattern": r"^\s*\d+(\.\d+)?\s*(ms|s|m|h)\s*$", "examples": ["500ms", "5m"]}),
]
SizeBytes = Annotated[
    int,
    BeforeValidator(_read_size_bytes),
    WithJsonSchema(
        {"type": "string", "pattern": r"^\s*\d+(\.\d+)?\s*([kKMGT]i?B|B)\s*$", "examples": ["500MB", "20GiB"]}
    ),
]
_RATIO_SCHEMA = {
    "anyOf": [{"type": "string", "pattern": r"^\s*\d+(\.\d+)?\s*%\s*$"}, {"type": "number", "minimum": 0}],
    "examples": ["1%", 0.01],
}
Ratio = Annotated[float, BeforeValidator(_read_ratio), WithJsonSchema(_RATIO_SCHEMA)]
Share = Annotated[Ratio, AfterValidator(_check_share)]
WorkloadName = Annotated[Name, AfterValidator(_check_one_line)]
Argv = Annotated[tuple[Word, ...], Field(min_length=1), AfterValidator(_check_program)]
CargoWords = Annotated[tuple[Word, ...], Field(min_length=1), AfterValidator(_check_cargo_words)]
Precision = Annotated[
    Literal["auto"] | float,
    BeforeValidator(read_precision),  # a union would tell what is wrong with each of its members
    WithJsonSchema(
        {
            "anyOf": [
                {"const": "auto", "type": "string"},
                {"type": "string", "pattern": r"^\d+(\.\d+)?\s*%$"},
                {"type": "number", "exclusiveMinimum": 0},
            ],
            "examples": ["auto", "1%"],
        }
    ),
]
Pattern = Annotated[Name, AfterValidator(_check_pattern)]
Tolerance = Annotated[
    float,
    BeforeValidator(_read_tolerance),
    AfterValidator(_check_tolerance),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": r"^\d+(\.\d+)?(\s*%|([eE][-+]?\d+)?)$"},
                {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
            ],
            "examples": ["1e-9"],
        }
    ),
]
CompareOutput = Annotated[
    Literal["auto", "stdout", "none"] | Annotated[tuple[str, ...], Field(min_length=1)],
    BeforeValidator(_check_compare_output),  # a union would tell what is wrong with each of its members
    AfterValidator(_check_output_files),
]


HOT_SHARES = ("p80", "p90", "p95", "p99", "p99.9", "p99.99", "p99.999")
"""The shares of all counts for which every `llvm-profdata show` prints the count of a block."""


def _read_hot_count(value: object) -> object:
    is_count = isinstance(value, int) and not isinstance(value, bool) and value > 0
    if is_count or value == "default" or value in HOT_SHARES:
        return value
    raise ValueError(f'expected "default", a count above zero, or one of {", ".join(HOT_SHARES)}')


HotCount = Annotated[
    int | str,
    BeforeValidator(_read_hot_count),  # a union would tell what is wrong with each of its members
    WithJsonSchema({"anyOf": [{"enum": ["default", *HOT_SHARES]}, {"type": "integer", "minimum": 1}]}),
]


def _read_count_scale(value: object) -> object:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= 1:
        return value
    raise ValueError("expected a number above zero and of 1 at most, such as 0.1")


CountScale = Annotated[
    float,
    BeforeValidator(_read_count_scale),
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "maximum": 1, "examples": [0.1]}),
]


def _toml_key(name: str) -> str:
    """The TOML key of a field: kebab-case, without the unit, which the value has."""
    return name.removesuffix("_s").removesuffix("_bytes").replace("_", "-")


STRICT_KEYS = ConfigDict(extra="forbid", alias_generator=_toml_key)
