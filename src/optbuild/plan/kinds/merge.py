"""Merge: combine the counts of all training workloads by weight into one checked profile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from optbuild.plan.action import Action, Id
from optbuild.plan.counts import CheckedProfile, Counts
from optbuild.plan.fingerprint import make_action_id
from optbuild.plan.results import Binaries
from optbuild.tools.llvm_profdata import merge_argv


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeProfiles(Action[CheckedProfile]):
    """Merge the workloads' counts by weight; the output is `profdata`.

    Attributes:
        weights: The share of each training run in the merged profile, whatever its length.
        tool: The `llvm-profdata` that fits rustc.
        directory: Where the merged profile is kept, named by the hash of its content.
        program: Builds the instrumented programs whose names of functions the counts get; None if they keep the names
            from training.
        min_matched: The share of the counts that must find their function in a build of another variant; None for
            programs of the same variant, any share of which will do.
        counted: Builds the instrumented programs of that other variant.
        count_scale: What each count is multiplied by in the end; None leaves them as they are.
    """

    kind: ClassVar[str] = "merge"

    weights: Mapping[Id[Counts], float]
    tool: Path
    directory: Path
    program: Id[Binaries] | None = None
    min_matched: float | None = None
    counted: Id[Binaries] | None = None
    count_scale: float | None = None

    def details(self) -> Mapping[str, object]:
        """The call of llvm-profdata."""
        weighted = [f"{weight:g} × {{profdata:{train}}}" for train, weight in self.weights.items()]
        argv = merge_argv(self.tool, inputs_file=Path("{inputs}"), output=Path("{profdata}"))
        named = [] if self.program is None else [f"by the names that functions have in {self.program}"]
        how = "; ".join([*named, *describe_scale(self.count_scale)])
        return {"argv": list(argv), "how": how or None, "inputs": weighted, "writes": str(self.directory)}


def make_merge_id(
    weights: Mapping[Id[Counts], float],
    *,
    program: Id[Binaries] | None = None,
    min_matched: float | None = None,
    count_scale: float | None = None,
) -> Id[CheckedProfile]:
    """The id of a merge by all that decides its result; what is not set is not in it."""
    names = [each for each in (program, min_matched) if each is not None]
    return make_action_id("merge", weights, *names, *scale_in_id(count_scale))


def scale_in_id(count_scale: float | None) -> tuple[Mapping[str, float], ...]:
    """What a scale adds to the id of an action that makes a profile: nothing if there is none."""
    return () if count_scale is None else ({"count-scale": count_scale},)


def describe_scale(count_scale: float | None) -> list[str]:
    """What a plan says of a scale."""
    return [] if count_scale is None else [f"each count × {count_scale}, 1 at least"]
