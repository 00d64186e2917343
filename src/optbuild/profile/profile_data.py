"""What a build profile may say of counts that are committed with it: `[profile-data]`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field

from optbuild.profile.values import STRICT_KEYS, PlainPath, Share


class UseProfileData(StrEnum):
    """When variants with PGO take committed counts."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileDataSettings:
    """Counts of a training that was done elsewhere or some other day, in a file that is committed."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT_KEYS

    path: Annotated[
        PlainPath | None, Field(description="The file, `*.pgodata`, relative to this one; `optbuild train` writes it.")
    ] = None
    use: Annotated[
        UseProfileData,
        Field(
            description="`auto`: where it matches well enough, else variants are trained; `always`: nothing is "
            "trained, and a variant that it does not match fails; `never`. With several targets, `auto` is for those "
            "that do not run here."
        ),
    ] = UseProfileData.AUTO
    min_matched: Annotated[Share, Field(description="The share of its counts that must find their function again.")] = (
        0.9
    )
