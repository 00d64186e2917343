"""What a build profile may require of a run: `[gates]`. Not for judging: `record/judge.py` does."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field

from optbuild.profile.values import STRICT_KEYS, Ratio, VariantName


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSettings:
    """What `optbuild check` requires of a run; a gate that is not set is not checked."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT_KEYS

    variant: Annotated[VariantName | None, Field(description="The variant to judge; default: the last one.")] = None
    min_gain: Annotated[
        Ratio | None,
        Field(description="How much less of the metric it must use than the baseline, over all workloads."),
    ] = None
    max_regression: Annotated[
        Ratio | None, Field(description="How much more of the metric it may use on any one workload.")
    ] = None
    max_size_growth: Annotated[Ratio | None, Field(description="How much larger its binaries may be in total.")] = None
    max_rss_growth: Annotated[
        Ratio | None, Field(description="How much more peak memory it may use on any one workload.")
    ] = None
    max_build_time_growth: Annotated[
        Ratio | None, Field(description="How much longer it may take to build, training included.")
    ] = None
    max_allocation_growth: Annotated[
        Ratio | None, Field(description="How many more blocks it may allocate on any one workload; they are counted.")
    ] = None
    on_inconclusive: Annotated[
        Literal["fail", "pass"], Field(description="How `optbuild check` treats an inconclusive gate.")
    ] = "fail"

    @property
    def is_empty(self) -> bool:
        """Whether there is no gate."""
        return all(getattr(self, each.name) is None for each in fields(self) if each.name.startswith(("min", "max")))
