"""The keys of `FLEET.toml`; not for reading one: `load` does that."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from optbuild.errors import FleetFileError
from optbuild.profile.document import FileKind
from optbuild.profile.schema import make_settings_schema, render_schema
from optbuild.profile.values import STRICT_KEYS, DurationS, Name, PlainPath, VariantName, WorkloadName, only

SCHEMA_VERSION = 1
FLEET_FILE = FileKind(
    schema_version=SCHEMA_VERSION,
    error=FleetFileError,
    if_absent="write one: schema = 1, and a [[projects]] table with `path`, `git` and `rev`, or `crate` and `version`",
    if_directory="name the TOML file itself: optbuild fleet plan DIRECTORY/FLEET.toml",
    if_large="name fewer projects in one file",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetProject:
    """One project: where its sources are, and what to build of it."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT_KEYS

    path: Annotated[PlainPath | None, Field(description="Its directory, relative to this file.")] = None
    git: Annotated[Name | None, Field(description="The URL of its repository; needs `rev`.")] = None
    rev: Annotated[Name | None, Field(description="A commit, a tag or a branch of it.")] = None
    crate: Annotated[Name | None, Field(description="Its name in the registry; needs `version`.")] = None
    version: Annotated[Name | None, Field(description="The exact version of it, such as `1.2.3`.")] = None
    name: Annotated[
        WorkloadName | None, Field(description="What reports call it; default: made from where it comes from.")
    ] = None
    build_profile: Annotated[
        PlainPath | None,
        Field(
            description="Its build profile, relative to this file; default: the project's own, or what `init` proposes."
        ),
    ] = None
    variants: Annotated[tuple[VariantName, ...], Field(description="What to build and compare; default: all.")] = ()
    targets: Annotated[
        tuple[Name, ...],
        Field(
            description='Target triples, or `"host"`; each is compared for itself. Default: as the build profile says.'
        ),
    ] = ()
    timeout_s: Annotated[
        DurationS | None,
        Field(description="How long a unit of it may build and measure in all, such as `2h`. Default: no limit."),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetSettings:
    """A list of projects."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT_KEYS

    schema: Annotated[Literal[1], only(int), Field(description="The version of this format.")]
    projects: Annotated[
        tuple[FleetProject, ...], Field(description="The projects, each with its own table.", min_length=1)
    ]


@cache
def _schema() -> dict[str, Any]:
    return make_settings_schema(FleetSettings, "optbuild fleet")


def make_fleet_schema() -> dict[str, Any]:
    """Make the JSON schema of `FLEET.toml`."""
    return _schema()


def render_fleet_schema() -> str:
    """Write the JSON schema of `FLEET.toml` as the text of a file."""
    return render_schema(make_fleet_schema())
