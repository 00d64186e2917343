"""What `optbuild explain` found: a variant's functions compared with those of another, as data; its JSON has a schema.

Not for finding it: `explain` compares programs, and `session` builds them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal

from optbuild.adapters import adapter_of, make_json_schema
from optbuild.record.store import dump_ascii

SCHEMA: Final = "optbuild/explanation/1"


class FunctionChange(StrEnum):
    """What became of a function; the first that holds."""

    INLINED = "inlined"
    """It has counts and no code of its own, perhaps in neither: its callers contain it."""
    GONE = "gone"
    """It has no code of its own any more, and no counts: it was merged, inlined, or is not needed."""
    NEW = "new"
    """Only the variant has it as a function of its own."""
    SPLIT = "split"
    """The variant has put its rarely executed part elsewhere."""
    GROWN = "grown"
    SHRUNK = "shrunk"
    REARRANGED = "rearranged"
    """Other code of about the same size."""
    SAME = "same"
    """The same code; only distances to other code may differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionCode:
    """The code of a function in one program.

    Attributes:
        size_bytes: Of all its copies, without the parts that were split off.
        cold_bytes: Of the parts that were split off.
        copies: How many there are: instances of generic code, and copies in several units.
    """

    size_bytes: int
    cold_bytes: int
    copies: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedFunction:
    """A function in both programs; instances of generic code are one function.

    Attributes:
        name: As a person writes it; closures are named after the function that they are in.
        crate: None for `main`, C and what has no crate.
        count: How often its blocks ran in training, all together, as the compiler got it: with the weights of workloads
            and with `count-scale`. None without a profile.
        share: Of all counts.
        against: Its code in the program that is compared with; None where it has none of its own.
        variant: Its code in the variant.
    """

    name: str
    crate: str | None
    count: int | None
    share: float | None
    change: FunctionChange
    against: FunctionCode | None
    variant: FunctionCode | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CrateUse:
    """The code of a crate in the variant.

    Attributes:
        ran_bytes: Of functions that ran in training.
        never_ran_bytes: Of functions that were counted and never ran.
        uncounted_bytes: Of functions that no training counts, such as those of the precompiled standard library.
    """

    crate: str | None
    size_bytes: int
    ran_bytes: int
    never_ran_bytes: int
    uncounted_bytes: int
    functions: int
    never_ran_functions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HotCode:
    """The hottest functions that have most of the counts together, as far as a program has code of their own.

    Attributes:
        functions: How many have code of their own.
        size_bytes: Their code.
        pages: How many pages of 4 KiB they lie on.
    """

    functions: int
    size_bytes: int
    pages: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedProfile:
    """The PGO profile that the counts are from.

    Attributes:
        of: The variant that was compiled with it.
    """

    of: str
    path: str
    functions: int
    functions_with_counts: int
    total_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedProgram:
    """One program of a variant, compared with that of another.

    Attributes:
        profile: None where neither has PGO.
        hot_functions: How many functions have `hot_share` of the counts together.
        functions: Those that have counts or changed, the hottest first.
        crates: The largest first.
        advice: Sentences for a person.
    """

    bin: str
    profile: UsedProfile | None
    code_bytes: int
    code_bytes_against: int
    hot_share: float
    hot_functions: int | None
    hot_code: HotCode | None
    hot_code_against: HotCode | None
    functions: tuple[ExplainedFunction, ...]
    crates: tuple[CrateUse, ...]
    advice: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What a variant's settings did.

    Attributes:
        against: The variant that it is compared with.
        run_id: The record of the builds.
        built_with: Flags that both were built with, to keep what their own settings remove.
    """

    schema: Literal["optbuild/explanation/1"] = SCHEMA
    optbuild_version: str
    variant: str
    against: str
    run_id: str
    built_with: tuple[str, ...]
    programs: tuple[ExplainedProgram, ...]


def render_explanation(found: Explanation) -> str:
    """An explanation as one JSON document."""
    return dump_ascii(adapter_of(Explanation).dump_python(found, mode="json"), indent=2) + "\n"


def render_explanation_schema() -> str:
    """The JSON schema of an explanation as the text of a file."""
    schema = make_json_schema(Explanation, "optbuild explanation")
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
