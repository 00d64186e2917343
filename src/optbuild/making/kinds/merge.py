"""Merge: one checked profile of the counts of all workloads."""

from __future__ import annotations

from optbuild.making.keys import Kept, merge_key
from optbuild.making.kinds.kind import Kind, Shown
from optbuild.making.kinds.workload import describe_counts
from optbuild.making.tools import Tools
from optbuild.making.training.merging import is_intact
from optbuild.plan.action import Id
from optbuild.plan.counts import CheckedProfile
from optbuild.plan.kinds.merge import MergeProfiles
from optbuild.plan.results import Artifact, Binaries, Results


class MergeKind(Kind[MergeProfiles, CheckedProfile]):
    """Merges by weight."""

    def perform(self, action: MergeProfiles, results: Results, tools: Tools) -> CheckedProfile:
        """Merge, and check the result."""
        counts = {training: results[training] for training in action.weights}
        return tools.merger.merge_weighted(
            action, counts, _built(action.program, results), _built(action.counted, results)
        )

    def find_kept(self, action: MergeProfiles, results: Results, kept: Kept) -> CheckedProfile | None:
        """The profile that was merged from the same counts."""
        profiles = {training: results[training].profile for training in action.weights}
        program, counted = _built(action.program, results), _built(action.counted, results)
        key = merge_key(action, profiles, program, counted, kept.profdata_version)
        stored = kept.results.load(key, CheckedProfile)
        return stored if stored is not None and is_intact(stored.profile) else None

    def show(self, action: MergeProfiles, _tools: Tools) -> Shown:
        """The tool."""
        return Shown(argv=(str(action.tool), "merge"))

    def describe(self, result: CheckedProfile) -> str:
        """How much ran."""
        return describe_counts(result.profile)


def _built(build: Id[Binaries] | None, results: Results) -> dict[str, Artifact]:
    """The programs of a build, if there is one."""
    return {} if build is None else dict(results[build].artifacts)
