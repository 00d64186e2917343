"""What a build profile may demand of a run: `[gates]`. Not for judging: `record/judge.py` does."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field

from optbuild.profile.values import STRICT_KEYS, Ratio, VariantName


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSettings:
    """What `optbuild check` demands of a run; a gate that is not written is not checked."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT_KEYS

    variant: Annotated[VariantName | None, Field(description="The variant that is judged; default: the last one.")] = (
        None
    )
    min_gain: Annotated[
        Ratio | None, Field(description="How much less of the metric it takes than the baseline, over all workloads.")
    ] = None
    max_regression: Annotated[
        Ratio | None, Field(description="How much more of the metric it may take on any one workload.")
    ] = None
    max_size_growth: Annotated[Ratio | None, Field(description="How much larger its binaries may be together.")] = None
    max_rss_growth: Annotated[
        Ratio | None, Field(description="How much more memory it may take at its peak, on any one workload.")
    ] = None
    max_build_time_growth: Annotated[
        Ratio | None, Field(description="How much longer it may take to build, training included.")
    ] = None
    on_inconclusive: Annotated[
        Literal["fail", "pass"], Field(description="What `optbuild check` makes of a gate that was not decided.")
    ] = "fail"

    @property
    def is_empty(self) -> bool:
        """Whether nothing is demanded."""
        return all(getattr(self, each.name) is None for each in fields(self) if each.name.startswith(("min", "max")))
