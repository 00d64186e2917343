"""What `optbuild tune` searches: `[tune]`. Not for the candidates that come of it: `candidates` makes those."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field

from optbuild.profile.search_choices import Combinations, Objective, Space
from optbuild.profile.values import STRICT_KEYS, DurationS, Ratio
from optbuild.profile.variants import VariantSettings

DEFAULT_LEVEL = "default"
"""The level at which a factor stays as the baseline has it."""

FACTORS: tuple[str, ...] = tuple(
    each.name.replace("_", "-") for each in fields(VariantSettings) if each.name != "inherits"
)
"""What may be varied: every setting of a variant."""

Levels = tuple[Any, ...]
"""Values of one setting as TOML has them; `DEFAULT_LEVEL` stands for the baseline's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TuneSettings:
    """What to search, and for how long."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT_KEYS

    space: Annotated[
        Space | None,
        Field(description="Factors that come with optbuild; default: `quick`, unless `factors` are written."),
    ] = None
    factors: Annotated[
        Mapping[str, Annotated[tuple[Any, ...], Field(min_length=1)]],
        Field(
            description='Settings of a variant, each with the values to try; "default" leaves it as the baseline '
            "has it. They replace those of `space`.",
            examples=[{"lto": ["off", "thin", "fat"], "pgo": [False, True]}],
            json_schema_extra={"propertyNames": {"enum": list(FACTORS)}},
        ),
    ] = field(default_factory=dict)
    objective: Annotated[
        Objective | None, Field(description="What the winner has least of; default: `time`, in the space `size` size.")
    ] = None
    combinations: Annotated[
        Combinations,
        Field(
            description="Which combinations of several levels are built: those that promise to pay by what each level "
            "brings alone, or all."
        ),
    ] = Combinations.PROMISING
    max_size_growth: Annotated[
        Ratio | None, Field(description="How much larger than the baseline's the winner's binaries may be in total.")
    ] = None
    budget_s: Annotated[DurationS, Field(description="How long the whole search may take, builds included.")] = 3600.0
